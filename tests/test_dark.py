"""Colors of figures on a dark ground."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from ttfslib import book
from ttfslib.explore import _dark
from ttfslib.plotting import CLASS_COLORS, COLORS

PAGE = "#14191f"


def rgb(color):
    return np.frombuffer(bytes.fromhex(color[1:]), np.uint8) / 255


def luminance(color):
    linear = np.where(
        rgb(color) <= 0.04045, rgb(color) / 12.92, ((rgb(color) + 0.055) / 1.055) ** 2.4
    )
    return linear @ [0.2126, 0.7152, 0.0722]


def contrast(one, other):
    dark, light = sorted(map(luminance, (one, other)))
    return (light + 0.05) / (dark + 0.05)


def test_paper_becomes_the_page():
    assert contrast(_dark.hex_on_dark("#ffffff"), PAGE) < 1.15


def test_ink_can_be_read():
    assert contrast(_dark.hex_on_dark(COLORS["potential"]), PAGE) > 10


@pytest.mark.parametrize("color", [*CLASS_COLORS, *COLORS.values()])
def test_no_color_of_the_book_sinks_into_the_page(color):
    assert contrast(_dark.hex_on_dark(color), PAGE) > 2.9


def test_shades_can_be_read_on_both_grounds_and_rise():
    row = book.shades(7)
    assert min(contrast(color, "#ffffff") for color in row) > 2
    assert min(contrast(_dark.hex_on_dark(color), PAGE) for color in row) > 2.9
    for colors in (row, [_dark.hex_on_dark(color) for color in row]):
        assert sorted(colors, key=luminance) == colors


def test_classes_stay_apart():
    dark = np.array([rgb(_dark.hex_on_dark(color)) for color in CLASS_COLORS])
    apart = np.abs(dark[:, None] - dark[None]).sum(axis=-1) + np.eye(len(dark))
    assert apart.min() > 0.2


@given(st.tuples(*[st.integers(0, 255)] * 3))
def test_greys_turn_round(levels):
    greys = sorted(levels)
    dark = [luminance(_dark.hex_on_dark(f"#{level:02x}{level:02x}{level:02x}")) for level in greys]
    assert dark == sorted(dark, reverse=True)


def test_short_colors_are_long_ones():
    assert _dark.hex_on_dark("#f80") == _dark.hex_on_dark("#ff8800")


def test_only_colors_change_in_a_picture():
    markup = '<svg><path id="#aaa" d="M 0 0" style="fill: #000000; stroke-width: 2"/></svg>'
    assert _dark.svg_on_dark(markup) == markup.replace("#000000", _dark.hex_on_dark("#000000"))
    assert _dark.colors_of(markup) == ["#000000"]


def test_images_follow_the_same_rule_and_keep_what_is_transparent():
    image = Image.new("RGBA", (2, 1))
    image.putdata([(34, 48, 60, 255), (255, 255, 255, 7)])
    ink, paper = np.asarray(_dark.image_on_dark(image))[0]
    assert f"#{bytes(ink[:3]).hex()}" == _dark.hex_on_dark("#22303c")
    assert ink[3] == 255
    assert paper[3] == 7

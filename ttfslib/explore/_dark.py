"""Colors of a figure on a dark ground: the same hues, ink turned light and paper turned dark.

Neutral colors swap their lightness, so that white becomes the dark page; saturated ones keep hue
and saturation and are lifted where they would sink into the ground. Lightness, hue and saturation
are those of Oklab (Ottosson, 2020), which follow the eye.
"""

from __future__ import annotations

import base64
import functools
import io
import re
from typing import Any

import numpy as np

from ttfslib._checks import FloatArray

_TO_CONES = np.array(
    [
        [0.4122214708, 0.5363325363, 0.0514459929],
        [0.2119034982, 0.6806995451, 0.1073969566],
        [0.0883024619, 0.2817188376, 0.6299787005],
    ]
)
_TO_LAB = np.array(
    [
        [0.2104542553, 0.7936177850, -0.0040720468],
        [1.9779984951, -2.4285922050, 0.4505937099],
        [0.0259040371, 0.7827717662, -0.8086757660],
    ]
)
_GROUND = 0.21  # lightness of the dark page
_LIFTED = 0.80  # colors darker than this are raised by a third of the distance
_NEUTRAL, _SATURATED = 0.03, 0.09  # between these two the rules fade into one another

_HEX = re.compile(r"#(?:[0-9a-fA-F]{6}|[0-9a-fA-F]{3})\b")
_RASTER = re.compile(r"(data:image/png;base64,)([A-Za-z0-9+/=\s]+)")
_COLORED = re.compile(r"style=\"[^\"]*\"|(?:fill|stroke|stop-color)=\"[^\"]*\"")


def on_dark(rgb: FloatArray) -> FloatArray:
    """Return colors for a dark ground.

    Parameters
    ----------
    rgb : array, shape (..., 3)
        sRGB from 0 to 1, as drawn for a white ground.

    Returns
    -------
    array, shape (..., 3)
    """
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    lab = np.cbrt(linear @ _TO_CONES.T) @ _TO_LAB.T
    lightness = lab[..., 0]
    share = (np.hypot(lab[..., 1], lab[..., 2]) - _NEUTRAL) / (_SATURATED - _NEUTRAL)
    saturated = np.clip(share, 0, 1)
    swapped = np.minimum(_GROUND + 0.9 * np.clip(1 - lightness, 0, 1) ** 0.8, 0.97)
    lifted = lightness + 0.35 * np.maximum(_LIFTED - lightness, 0)
    lab[..., 0] = saturated * lifted + (1 - saturated) * swapped
    linear = np.clip((lab @ np.linalg.inv(_TO_LAB).T) ** 3 @ np.linalg.inv(_TO_CONES).T, 0, 1)
    return np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055)


@functools.cache
def hex_on_dark(color: str) -> str:
    """Return ``#rrggbb`` for a dark ground, of a color written as ``#rrggbb`` or ``#rgb``."""
    digits = color[1:] if len(color) == 7 else "".join(2 * digit for digit in color[1:])
    rgb = np.frombuffer(bytes.fromhex(digits), np.uint8) / 255
    return "#" + bytes(_bytes(on_dark(rgb))).hex()


def colors_of(markup: str) -> list[str]:
    """Return the distinct colors that SVG `markup` names, sorted."""
    return sorted({c for found in _COLORED.findall(markup) for c in _HEX.findall(found)})


def svg_on_dark(markup: str) -> str:
    """Return an SVG picture for a dark ground, the rasters inside it included."""

    def recolor(found: re.Match[str]) -> str:
        return _HEX.sub(lambda color: hex_on_dark(color[0]), found[0])

    markup = _COLORED.sub(recolor, markup)
    return _RASTER.sub(lambda found: found[1] + _raster_on_dark(found[2]), markup)


def image_on_dark(image: Any) -> Any:
    """Return a Pillow image for a dark ground; what is transparent stays so."""
    from PIL import Image

    pixels = np.asarray(image.convert("RGBA"))
    packed = pixels[..., :3].astype(np.uint32) @ np.array([1 << 16, 1 << 8, 1], np.uint32)
    colors, which = np.unique(packed, return_inverse=True)
    rgb = colors[:, None] >> np.array([16, 8, 0], np.uint32) & 255
    dark = _bytes(on_dark(rgb / 255))[which.reshape(packed.shape)]
    return Image.fromarray(np.dstack([dark, pixels[..., 3]]))


def _raster_on_dark(text: str) -> str:
    from PIL import Image

    with Image.open(io.BytesIO(base64.b64decode(text))) as image:
        dark = image_on_dark(image)
    buffer = io.BytesIO()
    dark.save(buffer, "png", optimize=True)
    return base64.b64encode(buffer.getvalue()).decode()


def _bytes(rgb: FloatArray) -> Any:
    return np.rint(np.clip(rgb, 0, 1) * 255).astype(np.uint8)

"""Code cells with the tag `in-box` move into the dropdown before them."""

import logging

import pytest

pytest.importorskip("sphinx", reason="the extra `book` is not installed")

from docutils import nodes
from docutils.utils import new_document

pytestmark = pytest.mark.filterwarnings("default")


@pytest.fixture
def optional_boxes(monkeypatch, request):
    monkeypatch.syspath_prepend(str(request.config.rootpath / "tools"))
    import optional_boxes

    return optional_boxes


def cell(*classes):
    return nodes.container(classes=["cell", *classes])


def moved(optional_boxes, *content):
    """Move the cells of a page; return the page."""
    document = new_document("page")
    document += [*content]
    optional_boxes.MoveIntoBox(document).apply()
    return document


def test_tagged_cells_move_into_the_box_in_their_order(optional_boxes):
    box = nodes.container(design_component="dropdown")
    first, second, after = cell("tag_in-box"), cell("tag_in-box", "tag_hide-input"), cell()
    page = moved(optional_boxes, box, first, second, after)
    assert page.children == [box, after]
    assert box.children == [first, second]


def test_other_cells_stay(optional_boxes):
    box, plain = nodes.container(design_component="dropdown"), cell("tag_hide-input")
    assert moved(optional_boxes, box, plain).children == [box, plain]
    assert box.children == []


@pytest.mark.parametrize(
    "before", [[], [nodes.paragraph()], [cell()]], ids=["first", "text", "cell"]
)
def test_a_tagged_cell_without_a_box_is_a_warning(optional_boxes, before, caplog):
    logging.getLogger("sphinx").propagate = True
    lost = cell("tag_in-box")
    with caplog.at_level(logging.WARNING, logger="sphinx"):
        page = moved(optional_boxes, *before, lost)
    assert lost in page.children
    assert "must follow a dropdown" in caplog.text

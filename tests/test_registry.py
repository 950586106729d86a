"""Registries: names, parameters with their defaults, and what is said of wrong ones."""

from __future__ import annotations

import copy
import pickle

import pytest

from ttfslib._registry import Choice, Registry


@pytest.fixture
def fruits():
    registry = Registry("fruit")

    @registry.register("apple")
    def apple(weight: float = 1.0, n: int = 2):
        if weight <= 0:
            raise ValueError(f"weight must be positive, got {weight}")
        return ("apple", weight, n)

    @registry.register("pear")
    def pear(sort):
        return ("pear", sort)

    return registry


def test_defaults_are_filled_in_and_whole_numbers_become_floats(fruits):
    assert fruits.choice("apple") == Choice("apple", {"weight": 1.0, "n": 2})
    chosen = fruits.choice({"name": "apple", "weight": 3})
    assert isinstance(chosen.parameters["weight"], float)
    assert fruits.make(chosen) == ("apple", 3.0, 2)
    assert fruits.choice(chosen) == chosen
    assert chosen.as_mapping() == {"name": "apple", "weight": 3.0, "n": 2}
    assert fruits.names == ["apple", "pear"]


def test_a_choice_can_be_hashed_copied_and_pickled(fruits):
    chosen = fruits.choice("apple")
    for again in (copy.deepcopy(chosen), pickle.loads(pickle.dumps(chosen))):
        assert again == chosen
        assert hash(again) == hash(chosen)
    assert hash(fruits.choice({"name": "apple", "n": 3})) != hash(chosen)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("aple", "fruit must be one of 'apple', 'pear', got 'aple' (did you mean apple?)"),
        ({"n": 1}, "fruit must be a name or a table with a name, got dict {'n': 1}"),
        (None, "fruit must be a name or a table with a name, got NoneType None"),
        ({"name": "apple", "wieght": 1}, ("fruit parameter of apple must be one of 'weight', 'n', "
         "got 'wieght' (did you mean weight?)")),
        ({"name": "apple", "weight": -1}, "fruit.weight must be positive, got -1.0"),
        ("pear", "fruit pear lacks the parameters sort"),
    ],
)  # fmt: skip
def test_what_is_not_there_or_wrong_is_named(fruits, value, said):
    with pytest.raises(ValueError, match=r"^fruit") as caught:
        fruits.choice(value)
    assert str(caught.value) == said


def test_a_name_is_given_once(fruits):
    with pytest.raises(ValueError, match=r"^name must be new among each fruit, got 'apple' again$"):
        fruits.register("apple")(lambda: None)

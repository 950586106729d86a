"""Registries: what a config may name, each entry with its own checked parameters."""

from __future__ import annotations

import difflib
import inspect
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from ttfslib import _checks

Made = TypeVar("Made")
Maker = TypeVar("Maker", bound=Callable[..., Any])


@dataclass(frozen=True)
class Choice:
    """A registered entry with the values of its parameters, all of them."""

    name: str
    parameters: Mapping[str, Any] = field(default_factory=dict)

    def __hash__(self) -> int:
        return hash((self.name, *self.parameters.items()))

    def as_mapping(self) -> dict[str, Any]:
        """Name and parameters in one flat mapping, as a TOML file holds them."""
        return {"name": self.name, **self.parameters}


class Registry(Generic[Made]):
    """Makers by name; a maker's keyword arguments are the parameters of its entry.

    Parameters
    ----------
    kind : str
        What is registered, for messages: "loss".
    """

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self._makers: dict[str, Callable[..., Made]] = {}

    @property
    def names(self) -> list[str]:
        """Names of all entries, in the order in which they were registered."""
        return list(self._makers)

    def register(self, name: str) -> Callable[[Maker], Maker]:
        """Register the class or function that follows under a name, which must be free."""

        def keep(maker: Maker) -> Maker:
            if name in self._makers:
                raise ValueError(f"name must be new among each {self.kind}, got {name!r} again")
            self._makers[name] = maker
            return maker

        return keep

    def choice(self, value: Any) -> Choice:
        """Check a name, or a mapping of ``name`` and parameters, and fill in all defaults.

        Raises
        ------
        ValueError
            If there is no such entry, or a parameter is unknown or out of its range.
        """
        given = value.as_mapping() if isinstance(value, Choice) else value
        given = {"name": given} if isinstance(given, str) else given
        if not isinstance(given, Mapping) or not isinstance(given.get("name"), str):
            raise ValueError(
                f"{self.kind} must be a name or a table with a name, got {type(value).__name__} "
                f"{_checks.shown(value)}"
            )
        named = {str(key): entry for key, entry in given.items() if key != "name"}
        if given["name"] not in self._makers:
            raise ValueError(self._unknown("", given["name"], self.names))
        chosen = Choice(given["name"], self._parameters(given["name"], named))
        self.make(chosen)
        return chosen

    def make(self, choice: Choice) -> Made:
        """Make what was chosen.

        Raises
        ------
        ValueError
            If a parameter is out of its range; the message names the kind and the parameter.
        """
        try:
            return self._makers[choice.name](**choice.parameters)
        except ValueError as error:
            raise ValueError(f"{self.kind}.{error}") from None

    def _parameters(self, name: str, given: Mapping[str, Any]) -> dict[str, Any]:
        known = inspect.signature(self._makers[name]).parameters
        for parameter in given:
            if parameter not in known:
                raise ValueError(self._unknown(f"parameter of {name} ", parameter, list(known)))
        lacking = [
            parameter
            for parameter, about in known.items()
            if about.default is about.empty and parameter not in given
        ]
        if lacking:
            raise ValueError(f"{self.kind} {name} lacks the parameters {', '.join(lacking)}")
        values = {parameter: given.get(parameter, known[parameter].default) for parameter in known}
        return {
            parameter: _as_float(value) if isinstance(known[parameter].default, float) else value
            for parameter, value in values.items()
        }

    def _unknown(self, what: str, name: str, options: list[str]) -> str:
        allowed = ", ".join(map(repr, options)) or "none"
        got = f"{_checks.shown(name)}{did_you_mean(name, options)}"
        return f"{self.kind} {what}must be one of {allowed}, got {got}"


def did_you_mean(name: str, options: Iterable[str]) -> str:
    """The option that is nearest to a misspelt name, in brackets, or nothing."""
    near = difflib.get_close_matches(name[:100], list(options), n=1)
    return f" (did you mean {near[0]}?)" if near else ""


def _as_float(value: Any) -> Any:
    """A whole number where a float belongs, as TOML tells them apart; the rest as it is."""
    if not isinstance(value, int) or isinstance(value, bool):
        return value
    try:
        return float(value)
    except OverflowError:
        return math.inf

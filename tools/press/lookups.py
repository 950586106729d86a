"""What a build looks up for each reference, kept after the first time.

Sphinx reads a whole page from the disk for every reference to one of its figures, and pybtex asks
all installed packages for its backend at every citation.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import pybtex.plugin  # type: ignore[import-untyped]
from sphinx.domains.std import StandardDomain

if TYPE_CHECKING:
    from docutils import nodes
    from sphinx.application import Sphinx
    from sphinx.environment import BuildEnvironment

BACKENDS = ("docutils", "plaintext")


class Reading:
    """An environment that reads each page once; who asks it must leave the page as it is."""

    def __init__(self, env: BuildEnvironment) -> None:
        self.env = env
        self.get_doctree = functools.cache(env.get_doctree)

    def __getattr__(self, name: str) -> Any:
        """Be that environment in all else."""
        return getattr(self.env, name)


class References(StandardDomain):
    """References by number that share what they read."""

    _reading: Reading | None = None

    def _resolve_numref_xref(self, env: BuildEnvironment, *details: Any) -> nodes.Element | None:
        self._reading = self._reading or Reading(env)
        return super()._resolve_numref_xref(self._reading, *details)  # type: ignore[arg-type]


def _forget(app: Sphinx, _doctree: nodes.document) -> None:
    """A page that is read anew has other figures."""
    vars(app.env.get_domain("std")).pop("_reading", None)


def setup(app: Sphinx) -> None:
    """Register both."""
    app.add_domain(References, override=True)
    app.connect("doctree-read", _forget)
    for name in BACKENDS:
        backend = pybtex.plugin.find_plugin("pybtex.backends", name)
        pybtex.plugin.register_plugin("pybtex.backends", name, backend, force=True)

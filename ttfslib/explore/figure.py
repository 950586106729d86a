"""Interactive figures: sliders that work in Jupyter, and on a page without kernel or network.

`interactive_figure` draws a figure once for every combination of its sliders. What a notebook
stores is a piece of HTML with all these pictures inside, which needs nothing but a browser; where
a kernel runs, JupyterLab shows live sliders instead, and each move calls the plotting function.
"""

from __future__ import annotations

import html
import importlib.util
import itertools
import math
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from ttfslib.explore import _frames
from ttfslib.explore._controls import Control, Slider, Values
from ttfslib.explore._page import assemble, asset, check_size, controls_of, sentence

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["InteractiveFigure", "Slider", "interactive_figure"]

MAX_FRAMES = 400

_WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"


def interactive_figure(
    plot: Callable[..., Figure],
    /,
    *,
    alt: str | Callable[..., str],
    label: str = "Interactive figure",
    **sliders: Slider | Values,
) -> InteractiveFigure:
    r"""Draw `plot` for every combination of `sliders`, as a figure that the reader can move.

    Each frame costs what drawing and saving the figure once costs: about 50 ms for two lines in
    one panel, twice that with ``layout="constrained"``. Nothing is cached. JupyterLab shows live
    sliders as long as the kernel lives that made them; a notebook that was saved with them shows
    them again once the cell has been run. Everywhere else the stored pictures move.

    Parameters
    ----------
    plot : callable
        Called with one keyword argument per slider; returns a new matplotlib `Figure`. It should
        fix the limits of its axes, so that they stand still while the sliders move.
    alt : str or callable
        What the figure shows, in a sentence for those who cannot see it. A callable gets the
        arguments of `plot` and describes one frame; screen readers then speak each change.
    label : str, optional
        Name of the group of picture and sliders.
    **sliders : Slider, sequence or mapping
        The values of each argument of `plot`, see `Slider`.

    Returns
    -------
    InteractiveFigure
        Shown by Jupyter when it is the last value of a cell.

    Raises
    ------
    ValueError
        If a slider has fewer than two distinct values, a NaN or an unknown initial value, if
        there are more than 400 frames, if `plot` returns no figure, if the text of `alt` or
        `label` is missing, or if the figure would take more than 1 MB.

    Examples
    --------
    >>> from ttfslib.explore import Slider, interactive_figure
    >>> interactive_figure(
    ...     plot_potential,
    ...     weight=Slider(np.linspace(0, 3, 13), label="weight $w$", unit=r"$\vartheta$"),
    ...     alt="Membrane potential over time with the threshold as a dashed line.",
    ... )  # doctest: +SKIP
    """
    return InteractiveFigure(plot, controls_of(plot, sliders), alt, label)


class InteractiveFigure:
    """What `interactive_figure` returns; the last line of a cell displays it.

    Attributes
    ----------
    html : str
        The figure for a page without a kernel, complete in itself.
    """

    def __init__(
        self,
        plot: Callable[..., Figure],
        controls: Sequence[Control],
        alt: str | Callable[..., str],
        label: str,
    ) -> None:
        self._plot = plot
        self._controls = controls
        self._alt = alt
        self._label = sentence("label", label)
        self._start = tuple(c.initial for c in controls)
        self.html = self._render()

    def __repr__(self) -> str:
        sizes = ", ".join(f"{c.name}: {len(c.options)} values" for c in self._controls)
        return f"InteractiveFigure({sizes})"

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        bundle: dict[str, Any] = {"text/plain": repr(self), "text/html": self.html}
        if _kernel_shows_widgets():
            bundle[_WIDGET_VIEW] = self._widget()._repr_mimebundle_()[_WIDGET_VIEW]
        return bundle

    def _render(self) -> str:
        """Draw all frames and put them into one piece of HTML."""
        count = math.prod(len(c.options) for c in self._controls)
        if count > MAX_FRAMES:
            raise ValueError(
                f"sliders must make at most {MAX_FRAMES} frames, got {count}: give fewer values"
            )
        described = self._grid() if callable(self._alt) else [self._start]
        alts = [self._describe(at) for at in described]
        page = self._page([self._draw(at) for at in self._grid()], alts)
        advice = "give fewer values or draw fewer points"
        check_size(page, "interactive figure", made_of=f" in {count} frames", advice=advice)
        return page

    def _page(self, frames: list[str], alts: list[str]) -> str:
        initial = list(self._grid()).index(self._start)
        parcel = _frames.pack(frames, alts=alts)
        return assemble(
            frames[initial],
            self._controls,
            alt=alts[initial % len(alts)],
            label=self._label,
            css=asset("explore.css"),
            attributes=f'data-frame="{initial}"',
            scripts=(
                f'<script type="text/plain" class="ttfs-frames">{parcel}</script>\n'
                f"<script>\n{asset('controls.js')}{asset('explore.js')}</script>"
            ),
        )

    def _grid(self) -> Iterator[tuple[int, ...]]:
        """All combinations of positions; the last slider turns fastest, as on the page."""
        return itertools.product(*(range(len(c.options)) for c in self._controls))

    def _arguments(self, positions: Sequence[int]) -> dict[str, Any]:
        return {c.name: c.arguments[i] for c, i in zip(self._controls, positions, strict=True)}

    def _draw(self, positions: Sequence[int]) -> str:
        return _frames.draw(self._plot, self._arguments(positions))

    def _describe(self, positions: Sequence[int]) -> str:
        """Return the description of one frame."""
        alt = self._alt(**self._arguments(positions)) if callable(self._alt) else self._alt
        return sentence("alt", alt)

    def _widget(self) -> Any:
        """Sliders that call `plot` anew, for JupyterLab and its like."""
        import ipywidgets

        stage = ipywidgets.HTML()
        width = f"{max(len(c.label.plain) for c in self._controls) + 1}ch"
        selectors = [_selector(c, width) for c in self._controls]

        def redraw(_change: object = None) -> None:
            positions = [s.index for s in selectors]
            frame = self._draw(positions)
            width, _ = _frames.size_in_points(frame)
            stage.value = (
                f'<img alt="{html.escape(self._describe(positions))}"'
                f' style="display:block;width:{width:g}pt;max-width:100%"'
                f' src="{_frames.data_uri(frame)}">'
            )

        redraw()
        for selector in selectors:
            selector.observe(redraw, names="index")
        return ipywidgets.VBox([stage, *selectors])


def _selector(shown: Control, description_width: str) -> Any:
    import ipywidgets

    kind = ipywidgets.Dropdown if shown.is_choice else ipywidgets.SelectionSlider
    return kind(
        options=[(text, i) for i, text in enumerate(shown.texts)],
        value=shown.initial,
        description=shown.title,
        style={"description_width": description_width},
        layout={"width": "30em", "max_width": "100%"},
    )


def _kernel_shows_widgets() -> bool:
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    has_kernel = getattr(shell, "kernel", None) is not None
    return has_kernel and importlib.util.find_spec("ipywidgets") is not None

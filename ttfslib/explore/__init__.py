"""Interactive figures, with a kernel and without one."""

from ttfslib.explore._controls import Slider
from ttfslib.explore.figure import InteractiveFigure, interactive_figure
from ttfslib.explore.live import LiveFigure, live_figure

__all__ = ["InteractiveFigure", "LiveFigure", "Slider", "interactive_figure", "live_figure"]

"""Interactive figures, with a kernel and without one."""

from ttfslib.explore._controls import Slider
from ttfslib.explore.figure import InteractiveFigure, interactive_figure

__all__ = ["InteractiveFigure", "Slider", "interactive_figure"]

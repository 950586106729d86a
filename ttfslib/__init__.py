"""Exact first spikes: the engine and the analyses behind the book *First Spikes*.

Names are loaded when first used, so that ``import ttfslib`` stays quick and works without torch,
numba or matplotlib loaded. Which names there are stands in ``__init__.pyi``.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)

__version__ = "0.1.0"

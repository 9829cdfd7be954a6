"""The front end for PyMC."""

from pymc import Minibatch as draw_minibatch

from taut.frontend.pymc.source import PyMCSource as PyMCSource
from taut.frontend.pymc.source import find_model as find_model

__all__ = ["PyMCSource", "draw_minibatch", "find_model"]

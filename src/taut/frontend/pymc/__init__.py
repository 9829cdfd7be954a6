"""The front end for PyMC."""

from taut.frontend.pymc.source import PyMCSource as PyMCSource
from taut.frontend.pymc.source import find_model as find_model

__all__ = ["PyMCSource", "find_model"]

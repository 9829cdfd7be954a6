"""Callbacks under PyMC's names."""

from taut.callbacks import Callback as Callback
from taut.callbacks import CheckParametersConvergence as CheckParametersConvergence
from taut.callbacks import Tracker as Tracker

__all__ = ["Callback", "CheckParametersConvergence", "Tracker"]

"""The loop that takes steps on the device, and the steps."""

import warnings

from taut.descent.auto_step import AutoStep as AutoStep
from taut.descent.chunk import all_finite as all_finite
from taut.descent.gradient_step import Descent as Descent
from taut.descent.loop import Run as Run
from taut.descent.loop import run_loop as run_loop
from taut.descent.stepper import AbstractStepper as AbstractStepper
from taut.descent.stop_rule import StopRule as StopRule
from taut.descent.trail import Stand as Stand
from taut.descent.trail import Trail as Trail

__all__ = [
    "AbstractStepper",
    "AutoStep",
    "Descent",
    "Run",
    "Stand",
    "StopRule",
    "Trail",
    "all_finite",
    "run_loop",
]


# Names of before.
_RENAMED = {"AbstractMethod": AbstractStepper, "Ending": StopRule}


def __getattr__(name: str) -> type:
    """Return what has another name by now, with a warning."""
    if name in _RENAMED:
        words = f"taut.descent.{name} is called {_RENAMED[name].__name__}."
        warnings.warn(words, DeprecationWarning, stacklevel=2)
        return _RENAMED[name]
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

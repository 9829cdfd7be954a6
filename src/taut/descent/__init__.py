"""The loop that takes steps on the device, and the steps."""

from taut.descent.auto_step import AutoStep as AutoStep
from taut.descent.gradient_step import Descent as Descent
from taut.descent.loop import Run as Run
from taut.descent.loop import all_finite as all_finite
from taut.descent.loop import run_loop as run_loop
from taut.descent.stepper import AbstractMethod as AbstractMethod
from taut.descent.stop_rule import Ending as Ending

__all__ = [
    "AbstractMethod",
    "AutoStep",
    "Descent",
    "Ending",
    "Run",
    "all_finite",
    "run_loop",
]

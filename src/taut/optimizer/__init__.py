"""Optimizers: every rule of PyMC's variational module, on optax.

The defaults and the rules are PyMC's. The hyper-parameters are leaves of a pytree,
so optimizers that differ only in numbers share one compiled program.
"""

from ._accepts import as_optimizer
from ._adam import adam, adamax
from ._adaptive import adadelta, adagrad, rmsprop
from ._base import AbstractOptimizer
from ._constraint import norm_constraint, total_norm_constraint
from ._descent import momentum, nesterov_momentum, sgd
from ._optax import OptaxOptimizer
from ._optimizer import Optimizer
from ._window import adagrad_window
from ._wrap import apply_momentum, apply_nesterov_momentum

__all__ = [
    "AbstractOptimizer",
    "OptaxOptimizer",
    "Optimizer",
    "adadelta",
    "adagrad",
    "adagrad_window",
    "adam",
    "adamax",
    "apply_momentum",
    "apply_nesterov_momentum",
    "as_optimizer",
    "momentum",
    "nesterov_momentum",
    "norm_constraint",
    "rmsprop",
    "sgd",
    "total_norm_constraint",
]

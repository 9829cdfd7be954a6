"""Optimizers: every rule of PyMC's variational module, on optax.

The defaults and the rules are PyMC's. The hyper-parameters are leaves of a pytree,
so optimizers that differ only in numbers share one compiled program.
"""

from taut.optimizer.accepts import as_optimizer
from taut.optimizer.adaptive import adadelta, adagrad, adagrad_window, rmsprop
from taut.optimizer.base import AbstractOptimizer
from taut.optimizer.constraint import default_axes, norm_constraint, total_norm_constraint
from taut.optimizer.descent import momentum, nesterov_momentum, sgd
from taut.optimizer.moments import adam, adamax
from taut.optimizer.optimizer import OptaxOptimizer, Optimizer
from taut.optimizer.wrap import apply_momentum, apply_nesterov_momentum

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
    "default_axes",
    "momentum",
    "nesterov_momentum",
    "norm_constraint",
    "rmsprop",
    "sgd",
    "total_norm_constraint",
]

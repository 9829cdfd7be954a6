"""Variational inference for PyMC models, on JAX."""

from importlib.metadata import version

from taut import callbacks as callbacks
from taut import diagnose as diagnose
from taut import errors as errors
from taut import family as family
from taut import objective as objective
from taut import plot as plot
from taut.approximation import Approximation as Approximation
from taut.approximation import Empirical as Empirical
from taut.approximation import FullRank as FullRank
from taut.approximation import Group as Group
from taut.approximation import MeanField as MeanField
from taut.approximation import Prior as Prior
from taut.approximation import load as load
from taut.approximation import sample_approx as sample_approx
from taut.calibration.vsbc import vsbc as vsbc
from taut.engine import set_cache_directory as set_cache_directory
from taut.fit import fit as fit
from taut.frontend import Minibatch as Minibatch
from taut.frontend import as_target as as_target
from taut.many import ManyFits as ManyFits
from taut.many import fit_many as fit_many
from taut.method import Inference as Inference
from taut.method import registry as _registry
from taut.method import resume as resume
from taut.method.registry import *  # noqa: F403, each method is exported once, there
from taut.model_structure import structure as structure
from taut.optimizer import Optimizer as Optimizer
from taut.optimizer import adadelta as adadelta
from taut.optimizer import adagrad as adagrad
from taut.optimizer import adagrad_window as adagrad_window
from taut.optimizer import adam as adam
from taut.optimizer import adamax as adamax
from taut.optimizer import apply_momentum as apply_momentum
from taut.optimizer import apply_nesterov_momentum as apply_nesterov_momentum
from taut.optimizer import momentum as momentum
from taut.optimizer import nesterov_momentum as nesterov_momentum
from taut.optimizer import norm_constraint as norm_constraint
from taut.optimizer import rmsprop as rmsprop
from taut.optimizer import sgd as sgd
from taut.optimizer import total_norm_constraint as total_norm_constraint
from taut.rows import ArrayRows as ArrayRows
from taut.rows import IterableRows as IterableRows
from taut.rows import ParquetRows as ParquetRows
from taut.rows import ZarrRows as ZarrRows
from taut.target import Target as Target
from taut.versions import show_versions as show_versions

__version__ = version("taut")

__all__ = [
    "Approximation",
    "ArrayRows",
    "Empirical",
    "FullRank",
    "Group",
    "Inference",
    "IterableRows",
    "ManyFits",
    "MeanField",
    "Minibatch",
    "Optimizer",
    "ParquetRows",
    "Prior",
    "Target",
    "ZarrRows",
    "adadelta",
    "adagrad",
    "adagrad_window",
    "adam",
    "adamax",
    "apply_momentum",
    "apply_nesterov_momentum",
    "as_target",
    "callbacks",
    "diagnose",
    "errors",
    "family",
    "fit",
    "fit_many",
    "load",
    "momentum",
    "nesterov_momentum",
    "norm_constraint",
    "objective",
    "plot",
    "resume",
    "rmsprop",
    "sample_approx",
    "set_cache_directory",
    "sgd",
    "show_versions",
    "structure",
    "total_norm_constraint",
    "vsbc",
]
__all__ += _registry.__all__


def __dir__() -> list[str]:
    """List what is public."""
    return sorted([*__all__, "__version__"])

"""PyMC's namespace with taut's inference: ``import taut.pymc as pm``.

Every public name of PyMC is here. Those of its variational module are taut's, with the same names,
arguments and defaults; all others are PyMC's own.
"""

from typing import Any

import pymc

from taut import ADVI as ADVI
from taut import ASVGD as ASVGD
from taut import SVGD as SVGD
from taut import Approximation as Approximation
from taut import Empirical as Empirical
from taut import FullRank as FullRank
from taut import FullRankADVI as FullRankADVI
from taut import Group as Group
from taut import ImplicitGradient as ImplicitGradient
from taut import Inference as Inference
from taut import KLqp as KLqp
from taut import MeanField as MeanField
from taut import callbacks as callbacks
from taut import fit as fit
from taut import sample_approx as sample_approx
from taut.pymc import variational as variational
from taut.pymc.patching import patched as patched
from taut.pymc.sampling import sampling_by_fit as sampling_by_fit
from taut.pymc.variational.updates import adadelta as adadelta
from taut.pymc.variational.updates import adagrad as adagrad
from taut.pymc.variational.updates import adagrad_window as adagrad_window
from taut.pymc.variational.updates import adam as adam
from taut.pymc.variational.updates import adamax as adamax
from taut.pymc.variational.updates import apply_momentum as apply_momentum
from taut.pymc.variational.updates import apply_nesterov_momentum as apply_nesterov_momentum
from taut.pymc.variational.updates import momentum as momentum
from taut.pymc.variational.updates import nesterov_momentum as nesterov_momentum
from taut.pymc.variational.updates import norm_constraint as norm_constraint
from taut.pymc.variational.updates import rmsprop as rmsprop
from taut.pymc.variational.updates import sgd as sgd
from taut.pymc.variational.updates import total_norm_constraint as total_norm_constraint


def __getattr__(name: str) -> Any:
    """Return PyMC's own for every name taut does not replace."""
    return getattr(pymc, name)


def __dir__() -> list[str]:
    return sorted({*globals(), *dir(pymc)})

"""Log densities and gradients at many points, for algorithms on the host."""

from taut.gradients.base import BLOCK as BLOCK
from taut.gradients.base import AbstractGradients as AbstractGradients
from taut.gradients.base import Gradients as Gradients
from taut.gradients.base import OutOfTime as OutOfTime
from taut.gradients.hessian import hessian_at as hessian_at
from taut.gradients.in_batches import gradients_of as gradients_of
from taut.gradients.subsample import Draft as Draft

__all__ = [
    "BLOCK",
    "AbstractGradients",
    "Draft",
    "Gradients",
    "OutOfTime",
    "gradients_of",
    "hessian_at",
]

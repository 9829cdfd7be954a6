"""What is minimised, and how it is differentiated."""

from taut.objective.base import AbstractObjective as AbstractObjective
from taut.objective.elbo import ELBO as ELBO
from taut.objective.elbo import Gradient as Gradient
from taut.objective.elbo import as_elbo as as_elbo
from taut.objective.elbo import as_objective as as_objective
from taut.objective.estimator import path as path
from taut.objective.estimator import total as total
from taut.objective.importance_weighted import IWELBO as IWELBO
from taut.objective.renyi import Renyi as Renyi
from taut.objective.stein import Stein as Stein
from taut.objective.stein_kernel import IMQ as IMQ
from taut.objective.stein_kernel import RBF as RBF
from taut.objective.stein_kernel import AbstractKernel as AbstractKernel
from taut.objective.stein_kernel import as_kernel as as_kernel

__all__ = [
    "ELBO",
    "IMQ",
    "IWELBO",
    "RBF",
    "AbstractKernel",
    "AbstractObjective",
    "Gradient",
    "Renyi",
    "Stein",
    "as_elbo",
    "as_kernel",
    "as_objective",
    "path",
    "total",
]

"""What is minimised, and how it is differentiated."""

from taut.objective.base import AbstractObjective as AbstractObjective
from taut.objective.elbo import ELBO as ELBO
from taut.objective.elbo import Gradient as Gradient
from taut.objective.elbo import as_elbo as as_elbo
from taut.objective.estimator import path as path
from taut.objective.estimator import total as total

__all__ = ["ELBO", "AbstractObjective", "Gradient", "as_elbo", "path", "total"]

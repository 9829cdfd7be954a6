"""Gaussians on the host."""

from taut.gaussian.log_ratios import Weights as Weights
from taut.gaussian.merged import Gaussian as Gaussian
from taut.gaussian.merged import Vectors as Vectors
from taut.gaussian.merged import span as span
from taut.gaussian.merged import within as within
from taut.gaussian.normal import Dense as Dense
from taut.gaussian.normal import Normal as Normal
from taut.gaussian.normal import Structured as Structured
from taut.gaussian.normal import as_normal as as_normal
from taut.gaussian.normal import structured as structured

__all__ = [
    "Dense",
    "Gaussian",
    "Normal",
    "Structured",
    "Vectors",
    "Weights",
    "as_normal",
    "span",
    "structured",
    "within",
]

"""Gaussians on the host."""

from taut.gaussian.base import Normal as Normal
from taut.gaussian.base import Vectors as Vectors
from taut.gaussian.dense import DenseNormal as DenseNormal
from taut.gaussian.dense import as_dense as as_dense
from taut.gaussian.log_ratios import Weights as Weights
from taut.gaussian.low_rank import LowRankNormal as LowRankNormal
from taut.gaussian.mixture import NormalMixture as NormalMixture
from taut.gaussian.of_family import as_normal as as_normal
from taut.gaussian.scaled_low_rank import ScaledLowRankNormal as ScaledLowRankNormal

__all__ = [
    "DenseNormal",
    "LowRankNormal",
    "Normal",
    "NormalMixture",
    "ScaledLowRankNormal",
    "Vectors",
    "Weights",
    "as_dense",
    "as_normal",
]

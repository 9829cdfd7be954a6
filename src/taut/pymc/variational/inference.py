"""Inference under PyMC's names."""

from taut import ADVI as ADVI
from taut import ASVGD as ASVGD
from taut import SVGD as SVGD
from taut import FullRankADVI as FullRankADVI
from taut import ImplicitGradient as ImplicitGradient
from taut import Inference as Inference
from taut import KLqp as KLqp
from taut import fit as fit

__all__ = [
    "ADVI",
    "ASVGD",
    "SVGD",
    "FullRankADVI",
    "ImplicitGradient",
    "Inference",
    "KLqp",
    "fit",
]

"""Methods of inference."""

from taut.method.advi import ADVI as ADVI
from taut.method.asvgd import ASVGD as ASVGD
from taut.method.auto_step import AutoStep as AutoStep
from taut.method.base import AbstractMethod as AbstractMethod
from taut.method.descent import Descent as Descent
from taut.method.direct import DirectInference as DirectInference
from taut.method.full_rank_advi import FullRankADVI as FullRankADVI
from taut.method.implicit_gradient import ImplicitGradient as ImplicitGradient
from taut.method.inference import Inference as Inference
from taut.method.klqp import KLqp as KLqp
from taut.method.svgd import SVGD as SVGD

__all__ = [
    "ADVI",
    "ASVGD",
    "SVGD",
    "AbstractMethod",
    "AutoStep",
    "Descent",
    "DirectInference",
    "FullRankADVI",
    "ImplicitGradient",
    "Inference",
    "KLqp",
]

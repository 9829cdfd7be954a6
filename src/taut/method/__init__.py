"""Methods of inference."""

from taut.method.advi import ADVI as ADVI
from taut.method.advi import FullRankADVI as FullRankADVI
from taut.method.advi import LowRankADVI as LowRankADVI
from taut.method.asvgd import ASVGD as ASVGD
from taut.method.auto import Auto as Auto
from taut.method.batch_match import BatchMatch as BatchMatch
from taut.method.dadvi import DADVI as DADVI
from taut.method.direct import DirectInference as DirectInference
from taut.method.flow import FlowVI as FlowVI
from taut.method.gsm import GSM as GSM
from taut.method.implicit_gradient import ImplicitGradient as ImplicitGradient
from taut.method.inference import Inference as Inference
from taut.method.klqp import KLqp as KLqp
from taut.method.laplace import Laplace as Laplace
from taut.method.low_rank_batch_match import LowRankBatchMatch as LowRankBatchMatch
from taut.method.pathfinder import Pathfinder as Pathfinder
from taut.method.svgd import SVGD as SVGD

__all__ = [
    "ADVI",
    "ASVGD",
    "DADVI",
    "GSM",
    "SVGD",
    "Auto",
    "BatchMatch",
    "DirectInference",
    "FlowVI",
    "FullRankADVI",
    "ImplicitGradient",
    "Inference",
    "KLqp",
    "Laplace",
    "LowRankADVI",
    "LowRankBatchMatch",
    "Pathfinder",
]

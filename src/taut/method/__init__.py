"""Methods of inference."""

from taut.method.advi import ADVI as ADVI
from taut.method.base import AbstractMethod as AbstractMethod
from taut.method.descent import Descent as Descent
from taut.method.full_rank_advi import FullRankADVI as FullRankADVI
from taut.method.inference import Inference as Inference

__all__ = ["ADVI", "AbstractMethod", "Descent", "FullRankADVI", "Inference"]

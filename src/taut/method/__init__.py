"""Methods of inference."""

from taut.method import registry as _registry
from taut.method.direct import DirectInference as DirectInference
from taut.method.fit_arguments import DirectArguments as DirectArguments
from taut.method.fit_arguments import StepArguments as StepArguments
from taut.method.fit_arguments import given as given
from taut.method.fit_arguments import not_taken as not_taken
from taut.method.inference import Inference as Inference
from taut.method.of_pymc import refuse_more as refuse_more
from taut.method.registry import *  # noqa: F403, each method is exported once
from taut.method.registry import METHODS as METHODS
from taut.method.registry import AnyInference as AnyInference
from taut.method.registry import made as made
from taut.method.resuming import resume as resume
from taut.method.setup import Setup as Setup

__all__ = [
    "METHODS",
    "AnyInference",
    "DirectArguments",
    "DirectInference",
    "Inference",
    "Setup",
    "StepArguments",
    "given",
    "made",
    "not_taken",
    "refuse_more",
    "resume",
]
__all__ += _registry.__all__

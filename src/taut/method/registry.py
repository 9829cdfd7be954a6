"""Every method, listed once: what is listed here is public, and found by its name."""

import inspect
from collections.abc import Mapping
from typing import Any

from taut.errors import ArgumentError, UnknownArgumentError
from taut.method.advi import ADVI as ADVI
from taut.method.advi import FullRankADVI as FullRankADVI
from taut.method.advi import LowRankADVI as LowRankADVI
from taut.method.asvgd import ASVGD as ASVGD
from taut.method.auto import Auto as Auto
from taut.method.batch_match import BatchMatch as BatchMatch
from taut.method.dadvi import DADVI as DADVI
from taut.method.direct import DirectInference
from taut.method.flow import FlowVI as FlowVI
from taut.method.gsm import GSM as GSM
from taut.method.implicit_gradient import ImplicitGradient as ImplicitGradient
from taut.method.inference import Inference
from taut.method.klqp import KLqp as KLqp
from taut.method.laplace import Laplace as Laplace
from taut.method.low_rank_batch_match import LowRankBatchMatch as LowRankBatchMatch
from taut.method.marginal import Marginal as Marginal
from taut.method.marginal_in_batches import MarginalInBatches as MarginalInBatches
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
    "FlowVI",
    "FullRankADVI",
    "ImplicitGradient",
    "KLqp",
    "Laplace",
    "LowRankADVI",
    "LowRankBatchMatch",
    "Marginal",
    "MarginalInBatches",
    "Pathfinder",
]

AnyInference = Inference | DirectInference

METHODS: dict[str, type[AnyInference]] = {
    cls.name: cls for cls in map(globals().__getitem__, __all__) if cls.name is not None
}


def made(cls: type[AnyInference], arguments: Mapping[str, Any]) -> AnyInference:
    """Make an object, or say what its constructor takes where an argument is another's.

    Raises
    ------
    UnknownArgumentError
        An argument is not taken.
    ArgumentError
        One that is needed is not there.
    """
    taken = inspect.signature(cls).parameters
    unknown = [name for name in arguments if name not in taken]
    if unknown:
        raise UnknownArgumentError(
            f"{cls.__name__} does not take {', '.join(unknown)}. It takes: {', '.join(taken)}."
        )
    empty = inspect.Parameter.empty
    needed = [n for n, p in taken.items() if p.default is empty and n not in arguments]
    if needed:
        raise ArgumentError(
            f"{cls.__name__} needs {', '.join(needed)}: give it by inf_kwargs, or make the object "
            "and give it as method."
        )
    return cls(**arguments)

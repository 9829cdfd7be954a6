"""From a model to a target."""

from taut.frontend.absent import AbsentModel as AbsentModel
from taut.frontend.after_earlier import AfterEarlier as AfterEarlier
from taut.frontend.after_earlier import Earlier as Earlier
from taut.frontend.base import NOT_EVALUATED as NOT_EVALUATED
from taut.frontend.base import AbstractDataSet as AbstractDataSet
from taut.frontend.base import AbstractDataSets as AbstractDataSets
from taut.frontend.base import AbstractSource as AbstractSource
from taut.frontend.matching import nearest as nearest
from taut.frontend.minibatch import Minibatch as Minibatch
from taut.frontend.plain import fill as fill
from taut.frontend.plain import known_name as known_name
from taut.frontend.portable import Portable as Portable
from taut.frontend.portable import portable as portable
from taut.frontend.select import as_source as as_source
from taut.frontend.select import as_target as as_target
from taut.frontend.select import is_model as is_model

__all__ = [
    "NOT_EVALUATED",
    "AbsentModel",
    "AbstractDataSet",
    "AbstractDataSets",
    "AbstractSource",
    "AfterEarlier",
    "Earlier",
    "Minibatch",
    "Portable",
    "as_source",
    "as_target",
    "fill",
    "is_model",
    "known_name",
    "nearest",
    "portable",
]

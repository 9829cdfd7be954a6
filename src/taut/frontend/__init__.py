"""From a model to a target."""

from taut.frontend.base import AbstractSource as AbstractSource
from taut.frontend.batching import Batching as Batching
from taut.frontend.batching import Stepping as Stepping
from taut.frontend.batching import Streamed as Streamed
from taut.frontend.select import as_source as as_source
from taut.frontend.select import as_target as as_target
from taut.frontend.select import is_model as is_model
from taut.frontend.simulations import Simulations as Simulations
from taut.frontend.simulations import with_data as with_data

__all__ = [
    "AbstractSource",
    "Batching",
    "Simulations",
    "Stepping",
    "Streamed",
    "as_source",
    "as_target",
    "is_model",
    "with_data",
]

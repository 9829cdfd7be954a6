"""What a user holds of a fit."""

from taut.approximation.approximation import Approximation as Approximation
from taut.approximation.constructors import Empirical as Empirical
from taut.approximation.constructors import FullRank as FullRank
from taut.approximation.constructors import MeanField as MeanField
from taut.approximation.constructors import sample_approx as sample_approx
from taut.approximation.contents import Contents as Contents
from taut.approximation.datatree import label_draws as label_draws
from taut.approximation.fixed_draws import is_gaussian as is_gaussian
from taut.approximation.groups import Group as Group
from taut.approximation.groups import assemble as assemble
from taut.approximation.loading import check_model as check_model
from taut.approximation.loading import load as load
from taut.approximation.of_many import stacked_draws as stacked_draws
from taut.approximation.record import Record as Record
from taut.approximation.stored_classes import codec as codec

__all__ = [
    "Approximation",
    "Contents",
    "Empirical",
    "FullRank",
    "Group",
    "MeanField",
    "Record",
    "assemble",
    "check_model",
    "codec",
    "is_gaussian",
    "label_draws",
    "load",
    "sample_approx",
    "stacked_draws",
]

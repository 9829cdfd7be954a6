"""What a user holds of a fit."""

from taut.approximation.agreement import check_agreement as check_agreement
from taut.approximation.approximation import Approximation as Approximation
from taut.approximation.checkpoint import Checkpoint as Checkpoint
from taut.approximation.checkpoint import Found as Found
from taut.approximation.checkpoint import Keeping as Keeping
from taut.approximation.checkpoint import as_checkpoint as as_checkpoint
from taut.approximation.constructors import Empirical as Empirical
from taut.approximation.constructors import FullRank as FullRank
from taut.approximation.constructors import MeanField as MeanField
from taut.approximation.constructors import sample_approx as sample_approx
from taut.approximation.contents import Contents as Contents
from taut.approximation.datatree import label_draws as label_draws
from taut.approximation.fixed_draws import is_gaussian as is_gaussian
from taut.approximation.groups import Group as Group
from taut.approximation.groups import assemble as assemble
from taut.approximation.keeping import NOTHING_FITTED as NOTHING_FITTED
from taut.approximation.keeping import in_words as in_words
from taut.approximation.keeping import keeps_the_fit as keeps_the_fit
from taut.approximation.keeping import says_nothing_is_fitted as says_nothing_is_fitted
from taut.approximation.loading import check_model as check_model
from taut.approximation.loading import load as load
from taut.approximation.of_many import stacked_draws as stacked_draws
from taut.approximation.packed_fit import of_model as of_model
from taut.approximation.packed_fit import packed as packed
from taut.approximation.packed_fit import unpacked as unpacked
from taut.approximation.packed_fit import with_model as with_model
from taut.approximation.prior import Prior as Prior
from taut.approximation.record import Record as Record
from taut.approximation.repairing import RepairCall as RepairCall
from taut.approximation.stored_classes import codec as codec

__all__ = [
    "NOTHING_FITTED",
    "Approximation",
    "Checkpoint",
    "Contents",
    "Empirical",
    "Found",
    "FullRank",
    "Group",
    "Keeping",
    "MeanField",
    "Prior",
    "Record",
    "RepairCall",
    "as_checkpoint",
    "assemble",
    "check_agreement",
    "check_model",
    "codec",
    "in_words",
    "is_gaussian",
    "keeps_the_fit",
    "label_draws",
    "load",
    "of_model",
    "packed",
    "sample_approx",
    "says_nothing_is_fitted",
    "stacked_draws",
    "unpacked",
    "with_model",
]

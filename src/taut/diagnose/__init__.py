"""Whether a fit can be trusted."""

from taut.diagnose.psis import ImportanceWeights as ImportanceWeights
from taut.diagnose.psis import khat_by_variable as khat_by_variable
from taut.diagnose.psis import psis as psis

__all__ = ["ImportanceWeights", "khat_by_variable", "psis"]

"""Batch and match: Gaussians fitted to scores."""

from taut.matching.driver import Matched as Matched
from taut.matching.driver import batch_match as batch_match
from taut.matching.driver import draws_for as draws_for
from taut.matching.driver import match_draws as match_draws
from taut.matching.driver import match_scores as match_scores
from taut.matching.low_rank_driver import leap_and_patch as leap_and_patch

__all__ = [
    "Matched",
    "batch_match",
    "draws_for",
    "leap_and_patch",
    "match_draws",
    "match_scores",
]

"""Whether a fit can be trusted."""

import warnings

from taut.diagnose.balanced import BalancedWeights as BalancedWeights
from taut.diagnose.balanced import Shifted as Shifted
from taut.diagnose.balanced_noise import balanced_noise as balanced_noise
from taut.diagnose.balanced_noise import heavy_log_prob as heavy_log_prob
from taut.diagnose.balanced_noise import heavy_noise as heavy_noise
from taut.diagnose.budget import JUMPING as JUMPING
from taut.diagnose.budget import affordable as affordable
from taut.diagnose.budget import extended as extended
from taut.diagnose.budget import is_enough as is_enough
from taut.diagnose.check import CHECK as CHECK
from taut.diagnose.criteria import Criteria as Criteria
from taut.diagnose.drift import of_earlier_rows as of_earlier_rows
from taut.diagnose.estimate import Estimate as Estimate
from taut.diagnose.examine import Judge as Judge
from taut.diagnose.examine import normal_of as normal_of
from taut.diagnose.examine import particles as particles
from taut.diagnose.finding import Finding as Finding
from taut.diagnose.finding import at_most as at_most
from taut.diagnose.finding import failed as failed
from taut.diagnose.journal import Journal as Journal
from taut.diagnose.journal import Stage as Stage
from taut.diagnose.psis import ImportanceWeights as ImportanceWeights
from taut.diagnose.psis import Khat as Khat
from taut.diagnose.psis import khat_by_variable as khat_by_variable
from taut.diagnose.psis import psis as psis
from taut.diagnose.repair import growth as growth
from taut.diagnose.repair import outcome_of as outcome_of
from taut.diagnose.report import HowItEnded as HowItEnded
from taut.diagnose.report import Report as Report
from taut.diagnose.report import report_on as report_on
from taut.diagnose.resampled import Resampled as Resampled
from taut.diagnose.shift import ChainCheck as ChainCheck
from taut.diagnose.shift import Moments as Moments
from taut.diagnose.shift import beyond_noise as beyond_noise
from taut.diagnose.shift import shift_of as shift_of
from taut.diagnose.verdict import NOT_JUDGED as NOT_JUDGED
from taut.diagnose.verdict import Outcome as Outcome
from taut.diagnose.verdict import Verdict as Verdict
from taut.diagnose.weighing import WeightCheck as WeightCheck
from taut.diagnose.weighing import weigh as weigh

__all__ = [
    "CHECK",
    "JUMPING",
    "NOT_JUDGED",
    "BalancedWeights",
    "ChainCheck",
    "Criteria",
    "Estimate",
    "Finding",
    "HowItEnded",
    "ImportanceWeights",
    "Journal",
    "Judge",
    "Khat",
    "Moments",
    "Outcome",
    "Report",
    "Resampled",
    "Shifted",
    "Stage",
    "Verdict",
    "WeightCheck",
    "affordable",
    "at_most",
    "balanced_noise",
    "beyond_noise",
    "extended",
    "failed",
    "growth",
    "heavy_log_prob",
    "heavy_noise",
    "is_enough",
    "khat_by_variable",
    "normal_of",
    "of_earlier_rows",
    "outcome_of",
    "particles",
    "psis",
    "report_on",
    "shift_of",
    "weigh",
]


def __getattr__(name: str) -> type:
    """Return what has another name by now, with a warning."""
    if name == "Ending":
        words = "taut.diagnose.Ending is called HowItEnded."
        warnings.warn(words, DeprecationWarning, stacklevel=2)
        return HowItEnded
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

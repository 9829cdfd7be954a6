"""Whether a fit can be trusted."""

from taut.diagnose.check import CHECK as CHECK
from taut.diagnose.check import ChainCheck as ChainCheck
from taut.diagnose.check import affordable as affordable
from taut.diagnose.check import growth as growth
from taut.diagnose.check import is_enough as is_enough
from taut.diagnose.check import wanted as wanted
from taut.diagnose.examine import Judge as Judge
from taut.diagnose.examine import particles as particles
from taut.diagnose.journal import Journal as Journal
from taut.diagnose.journal import Stage as Stage
from taut.diagnose.psis import ImportanceWeights as ImportanceWeights
from taut.diagnose.psis import Khat as Khat
from taut.diagnose.psis import khat_by_variable as khat_by_variable
from taut.diagnose.psis import psis as psis
from taut.diagnose.report import Ending as Ending
from taut.diagnose.report import Report as Report
from taut.diagnose.report import report_on as report_on
from taut.diagnose.verdict import Outcome as Outcome
from taut.diagnose.verdict import Verdict as Verdict
from taut.diagnose.weights import Weights as Weights

__all__ = [
    "CHECK",
    "ChainCheck",
    "Ending",
    "ImportanceWeights",
    "Journal",
    "Judge",
    "Khat",
    "Outcome",
    "Report",
    "Stage",
    "Verdict",
    "Weights",
    "affordable",
    "growth",
    "is_enough",
    "khat_by_variable",
    "particles",
    "psis",
    "report_on",
    "wanted",
]

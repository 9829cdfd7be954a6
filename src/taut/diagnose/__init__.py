"""Whether a fit can be trusted."""

from taut.diagnose.check import ChainCheck as ChainCheck
from taut.diagnose.check import affordable as affordable
from taut.diagnose.examine import Judge as Judge
from taut.diagnose.examine import particles as particles
from taut.diagnose.journal import Journal as Journal
from taut.diagnose.journal import Stage as Stage
from taut.diagnose.report import Ending as Ending
from taut.diagnose.report import Report as Report
from taut.diagnose.report import report as report
from taut.diagnose.verdict import Outcome as Outcome
from taut.diagnose.verdict import Verdict as Verdict
from taut.diagnose.weights import Weights as Weights

__all__ = [
    "ChainCheck",
    "Ending",
    "Journal",
    "Judge",
    "Outcome",
    "Report",
    "Stage",
    "Verdict",
    "Weights",
    "affordable",
    "particles",
    "report",
]

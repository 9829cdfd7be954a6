"""Whether a fit can be trusted."""

from taut.chains import Window as Window
from taut.diagnose.check import ChainCheck as ChainCheck
from taut.diagnose.check import check as check
from taut.diagnose.check import is_converged as is_converged
from taut.diagnose.check import repair as repair
from taut.diagnose.check import shift_of as shift_of
from taut.diagnose.journal import Journal as Journal
from taut.diagnose.journal import Stage as Stage
from taut.diagnose.verdict import Outcome as Outcome
from taut.diagnose.verdict import Verdict as Verdict
from taut.diagnose.weights import Weights as Weights

__all__ = [
    "ChainCheck",
    "Journal",
    "Stage",
    "Weights",
    "check",
    "is_converged",
    "repair",
    "shift_of",
]

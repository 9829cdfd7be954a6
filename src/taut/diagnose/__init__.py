"""Whether a fit can be trusted."""

from taut.diagnose.calibration import Calibration as Calibration
from taut.diagnose.calibration import Check as Check
from taut.diagnose.psis import ImportanceWeights as ImportanceWeights
from taut.diagnose.psis import khat_by_variable as khat_by_variable
from taut.diagnose.psis import psis as psis
from taut.diagnose.vsbc import vsbc as vsbc

__all__ = ["Calibration", "Check", "ImportanceWeights", "khat_by_variable", "psis", "vsbc"]

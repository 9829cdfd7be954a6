"""A mean over draws, and how well it is known."""

from typing import NamedTuple

import numpy as np


class Estimate(NamedTuple):
    """A mean over draws, and its standard error.

    Examples
    --------
    >>> from taut.diagnose import Estimate
    >>> print(Estimate(-1446.31, 0.052), float(Estimate(1.0, 0.1)))
    -1446.310 ± 0.052 1.0
    """

    mean: float
    se: float

    def __float__(self) -> float:
        return self.mean

    def __str__(self) -> str:
        digits = 4 if self.se < 1e-4 else max(0, 1 - int(np.floor(np.log10(self.se))))
        return f"{self.mean:.{digits}f} ± {self.se:.{digits}f}"

"""Mean and sd of an approximation as a table."""

import numpy as np

from taut.tables import Rows
from taut.target import Space


def moments_table(space: Space, mean: np.ndarray, std: np.ndarray, longest: int = 12) -> Rows:
    """Lay out mean and sd of the first elements in the unconstrained space."""
    shown = range(min(longest, space.dim))
    names = ["unconstrained", *(space.element_name(i) for i in shown)]
    width = max(map(len, names))
    rows = [(names[0].ljust(width), f"{'mean':>10}", f"{'sd':>10}")]
    rows += [
        (name.ljust(width), f"{mean[i]:10.4g}", f"{std[i]:10.4g}")
        for i, name in zip(shown, names[1:], strict=True)
    ]
    if space.dim > longest:
        rows.append((f"… {space.dim - longest} more".ljust(width), "", ""))
    return rows

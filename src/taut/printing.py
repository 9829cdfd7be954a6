"""An approximation in a terminal and in a notebook."""

from collections.abc import Sequence
from html import escape

import numpy as np

from taut.space import Space

Rows = Sequence[tuple[str, ...]]


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


def as_text(title: str, rows: Rows) -> str:
    """Write a table below its title."""
    return "\n".join([title, *(" ".join(row) for row in rows)])


def as_html(title: str, rows: Rows) -> str:
    """Write a table below its title, for a notebook."""
    cells = ("".join(f"<td>{escape(cell.strip())}</td>" for cell in row) for row in rows)
    body = "".join(f"<tr>{row}</tr>" for row in cells)
    return f"<p>{escape(title)}</p><table>{body}</table>"

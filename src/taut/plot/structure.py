"""Which unknowns of a model touch which."""

from typing import Any, Protocol

import numpy as np
import scipy
from jaxtyping import Bool

from taut.errors import ArgumentError
from taut.plot.canvas import GOOD, QUIET, Canvas, canvas

# Cells of a drawn pattern along each side, at most.
_CELLS = 400


class Structured(Protocol):
    """A model's structure, as pictures see it: what `taut.structure` returns."""

    @property
    def parts(self) -> tuple[tuple[str, int], ...]:
        """What comes one after the other in the pattern, with its size."""
        ...

    def pattern(self, sums: bool = True) -> scipy.sparse.csr_array:
        """Return where the Hessian of the log density is not zero, by sums or without them."""
        ...


def plot_structure(structure: Structured, *, backend: str | None = None) -> Any:
    """Plot the pattern of the Hessian of the log density: which unknowns touch which.

    Parameters
    ----------
    structure
        Of a model: what `taut.structure` returns.
    backend
        As in `plot_loss`.

    Returns
    -------
    arviz_plots.PlotCollection
        Rows and columns are the unknowns, latents first; where two of them touch, the cell is
        filled, in grey if they do so by a sum alone. Of more than 400 unknowns a cell is several,
        and filled where any two of them touch.

    Raises
    ------
    ArgumentError
        It is no structure.

    Examples
    --------
    >>> import numpy as np, pymc as pm, taut
    >>> group = np.repeat(np.arange(20), 4)
    >>> with pm.Model() as model:
    ...     mu, s = pm.Normal("mu"), pm.HalfNormal("s")
    ...     a = pm.Normal("a", mu, s, shape=20)
    ...     y = pm.Normal("y", a[group], 1, observed=np.zeros(80))
    >>> picture = taut.plot.plot_structure(taut.structure(model))
    """
    if not hasattr(structure, "pattern"):
        raise ArgumentError(
            f"plot_structure takes the structure of a model, got {type(structure).__name__}: "
            "plot_structure(taut.structure(model)) draws that of a model."
        )
    drawn = canvas(["structure"], (4.5, 4.5), backend, columns=1)
    every, without_sums = structure.pattern(), structure.pattern(sums=False)
    if without_sums.nnz < every.nnz:
        _fill(drawn, every, QUIET)
    _fill(drawn, without_sums, GOOD)
    names, sizes = zip(*structure.parts, strict=True)
    _label(drawn, names, np.array(sizes))
    drawn.entitle("structure", "which unknowns touch which")
    return drawn.collection


def _cells(pattern: scipy.sparse.csr_array) -> Bool[np.ndarray, "cells cells"]:
    """Return for each cell whether something in it is not zero."""
    dim = pattern.shape[0]
    size = min(dim, _CELLS)
    at = pattern.tocoo()
    cells = np.zeros((size, size), bool)
    cells[at.coords[0] * size // dim, at.coords[1] * size // dim] = True
    return cells


def _fill(drawn: Canvas, pattern: scipy.sparse.csr_array, color: str) -> None:
    """Fill runs of cells; rows that are alike and follow each other are filled at once."""
    cells, dim = _cells(pattern), pattern.shape[0]
    size = len(cells)
    edges = -(-np.arange(size + 1) * dim // size)
    begins = np.flatnonzero([True, *(cells[1:] != cells[:-1]).any(axis=1)])
    for begin, end in zip(begins, [*begins[1:], size], strict=True):
        # Each run of cells is a step up where it begins, and a step down where it ends.
        steps = np.flatnonzero(np.diff(cells[begin].astype(int), prepend=0, append=0))
        is_up = np.arange(len(steps)) % 2 == 0
        is_within = np.stack([~is_up, is_up], axis=1).ravel()
        x, top = np.repeat(edges[steps], 2), np.full(2 * len(steps), edges[begin])
        bottom = np.where(is_within, edges[end], top)
        drawn.draw.fill_between_y(x, top, bottom, drawn.panel("structure"), color=color)


def _label(drawn: Canvas, names: tuple[str, ...], sizes: np.ndarray) -> None:
    """Name the parts from the top downwards, and number where they begin."""
    panel, ends = drawn.panel("structure"), np.cumsum(sizes)
    begins = ends - sizes
    drawn.draw.yticks(begins + sizes / 2, list(names), panel)
    drawn.draw.xticks(begins, [f"{begin:,d}" for begin in begins], panel)
    drawn.draw.xlim((0, ends[-1]), panel)
    drawn.draw.ylim((ends[-1], 0), panel)

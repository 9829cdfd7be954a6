"""Pairs of elements, with the Gaussian's ellipses."""

from collections.abc import Sequence
from itertools import combinations
from typing import Any

import numpy as np
from jaxtyping import Float

from taut.errors import ArgumentError
from taut.plot.canvas import QUIET, Canvas, canvas
from taut.plot.shown import chosen, element_names

# Draws of a fit that are drawn, and those that moments are taken of where they are not known.
_DRAWN, _MANY = 1000, 4000
# Pairs that fit on a page.
_MOST = 15
# Shares of a Gaussian within its ellipses.
_SHARES = (0.5, 0.94)


def plot_pair(
    fit: Any,
    var_names: str | Sequence[str] | None = None,
    *,
    most: int = 3,
    random_seed: Any = None,
    backend: str | None = None,
) -> Any:
    """Plot draws of pairs of unconstrained elements, with the ellipses of their Gaussian.

    Where chains have judged the fit the points are theirs: those that lie outside of the ellipses
    show what the Gaussian misses. Else they are draws of the fit.

    Parameters
    ----------
    fit
        An approximation.
    var_names
        Variables, or elements such as ``"z[2]"``; by default the elements that chains move most.
    most
        How many elements are paired.
    random_seed
        As in `taut.Approximation.sample`.
    backend
        As in `plot_loss`.

    Returns
    -------
    arviz_plots.PlotCollection
        The ellipses hold 50 % and 94 % of a Gaussian of the mean and covariance of the fit.

    Raises
    ------
    ArgumentError
        There are no two elements, or too many.
    """
    names = element_names(fit.target.space)
    at = _elements(fit, names, var_names, most)
    pairs = list(combinations(at, 2))
    if not 1 <= len(pairs) <= _MOST:
        raise ArgumentError(
            f"var_names and most choose {len(at)} elements; there must be 2 to 6 of them."
        )
    drawn_from_fit = fit.unconstrained_draws(_MANY, random_seed)
    check = fit.report.check
    points = drawn_from_fit if check is None else check.window.pooled
    few = points[np.linspace(0, len(points) - 1, min(len(points), _DRAWN)).astype(int)]
    titles = [f"{i},{j}" for i, j in pairs]
    columns = min(len(pairs), 3)
    size = 3.2 * columns, 3.0 * -(-len(pairs) // 3)
    drawn = canvas(titles, size, backend, columns=columns)
    for title, (i, j) in zip(titles, pairs, strict=True):
        panel = drawn.panel(title)
        drawn.draw.scatter(few[:, i], few[:, j], panel, color=QUIET, alpha=0.4, size=6)
        _draw_ellipses(drawn, title, drawn_from_fit[:, [i, j]])
        drawn.entitle(title, "", names[i], names[j])
    return drawn.collection


def _elements(
    fit: Any, names: Sequence[str], var_names: str | Sequence[str] | None, most: int
) -> list[int]:
    at = chosen(names, var_names)
    if var_names is None and fit.report.check is not None:
        check = fit.report.check
        moved = np.maximum(np.abs(check.mean_shift), np.abs(check.log_sd_shift))
        at = [int(i) for i in np.argsort(-moved, kind="stable")]
    return sorted(at[:most])


def _draw_ellipses(drawn: Canvas, title: str, draws: Float[np.ndarray, "draws 2"]) -> None:
    angles = np.linspace(0.0, 2 * np.pi, 100)
    circle = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    values, vectors = np.linalg.eigh(np.cov(draws.T))
    root = vectors * np.sqrt(np.maximum(values, 0.0))
    for share in _SHARES:
        # The radius of a standard Gaussian in the plane that holds this share.
        x, y = (draws.mean(axis=0) + np.sqrt(-2 * np.log(1 - share)) * circle @ root.T).T
        drawn.draw.line(x, y, drawn.panel(title), color="C1", width=1.5)

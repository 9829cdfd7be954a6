"""How far short chains move the marginals of a fit."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from taut.errors import ArgumentError
from taut.plot.canvas import BAD, GOOD, Canvas, canvas
from taut.plot.shown import Reported, Shown, chosen, report_of

_WAYS = {"mean": "shift of the mean, in sd", "spread": "shift of the log sd"}


def plot_shift(
    fit: Shown | Reported,
    var_names: str | Sequence[str] | None = None,
    *,
    most: int = 12,
    backend: str | None = None,
) -> Any:
    """Plot how far chains moved the mean and the spread of each element, with its noise.

    Parameters
    ----------
    fit
        A fit that chains have judged, or its report.
    var_names
        Variables, or elements such as ``"z[2]"``, by default the elements that move most.
    most
        How many are drawn.
    backend
        As in `plot_loss`.

    Returns
    -------
    arviz_plots.PlotCollection
        The band is what is allowed; lines are two standard errors. Of a repaired fit it is the
        shift from one round of its chains to the next.

    Raises
    ------
    ArgumentError
        No chains ran.
    """
    report = report_of(fit)
    if report.check is None:
        raise ArgumentError(
            "No chains have judged this fit: approx.diagnose() does, unless importance weights "
            "are even, which plot_khat shows."
        )
    check, names = report.check, report.names
    at = np.array(chosen(names, var_names), int)
    size = np.maximum(np.abs(check.mean_shift), np.abs(check.log_sd_shift))[at]
    at = at[np.argsort(-size, kind="stable")][:most]
    drawn = canvas(list(_WAYS), (8.0, 1.4 + 0.28 * len(at)), backend, columns=2)
    of_panels = {
        "mean": (check.mean_shift, check.noise),
        "spread": (check.log_sd_shift, check.log_sd_noise),
    }
    for name, (shift, noise) in of_panels.items():
        _draw(drawn, name, shift[at], noise[at], report.shift_bound)
        drawn.beside(name, [names[i] for i in at] if name == "mean" else [""] * len(at))
        drawn.entitle(name, _WAYS[name])
    return drawn.collection


def _draw(drawn: Canvas, name: str, shifts: np.ndarray, noise: np.ndarray, bound: float) -> None:
    panel = drawn.panel(name)
    drawn.draw.vspan(-bound, bound, panel, color="B3", alpha=0.25)
    drawn.draw.vline(0.0, panel, color="B2", width=0.8)
    for row, (shift, error) in enumerate(zip(shifts, noise, strict=True)):
        drawn.estimate(name, row, shift, error, GOOD if abs(shift) <= bound else BAD)

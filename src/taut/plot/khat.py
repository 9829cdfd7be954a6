"""k-hat of the mean of each element."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from taut.errors import ArgumentError
from taut.plot.canvas import BAD, GOOD, canvas
from taut.plot.shown import Reported, Shown, chosen, report_of

# Above, weights can not be used.
_USABLE = 0.7
# What is beyond, infinity too, is drawn at these ends.
_SHOWN = -0.5, 2.0


def plot_khat(
    fit: Shown | Reported,
    var_names: str | Sequence[str] | None = None,
    *,
    most: int = 20,
    backend: str | None = None,
) -> Any:
    r"""Plot the k-hat of the mean of each element, with two standard errors.

    Parameters
    ----------
    fit
        A fit that was diagnosed, or its report.
    var_names
        Variables, or elements such as ``"z[2]"``, by default the elements that are worst.
    most
        How many are drawn.
    backend
        As in `plot_loss`.

    Returns
    -------
    arviz_plots.PlotCollection
        The line is at 0.7, from which on weights can not be used. In many dimensions k-hat is large
        for good fits too.

    Raises
    ------
    ArgumentError
        Draws were not weighed.
    """
    report = report_of(fit)
    if not report.khats:
        raise ArgumentError(
            "No importance weights are known of this fit: approx.diagnose() weighs its draws, if "
            "it has a density."
        )
    names = list(report.khats)
    names = [names[i] for i in chosen(names, var_names)]
    names = sorted(names, key=lambda name: -report.khats[name].value)[:most]
    drawn = canvas(["khat"], (6.0, 1.3 + 0.28 * len(names)), backend)
    drawn.draw.vline(_USABLE, drawn.panel("khat"), color="B2", linestyle="C1", width=1)
    for row, name in enumerate(names):
        khat, se = np.clip(report.khats[name].value, *_SHOWN), np.nan_to_num(report.khats[name].se)
        color = GOOD if khat < _USABLE else BAD
        drawn.estimate("khat", row, khat, se, color)
    drawn.beside("khat", names)
    drawn.entitle("khat", "k-hat of means (bound 0.7)")
    return drawn.collection

"""What a tracker has recorded."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from taut.errors import ArgumentError
from taut.plot.canvas import canvas
from taut.plot.shown import chosen

# Elements of one record that are drawn.
_MOST = 50


def plot_tracker(
    tracker: Any, var_names: str | Sequence[str] | None = None, *, backend: str | None = None
) -> Any:
    """Plot what a `taut.callbacks.Tracker` has recorded against the steps, one panel a name.

    Parameters
    ----------
    tracker
        After a fit.
    var_names
        Names of records, by default all.
    backend
        As in `plot_loss`.

    Returns
    -------
    arviz_plots.PlotCollection
        A line for each element of a record, of 50 at most.

    Raises
    ------
    ArgumentError
        Nothing was recorded, or a name is not there.
    """
    names = list(tracker.hist)
    names = [names[i] for i in chosen(names, var_names)]
    if not names:
        raise ArgumentError("The tracker has recorded nothing: give it to fit(callbacks=[…]).")
    rows = -(-len(names) // 3)
    size = (min(len(names), 3) * 3.6 + 0.4, 2.8 * rows)
    drawn = canvas(names, size, backend, columns=3)
    for name in names:
        values = np.stack([np.ravel(np.asarray(one, float)) for one in tracker.hist[name]])
        steps = getattr(tracker, "every", 1) * np.arange(1, len(values) + 1)
        for element in values.T[:_MOST]:
            drawn.draw.line(steps, element, drawn.panel(name), width=1.2, alpha=0.8)
        drawn.entitle(name, name, "step")
    return drawn.collection

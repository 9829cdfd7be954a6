"""The loss, step by step."""

from typing import Any

import numpy as np
from jaxtyping import Float

from taut.errors import ArgumentError
from taut.plot.canvas import QUIET, canvas
from taut.plot.shown import Shown

# The share of all steps that an average is taken over, and the points that a line is drawn by.
_SHARE, _POINTS = 50, 2000
# Losses below this share, and above the rest, do not decide how tall the picture is.
_CUT = 0.02


def plot_loss(fit: Shown, *, backend: str | None = None) -> Any:
    """Plot the loss of each step, its moving average, and the ELBO where it is known.

    Parameters
    ----------
    fit
        A fit by steps.
    backend
        As in ArviZ: ``"matplotlib"``, ``"bokeh"``, ``"plotly"``, or ``"none"``.

    Returns
    -------
    arviz_plots.PlotCollection
        With ``savefig`` and ``show``. The band is -ELBO on all rows with two standard errors, once
        ``fit.diagnose()`` has estimated it.

    Raises
    ------
    ArgumentError
        The fit took no steps.
    """
    losses = np.asarray(fit.hist, float)
    if not len(losses):
        raise ArgumentError(
            "This fit took no steps, and has no losses: plot_journal shows what it did."
        )
    drawn = canvas(["loss"], (7.0, 3.5), backend)
    panel, steps = drawn.panel("loss"), np.arange(1, len(losses) + 1)
    few = slice(None, None, max(1, len(losses) // _POINTS))
    drawn.draw.line(steps[few], losses[few], panel, color=QUIET, alpha=0.6, width=0.8)
    at, mean = moving_average(losses)
    drawn.draw.line(at, mean, panel, color="C0", width=2)
    elbo, title = fit.report.elbo, "Loss and its moving average"
    if elbo is not None:
        drawn.band("loss", -elbo.mean - 2 * elbo.se, -elbo.mean + 2 * elbo.se)
        drawn.draw.hline(-elbo.mean, panel, color="C1", linestyle="C1")
        title += f"; -ELBO {-elbo.mean:,.2f} ± {elbo.se:.2g}"
    drawn.draw.ylim(_heights(losses, mean), panel)
    drawn.entitle("loss", title, "step", "nats")
    return drawn.collection


def moving_average(
    losses: Float[np.ndarray, " steps"],
) -> tuple[Float[np.ndarray, " points"], Float[np.ndarray, " points"]]:
    """Average the finite losses of windows; return their middles, and the averages."""
    width = max(1, len(losses) // _SHARE)
    finite = np.isfinite(losses)
    sums = np.concatenate([[0.0], np.cumsum(np.where(finite, losses, 0.0))])
    counts = np.concatenate([[0], np.cumsum(finite)])
    mean = (sums[width:] - sums[:-width]) / np.maximum(counts[width:] - counts[:-width], 1)
    at = np.arange(len(mean)) + (width + 1) / 2
    few = slice(None, None, max(1, len(mean) // _POINTS))
    return at[few], mean[few]


def _heights(losses: np.ndarray, mean: np.ndarray) -> tuple[float, float]:
    """Find the range that shows how it settles, whatever the first steps were."""
    finite = losses[np.isfinite(losses)]
    low = min(np.quantile(finite, _CUT), mean.min()) if len(finite) else 0.0
    settled = finite[len(finite) // 10 :]
    high = np.quantile(settled, 1 - _CUT) if len(settled) else 1.0
    margin = 0.1 * max(high - low, 1e-9)
    return float(low - margin), float(high + margin)

"""What an automatic fit did, as a timeline."""

from typing import Any

import numpy as np

from taut.errors import ArgumentError
from taut.plot.canvas import BAD, GOOD, canvas
from taut.plot.shown import Reported, Shown, report_of

# A stage is not drawn narrower than this share of all.
_NARROWEST = 0.004


def plot_journal(fit: Shown | Reported, *, backend: str | None = None) -> Any:
    """Plot the stages of a fit against the seconds they took, with gradients and ELBO.

    Parameters
    ----------
    fit
        A fit that ends by itself, or its report.
    backend
        As in `plot_loss`.

    Returns
    -------
    arviz_plots.PlotCollection
        A bar for each stage. The last stage has the colour of the verdict.

    Raises
    ------
    ArgumentError
        The fit has no stages.
    """
    report = report_of(fit)
    stages, verdict = report.journal.stages, report.verdict
    if not stages:
        raise ArgumentError("This fit has no stages: plot_loss shows its steps.")
    ends = np.cumsum([stage.seconds for stage in stages])
    drawn = canvas(["journal"], (8.5, 1.2 + 0.32 * len(stages)), backend)
    panel, total = drawn.panel("journal"), max(float(ends[-1]), 1e-9)
    for row, (stage, end) in enumerate(zip(stages, ends, strict=True)):
        is_last = row == len(stages) - 1
        color = (GOOD if verdict.trusted else BAD) if is_last else "B3"
        ends_of_bar = end - max(stage.seconds, _NARROWEST * total), end
        drawn.draw.fill_between_y(
            np.array(ends_of_bar),
            np.full(2, row - 0.35),
            np.full(2, row + 0.35),
            panel,
            color=color,
        )
        drawn.draw.text(
            end + 0.01 * total, row, _words(stage), panel, horizontal_align="left", color="B2"
        )
    drawn.beside("journal", [stage.name for stage in stages])
    drawn.draw.xlim((0.0, 1.55 * total), panel)
    drawn.entitle("journal", str(verdict).partition(";")[0], "seconds")
    return drawn.collection


def _words(stage: Any) -> str:
    elbo = f", ELBO {stage.elbo:,.2f}" if np.isfinite(stage.elbo) else ""
    return f"{stage.gradients:,d} gradients{elbo}"

"""The ELBO of one fit, or of several, with its error."""

from collections.abc import Mapping
from typing import Any

from taut.plot.canvas import GOOD, canvas


def plot_elbo(
    fits: Any,
    draws: int = 1000,
    *,
    random_seed: Any = None,
    backend: str | None = None,
) -> Any:
    """Plot the ELBO of fits of one model beside each other, each with its error.

    Parameters
    ----------
    fits
        A fit, or several by name. Those whose draws are particles have no ELBO.
    draws
        Each is estimated from so many.
    random_seed
        As in `taut.Approximation.sample`.
    backend
        As in `plot_loss`.

    Returns
    -------
    arviz_plots.PlotCollection
        Lines of two standard errors around each ELBO, the best on top.

    Raises
    ------
    ArgumentError
        A fit has no density.
    """
    named = dict(fits) if isinstance(fits, Mapping) else {"": fits}
    found = {name: fit.elbo(draws, random_seed=random_seed) for name, fit in named.items()}
    order = sorted(found, key=lambda name: -found[name].mean)
    drawn = canvas(["elbo"], (7.0, 1.2 + 0.4 * len(found)), backend)
    for row, name in enumerate(order):
        mean, se = found[name]
        drawn.estimate("elbo", row, mean, se, GOOD, width=2)
    drawn.beside("elbo", [f"{name} {found[name]}".strip() for name in order])
    drawn.entitle("elbo", "ELBO with two standard errors", "nats")
    return drawn.collection

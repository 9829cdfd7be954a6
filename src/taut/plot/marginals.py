"""Marginals of fits, of the chains that judged them, and of NUTS."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from taut.family import Particles


def plot_dist(
    fits: Any,
    var_names: str | Sequence[str] | None = None,
    *,
    draws: int = 2000,
    chains: bool = False,
    random_seed: Any = None,
    **arguments: Any,
) -> Any:
    """Plot marginals of fits beside those of chains and of NUTS, by `arviz_plots.plot_dist`.

    Parameters
    ----------
    fits
        A fit, or several by name; what else ArviZ takes, such as a trace of NUTS, may be among
        them: ``{"taut": approx, "NUTS": trace}``.
    var_names
        Constrained variables, by default all.
    draws
        Of each fit.
    chains
        Whether the draws of the chains that judged a fit are drawn as well.
    random_seed
        As in `taut.Approximation.sample`.
    **arguments
        Of `arviz_plots.plot_dist`, such as ``kind``, ``ci_prob``, ``backend``. Of several fits the
        group ``posterior`` is shown.

    Returns
    -------
    arviz_plots.PlotCollection
    """
    import arviz_plots

    named = dict(fits) if isinstance(fits, Mapping) else {"taut": fits}
    trees: dict[str, Any] = {}
    for name, fit in named.items():
        trees[name] = _drawn(fit, draws, random_seed)
        judged = fit.report.check if chains and hasattr(fit, "report") else None
        # Draws of a fit that chains have repaired are theirs already.
        if judged is not None and not isinstance(fit.family, Particles):
            of_chains = fit.alike(Particles(judged.window.corrected), fit.record)
            trees[f"{name}, chains"] = _drawn(of_chains, draws, random_seed)
    names = var_names if var_names is None or isinstance(var_names, str) else list(var_names)
    if len(trees) == 1:
        return arviz_plots.plot_dist(trees, var_names=names, **arguments)
    trees = _alike(trees)
    # Numbers beside the means of several fits would hide one another.
    visuals = {"point_estimate_text": False} | arguments.pop("visuals", {})
    collection = arviz_plots.plot_dist(trees, var_names=names, visuals=visuals, **arguments)
    collection.add_legend("model")
    return collection


def _drawn(fit: Any, draws: int, random_seed: Any) -> Any:
    """Sample from what is a fit, and return what has been drawn already as it is."""
    if not hasattr(fit, "sample"):
        return fit
    return fit.sample(draws, random_seed=random_seed, include_transformed=False)


def _alike(trees: Mapping[str, Any]) -> dict[str, Any]:
    """Take as many draws of each, in one chain: ArviZ aligns them by their numbers."""
    import xarray as xr

    pooled = {name: _pooled(tree["posterior"].dataset) for name, tree in trees.items()}
    count = min(data.sizes["draw"] for data in pooled.values())
    return {
        name: xr.DataTree.from_dict(
            {"posterior": data.isel(draw=_spread(data.sizes["draw"], count)).assign_coords(
                draw=np.arange(count), chain=[0]
            )}
        )
        for name, data in pooled.items()
    }  # fmt: skip


def _pooled(data: Any) -> Any:
    each = data.stack(sample=("chain", "draw")).drop_vars(["sample", "chain", "draw"])
    return each.rename(sample="draw").expand_dims("chain")


def _spread(size: int, count: int) -> np.ndarray:
    return np.linspace(0, size - 1, count).round().astype(int)

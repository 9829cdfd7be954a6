"""The methods of pymc-extras."""

from importlib import import_module
from typing import Any

import pymc as pm

from benchmarks.methods.base import DRAWS, Fitted, Method, merged

_ADVI_STEPS = 10_000
_FIXED_DRAWS = 30


def _advi(model: pm.Model, seed: int) -> Fitted:
    from pymc_extras.inference.advi import fit_advi

    drawn = fit_advi(model, draws=DRAWS, random_seed=seed)
    return Fitted(merged(model, _posterior(drawn)), _ADVI_STEPS)


def _pathfinder(model: pm.Model, seed: int) -> Fitted:
    from pymc_extras import fit_pathfinder

    # It resamples from 4 x 1000 draws: more than its 1000 would be the same ones again.
    drawn = fit_pathfinder(model, random_seed=seed, progressbar=False)
    return Fitted(merged(model, _posterior(drawn)))


def _dadvi(model: pm.Model, seed: int) -> Fitted:
    from pymc_extras.inference.dadvi.dadvi import fit_dadvi

    drawn = fit_dadvi(model, n_draws=DRAWS, random_seed=seed, progressbar=False)
    return Fitted(merged(model, _posterior(drawn)), _FIXED_DRAWS * _evaluations(drawn))


def _laplace(model: pm.Model, seed: int) -> Fitted:
    from pymc_extras import fit_laplace

    drawn = fit_laplace(model=model, draws=DRAWS, random_seed=seed, progressbar=False)
    return Fitted(merged(model, _posterior(drawn)), _evaluations(drawn))


def _evaluations(drawn: Any) -> int:
    """Count gradients, and products with the Hessian as one each."""
    result = drawn["optimizer_result"]
    return sum(int(result[name]) for name in ("njev", "nhev") if name in result)


def _posterior(drawn: Any) -> Any:
    return drawn["posterior"]


def _load() -> object:
    import_module("pymc_extras.inference.advi")
    import_module("pymc_extras.inference.dadvi.dadvi")
    return import_module("pymc_extras")


METHODS = (
    Method("extras-advi", "10 000 steps", _load, _advi),
    Method("extras-pathfinder", "4 paths, PSIS, 1 000 draws", _load, _pathfinder),
    Method("extras-dadvi", "30 fixed draws, trust-ncg", _load, _dadvi),
    Method("extras-laplace", "BFGS", _load, _laplace),
)

"""The methods of pymc-extras."""

import multiprocessing
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any
from unittest import mock

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
    with _counted() as gradients:
        drawn = fit_pathfinder(model, random_seed=seed, progressbar=False)
    return Fitted(merged(model, _posterior(drawn)), gradients.value or None)


@contextmanager
def _counted() -> Iterator[Any]:
    """Count the gradients of paths, which run in processes that are forked for them."""
    from pymc_extras.inference.pathfinder import single_path

    name = "get_neg_logp_dlogp_of_ravel_inputs"
    make, counter = getattr(single_path, name), multiprocessing.Value("q", 0)

    def counting(*args: Any, **kwargs: Any) -> Callable[[Any], Any]:
        function = make(*args, **kwargs)

        def counted(x: Any) -> Any:
            with counter.get_lock():
                counter.value += 1
            return function(x)

        return counted

    # Other ways to start a process would have to copy the counter.
    if multiprocessing.get_start_method() != "fork":
        yield counter
        return
    with mock.patch.object(single_path, name, counting):
        yield counter


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

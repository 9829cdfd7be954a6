"""Make references: exact draws where there are any, else a long run of nutpie's NUTS."""

import time
from importlib.metadata import version
from typing import Any

import numpy as np
from arviz_stats.base import array_stats

from benchmarks.posteriors.base import Draws, Posterior
from benchmarks.quantities import Quantities, quantities
from benchmarks.references.base import LEVELS, Reference
from benchmarks.references.fingerprint import by_pymc
from benchmarks.references.store import exact_draws

_EXACT_DRAWS = 100_000
_KEPT_DRAWS = 2000
_SEED = 20_262


def make(posterior: Posterior) -> Reference:
    """Find the answer of a posterior."""
    return _exact(posterior) if posterior.exact else _by_nuts(posterior)


def _exact(posterior: Posterior) -> Reference:
    assert posterior.exact is not None
    drawn = posterior.exact(np.random.default_rng(_SEED), _EXACT_DRAWS)
    table = quantities(posterior, drawn)
    mean, sd = _exact_moments(posterior, table)
    count = len(table.labels)
    return Reference(
        table.labels,
        mean,
        sd,
        np.quantile(table.values, LEVELS, axis=0),
        exact_draws(posterior),
        rhat=np.ones(count),
        ess=np.full(count, float(_EXACT_DRAWS)),
        fingerprint=by_pymc(posterior.name, posterior.build()),
        about={"source": "exact", "draws": _EXACT_DRAWS, "seed": _SEED},
    )


def _exact_moments(posterior: Posterior, table: Quantities) -> tuple[np.ndarray, np.ndarray]:
    """Take moments from their closed form, where it was given."""
    if posterior.moments is None:
        return table.values.mean(axis=0), table.values.std(axis=0)
    given = posterior.moments()
    mean, sd = (np.concatenate([np.ravel(pair[i]) for pair in given.values()]) for i in (0, 1))
    return mean, sd


def _by_nuts(posterior: Posterior) -> Reference:
    begin = time.perf_counter()
    drawn, divergences = _nuts_draws(posterior)
    seconds = time.perf_counter() - begin
    table = quantities(posterior, drawn, lead=2)
    values = table.values.reshape(-1, len(table.labels))
    kept = np.linspace(0, len(values) - 1, _KEPT_DRAWS).astype(int)
    rhat, ess = diagnose(table.values)
    return Reference(
        table.labels,
        values.mean(axis=0),
        values.std(axis=0, ddof=1),
        np.quantile(values, LEVELS, axis=0),
        values[kept],
        rhat,
        ess,
        by_pymc(posterior.name, posterior.build()),
        _describe(posterior, divergences, seconds),
    )


def _nuts_draws(posterior: Posterior) -> tuple[Draws, int]:
    """Sample the free variables of the posterior's own model, each ``(chains, draws, *shape)``."""
    import nutpie

    settings = posterior.sampling
    trace = nutpie.sample(
        nutpie.compile_pymc_model(posterior.sampled()),
        draws=settings.draws,
        tune=settings.tune,
        chains=settings.chains,
        cores=1,
        target_accept=settings.target_accept,
        seed=_SEED,
        progress_bar=False,
    )
    names = [variable.name for variable in posterior.build().free_RVs]
    found = trace.posterior
    divergences = int(trace.sample_stats["diverging"].sum())
    return {name: found[name].values for name in names}, divergences


def diagnose(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Compute R-hat and the smaller of bulk and tail ESS, for ``(chains, draws, quantities)``."""
    axes = {"chain_axis": 0, "draw_axis": 1}
    rhat = array_stats.rhat(values, **axes)
    bulk = array_stats.ess(values, method="bulk", **axes)
    tail = array_stats.ess(values, method="tail", prob=(0.05, 0.95), **axes)
    return np.atleast_1d(rhat), np.minimum(np.atleast_1d(bulk), np.atleast_1d(tail))


def _describe(posterior: Posterior, divergences: int, seconds: float) -> dict[str, Any]:
    settings = posterior.sampling
    return {
        "source": "nuts",
        "chains": settings.chains,
        "draws": settings.draws,
        "tune": settings.tune,
        "target_accept": settings.target_accept,
        "seed": _SEED,
        "twin": posterior.twin is not None,
        "divergences": divergences,
        "seconds": round(seconds, 1),
        "nutpie": version("nutpie"),
        "pymc": version("pymc"),
    }

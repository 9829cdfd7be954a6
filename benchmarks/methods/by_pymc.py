"""PyMC's own variational methods."""

from importlib import import_module
from typing import Any

import numpy as np
import pymc as pm

from benchmarks.methods.base import DRAWS, Fitted, Method, merged

_STEPS = 10_000
_TUNED_STEPS = 30_000
_SVGD_PARTICLES = 100


def _fit(
    model: pm.Model, seed: int, method: str, gradients_a_step: int = 1, **settings: Any
) -> Fitted:
    steps = settings.pop("n", _STEPS)
    approx = pm.fit(
        steps, method=method, model=model, random_seed=seed, progressbar=False, **settings
    )
    drawn: Any = approx.sample(DRAWS, random_seed=seed)
    return Fitted(
        merged(model, drawn["posterior"]),
        steps * gradients_a_step,
        None if method == "svgd" else lambda: _log_weights(model, approx),
    )


def _log_weights(model: pm.Model, approx: Any) -> np.ndarray:
    from benchmarks.methods.density import gaussian_log_weights

    mean, parameters = approx.mean.eval(), approx.params_dict
    order = list(approx.ordering)
    loc = {name: mean[approx.ordering[name][1]] for name in order}
    if "rho" in parameters:
        return gaussian_log_weights(model, loc, approx.std.eval(), order)
    return gaussian_log_weights(model, loc, np.linalg.cholesky(approx.cov.eval()), order)


def _tuned(model: pm.Model, seed: int) -> Fitted:
    optimizer = pm.adagrad_window(learning_rate=1e-2)
    return _fit(model, seed, "advi", n=_TUNED_STEPS, obj_optimizer=optimizer)


def _load() -> object:
    return import_module("pymc")


METHODS = (
    Method("pymc-advi", "10 000 steps", _load, lambda model, seed: _fit(model, seed, "advi")),
    Method(
        "pymc-fullrank_advi", "10 000 steps", _load,
        lambda model, seed: _fit(model, seed, "fullrank_advi"),
    ),
    Method("pymc-advi_tuned", "30 000 steps, adagrad_window(1e-2)", _load, _tuned),
    Method(
        "pymc-svgd", "10 000 steps, 100 particles", _load,
        lambda model, seed: _fit(model, seed, "svgd", _SVGD_PARTICLES),
    ),
)  # fmt: skip

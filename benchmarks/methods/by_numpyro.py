"""numpyro's automatic guides, on the log density of taut's front end.

numpyro has no default optimizer; the settings are those of its own examples of automatic guides.
"""

from collections.abc import Callable
from importlib import import_module
from typing import Any

import jax
import numpy as np
import pymc as pm

from benchmarks.methods.base import DRAWS, Fitted, Method

_STEPS = 10_000
_LEARNING_RATE = 3e-3


def _fit(model: pm.Model, seed: int, guide_name: str) -> Fitted:
    import numpyro
    from numpyro import distributions as dist
    from numpyro.infer import SVI, Trace_ELBO, autoguide

    from benchmarks.methods.density import Density

    density = Density(model)

    def program() -> None:
        flat = dist.ImproperUniform(dist.constraints.real_vector, (), (density.dim,))
        numpyro.factor("log_density", density(numpyro.sample("z", flat)))

    guide = getattr(autoguide, guide_name)(program)
    svi = SVI(program, guide, numpyro.optim.Adam(_LEARNING_RATE), Trace_ELBO())
    fit_key, draw_key = jax.random.split(jax.random.key(seed))
    params = svi.run(fit_key, _STEPS, progress_bar=False).params
    z = guide.sample_posterior(draw_key, params, sample_shape=(DRAWS,))["z"]
    return Fitted(
        density.constrain(z),
        _STEPS,
        lambda: density.log_weights(*_weighed_draws(guide, params, np.asarray(z))),
    )


def _weighed_draws(guide: Any, params: Any, z: np.ndarray) -> tuple[Any, Any]:
    """Return draws from the guide, and the logarithm of its density there."""
    from numpyro import distributions as dist

    if "z_auto_loc" in params:
        normal = dist.Normal(params["z_auto_loc"], params["z_auto_scale"]).to_event(1)
        return z, normal.log_prob(z)
    if hasattr(guide, "get_posterior") and not hasattr(guide, "_hidden_factors"):
        return z, guide.get_posterior(params).log_prob(z)
    base, transform = guide.get_base_dist(), guide.get_transform(params)
    noise = base.sample(jax.random.key(0), (DRAWS,))
    pushed, between = transform.call_with_intermediates(noise)
    log_det = transform.log_abs_det_jacobian(noise, pushed, between)
    return pushed, base.log_prob(noise) - log_det


def _fit_with(guide_name: str) -> Callable[[pm.Model, int], Fitted]:
    return lambda model, seed: _fit(model, seed, guide_name)


def _load() -> object:
    jax.config.update("jax_enable_x64", True)
    import_module("benchmarks.methods.density")
    return import_module("numpyro.infer.autoguide")


_GUIDES = (
    "AutoNormal",
    "AutoMultivariateNormal",
    "AutoLowRankMultivariateNormal",
    "AutoBNAFNormal",
)
METHODS = tuple(
    Method(f"numpyro-{guide}", "10 000 steps, Adam(3e-3)", _load, _fit_with(guide))
    for guide in _GUIDES
)

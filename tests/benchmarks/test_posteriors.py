"""The posteriors are what they say: finite, tagged, and drawn from exactly where they claim so."""

from typing import Any

import jax
import numpy as np
import pytest

from benchmarks.posteriors import EVERY, POSTERIORS
from taut.frontend import as_target

EXACT = [name for name, posterior in POSTERIORS.items() if posterior.exact]
# What the proving ground has to cover.
KINDS = {
    "small", "hierarchical", "centred", "non-centred", "gaussian", "wide", "linear", "rows",
    "badly-scaled", "regression", "glm", "counts", "sparse", "process", "time-series", "scan",
    "ode", "item-response", "modes", "curved", "funnel", "tails", "ordered", "simplex", "bounded",
    "circular", "lkj",
}  # fmt: skip
# Gradients of the wide one take long.
DRAWS = {name: 150 if "wide" in POSTERIORS[name].kinds else 4000 for name in EXACT}
# Once in two million a mean is off by more.
STANDARD_ERRORS = 5.0


def test_there_are_enough_of_every_kind() -> None:
    assert len(POSTERIORS) >= 20
    assert set().union(*(posterior.kinds for posterior in POSTERIORS.values())) >= KINDS


def test_scales_are_of_variables_the_model_has() -> None:
    for posterior in (one for one in EVERY.values() if one.scales):
        assert set(posterior.scales) <= {rv.name for rv in posterior.build().free_RVs}


def unconstrained(model: Any, drawn: Any) -> np.ndarray:
    """Put exact draws into the space of the density, by PyMC's own transforms."""
    parts = []
    for rv in model.free_RVs:
        values, transform = np.asarray(drawn[rv.name]), model.rvs_to_transforms[rv]
        if transform is not None:
            values = transform.forward(values, *rv.owner.inputs).eval(mode="FAST_COMPILE")
        parts.append(values.reshape(len(values), -1))
    return np.concatenate(parts, axis=1)


def scores(name: str) -> tuple[np.ndarray, np.ndarray]:
    """Exact draws, and the gradient of the log density there."""
    model, exact = POSTERIORS[name].build(), POSTERIORS[name].exact
    assert exact is not None
    z = unconstrained(model, exact(np.random.default_rng(3), DRAWS[name]))
    target = as_target(model)
    with target.precision():
        gradient = jax.grad(lambda z: target.log_density(z))
        found = jax.jit(lambda rows: jax.lax.map(gradient, rows, batch_size=50))(z)
    return z, np.asarray(found)


@pytest.mark.parametrize("name", EXACT)
def test_exact_draws_satisfy_steins_identity(name: str) -> None:
    # E[∇ log p] = 0 under p, and under no other distribution of the same support.
    z, score = scores(name)
    error = np.abs(score.mean(axis=0)) / (score.std(axis=0) / np.sqrt(len(z)))
    assert error.max() < STANDARD_ERRORS
    if name != "circular":  # whose density does not vanish at the ends of the interval
        centred = z - z.mean(axis=0)
        virial = centred * score + 1.0  # E[(z - E z) ∇ log p] = -1
        error = np.abs(virial.mean(axis=0)) / (virial.std(axis=0) / np.sqrt(len(z)))
        assert error.max() < STANDARD_ERRORS

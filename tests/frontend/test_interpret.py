"""Functions that run node by node take sums of any length."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pymc as pm
import pytensor.tensor as pt
import pytest

import taut
from taut.frontend import as_source
from taut.frontend.pymc.lift import as_written, interpreted, interpreted_function

from .models import QUIET

pytestmark = QUIET

# More than NumPy takes in one call.
MANY = 70


@pytest.mark.parametrize("rewrites", [True, False])
@pytest.mark.parametrize(("join", "expected"), [(pt.add, np.sum), (pt.mul, np.prod)])
def test_more_terms_than_numpy_takes(
    join: Callable[..., Any], expected: Callable[..., Any], *, rewrites: bool
) -> None:
    terms = [pt.scalar(f"x{i}") for i in range(MANY)]
    values = np.random.default_rng(0).uniform(0.5, 1.5, size=MANY)
    with interpreted():
        found = interpreted_function(terms, [join(*terms)], rewrites=rewrites)(*values)
    np.testing.assert_allclose(found[0], expected(values))


def test_a_mean_of_many_terms_is_evaluated() -> None:
    x = np.random.default_rng(0).normal(size=(MANY, 5))
    with pm.Model() as model:
        mean = sum(pm.Normal(f"slope_{i}") * x[i] for i in range(MANY))
        pm.Normal("y", mean, observed=np.ones(5))
    source = as_source(model)
    assert source.blame(source.start(None, 1)) is None
    at = np.linspace(-1.0, 1.0, MANY)
    point = {variable.name: value for variable, value in zip(model.value_vars, at, strict=True)}
    target = taut.as_target(model)
    with target.precision():
        found = target.log_density(at)
    np.testing.assert_allclose(found, model.compile_logp()(point))


def test_a_graph_is_evaluated_as_it_is_written() -> None:
    """Data are read anew at each call, and numbers of another type are cast."""
    with pm.Model() as model:
        data = pm.Data("data", np.array([1.0, 2.0]))
        mu = pm.Normal("mu")
        sigma = pm.HalfNormal("sigma")
        pm.Normal("y", mu, sigma, observed=data)
    factors = model.logp(sum=False)
    with interpreted():
        evaluate = as_written(model.value_vars, factors)
        for shift in (0.0, 5.0):
            with model:
                pm.set_data({"data": np.array([1.0, 2.0]) + shift})
            expected = model.compile_fn(factors)({"mu": 1.5, "sigma_log__": np.float64(0.0)})
            found = evaluate(1.5, 0)
            for one, other in zip(found, expected, strict=True):
                np.testing.assert_allclose(one, other)

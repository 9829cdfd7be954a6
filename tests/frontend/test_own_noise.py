"""Random variables that an expression has of its own: fresh noise for each draw, by the seed."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pymc as pm
import pytensor
import pytensor.tensor as pt
import pytest

import taut

from .models import QUIET
from .zoo.cube import cube

pytestmark = QUIET

PYTHON = {"mode": "FAST_COMPILE"}
DRAWS = 4000


@pytest.fixture(scope="module")
def model() -> pm.Model:
    with pm.Model(coords={"row": [0, 1, 2]}) as model:
        x = pm.Data("x", np.array([-1.0, 0.0, 2.0]), dims="row")
        mu, sigma = pm.Normal("mu", 0.0, 5.0), pm.HalfNormal("sigma", 2.0)
        pm.Deterministic("line", mu + x, dims="row")
        pm.Normal("y", mu, sigma, observed=np.zeros(30))
    return model


@pytest.fixture(scope="module")
def approx(model: pm.Model) -> taut.Approximation:
    """mu is N(3, 0.1²), sigma 2 within a thousandth."""
    return taut.MeanField(
        model=model, random_seed=1, start={"mu": 3.0, "sigma": 2.0},
        start_sigma={"mu": 0.1, "sigma": 0.001},
    )  # fmt: skip


def normal(*args: Any, **kwargs: Any) -> Any:
    return pm.Normal.dist(*args, **kwargs)


KINDS: dict[str, tuple[Callable[[Any, Any], Any], float, float]] = {
    # What is drawn of mu and sigma, its mean and its standard deviation.
    "of the model's": (lambda mu, sigma: normal(mu, sigma), 3.0, np.sqrt(4.01)),
    "of nothing": (lambda mu, sigma: normal(1.0, 0.5), 1.0, 0.5),
    "added": (lambda mu, sigma: mu + normal(0.0, 0.5), 3.0, np.sqrt(0.26)),
    "nested": (lambda mu, sigma: normal(normal(mu, 1.0), sigma), 3.0, np.sqrt(5.01)),
    "gamma": (lambda mu, sigma: pm.Gamma.dist(2.0, sigma), 1.0, np.sqrt(0.5)),
    "exponential": (lambda mu, sigma: pm.Exponential.dist(sigma), 0.5, 0.5),
    "beta": (lambda mu, sigma: pm.Beta.dist(sigma, 2.0), 0.5, np.sqrt(0.05)),
    "uniform": (lambda mu, sigma: pm.Uniform.dist(0.0, sigma), 1.0, 2 / np.sqrt(12)),
    "laplace": (lambda mu, sigma: pm.Laplace.dist(mu, sigma), 3.0, np.sqrt(8.01)),
    "logistic": (lambda mu, sigma: pm.Logistic.dist(mu, 1.0), 3.0, np.sqrt(np.pi**2 / 3 + 0.01)),
    "gumbel": (lambda mu, sigma: pm.Gumbel.dist(0.0, 1.0), np.euler_gamma, np.pi / np.sqrt(6)),
    "student": (lambda mu, sigma: pm.StudentT.dist(9, mu=mu, sigma=sigma), 3.0, np.sqrt(36.07 / 7)),
    "poisson": (lambda mu, sigma: pm.Poisson.dist(2 * sigma), 4.0, 2.0),
    "bernoulli": (lambda mu, sigma: pm.Bernoulli.dist(sigma / 8), 0.25, np.sqrt(3) / 4),
    "categorical": (lambda mu, sigma: pm.Categorical.dist([0.2, 0.8]), 0.8, 0.4),
    "binomial": (lambda mu, sigma: pm.Binomial.dist(8, sigma / 4), 4.0, np.sqrt(2.0)),
    "censored": (lambda mu, sigma: pm.Censored.dist(normal(mu, 0.1), 3.0, 3.0), 3.0, 0.0),
    "mixture": (
        lambda mu, sigma: pm.Mixture.dist([0.3, 0.7], [normal(0.0, 1.0), normal(5.0, 1.0)]),
        3.5, np.sqrt(1 + 0.21 * 25),
    ),
    "an op of Python's": (
        lambda mu, sigma: cube(pm.Uniform.dist(-1.0, 1.0)) + 0 * mu, 0.0, np.sqrt(1 / 7),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", KINDS)
def test_noise_is_fresh_and_has_the_right_moments(
    model: pm.Model, approx: taut.Approximation, name: str
) -> None:
    """Means within 4.5 standard errors; spreads within 12 %: heavy tails have noisy ones."""
    make, mean, std = KINDS[name]
    drawn = approx.evaluate(make(model["mu"], model["sigma"]), DRAWS, random_seed=3).values.ravel()
    assert drawn.mean() == pytest.approx(mean, abs=4.5 * std / np.sqrt(DRAWS) + 1e-9)
    assert drawn.std() == pytest.approx(std, rel=0.12, abs=1e-9)
    # Draws side by side have nothing in common.
    if std > 0:
        assert abs(np.corrcoef(drawn[1:], drawn[:-1])[0, 1]) < 4.5 / np.sqrt(DRAWS)


@pytest.mark.parametrize("kind", ["jax", "pytensor"])
def test_the_seed_decides_and_fewer_draws_are_the_first_of_more(
    model: pm.Model, approx: taut.Approximation, kind: str
) -> None:
    noise = normal(model["mu"], 1.0) if kind == "jax" else pm.Binomial.dist(1000, 0.5)
    first = approx.evaluate(noise, 300, random_seed=7).values
    np.testing.assert_array_equal(first, approx.evaluate(noise, 300, random_seed=7).values)
    np.testing.assert_array_equal(first[:, :40], approx.evaluate(noise, 40, random_seed=7).values)
    assert not np.array_equal(first, approx.evaluate(noise, 300, random_seed=8).values)
    assert not np.array_equal(approx.evaluate(noise, 9).values, approx.evaluate(noise, 9).values)


def test_the_model_s_draws_are_those_of_sample(model: pm.Model, approx: taut.Approximation) -> None:
    mu = approx.sample(30, random_seed=4)["posterior"]["mu"].values
    for noise in (normal(0.0, 1.0), pm.Binomial.dist(10, 0.5)):
        np.testing.assert_allclose(
            approx.evaluate([model["mu"], noise], 30, random_seed=4)[0].values, mu
        )


@pytest.mark.parametrize("kind", ["jax", "pytensor"])
def test_expressions_share_the_noise_of_one_variable_and_no_other(
    model: pm.Model, approx: taut.Approximation, kind: str
) -> None:
    def make() -> Any:
        return normal(0.0, 1.0) if kind == "jax" else pm.Binomial.dist(10_000, 0.5) / 50.0

    one, other = make(), make()
    both = approx.evaluate([model["mu"] + one, model["mu"] - one, other], 500, random_seed=2)
    plus, minus, apart = (values.values.ravel() for values in both)
    mu = approx.sample(500, random_seed=2)["posterior"]["mu"].values.ravel()
    np.testing.assert_allclose((plus + minus) / 2, mu)
    noise = (plus - minus) / 2
    # The standard deviation is one, with a standard error of 3 %.
    assert noise.std() == pytest.approx(1.0, abs=0.15)
    # Five standard errors of a correlation of none.
    assert abs(np.corrcoef(noise, apart)[0, 1]) < 5 / np.sqrt(500)


def test_batched_shapes_have_noise_for_each_element(
    model: pm.Model, approx: taut.Approximation
) -> None:
    values = approx.evaluate(normal(model["line"], 1.0, shape=(2, 3)), DRAWS, random_seed=5).values
    assert values.shape == (1, DRAWS, 2, 3)
    noise = values[0] - values[0].mean(0)
    np.testing.assert_allclose(values[0].mean(0), np.tile([2.0, 3.0, 5.0], (2, 1)), atol=0.08)
    correlations = np.corrcoef(noise.reshape(DRAWS, 6).T)
    # What is left is the common mu, a hundredth; four standard errors.
    assert np.abs(correlations - np.eye(6)).max() < 0.01 + 4 / np.sqrt(DRAWS)


def test_a_shape_by_data_follows_the_data(model: pm.Model, approx: taut.Approximation) -> None:
    noise = normal(model["mu"], 1.0, shape=model["x"].shape)
    assert approx.evaluate(noise, 4, random_seed=1).shape == (1, 4, 3)
    longer = approx.evaluate(noise, 4, {model["x"]: np.zeros(5)}, random_seed=1)
    assert longer.shape == (1, 4, 5)
    assert len(np.unique(longer.values)) == 20


def test_deterministics_with_noise() -> None:
    with pm.Model() as model:
        mu = pm.Normal("mu")
        noisy = pm.Deterministic("noisy", 2.0 * normal(mu, 0.5))
        pm.Deterministic("twice", noisy + 1.0)
    approx = taut.MeanField(model=model, start={"mu": 3.0}, start_sigma={"mu": 0.1})
    both = approx.evaluate([model["noisy"], model["twice"]], DRAWS, random_seed=1)
    assert float(both[0].mean()) == pytest.approx(6.0, abs=0.1)
    assert float(both[0].std()) == pytest.approx(2 * np.sqrt(0.26), rel=0.06)
    np.testing.assert_allclose(both[1], both[0] + 1.0)


def test_noise_in_place_of_data(model: pm.Model, approx: taut.Approximation) -> None:
    """Fresh for each draw; what is written of the model's variables is of the posterior."""
    x = model["x"]
    noisy = approx.evaluate(model["line"], DRAWS, {x: normal(1.0, 0.5, shape=3)}, random_seed=1)
    np.testing.assert_allclose(noisy.values[0].mean(0), 4.0, atol=0.05)
    np.testing.assert_allclose(noisy.values[0].std(0), np.sqrt(0.26), rtol=0.06)
    of_mu = approx.evaluate(model["line"], 50, {x: pt.stack([-model["mu"]] * 2)}, random_seed=1)
    np.testing.assert_allclose(of_mu.values, np.zeros((1, 50, 2)), atol=1e-12)
    # And what noise stands for shares it with what else has it.
    noise = normal(0.0, 1.0)
    apart = [model["line"][0] - model["mu"], noise]
    shared = approx.evaluate(apart, 50, {x: pt.stack([noise, noise])}, random_seed=1)
    np.testing.assert_allclose(shared[0].values, shared[1].values, atol=1e-12)


def test_noise_alone_is_no_constant(
    approx: taut.Approximation, recwarn: pytest.WarningsRecorder
) -> None:
    approx.evaluate(normal(0.0, 1.0), 5)
    assert not [w for w in recwarn if "no random variable" in str(w.message)]


def test_another_call_compiles_nothing(model: pm.Model, approx: taut.Approximation) -> None:
    noise = normal(model["mu"], model["sigma"])
    approx.evaluate(noise, 10)
    count = approx.target.programs.count
    approx.evaluate(noise, 700)
    assert approx.target.programs.count == count


def test_each_particle_has_noise_of_its_own(model: pm.Model) -> None:
    empirical = taut.Empirical({"mu": np.zeros(2000), "sigma": np.ones(2000)}, model=model)
    for noise, std in ((normal(model["mu"], 1.0), 1.0), (pm.Binomial.dist(16, 0.5), 2.0)):
        values = empirical.evaluate_over_trace(noise, random_seed=1)
        assert values.std() == pytest.approx(std, rel=0.08)
        again = empirical.evaluate_over_trace([noise, model["mu"]], random_seed=1)
        np.testing.assert_array_equal(values, again[0])
        assert not np.array_equal(values, empirical.evaluate_over_trace(noise))


def test_the_general_seed_is_not_counted_where_there_is_no_noise(model: pm.Model) -> None:
    trace = {"mu": np.arange(5.0), "sigma": np.ones(5)}
    one, other = (taut.Empirical(trace, model=model, random_seed=1) for _ in range(2))
    one.evaluate_over_trace(model["mu"])
    np.testing.assert_array_equal(
        one.sample(20)["posterior"]["mu"], other.sample(20)["posterior"]["mu"]
    )


@pytest.mark.parametrize("name", ["of nothing", "added", "nested", "categorical", "mixture"])
def test_sampled_nodes_have_fresh_noise_too(
    model: pm.Model, approx: taut.Approximation, name: str
) -> None:
    """Tolerances as above; generators of PyMC have no seed, so five standard errors."""
    make, mean, std = KINDS[name]
    node = approx.sample_node(make(model["mu"], model["sigma"]), size=DRAWS)
    drawn = node.eval(**PYTHON)
    assert drawn.shape == (DRAWS,)
    assert drawn.mean() == pytest.approx(mean, abs=5 * std / np.sqrt(DRAWS))
    assert drawn.std() == pytest.approx(std, rel=0.12)


def test_float32() -> None:
    with pytensor.config.change_flags(floatX="float32"):
        with pm.Model() as model:
            mu = pm.Normal("mu")
        approx = taut.MeanField(model=model, random_seed=1, start_sigma={"mu": 0.01})
        drawn = approx.evaluate(normal(mu, 1.0), DRAWS, random_seed=1)
    assert drawn.values.std() == pytest.approx(1.0, rel=0.05)

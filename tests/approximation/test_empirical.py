"""Particles: from draws of every container, and by SVGD."""

import jax.numpy as jnp
import numpy as np
import pymc as pm
import pytest
import xarray as xr

import taut
from taut import errors
from taut.objective import IMQ, RBF


@pytest.fixture(scope="module")
def model() -> pm.Model:
    with pm.Model() as model:
        low = pm.Normal("low", 0.0, 1.0)
        pm.Uniform("between", low, low + 2.0, shape=2)
        pm.HalfNormal("scale", 1.0)
    return model


@pytest.fixture(scope="module")
def approx(model: pm.Model) -> taut.Approximation:
    return taut.fit(50, method="advi", model=model, random_seed=1, progressbar=False)


@pytest.fixture(scope="module")
def flat(approx: taut.Approximation) -> np.ndarray:
    return approx.unconstrained_draws(30, random_seed=2)


def containers(approx: taut.Approximation) -> dict[str, object]:
    tree = approx.sample(30, random_seed=2)
    posterior = tree["posterior"].to_dataset()
    return {
        "a DataTree with unconstrained draws": tree,
        "a DataTree with constrained draws": xr.DataTree.from_dict({"posterior": posterior}),
        "a MultiTrace": approx.sample(30, random_seed=2, return_inferencedata=False),
        "a mapping": {name: values.values[0] for name, values in posterior.data_vars.items()},
        "a matrix": approx.unconstrained_draws(30, random_seed=2),
    }


@pytest.mark.parametrize(
    "kind",
    ["a DataTree with unconstrained draws", "a DataTree with constrained draws", "a MultiTrace",
     "a mapping", "a matrix"],
)  # fmt: skip
def test_every_container_gives_the_same_particles(
    model: pm.Model, approx: taut.Approximation, flat: np.ndarray, kind: str
) -> None:
    """Also where the bounds of one variable depend on another, draw by draw."""
    empirical = taut.Empirical(containers(approx)[kind], model=model)
    np.testing.assert_allclose(empirical.parameters["histogram"], flat, rtol=1e-8, atol=1e-10)


def test_expressions_are_evaluated_over_the_trace(
    model: pm.Model, approx: taut.Approximation
) -> None:
    tree = approx.sample(30, random_seed=2)
    empirical = taut.Empirical(tree, model=model)
    values = empirical.evaluate_over_trace(model["scale"] ** 2 + model["low"])
    posterior = tree["posterior"]
    np.testing.assert_allclose(values, (posterior["scale"] ** 2 + posterior["low"]).values[0])


def test_draws_are_particles_and_have_no_density(model: pm.Model, flat: np.ndarray) -> None:
    draws = taut.Empirical(flat, model=model).sample(100, random_seed=1)
    low = draws["unconstrained_posterior"]["low"].values.ravel()
    assert set(low) <= set(flat[:, 0])
    assert len(set(low)) > 15
    assert set(draws["sample_stats"].data_vars) == {"lp"}


@pytest.mark.parametrize(
    ("trace", "message"),
    [
        (np.empty((0, 4)), "no draws"),
        (np.ones((3, 5)), "one column for each of the 4 elements"),
        ({"low": np.ones(3)}, "no draws of between, scale"),
        (7, "trace must be a DataTree"),
    ],
)
def test_traces_that_do_not_fit_are_refused(model: pm.Model, trace: object, message: str) -> None:
    with pytest.raises(errors.ArgumentError, match=message):
        taut.Empirical(trace, model=model)


def test_empirical_needs_a_trace_or_a_size(model: pm.Model) -> None:
    with pytest.raises(errors.ArgumentError, match="either a trace or a size"):
        taut.Empirical(model=model)


def normal() -> pm.Model:
    with pm.Model() as model:
        pm.MvNormal("x", np.array([1.0, -1.0]), cov=np.array([[1.0, 0.5], [0.5, 2.0]]))
    return model


@pytest.mark.parametrize(
    "kernel", [RBF(), IMQ(), lambda x, y: jnp.exp(-0.5 * jnp.sum((x - y) ** 2))]
)
def test_svgd_finds_a_gaussian(kernel: object) -> None:
    """Means are exact at SVGD's fixed point for a Gaussian; spreads with 60 particles nearly."""
    svgd = taut.SVGD(60, model=normal(), random_seed=1, kernel=kernel)
    approx = svgd.fit(1000, obj_optimizer=taut.adam(learning_rate=0.05), progressbar=False)
    np.testing.assert_allclose(approx.mean.eval(), [1.0, -1.0], atol=0.1)
    np.testing.assert_allclose(approx.std.eval(), [1.0, np.sqrt(2.0)], rtol=0.25)
    assert svgd.hist[-1] < svgd.hist[0]


def test_seed_decides_the_scatter() -> None:
    seeds = (1, 1, 2)
    first, same, other = (
        taut.SVGD(10, model=normal(), random_seed=s).approx.parameters["histogram"] for s in seeds
    )
    np.testing.assert_array_equal(first, same)
    assert not np.array_equal(first, other)


def test_temperature_spreads_the_particles() -> None:
    spreads = []
    for temperature in (1.0, 4.0):
        svgd = taut.SVGD(60, model=normal(), random_seed=1, temperature=temperature)
        svgd.fit(600, obj_optimizer=taut.adam(learning_rate=0.05), progressbar=False)
        spreads.append(svgd.approx.std.eval().mean())
    # A target to the power 1/4 has twice the standard deviation.
    assert spreads[1] / spreads[0] == pytest.approx(2.0, rel=0.3)


def test_svgd_takes_minibatches() -> None:
    data = np.random.default_rng(0).normal(2.0, 1.0, size=500)
    with pm.Model() as model:
        batch = pm.Minibatch(data, batch_size=100)
        mu = pm.Normal("mu", 0.0, 10.0)
        pm.Normal("y", mu, 1.0, observed=batch, total_size=500)
    svgd = taut.SVGD(30, model=model, random_seed=1)
    approx = svgd.fit(1500, obj_optimizer=taut.adam(learning_rate=0.02), progressbar=False)
    assert approx.mean.eval()[0] == pytest.approx(data.mean(), abs=0.1)


def test_asvgd_and_implicit_gradient_move_a_gaussian_to_the_posterior() -> None:
    asvgd = taut.ASVGD(model=normal(), random_seed=1)
    approx = asvgd.fit(
        1000, obj_optimizer=taut.adam(learning_rate=0.05), obj_n_mc=100, progressbar=False
    )
    np.testing.assert_allclose(approx.mean.eval(), [1.0, -1.0], atol=0.2)
    mean_field = taut.MeanField(model=normal(), random_seed=1)
    taut.ImplicitGradient(mean_field).fit(
        1000, obj_optimizer=taut.adam(learning_rate=0.05), obj_n_mc=100, progressbar=False
    )
    np.testing.assert_allclose(mean_field.mean.eval(), [1.0, -1.0], atol=0.2)


def test_bad_particles_are_refused() -> None:
    with pytest.raises(errors.ArgumentError, match="n_particles"):
        taut.SVGD(0, model=normal())
    with pytest.raises(errors.ArgumentError, match="leave obj_n_mc out"):
        taut.SVGD(5, model=normal()).fit(5, obj_n_mc=3)

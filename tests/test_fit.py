"""The front door: what it accepts, and what it says to what it does not."""

from typing import Any

import jax.numpy as jnp
import numpy as np
import optax
import pymc as pm
import pytest

import taut
from taut import errors
from taut.batches import RandomRows
from taut.target import Space

DATA = np.array([1.5, 2.5, 2.0, 3.0])


@pytest.fixture(scope="module")
def model() -> pm.Model:
    """A normal mean with a conjugate posterior: N(2.244, 0.499)."""
    with pm.Model() as model:
        mu = pm.Normal("mu", 0.0, 10.0)
        pm.Normal("y", mu, 1.0, observed=DATA)
    return model


PRECISION = len(DATA) + 0.01
EXACT_MEAN, EXACT_SD = DATA.sum() / PRECISION, PRECISION**-0.5


@pytest.mark.parametrize("method", ["advi", "ADVI", "fullrank_advi", "FullRank_ADVI"])
def test_method_is_a_name_in_any_case(model: pm.Model, method: str) -> None:
    approx = taut.fit(10, method, model=model, progressbar=False)
    assert len(approx.hist) == 10


@pytest.mark.parametrize("method", [taut.ADVI, taut.FullRankADVI])
def test_conjugate_posterior_is_found(model: pm.Model, method: type) -> None:
    """The path gradient has no noise at the optimum, so the fit is exact up to its last steps."""
    approx = taut.fit(
        4000,
        method,
        model=model,
        random_seed=1,
        inf_kwargs={"gradient": "path"},
        obj_optimizer=taut.adam(learning_rate=optax.cosine_decay_schedule(0.05, 4000)),
        progressbar=False,
    )
    assert approx.mean.eval()[0] == pytest.approx(EXACT_MEAN, abs=1e-3)
    assert approx.std.eval()[0] == pytest.approx(EXACT_SD, abs=1e-3)


def test_method_may_be_an_object_with_a_start_of_its_own(model: pm.Model) -> None:
    advi = taut.ADVI(model=model, start={"mu": 3.0})
    assert taut.fit(5, advi, progressbar=False) is advi.approx


def test_arguments_of_an_object_are_not_given_twice(model: pm.Model) -> None:
    advi = taut.ADVI(model=model)
    with pytest.raises(errors.ArgumentError, match="ADVI object, which has its own random_seed"):
        taut.fit(5, advi, random_seed=1)


def test_seed_decides_the_fit(model: pm.Model) -> None:
    fits = [
        taut.fit(50, method="advi", model=model, random_seed=s, progressbar=False)
        for s in (1, 1, 2)
    ]
    first, same, other = (fit.parameters["mu"] for fit in fits)
    assert np.array_equal(first, same)
    assert not np.array_equal(first, other)


def test_start_and_start_sigma_are_where_the_fit_begins(model: pm.Model) -> None:
    advi = taut.ADVI(model=model, start={"mu": 3.0}, start_sigma={"mu": 0.25})
    assert advi.approx.mean.eval() == pytest.approx([3.0])
    assert advi.approx.std.eval() == pytest.approx([0.25])


@pytest.mark.parametrize("name", ["ADVI", "FullRankADVI"])
def test_fits_begin_with_pymcs_parameters(model: pm.Model, name: str) -> None:
    with model:
        ours, theirs = getattr(taut, name)(), getattr(pm, name)()
    for our, their in zip(ours.approx.params, theirs.approx.params, strict=True):
        assert our.name == their.name
        np.testing.assert_allclose(our.get_value(), their.get_value())


def test_gradient_norm_is_bounded(model: pm.Model) -> None:
    """One SGD step of rate 1 moves the parameters by the norm of the bounded gradient."""
    advi = taut.ADVI(model=model, random_seed=1, start={"mu": 1000.0})
    before = np.concatenate(list(advi.approx.parameters.values()))
    advi.fit(1, obj_optimizer=taut.sgd(1.0), total_grad_norm_constraint=0.5, progressbar=False)
    after = np.concatenate(list(advi.approx.parameters.values()))
    assert np.linalg.norm(after - before) == pytest.approx(0.5, rel=1e-6)


@pytest.mark.parametrize(
    "optimizer", [taut.adam, optax.adam(1e-2), taut.sgd(optax.linear_schedule(0.01, 0.0, 10))]
)
def test_optimizers_of_optax_and_schedules_are_accepted(model: pm.Model, optimizer: object) -> None:
    approx = taut.fit(20, method="advi", model=model, obj_optimizer=optimizer, progressbar=False)
    assert np.isfinite(approx.hist).all()


def test_pymcs_own_optimizer_is_accepted(model: pm.Model) -> None:
    ours = taut.fit(
        20,
        method="advi",
        model=model,
        random_seed=1,
        obj_optimizer=taut.adam(0.1),
        progressbar=False,
    )
    theirs = taut.fit(
        20,
        method="advi",
        model=model,
        random_seed=1,
        obj_optimizer=pm.adam(learning_rate=0.1),
        progressbar=False,
    )
    assert np.array_equal(ours.parameters["mu"], theirs.parameters["mu"])


def test_no_model_on_the_context_is_said() -> None:
    with pytest.raises(errors.ArgumentError, match="none was given and none is on the context"):
        taut.fit()


def test_unknown_method_suggests_the_nearest(model: pm.Model) -> None:
    with pytest.raises(errors.MethodError, match="did you mean 'advi'") as raised:
        taut.fit(method="adv", model=model)
    assert isinstance(raised.value, KeyError)
    assert not str(raised.value).startswith('"')


def test_pymcs_own_inference_object_is_refused(model: pm.Model) -> None:
    with model:
        theirs = pm.ADVI()
    with pytest.raises(errors.MethodError, match=r"a class such as taut\.ADVI"):
        taut.fit(method=theirs, model=model)  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize("n", [-1, 2.5, 1e4, "100", True])
def test_n_has_to_be_a_positive_integer(model: pm.Model, n: object) -> None:
    with pytest.raises(errors.ArgumentError, match="n, the number of steps"):
        taut.fit(n, method="advi", model=model)  # pyright: ignore[reportArgumentType]


def test_a_whole_float_for_n_is_written_out() -> None:
    with pm.Model():
        pm.Normal("mu")
        with pytest.raises(errors.ArgumentError, match="Write n=10000"):
            taut.fit(1e4, method="advi")  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize(
    ("argument", "value", "message"),
    [
        ("obj_n_mc", 0, "obj_n_mc must be a positive integer"),
        ("total_grad_norm_constraint", -1.0, "total_grad_norm_constraint must be a number > 0"),
        ("backend", "numba", "taut runs on JAX alone"),
        ("callbacks", [3], "which can not be called"),
        ("inf_kwargs", {"gradient": "score"}, 'gradient must be "total" or "path"'),
        ("inf_kwargs", {"beta": -1.0}, "beta, the weight of the KL term"),
        ("obj_optimizer", 0.01, "obj_optimizer"),
        ("inf_kwargs", {"n_particles": 5}, "ADVI does not take n_particles. It takes: model,"),
    ],
)
def test_bad_arguments_are_named(
    model: pm.Model, argument: str, value: object, message: str
) -> None:
    with pytest.raises(errors.TautError, match=message):
        taut.fit(10, model=model, progressbar=False, **{argument: value})  # pyright: ignore[reportArgumentType]


def test_nothing_is_compiled_before_a_bad_start_is_refused(model: pm.Model) -> None:
    with pm.Model() as bad:
        alpha = pm.Exponential("alpha", 1.0)
        pm.Gamma("y", alpha, 1.0, observed=np.array([1.0, -1.0, 2.0]))
    with pytest.raises(errors.NotFiniteError, match=r"'y': 1 of its 3 terms is -inf \(row 1\)"):
        taut.fit(10, method="advi", model=bad, progressbar=False)
    assert taut.as_target(bad).programs.count == 0


def test_masked_data_are_imputed() -> None:
    with pytest.warns(Warning, match="[Ii]mput|missing"), pm.Model() as model:
        mu = pm.Normal("mu", 0.0, 1.0)
        pm.Normal("y", mu, 0.1, observed=np.array([1.0, np.nan, 1.2, 0.8]))
    approx = taut.fit(
        5000,
        method="advi",
        model=model,
        random_seed=1,
        obj_optimizer=taut.adam(0.02),
        progressbar=False,
    )
    posterior = approx.sample(2000, random_seed=1)["posterior"]
    # The posterior mean of mu is 0.997, and a missing row is drawn around it; the noise of the
    # last steps is well below 0.2.
    assert float(posterior["mu"].mean()) == pytest.approx(0.997, abs=0.2)
    assert float(posterior["y_unobserved"].mean()) == pytest.approx(0.997, abs=0.2)
    assert posterior["y"].shape == (1, 2000, 4)


def test_a_class_that_fits_an_approximation_gets_it_among_its_arguments(model: pm.Model) -> None:
    approx = taut.MeanField(model=model, random_seed=1)
    assert taut.fit(5, taut.KLqp, inf_kwargs={"approx": approx}, progressbar=False) is approx
    with pytest.raises(errors.ArgumentError, match="KLqp needs approx: give it by inf_kwargs"):
        taut.fit(5, taut.KLqp, progressbar=False)


def test_a_model_of_batches_alone_is_built_once_and_fitted_by_steps() -> None:
    """A generator of seeds would be asked a second time for a second object."""

    def terms(z: Any, data: Any, batch: Any) -> tuple[Any, Any]:
        likelihood = -0.5 * jnp.sum((batch[0][0] - z) ** 2) if batch else 0.0 * z[0]
        return -0.5 * z @ z, likelihood

    batches = RandomRows(((np.arange(12.0),),), (4,))
    target = taut.Target(terms, Space.of({"z": (1,)}), {}, batches, dtype="float64")
    chosen, steps = (
        taut.fit(50, model=target, random_seed=np.random.default_rng(1), progressbar=False, **how)
        for how in ({}, {"method": "advi"})
    )
    assert chosen.method == steps.method == "ADVI"
    np.testing.assert_array_equal(chosen.hist, steps.hist)


def test_an_argument_another_method_takes_is_named(model: pm.Model) -> None:
    with pytest.raises(errors.ArgumentError, match="SVGD does not take start_sigma"):
        taut.fit(5, "svgd", model=model, start_sigma={"mu": 1.0}, progressbar=False)

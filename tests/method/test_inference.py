"""The objects a user holds: fit, refine, interrupt, and what is left when a fit goes wrong."""

import gc
import weakref

import numpy as np
import pymc as pm
import pytest

import taut
from taut import errors
from taut.descent import Descent
from taut.family import MeanField
from taut.objective import ELBO
from taut.optimizer import adam


def normal_model() -> pm.Model:
    with pm.Model() as model:
        mu = pm.Normal("mu", 0.0, 10.0, shape=2)
        pm.Normal("y", mu, 1.0, observed=np.array([[1.5, 2.5], [2.0, 3.0]]))
    return model


@pytest.fixture
def advi() -> taut.ADVI:
    return taut.ADVI(model=normal_model(), random_seed=1)


def test_refine_goes_on_as_if_it_had_never_stopped(advi: taut.ADVI) -> None:
    """History, noise and the optimizer's memory go on: the parameters are bit-equal."""
    advi.fit(300, obj_optimizer=taut.adam(0.05), progressbar=False)
    advi.refine(700, progressbar=False)
    whole = taut.ADVI(model=normal_model(), random_seed=1)
    whole.fit(1000, obj_optimizer=taut.adam(0.05), progressbar=False)
    np.testing.assert_array_equal(advi.hist, whole.hist)
    np.testing.assert_array_equal(advi.approx.hist, whole.hist)
    for name, value in whole.approx.parameters.items():
        np.testing.assert_array_equal(advi.approx.parameters[name], value)


def test_a_second_fit_goes_on_from_the_parameters_with_a_fresh_optimizer(advi: taut.ADVI) -> None:
    advi.fit(500, obj_optimizer=taut.adam(0.05), progressbar=False)
    before = advi.approx.parameters["mu"]
    advi.fit(1, obj_optimizer=taut.sgd(1e-9), progressbar=False)
    np.testing.assert_allclose(advi.approx.parameters["mu"], before, atol=1e-6)
    assert len(advi.hist) == 501


def test_refine_before_fit_is_refused(advi: taut.ADVI) -> None:
    with pytest.raises(errors.NotFittedError, match=r"call `\.fit"):
        advi.refine(10)


def test_ctrl_c_keeps_what_was_fitted(advi: taut.ADVI) -> None:
    def interrupt(approx: taut.Approximation, losses: np.ndarray, i: int) -> None:
        if i == 7:
            raise KeyboardInterrupt

    approx = advi.fit(100, callbacks=[interrupt], progressbar=False)
    assert len(approx.hist) == 7
    assert approx.stopped == "interrupted"
    seven = taut.ADVI(model=normal_model(), random_seed=1).fit(7, progressbar=False)
    np.testing.assert_array_equal(approx.parameters["mu"], seven.parameters["mu"])


@pytest.mark.parametrize("at", [1, 5, 20])
def test_stop_iteration_ends_a_fit_at_any_step_and_its_reason_is_kept(
    advi: taut.ADVI, at: int
) -> None:
    def stop(approx: taut.Approximation, losses: np.ndarray, i: int) -> None:
        if i == at:
            raise StopIteration("seen enough")

    approx = advi.fit(9 if at < 9 else 100, callbacks=[stop], progressbar=False)
    assert len(approx.hist) == at
    assert approx.stopped == "seen enough"


def test_an_error_in_a_callback_is_raised_and_nothing_is_lost(advi: taut.ADVI) -> None:
    def fail(approx: taut.Approximation, losses: np.ndarray, i: int) -> None:
        if i == 3:
            raise RuntimeError("a callback's own")

    with pytest.raises(RuntimeError, match="a callback's own"):
        advi.fit(100, callbacks=[fail], progressbar=False)
    assert len(advi.approx.hist) == 3
    advi.refine(1, progressbar=False)


def cliff_model() -> pm.Model:
    """A density that is not a number beyond 5, towards which it rises."""
    with pm.Model() as model:
        x = pm.Flat("x", initval=0.0)
        pm.Potential("cliff", 10.0 * x + pm.math.log(5.0 - x))
    return model


def test_repeated_non_finite_steps_stop_the_fit_with_the_last_good_parameters() -> None:
    """The likelihood is finite at the start only: the first step throws the mean far away."""
    with pm.Model() as model:
        x = pm.Flat("x", initval=0.0)
        pm.Potential("cliff", pm.math.log(5.0 - x) + 1e4 * x)
    advi = taut.ADVI(model=model, random_seed=1, start_sigma={"x": 0.01})
    with pytest.raises(errors.NotFiniteError, match="cliff") as raised:
        advi.fit(1000, obj_optimizer=taut.sgd(learning_rate=1e-2), progressbar=False)
    assert isinstance(raised.value, FloatingPointError)
    assert np.isfinite(advi.approx.parameters["mu"]).all()
    assert 100 <= len(advi.approx.hist) < 1000
    assert advi.approx.stopped == "not finite"


def test_skipped_steps_are_counted_and_said() -> None:
    """A quarter of the draws fall off the cliff, and the fit goes on without them."""
    advi = taut.ADVI(model=cliff_model(), random_seed=1, start={"x": 4.0}, start_sigma={"x": 1.5})
    with pytest.warns(UserWarning, match="steps were skipped"):
        approx = advi.fit(200, obj_optimizer=taut.sgd(learning_rate=1e-9), progressbar=False)
    bad = int((~np.isfinite(approx.hist)).sum())
    assert approx.skipped == bad > 10


def test_set_data_reaches_the_next_fit() -> None:
    with pm.Model() as model:
        data = pm.Data("data", np.zeros(50))
        mu = pm.Normal("mu", 0.0, 10.0)
        pm.Normal("y", mu, 1.0, observed=data)
    advi = taut.ADVI(model=model, random_seed=1)
    advi.fit(3000, obj_optimizer=taut.adam(0.02), progressbar=False)
    assert advi.approx.mean.eval()[0] == pytest.approx(0.0, abs=0.3)
    with model:
        pm.set_data({"data": np.full(30, 5.0)})
    advi.refine(6000, progressbar=False)
    assert advi.approx.mean.eval()[0] == pytest.approx(5.0, abs=0.3)


def test_shapes_that_changed_are_refused() -> None:
    with pm.Model(coords={"row": range(3)}) as model:
        data = pm.Data("data", np.zeros(3), dims="row")
        mu = pm.Normal("mu", 0.0, 1.0, dims="row")
        pm.Normal("y", mu, 1.0, observed=data, dims="row")
    advi = taut.ADVI(model=model)
    advi.fit(5, progressbar=False)
    with model:
        pm.set_data({"data": np.zeros(4)}, coords={"row": range(4)})
    with pytest.raises(errors.ArgumentError, match=r"mu \(3,\) then, mu \(4,\) now"):
        advi.refine(5, progressbar=False)
    assert taut.fit(5, method="advi", model=model, progressbar=False).ndim == 4


def test_a_dropped_fit_is_garbage(advi: taut.ADVI) -> None:
    advi.fit(10, progressbar=False)
    model = weakref.ref(advi.approx.model)
    del advi
    gc.collect()
    # The fixture's own reference goes with the test; a model made here goes at once.
    inner = taut.ADVI(model=normal_model())
    inner.fit(10, progressbar=False)
    gone = weakref.ref(inner.approx.model)
    del inner
    gc.collect()
    assert gone() is None
    assert model() is not None


def test_beta_weighs_the_kl_term(advi: taut.ADVI) -> None:
    """With a likelihood of weight 1/beta the posterior of a normal mean is known."""
    beta = 4.0
    approx = taut.fit(
        5000,
        method="advi",
        model=normal_model(),
        random_seed=1,
        inf_kwargs={"beta": beta, "gradient": "path"},
        obj_optimizer=taut.adam(0.02),
        progressbar=False,
    )
    # Minimising beta KL - log likelihood is a posterior with the likelihood to the power 1/beta.
    precision = 2 / beta + 0.01
    assert approx.std.eval() == pytest.approx([precision**-0.5] * 2, rel=0.02)


def test_descent_serves_a_target_written_by_hand() -> None:
    from taut.target import Space, Target

    target = Target(
        lambda z, data, batch: (-0.5 * ((z - 3.0) ** 2).sum(), 0.0), Space.of({"x": ()})
    )
    approx = taut.fit(
        2000,
        method="advi",
        model=target,
        obj_optimizer=adam(0.05),
        progressbar=False,
        random_seed=1,
    )
    assert isinstance(approx.family, MeanField)
    draws = approx.sample(500, random_seed=1)
    assert float(draws["posterior"]["x"].mean()) == pytest.approx(3.0, abs=0.3)
    assert Descent(ELBO(), adam()) is not None


def test_a_short_fit_without_one_finite_step_is_an_error() -> None:
    with pm.Model() as model:
        x = pm.Flat("x", initval=0.0)
        pm.Potential("point", pm.math.log(1e-12 - x**2))
    advi = taut.ADVI(model=model, random_seed=1)
    with pytest.raises(errors.NotFiniteError, match="The last 20 steps"):
        advi.fit(20, progressbar=False)
    assert advi.approx.stopped == "not finite"


def test_callbacks_have_to_be_a_list(advi: taut.ADVI) -> None:
    with pytest.raises(errors.ArgumentError, match="has to be a list"):
        advi.fit(5, callbacks=print, progressbar=False)  # pyright: ignore[reportArgumentType]

"""The last chapter of "Introduction to Variational Inference with PyMC": minibatches."""

import numpy as np
import optax
import pymc as pm
import pytest

import taut

BATCH = 500


@pytest.fixture(scope="module")
def data() -> np.ndarray:
    rng = np.random.RandomState(42)
    data = rng.rand(40_000, 100)
    data *= rng.randint(1, 10, size=(100,))
    data += rng.rand(100) * 10
    return data


@pytest.fixture(scope="module")
def full_model(data: np.ndarray) -> pm.Model:
    with pm.Model() as model:
        mu = pm.Normal("mu", mu=0, sigma=1e5, shape=(100,))
        sd = pm.HalfNormal("sd", shape=(100,))
        pm.Normal("likelihood", mu, sd, observed=data)
    return model


@pytest.fixture(scope="module")
def minibatch_model(data: np.ndarray) -> pm.Model:
    X = taut.Minibatch(data, batch_size=BATCH)
    with pm.Model() as model:
        mu = pm.Normal("mu", mu=0, sigma=1e5, shape=(100,))
        sd = pm.HalfNormal("sd", shape=(100,))
        pm.Normal("likelihood", mu, sd, observed=X, total_size=data.shape)
    return model


def settled() -> optax.GradientTransformation:
    """Large steps first, and at last so small ones that their noise is no part of the result."""
    return optax.adam(optax.exponential_decay(0.05, 1000, 0.4, transition_begin=6000))


def test_a_callback_ends_the_slow_fit_of_all_rows(full_model: pm.Model) -> None:
    def stop_after_10(approx, loss_history, i):
        if (i > 0) and (i % 10) == 0:
            raise StopIteration("I was slow, sorry")

    with full_model:
        advifit = taut.fit(callbacks=[stop_after_10], progressbar=False)
    assert len(advifit.hist) == 10
    assert advifit.stopped == "I was slow, sorry"


# What PyTensor's backend says of PyMC's fit of so large a constant.
@pytest.mark.filterwarnings("ignore:Cannot cache compiled function")
def test_average_loss_is_pymcs(minibatch_model: pm.Model, data: np.ndarray) -> None:
    """After as many steps with the same optimizer, the last losses agree to 1 %.

    PyMC can not fit ``total_size=data.shape`` (an IndexError), and for a matrix it divides its loss
    by more than rows/batch rows; its own divisor brings it back to the scale of all rows.
    """
    with pm.Model():
        mu = pm.Normal("mu", mu=0, sigma=1e5, shape=(100,))
        sd = pm.HalfNormal("sd", shape=(100,))
        X = pm.Minibatch(data, batch_size=BATCH)
        pm.Normal("likelihood", mu, sd, observed=X, total_size=len(data))
        theirs = pm.fit(random_seed=1, progressbar=False)
    with minibatch_model:
        ours = taut.fit(10_000, method="advi", random_seed=1, progressbar=False)
    assert float(ours.symbolic_normalizing_constant.eval()) == len(data) / BATCH
    whole = theirs.hist[-1000:].mean() * theirs.symbolic_normalizing_constant.eval()
    assert ours.hist[-1000:].mean() == pytest.approx(whole, rel=0.01)


def test_batches_of_the_model_for_all_rows_give_the_same_posterior(
    full_model: pm.Model, minibatch_model: pm.Model, data: np.ndarray
) -> None:
    """Means of epochs within a tenth of a posterior sd of the truth, of random rows within 0.6.

    The noise of epochs cancels; that of rows drawn with replacement is averaged over the last
    thousand steps or so, half a million rows for 40 000: sqrt(40 / 500) = 0.3 sd for the worst of
    100 means. The sds settle more slowly: together within 6 %, each within 40.
    """
    common = {
        "obj_optimizer": settled(),
        "start_sigma": {"mu": 0.01, "sd": 0.01},
        "random_seed": 1,
        "progressbar": False,
    }
    epochs = taut.fit(20_000, model=full_model, batch_size=BATCH, **common)
    random_rows = taut.fit(20_000, model=minibatch_model, **common)
    posterior_sd = data.std(axis=0) / np.sqrt(len(data))
    for approx, tolerance in ((epochs, 0.1), (random_rows, 0.6)):
        mean, sd = (np.asarray(moment["mu"]) for moment in (approx.mean_data, approx.std_data))
        assert np.abs((mean - data.mean(axis=0)) / posterior_sd).max() < tolerance
        error = np.log(sd / posterior_sd)
        assert abs(error.mean()) < 0.06
        assert np.abs(error).max() < 0.4
    # Each is the mean of 2 000 losses, whose own sd is 1 %.
    assert epochs.hist[-2000:].mean() == pytest.approx(random_rows.hist[-2000:].mean(), rel=2e-3)

"""`pymc.Minibatch` becomes a source of batches; without a batch the density has all rows."""

import warnings
from collections.abc import Iterator
from typing import Any

import jax
import numpy as np
import pymc as pm
import pytensor.tensor as pt
import pytest

import taut

from .models import QUIET
from .zoo.minibatches import MINIBATCHES, as_minibatch, as_they_are

pytestmark = QUIET


def point(target: taut.Target) -> np.ndarray:
    return np.random.default_rng(3).normal(0.0, 0.8, size=target.dim)


def split(target: taut.Target, z: np.ndarray, batch: Any = None) -> np.ndarray:
    with target.precision():
        return np.array([float(term) for term in target.split(z, batch)])


def draw(target: taut.Target, seed: int) -> Any:
    with target.precision():
        return target.batches.draw(jax.random.key(seed))


@pytest.fixture(params=MINIBATCHES)
def name(request: pytest.FixtureRequest) -> str:
    return request.param


def test_without_a_batch_all_rows_count(name: str) -> None:
    target = taut.as_target(MINIBATCHES[name](as_minibatch))
    whole = MINIBATCHES[name](as_they_are)
    z = point(target)
    terms = whole.compile_fn([whole.varlogp, whole.datalogp], mode="FAST_COMPILE")
    np.testing.assert_allclose(split(target, z), terms(target.space.unravel(z)), rtol=1e-9)


def test_a_batch_counts_for_all_rows(name: str) -> None:
    """The density of a batch is that of a model with the batch's rows and the same total size."""
    target = taut.as_target(MINIBATCHES[name](as_minibatch))
    batch, z = draw(target, 1), point(target)
    by_size = {len(group[0]): [np.asarray(array) for array in group] for group in batch}
    written = MINIBATCHES[name](lambda *arrays, size: by_size[size])
    terms = written.compile_fn([written.varlogp, written.datalogp], mode="FAST_COMPILE")
    np.testing.assert_allclose(split(target, z, batch), terms(target.space.unravel(z)), rtol=1e-9)


def test_the_scale_is_rows_over_batch_rows() -> None:
    """By hand: the sum over the batch's rows, times 200 over 20."""
    target = taut.as_target(MINIBATCHES["shared_rows"](as_minibatch))
    batch, z = draw(target, 2), point(target)
    [(x, y)] = jax.tree.map(np.asarray, batch)
    each = -0.5 * (y - x @ z) ** 2 - 0.5 * np.log(2 * np.pi)
    np.testing.assert_allclose(split(target, z, batch)[1], 10 * each.sum(), rtol=1e-12)


def test_the_mean_over_batches_is_the_whole() -> None:
    target = taut.as_target(MINIBATCHES["two_lengths"](as_minibatch))
    z = point(target)
    with target.precision():
        keys = jax.random.split(jax.random.key(0), 4000)
        density = jax.jit(jax.vmap(lambda key: target.log_density(z, target.batches.draw(key))))
        values = np.asarray(density(keys))
    error = values.std() / np.sqrt(len(values))
    assert abs(values.mean() - split(target, z).sum()) < 4 * error


def test_arrays_of_one_minibatch_share_their_rows() -> None:
    target = taut.as_target(MINIBATCHES["shared_rows"](as_minibatch))
    [(x, y)] = jax.tree.map(np.asarray, target.whole)
    [(x_batch, y_batch)] = jax.tree.map(np.asarray, draw(target, 3))
    rows = [int(np.flatnonzero(y == value)[0]) for value in y_batch]
    np.testing.assert_array_equal(x_batch, x[rows])


def test_independent_minibatches_draw_their_own_rows() -> None:
    target = taut.as_target(MINIBATCHES["two_lengths"](as_minibatch))
    sizes = {len(group[0]): len(group) for group in draw(target, 4)}
    assert sizes == {8: 1, 12: 2}
    assert {len(group[0]) for group in target.whole} == {120, 210}


def test_integers_stay_integers() -> None:
    target = taut.as_target(MINIBATCHES["groups_and_data"](as_minibatch))
    assert all(array.dtype.kind == "i" for group in draw(target, 5) for array in group)


def test_deterministics_have_all_rows() -> None:
    target = taut.as_target(MINIBATCHES["shared_rows"](as_minibatch))
    z = point(target)
    [(x, _)] = jax.tree.map(np.asarray, target.whole)
    with target.precision():
        np.testing.assert_allclose(target.constrain(z)["mu"], x @ z, rtol=1e-12)


def test_new_data_behind_a_minibatch() -> None:
    model = MINIBATCHES["groups_and_data"](as_minibatch)
    before = taut.as_target(model)
    rng = np.random.default_rng(9)
    index, count = rng.integers(0, 9, size=170), rng.poisson(2.0, size=170)
    pm.set_data({"index": index, "count": count}, model=model)
    after = taut.as_target(model)
    assert after.terms == before.terms
    [group] = jax.tree.map(np.asarray, after.whole)
    assert {tuple(array) for array in group} == {tuple(index), tuple(count)}


def test_gradient_of_a_batch() -> None:
    target = taut.as_target(MINIBATCHES["shared_rows"](as_minibatch))
    batch, z = draw(target, 6), point(target)
    [(x, y)] = jax.tree.map(np.asarray, batch)
    with target.precision():
        gradient = jax.grad(target.log_density)(z, batch)
    np.testing.assert_allclose(gradient, -z + 10 * x.T @ (y - x @ z), rtol=1e-10)


@pytest.fixture
def _no_warnings() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


@pytest.mark.usefixtures("_no_warnings")
def test_a_fit_by_minibatches_finds_the_posterior() -> None:
    model = MINIBATCHES["one_array"](as_minibatch)
    ((y,),) = taut.as_target(model).whole
    optimizer = taut.adam(learning_rate=0.01)
    approx = taut.fit(
        4000, method="advi", model=model, obj_optimizer=optimizer, random_seed=1, progressbar=False
    )
    mean = float(approx.sample(500, random_seed=1)["posterior"]["mu"].mean())
    assert mean == pytest.approx(float(np.mean(np.asarray(y))), abs=0.1)


def test_expressions_have_all_rows() -> None:
    """Also those through an op that PyMC made for the length of a batch."""
    rng = np.random.default_rng(4)
    with pm.Model() as model:
        (x,) = as_minibatch(rng.normal(size=(90, 2)), size=9)
        probability = pt.special.softmax(x @ pm.Normal("beta", shape=(2, 3)), axis=-1)
        pm.Deterministic("p", probability)
    approx = taut.fit(20, method="advi", model=model, progressbar=False)
    assert approx.sample(4)["posterior"]["p"].shape == (1, 4, 90, 3)
    assert approx.sample_node(probability, size=4).eval().shape == (4, 90, 3)

"""Draws take the memory of what is asked for, and what has no room is refused before it is made."""

import tracemalloc
from typing import Any

import numpy as np
import pymc as pm
import pytest

import taut
from taut.approximation import drawing
from taut.engine import memory
from taut.errors import ArgumentError, TooLargeError


@pytest.fixture(scope="module")
def approx() -> taut.Approximation:
    with pm.Model() as model:
        rate = pm.Exponential("rate", 1.0, shape=2)
        pm.Deterministic("wide", rate[0] * np.ones(5000))
        pm.Normal("y", rate.sum(), 1.0, observed=1.0)
    return taut.fit(50, "advi", model=model, random_seed=1, progressbar=False)


@pytest.mark.filterwarnings("ignore:k-hat is")
@pytest.mark.parametrize("importance", [None, "psis"])
def test_named_variables_have_the_same_draws(approx: taut.Approximation, importance: Any) -> None:
    how: Any = {"random_seed": 3, "importance": importance}
    whole = approx.sample(700, **how)
    some = approx.sample(700, var_names=["rate"], **how)
    assert list(some["posterior"].data_vars) == ["rate"]
    assert some["posterior"]["rate"].equals(whole["posterior"]["rate"])
    assert some["sample_stats"].equals(whole["sample_stats"])
    assert "unconstrained_posterior" not in some.children
    both = approx.sample(700, var_names=["rate", "rate_log__"], **how)
    assert list(both["unconstrained_posterior"].data_vars) == ["rate_log__"]


def test_named_variables_take_their_memory_alone(approx: taut.Approximation) -> None:
    approx.sample(300, var_names=["rate"], random_seed=1)
    tracemalloc.start()
    approx.sample(10_000, var_names=["rate"], random_seed=1)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    # All of them have 400 MB.
    assert most < 60e6


def test_what_is_not_transformed_is_held_once() -> None:
    with pm.Model() as model:
        pm.Normal("x", shape=3)
        pm.HalfNormal("s")
    drawn = taut.fit(50, "advi", model=model, random_seed=1, progressbar=False).sample(20)
    both = (drawn[group]["x"].values for group in ("posterior", "unconstrained_posterior"))
    assert np.shares_memory(*both)


def test_draws_are_the_same_in_blocks_of_any_size(
    approx: taut.Approximation, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = approx.sample(300, random_seed=5)
    monkeypatch.setattr(drawing, "_NUMBERS", 2 * approx.target.dim * 35)
    some = approx.sample(300, random_seed=5)
    np.testing.assert_allclose(some["posterior"]["rate"], whole["posterior"]["rate"], rtol=1e-12)


def test_an_unknown_name(approx: taut.Approximation) -> None:
    with pytest.raises(ArgumentError, match=r"did you mean 'rate'\?"):
        approx.sample(10, var_names=["rates"])
    with pytest.raises(ArgumentError, match="labelled"):
        approx.sample(10, var_names=["rate"], return_inferencedata=False)


def test_too_many_draws_are_refused(
    approx: taut.Approximation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "bytes_left", lambda: 10_000_000)
    monkeypatch.setattr(drawing, "bytes_left", lambda: 10_000_000)
    monkeypatch.setattr(drawing, "_LITTLE", 1_000_000)
    with pytest.raises(TooLargeError, match=r"2,000 draws of 0\.04 MB.* 12\d draws would fit"):
        approx.sample(2000)
    approx.sample(2000, var_names=["rate"])


def test_a_dense_covariance_that_has_no_room_is_refused() -> None:
    with pm.Model() as model:
        pm.Normal("x", shape=2_000_000)
    with pytest.raises(TooLargeError, match="lowrank_advi"):
        taut.FullRankADVI(model=model)

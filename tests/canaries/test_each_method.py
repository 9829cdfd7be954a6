"""One quick fit by each method, one of a stream, and one of each thing that judges a fit."""

from inspect import signature
from typing import Any

import numpy as np
import pymc as pm
import pytest

import taut
from cases import DIRECT, METHODS, regression
from frontend.compared import assert_close, by_pymc, by_taut, points
from frontend.models import FEW, MODELS, QUIET
from taut.diagnose import Outcome

pytestmark = [*QUIET, pytest.mark.statistical]

MODEL = regression(2)
STD = np.sqrt(np.diag(MODEL.posterior_cov))
STEPS = {"obj_optimizer": taut.adam(learning_rate=0.05)}


def away(approx: taut.Approximation) -> float:
    """How far the mean is from the posterior's, in its standard deviations."""
    with approx.target.precision():
        return float(np.max(np.abs(np.asarray(approx.family.mean()) - MODEL.posterior_mean) / STD))


@pytest.mark.parametrize("name", METHODS)
def test_steps_lead_to_the_posterior(name: str) -> None:
    """Far from exact, by as few steps: half a standard deviation, from a start that is away."""
    cls: Any = METHODS[name]()
    if "model" in signature(cls).parameters:
        made = cls(model=MODEL.target(), random_seed=1)
    else:
        group = taut.Group(None, "fr")
        made = cls(taut.Approximation([group], model=MODEL.target(), random_seed=1))
    assert away(made.approx) > 0.5
    # The layers of a flow diverge by steps that large; its own are smaller.
    how: Any = {} if name == "flow" else STEPS
    assert away(made.fit(500, progressbar=False, **how)) < 0.5


@pytest.mark.parametrize("name", DIRECT)
def test_what_ends_by_itself_ends_at_the_posterior(name: str) -> None:
    cls: Any = DIRECT[name]()
    assert away(cls(model=MODEL.target(), random_seed=1).fit(progressbar=False)) < 0.1


@pytest.mark.parametrize("name", FEW)
def test_a_model_of_every_kind_is_lifted(name: str) -> None:
    model = MODELS[name]()
    target = taut.as_target(model)
    zs = points(target.dim, 1)
    [ours], [theirs] = by_taut(target, zs), by_pymc(model, target, zs)
    assert_close(ours.prior, theirs.prior)
    assert_close(ours.likelihood, theirs.likelihood)
    assert_close(ours.gradient, theirs.gradient)


def normal(rows: np.ndarray) -> pm.Model:
    with pm.Model() as model:
        pm.Normal("y", pm.Normal("mu", 0.0, 10.0), 1.0, observed=pm.Data("rows", rows))
    return model


def test_a_stream_is_fitted() -> None:
    y = np.random.default_rng(0).normal(2.0, 1.0, size=900)
    approx = taut.fit(
        model=normal(y[:10]), rows=taut.ArrayRows({"rows": y}), batch_size=100, random_seed=1,
        progressbar=False,
    )  # fmt: skip
    with approx.target.precision():
        assert float(approx.family.mean()[0]) == pytest.approx(y.mean(), abs=0.01)


def test_a_method_is_calibrated_on_simulated_data() -> None:
    calibration = taut.vsbc(normal(np.zeros(3)), 20, steps=1000, random_seed=1)
    assert calibration.probabilities["mu"].shape[0] == 20


def test_a_fit_that_is_too_narrow_is_found_and_repaired() -> None:
    approx = taut.MeanField(model=MODEL.target(), random_seed=1)
    approx.show(taut.family.MeanField.at(MODEL.posterior_mean, 0.3 * STD))
    assert not approx.diagnose(random_seed=1).trusted
    repaired = approx.repair(random_seed=1)
    assert repaired.journal.outcome is Outcome.REPAIRED
    assert away(repaired) < 0.2

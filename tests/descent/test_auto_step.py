"""A step size that is found: right answers, an end of its own, and one program."""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
import pymc as pm
import pytest
from arviz_stats.base import array_stats

import taut
from cases import TARGETS, Gaussian, full_rank_of, regression
from taut.batches import ConstantFeed
from taut.callbacks import AbstractObserver
from taut.descent import AutoStep, Descent, Run, run_loop
from taut.descent.family_distance import distance
from taut.descent.running_moments import RunningMoments, split_r_hat
from taut.engine import Timing
from taut.errors import ArgumentError
from taut.family import MeanField
from taut.method.inference import _ADAM, _ADOPT
from taut.objective import ELBO
from taut.optimizer import AbstractOptimizer
from taut.progress import SilentProgress


def ill_conditioned() -> Gaussian:
    """Independent, with standard deviations from 1 down to 0.01."""
    precisions = np.geomspace(1.0, 100.0, 5)
    x = 0.7 * np.diag(precisions)
    return Gaussian(np.zeros(5), 1e4 * np.eye(5), x, x @ np.arange(5.0))


MODELS: dict[str, Callable[[], Gaussian]] = {**TARGETS, "ill-conditioned, 5-d": ill_conditioned}
SILENT: dict[str, Any] = {"progressbar": False}
AUTO: dict[str, Any] = {"step_size": "auto", **SILENT}


def assert_near(approx: taut.Approximation, mean: np.ndarray, std: np.ndarray) -> None:
    """Within 0.1 standard deviations: twice the noise at which a fit ends."""
    with approx.target.precision():
        away = np.abs(np.asarray(approx.family.mean()) - mean) / std
        ratio = np.asarray(approx.family.std()) / std
    assert np.max(away) < 0.1
    np.testing.assert_allclose(ratio, 1.0, atol=0.1)


@pytest.mark.parametrize("where", MODELS)
def test_mean_field_ends_at_the_best_member(where: str) -> None:
    model = MODELS[where]()
    approx = taut.ADVI(model=model.target(), random_seed=1).fit(**AUTO)
    assert_near(approx, model.posterior_mean, 1 / np.sqrt(np.diag(model.precision)))
    assert approx.stopped is not None
    assert approx.stopped.startswith("converged at step size 0.0")
    assert len(approx.hist) < 25_000


@pytest.mark.parametrize("gradient", ["total", "path"])
def test_full_rank_ends_at_the_posterior(gradient: str) -> None:
    model = regression(5)
    approx = taut.FullRankADVI(model=model.target(), random_seed=1, gradient=gradient).fit(**AUTO)
    assert_near(approx, model.posterior_mean, np.sqrt(np.diag(model.posterior_cov)))
    assert len(approx.hist) < 25_000


@pytest.mark.slow
def test_full_rank_from_a_cold_start_in_thirty_dimensions() -> None:
    """496 parameters that start at ten times their scale; Adam at a fixed 0.1 diverges here."""
    model = regression(30, rows=60)
    fit = taut.FullRankADVI(model=model.target(), random_seed=1, gradient="path")
    approx = fit.fit(**AUTO)
    assert_near(approx, model.posterior_mean, np.sqrt(np.diag(model.posterior_cov)))
    assert approx.stopped is not None
    assert approx.stopped.startswith("converged")


def test_far_from_the_start_where_ten_thousand_default_steps_are_not_enough() -> None:
    """Five rows around 8 with a wide prior; the posterior is N(8, 0.447)."""
    with pm.Model():
        mu = pm.Normal("mu", 0.0, 100.0)
        pm.Normal("y", mu, 1.0, observed=np.array([7.0, 7.5, 8.0, 8.5, 9.0]))
        approx = taut.fit(method="advi", step_size="auto", random_seed=1, progressbar=False)
    precision = 5.0 + 1e-4
    assert_near(approx, np.array([40.0 / precision]), np.array([precision**-0.5]))


@pytest.mark.slow
def test_skewed_gradients_do_not_move_the_best_member() -> None:
    """The gradient of the log of a spread is skewed. Adam's averages settle 0.2 to 0.25 off here.

    What is compared with is the optimum of 4 000 fixed draws, found by L-BFGS.
    """
    rng = np.random.default_rng(5)
    group = np.repeat(np.arange(40), 5)
    with pm.Model():
        mu, tau = pm.Normal("mu", 0.0, 5.0), pm.HalfNormal("tau", 1.0)
        effect, sd = pm.Normal("effect", shape=40), pm.HalfNormal("sd", 1.0)
        y = 1.0 + 0.3 * rng.normal(size=40)[group] + rng.normal(size=200)
        pm.Normal("y", mu + tau * effect[group], sd, observed=y)
        best = taut.fit(method="dadvi", random_seed=1, inf_kwargs={"draws": 4000}, **SILENT)
        approx = taut.fit(method="advi", random_seed=1, **AUTO)
    with approx.target.precision():
        assert_near(approx, np.asarray(best.family.mean()), np.asarray(best.family.std()))


def test_the_mean_step_vanishes_with_the_mean_gradient() -> None:
    """Lognormal gradients around zero: Adam with this memory drifts by 0.02 of its steps."""
    with jax.enable_x64(True):
        noise = jax.random.normal(jax.random.key(0), (50_000, 64))
        gradients = jax.numpy.exp(noise) - np.exp(0.5)
        drifts = {
            name: _mean_step(optimizer, gradients)
            for name, optimizer in {"adopt": _ADOPT, "adam": _ADAM}.items()
        }
    # Its standard error is 0.0006; what is left is that the largest gradients are clipped.
    assert abs(drifts["adopt"]) < 0.005
    assert drifts["adam"] < -0.015


def _mean_step(optimizer: AbstractOptimizer, gradients: Any) -> float:
    """Average what an optimizer makes of gradients at a place where it is held."""
    place = jax.numpy.zeros(gradients.shape[1])

    def step(memory: Any, gradient: Any) -> tuple[Any, Any]:
        update, memory = optimizer.update(gradient, memory, place)
        return memory, update

    _, updates = jax.lax.scan(step, optimizer.init(place), gradients)
    return -float(updates[2000:].mean())


def test_batches_of_rows() -> None:
    """Exact answer by conjugacy; the batches' own noise is averaged away as the draws' is."""
    rng = np.random.default_rng(3)
    y = rng.normal(2.0, 1.0, 400)
    with pm.Model():
        mu = pm.Normal("mu", 0.0, 10.0)
        pm.Normal("y", mu, 1.0, observed=y)
        approx = taut.fit(batch_size=50, step_size="auto", random_seed=1, progressbar=False)
    precision = 400.0 + 0.01
    assert_near(approx, np.array([y.sum() / precision]), np.array([precision**-0.5]))


def test_any_approximation_of_groups() -> None:
    model = regression(5)
    approx = taut.Approximation([taut.Group(None, "lr")], model=model.target(), random_seed=1)
    taut.KLqp(approx).fit(**AUTO)
    with approx.target.precision():
        away = np.abs(np.asarray(approx.family.mean()) - model.posterior_mean)
    assert np.max(away / np.sqrt(np.diag(model.posterior_cov))) < 0.1


def test_a_cap_that_is_too_small_is_told() -> None:
    fit = taut.ADVI(model=regression(2).target(), random_seed=1)
    with pytest.warns(UserWarning, match="not stationary yet"):
        approx = fit.fit(150, **AUTO)
    assert len(approx.hist) == 150
    assert approx.stopped == ("reached the cap of 150 steps before it converged, at step size 0.1")


def test_refine_goes_on_to_the_next_verdict() -> None:
    fit = taut.ADVI(model=regression(2).target(), random_seed=1)
    approx = fit.fit(**AUTO)
    first = approx.stopped, len(approx.hist)
    approx = fit.refine(50_000, progressbar=False)
    assert approx.stopped is not None
    assert approx.stopped.startswith("converged")
    assert approx.stopped != first[0]
    assert first[1] < len(approx.hist) < first[1] + 50_000


def test_one_program_whatever_the_step_size() -> None:
    target = regression(2).target()
    taut.ADVI(model=target, random_seed=1).fit(**AUTO)
    compiled = target.programs.count
    assert compiled == 2  # The start, and the chunk.
    taut.ADVI(model=target, random_seed=2).fit(**AUTO)
    assert target.programs.count == compiled


class Never(AbstractObserver):
    """Lets a chunk be as long as it may."""

    def next_look(self, done: int) -> int:
        return done + 10_000

    def look(self, state: object, losses: np.ndarray) -> None:
        """See nothing."""


def test_results_do_not_depend_on_chunks() -> None:
    method, target = AutoStep(Descent(ELBO(), taut.adam(learning_rate=1.0))), regression(2).target()
    reached = []
    with jax.enable_x64(True):
        for longest in (7, 8192):
            run = Run(method.init(MeanField(np.zeros(2), np.zeros(2))), seed=1)
            run_loop(
                run, method, target, ConstantFeed(target.batches), 900, observer=Never(),
                progress=SilentProgress(), timing=Timing(), longest_chunk=longest,
            )  # fmt: skip
            reached.append(run.state)
    assert int(reached[0].averages) > 0
    jax.tree.map(np.testing.assert_array_equal, *reached)


def test_what_it_can_not_go_with() -> None:
    target = regression(2).target()
    advi = taut.ADVI(model=target)
    with pytest.raises(ArgumentError, match="leave obj_optimizer out"):
        advi.fit(obj_optimizer=taut.adam(), **AUTO)
    with pytest.raises(ArgumentError, match=r"learning_rate=0\.01"):
        advi.fit(step_size=0.01)  # pyright: ignore[reportArgumentType]
    particles = taut.Approximation([taut.Group(None, "empirical", size=10)], model=target)
    for made in (taut.SVGD(10, model=target), taut.ImplicitGradient(particles)):
        with pytest.raises(ArgumentError, match=r"particles have no average.*taut\.ASVGD"):
            made.fit(**AUTO)


def test_moments_and_split_r_hat_of_a_trace() -> None:
    """Against NumPy and ArviZ, on a trace that drifts in one of its elements."""
    trace = np.random.default_rng(0).normal(5.0, 1.0, (200, 3)) + np.linspace(0, 2, 200)[:, None]
    trace[:, 1:] -= np.linspace(0, 2, 200)[:, None]
    with jax.enable_x64(True):
        halves = []
        for half in (trace[:100], trace[100:]):
            moments = RunningMoments.none(np.zeros(3))
            for value in half:
                moments = moments.add(value)
            halves.append(moments)
            np.testing.assert_allclose(moments.mean, half.mean(axis=0))
            np.testing.assert_allclose(moments.squares / 99, half.var(axis=0, ddof=1))
        largest = split_r_hat(*halves)
    chains = trace.reshape(2, 100, 3)
    known = [array_stats.rhat(chains[..., i], method="identity") for i in range(3)]
    np.testing.assert_allclose(largest, max(known))


def test_distance_is_in_standard_deviations() -> None:
    with jax.enable_x64(True):
        q = MeanField.at(np.array([1.0, 2.0]), np.array([0.1, 10.0]))
        shifted = MeanField.at(np.array([1.0, 3.0]), np.array([0.1, 10.0]))
        wider = MeanField.at(np.array([1.0, 2.0]), np.array([0.1, 11.0]))
        assert float(distance(q, q)) == 0.0
        np.testing.assert_allclose(distance(q, shifted), 0.1)
        np.testing.assert_allclose(distance(q, wider), np.log(1.1))


def test_distance_sees_correlations() -> None:
    r"""Equal margins; with correlation :math:`\rho` SKL is :math:`2\rho^2/(1-\rho^2)`.

    From 32 draws of each, whose share of the noise is a third.
    """
    with jax.enable_x64(True):
        plain = full_rank_of(np.zeros(2), np.eye(2))
        tilted = full_rank_of(np.zeros(2), np.array([[1.0, 0.8], [0.8, 1.0]]))
        found = float(distance(plain, tilted))
    np.testing.assert_allclose(found, np.sqrt(0.8**2 / (1 - 0.8**2)), rtol=0.35)

"""What holds for every fit that ends by itself."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from inspect import signature
from typing import Any

import numpy as np
import pymc as pm
import pytest

import taut
from cases import DIRECT, TARGETS, Gaussian
from taut.family import FullRank, MeanField
from taut.method import DirectInference
from taut.progress import INTERRUPTED

pytestmark = pytest.mark.statistical

# Programs of a first fit: the gradients alone by default, and for some second derivatives.
PROGRAMS = {"laplace": 2}
FIVE = "regression, 5-d"
# Those that draw nothing, or what makes no difference where the posterior is Gaussian.
CERTAIN = ("laplace", "dadvi")
# How near to the best member of the family, in its standard deviations; exactly by default.
NEAR: dict[str, float] = {
    "auto": 1e-4,
    "dadvi": 1e-5,
    "lowrank_batch_match": 1e-4,
    "pathfinder": 0.06,
}


def inference(name: str, target: taut.Target, seed: int = 1, **how: Any) -> DirectInference:
    """Make a row's object."""
    cls: Any = DIRECT[name]()
    return cls(model=target, random_seed=seed, **how)


def best(model: Gaussian, family: Any) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviations of the family's member nearest to a Gaussian posterior."""
    if family is MeanField:
        return model.posterior_mean, 1 / np.sqrt(np.diag(model.precision))
    return model.posterior_mean, np.sqrt(np.diag(model.posterior_cov))


@dataclass(frozen=True)
class Fitted:
    """A fit to its end, and how many programs its target had after it and after another one."""

    model: Gaussian
    target: taut.Target
    approx: taut.Approximation
    programs: list[int]


@cache
def fitted(name: str, where: str) -> Fitted:
    """Fit once for all laws; those of shorter fits take the target, whose programs are there."""
    model, programs = TARGETS[where](), []
    target, approxs = model.target(), []
    for seed in (1, 2) if where == FIVE else (1,):
        approxs.append(inference(name, target, seed).fit(progressbar=False))
        programs.append(target.programs.count)
    return Fitted(model, target, approxs[0], programs)


@pytest.fixture(scope="module", autouse=True)
def _forgotten_afterwards() -> Iterator[None]:
    yield
    fitted.cache_clear()


@pytest.mark.parametrize("where", ["regression, 1-d", FIVE, "independent, 5-d"])
@pytest.mark.parametrize("name", DIRECT)
def test_it_finds_the_best_member(name: str, where: str) -> None:
    model, approx = fitted(name, where).model, fitted(name, where).approx
    mean, std = best(model, type(approx.family))
    with approx.target.precision():
        away = np.abs(approx.family.mean() - mean) / std
        ratio = approx.family.std() / std
        cov = np.asarray(approx.family.cov())
    near = NEAR.get(name, 1e-6)
    assert np.max(away) < near
    np.testing.assert_allclose(ratio, 1.0, atol=near)
    if isinstance(approx.family, FullRank):
        np.testing.assert_allclose(cov, model.posterior_cov, atol=near)


# An automatic fit that is cut short says so.
@pytest.mark.filterwarnings("ignore:not trusted")
@pytest.mark.parametrize("name", DIRECT)
def test_the_same_seed_gives_the_same_fit(name: str) -> None:
    target = fitted(name, FIVE).target
    fits = [inference(name, target, seed).fit(3, progressbar=False) for seed in (1, 1, 2)]
    np.testing.assert_array_equal(fits[0].hist, fits[1].hist)
    # Of those that are certain the rounding may differ.
    assert (name in CERTAIN) == np.allclose(fits[0].hist, fits[2].hist, rtol=1e-14, atol=0)


@pytest.mark.parametrize("name", DIRECT)
def test_it_says_in_words_why_it_ended(name: str) -> None:
    approx = fitted(name, FIVE).approx
    assert approx.stopped is not None
    assert len(approx.stopped.split()) >= 3
    assert "reached" not in approx.stopped
    # And what it cost.
    assert approx.journal.gradients > 0
    assert f"{approx.journal.stages[0].gradients:,d} gradients" in str(approx.journal.stages[0])


# An automatic fit that is cut short says so.
@pytest.mark.filterwarnings("ignore:not trusted")
@pytest.mark.parametrize("name", DIRECT)
def test_one_iteration_leaves_an_approximation(name: str) -> None:
    approx = inference(name, fitted(name, FIVE).target).fit(1, progressbar=False)
    assert len(approx.hist) == 1
    assert approx.stopped == "reached 1 iterations"
    with approx.target.precision():
        assert np.isfinite(approx.family.std()).all()


# An automatic fit that is cut short says so.
@pytest.mark.filterwarnings("ignore:not trusted")
@pytest.mark.parametrize("name", DIRECT)
def test_an_interrupt_keeps_what_was_reached(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    target = fitted(name, FIVE).target
    one = inference(name, target).fit(1, progressbar=False)
    fit = inference(name, target)
    solve = type(fit)._solve

    def interrupted(self: Any, problem: Any) -> Any:
        yield next(solve(self, problem))
        raise KeyboardInterrupt

    monkeypatch.setattr(type(fit), "_solve", interrupted)
    approx = fit.fit(progressbar=False)
    assert approx.stopped == INTERRUPTED
    with target.precision():
        np.testing.assert_array_equal(approx.family.mean(), one.family.mean())


@pytest.mark.parametrize("name", DIRECT)
def test_programs_are_compiled_once(name: str) -> None:
    assert fitted(name, FIVE).programs == 2 * [PROGRAMS.get(name, 1)]


# An automatic fit that is cut short says so.
@pytest.mark.filterwarnings("ignore:not trusted")
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", DIRECT)
def test_parameters_have_the_dtype_of_the_target(name: str, dtype: str) -> None:
    target = (
        fitted(name, FIVE).target if dtype == "float64" else fitted(name, FIVE).model.target(dtype)
    )
    approx = inference(name, target).fit(3, progressbar=False)
    assert {value.dtype for value in approx.parameters.values()} == {np.dtype(dtype)}


@pytest.mark.parametrize("name", DIRECT)
def test_a_model_is_fitted_by_name(name: str) -> None:
    """Normal data with known noise: mean and scale of the posterior are known."""
    y = np.array([1.5, 2.5, 2.0])
    with pm.Model() as model:
        mu = pm.Normal("mu", 0.0, 10.0)
        pm.Normal("y", mu, 1.0, observed=y)
    approx = taut.fit(method=name, model=model, random_seed=1, progressbar=False)
    precision = len(y) + 0.01
    near = max(NEAR.get(name, 0.0), 1e-4)
    assert float(approx.mean.eval()[0]) == pytest.approx(y.sum() / precision, abs=near)
    assert float(approx.std.eval()[0]) == pytest.approx(precision**-0.5, abs=near)


@pytest.mark.parametrize("name", DIRECT)
def test_arguments_are_those_of_all_methods(name: str) -> None:
    taken = signature(DIRECT[name]()).parameters
    assert {"model", "random_seed", "start"} <= taken.keys()

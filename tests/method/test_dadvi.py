"""DADVI's noise, its derivatives and its two optimisers."""

import numpy as np
import pytest

import taut
from cases import TARGETS
from taut.engine import Timing
from taut.gradients import Gradients
from taut.method.dadvi import _Objective, balanced


@pytest.mark.parametrize("dim", [1, 5, 16, 40])
def test_noise_is_balanced(dim: int) -> None:
    noise = balanced(np.random.default_rng(1), 32, dim)
    assert noise.shape == (32, dim)
    np.testing.assert_allclose(noise.mean(axis=0), 0.0, atol=1e-12)
    cov = noise.T @ noise / 32
    np.testing.assert_allclose(np.diag(cov), 1.0)
    within = cov[:16, :16]
    np.testing.assert_allclose(within, np.eye(len(within)), atol=1e-12)


def test_noise_is_normal_over_seeds() -> None:
    """Fourth moments: 3 for normals, 3 n / (n + 2) for directions of n pairs; 0.1 is 4 s.e."""
    noise = np.concatenate([balanced(np.random.default_rng(i), 32, 3) for i in range(1000)])
    np.testing.assert_allclose(np.mean(noise**4, axis=0), 3 * 16 / 18, atol=0.1)


def test_derivatives_are_those_of_differences() -> None:
    target = TARGETS["regression, 5-d"]().target()
    rng = np.random.default_rng(2)
    objective = _Objective(Gradients(target, Timing()), rng.normal(size=(6, 5)))
    at, along = 0.3 * rng.normal(size=10), rng.normal(size=10)
    up, down = objective(at + 1e-5 * along), objective(at - 1e-5 * along)
    assert objective(at)[1] @ along == pytest.approx((up[0] - down[0]) / 2e-5, rel=1e-6)
    curved = objective.product(at, along)
    np.testing.assert_allclose(curved, (up[1] - down[1]) / 2e-5, rtol=1e-5, atol=1e-5)


def test_both_orders_come_to_the_same_optimum() -> None:
    target = TARGETS["regression, 5-d"]().target()
    first, second = (
        taut.DADVI(model=target, random_seed=1, order=order).fit(progressbar=False)
        for order in ("first", "second")
    )
    with target.precision():
        np.testing.assert_allclose(first.family.mean(), second.family.mean(), atol=1e-5)
        np.testing.assert_allclose(first.family.std(), second.family.std(), rtol=1e-5)


def test_the_loss_is_the_negative_elbo() -> None:
    model = TARGETS["regression, 5-d"]()
    approx = taut.DADVI(model=model.target(), random_seed=1).fit(progressbar=False)
    with approx.target.precision():
        assert approx.hist[-1] == pytest.approx(float(model.loss(approx.family)), abs=1e-6)


def test_balance_takes_away_most_of_the_error_of_the_mean() -> None:
    """In standard deviations of the posterior, over ten seeds: exact against a third of one."""
    model = TARGETS["independent, 5-d"]()
    std = np.sqrt(np.diag(model.posterior_cov))

    def error(antithetic: bool) -> float:
        far = []
        for seed in range(10):
            dadvi = taut.DADVI(model=target, random_seed=seed, draws=8, antithetic=antithetic)
            approx = dadvi.fit(progressbar=False)
            with target.precision():
                far.append(np.abs(approx.family.mean() - model.posterior_mean) / std)
        return float(np.mean(far))

    target = model.target()
    assert error(antithetic=True) < 1e-4
    assert error(antithetic=False) > 0.1


@pytest.mark.parametrize(
    ("how", "match"),
    [({"draws": 31}, "pairs"), ({"order": "third"}, "order must be"), ({"draws": 0}, "positive")],
)
def test_arguments_that_make_no_sense_are_refused(how: dict[str, object], match: str) -> None:
    with pytest.raises(taut.errors.ArgumentError, match=match):
        taut.DADVI(model=TARGETS["regression, 1-d"]().target(), **how)  # type: ignore[arg-type]

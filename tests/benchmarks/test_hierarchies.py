"""Hierarchies' exact answers are those of dense formulas, and what is compared is told apart."""

import jax
import numpy as np
import pytest
import scipy
from scipy.stats import halfnorm, multivariate_normal, norm

from benchmarks.hierarchies.command import compared
from benchmarks.hierarchies.exact import DENSITIES, Exact, exact
from benchmarks.hierarchies.models import pymc_model
from benchmarks.hierarchies.peers import PEERS, Found
from benchmarks.hierarchies.simulated import KINDS, Simulated

GROUPS = 12


def drawn(kind: str, groups: int = GROUPS) -> Simulated:
    return KINDS[kind](groups, np.random.default_rng(3))


def density_at(data: Simulated, theta: np.ndarray) -> float:
    with jax.enable_x64(True):
        return float(DENSITIES[data.kind](data)[0](theta))


def of_scales(log_scales: np.ndarray) -> float:
    """Without the constant of the half-normal density, which the densities leave out."""
    constant = np.log(2) + norm.logpdf(0)
    return float(np.sum(halfnorm.logpdf(np.exp(log_scales)) + log_scales - constant))


def test_binary_rows_are_integrated_over_each_intercept() -> None:
    data = drawn("binary")
    theta = np.array([0.2, -0.4, 0.3, 0.5, -0.1])

    def of_group(g: int) -> float:
        x, y = data.x[data.group == g], data.y[data.group == g]

        def at(a: float) -> float:
            eta = theta[0] + x @ theta[1:4] + a
            return np.exp(np.sum(y * eta - np.logaddexp(0, eta))) * norm.pdf(a, 0, np.exp(theta[4]))

        return np.log(scipy.integrate.quad(at, -8, 8, epsabs=1e-12)[0])

    whole = sum(map(of_group, range(GROUPS))) + norm.logpdf(theta[:4], 0, 2).sum()
    assert density_at(data, theta) == pytest.approx(whole + of_scales(theta[4:]), abs=1e-6)


def dense(data: Simulated, theta: np.ndarray) -> float:
    """Evaluate the density of rows that are jointly normal, by their covariance."""
    n, places = len(data.y), 2 if data.kind == "slopes" else 1
    first, second, noise = np.exp(2 * theta[places:])
    a, b = np.zeros((2, n, GROUPS))
    a[np.arange(n), data.group], mean = 1.0, np.full(n, theta[0])
    if data.kind == "slopes":
        b[np.arange(n), data.group] = data.x[:, 0]
        mean = mean + theta[1] * data.x[:, 0]
    else:
        b[np.arange(n), data.other] = 1.0
    covariance = first * a @ a.T + second * b @ b.T + noise * np.eye(n)
    rows = multivariate_normal.logpdf(data.y, mean, covariance)
    return rows + norm.logpdf(theta[:places], 0, 2).sum() + of_scales(theta[places:])


@pytest.mark.parametrize("kind", ["slopes", "crossed"])
def test_normal_rows_are_jointly_normal(kind: str) -> None:
    """But for a constant, which densities may leave out."""
    data = drawn(kind)
    one = np.array([0.2, 0.3, -0.3, -0.6, 0.1])[: 5 if kind == "slopes" else 4]
    apart = density_at(data, one) - density_at(data, 0.5 * one)
    assert apart == pytest.approx(dense(data, one) - dense(data, 0.5 * one), abs=1e-7)


@pytest.mark.parametrize("kind", KINDS)
def test_models_are_those_of_the_exact_answer(kind: str) -> None:
    """1 000 draws tell a mean to .03 sd, a log sd to .02; a fit knows .1 of each."""
    data = drawn(kind, 60)
    right = exact(data)
    assert right.effective > 0.5
    found = compared(PEERS["taut"](data), data, right)
    assert found["trusted"]
    assert found["mean"] < 0.2
    assert found["log_sd"] < 0.2
    # Of 60 to 130 intervals of 90 %, given one set of global unknowns.
    assert 0.75 < found["coverage"] < 1.0
    assert {"a"} <= {rv.name for rv in pymc_model(data).free_RVs}


def test_errors_and_coverage_are_told() -> None:
    data = drawn("crossed")
    ones = np.ones(4)
    low = {name: true - 1.0 for name, true in data.latents.items()}
    low["a"] = low["a"] + np.array([0.0, 0.0, 2.0, np.nan] * (GROUPS // 4))
    intervals = {name: (one, one + 2.0) for name, one in low.items()}
    found = Found(np.array([0.0, 0.0, -3.0, 0.0]), np.array([1.0, 2.0, np.nan, 1.0]), intervals)
    told = compared(found, data, Exact(0.0 * ones, 2.0 * ones, 1.0))
    assert told["mean"] == 1.5
    assert told["log_sd"] == pytest.approx(np.log(2))
    few = len(data.latents["b"])
    known, missed = GROUPS * 3 // 4 + few, GROUPS // 4
    assert told["coverage"] == pytest.approx((known - missed) / known)
    assert told["width"] == pytest.approx(2.0)

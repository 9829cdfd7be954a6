"""Linear regressions under the conjugate prior, whose posterior is known in closed form."""

from dataclasses import dataclass

import numpy as np
import pymc as pm

from benchmarks.posteriors.base import Draws, Posterior

_SHAPE, _SCALE = 2.0, 1.0


@dataclass(frozen=True)
class Regression:
    r"""Data and prior of :math:`y \sim N(X b, v)`, with `b` normal given `v`.

    .. math:: v \sim \mathrm{InvGamma}(2, 1), \quad b_j \sim N(0, v s_j^2)

    Parameters
    ----------
    x, y
        Columns, the intercept's among them, and what they explain.
    prior_sd
        :math:`s_j`, of each column.
    """

    x: np.ndarray
    y: np.ndarray
    prior_sd: np.ndarray

    def model(self) -> pm.Model:
        """Write it in PyMC."""
        with pm.Model() as model:
            variance = pm.InverseGamma("variance", _SHAPE, _SCALE)
            sigma = pm.math.sqrt(variance)
            b = pm.Normal("b", 0.0, self.prior_sd * sigma, shape=len(self.prior_sd))
            pm.Normal("y", pm.math.dot(self.x, b), sigma, observed=self.y)
        return model

    def draws(self, rng: np.random.Generator, draws: int) -> Draws:
        """Draw from the normal-inverse-gamma posterior, in coordinates scaled by the prior."""
        scaled = self.x * self.prior_sd
        factor = np.linalg.cholesky(scaled.T @ scaled + np.eye(len(self.prior_sd)))
        half = np.linalg.solve(factor, scaled.T @ self.y)
        rate = _SCALE + (self.y @ self.y - half @ half) / 2.0
        variance = rate / rng.gamma(_SHAPE + len(self.y) / 2.0, size=draws)
        noise = np.sqrt(variance) * rng.normal(size=(len(half), draws))
        b = self.prior_sd * np.linalg.solve(factor.T, half[:, None] + noise).T
        return {"variance": variance, "b": b}


def many_rows() -> Regression:
    """Make 100 000 rows of 10 columns that are not centred."""
    rng = np.random.default_rng(8)
    x = np.column_stack([np.ones(100_000), 1.0 + rng.normal(size=(100_000, 9))])
    y = x @ rng.normal(size=10) + 1.5 * rng.normal(size=100_000)
    return Regression(x, y, np.full(10, 10.0))


def raw_columns() -> Regression:
    """Make columns as they come: a year, an income, a share, a flag, a rate per million."""
    rng = np.random.default_rng(9)
    rows = 400
    x = np.column_stack([
        np.ones(rows),
        rng.integers(1990, 2021, size=rows).astype(float),
        rng.lognormal(10.5, 0.5, size=rows),
        rng.beta(2.0, 5.0, size=rows),
        rng.binomial(1, 0.3, size=rows).astype(float),
        1e-6 * rng.gamma(2.0, 3.0, size=rows),
    ])  # fmt: skip
    b = np.array([-95.0, 0.05, 2e-5, 3.0, -0.8, 5e4])
    prior_sd = np.array([1e3, 1.0, 1e-3, 10.0, 10.0, 1e6])
    return Regression(x, x @ b + rng.normal(size=rows), prior_sd)


_KINDS = ("regression", "linear")
RAW_COLUMNS = Posterior(
    "linear_raw", "400 rows, raw columns", (*_KINDS, "badly-scaled", "correlated"),
    lambda: raw_columns().model(), lambda rng, draws: raw_columns().draws(rng, draws),
)  # fmt: skip
MANY_ROWS = Posterior(
    "linear_rows", "100 000 rows, 10 columns", (*_KINDS, "rows"),
    lambda: many_rows().model(), lambda rng, draws: many_rows().draws(rng, draws),
)  # fmt: skip

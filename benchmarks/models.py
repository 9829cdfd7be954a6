"""The models that are timed, on simulated data of a fixed seed."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pymc as pm

SEED = 20_261
_FLOAT = 8
# Both libraries are given this optimizer, whose window is a part of a step's traffic.
LEARNING_RATE = 1e-2
WINDOW = 10


@dataclass(frozen=True)
class Case:
    """A model to time.

    Parameters
    ----------
    name
        What it is called on the command line.
    about
        One line for readers.
    build
        Makes the model anew.
    dim
        Elements of the unconstrained vector.
    data_bytes
        Bytes of data that one step can not do without reading.
    goal
        How many times as many steps a second as `pm.fit` taut is to take.
    """

    name: str
    about: str
    build: Callable[[], pm.Model]
    dim: int
    data_bytes: int
    goal: float

    @property
    def step_bytes(self) -> int:
        """Least traffic of a step: data and optimizer read once, what changes written once."""
        parameters = 2 * self.dim * _FLOAT
        read = parameters * (1 + WINDOW)
        written = 2 * parameters
        return self.data_bytes + read + written


def gamma() -> pm.Model:
    rng = np.random.default_rng(SEED)
    with pm.Model() as model:
        alpha = pm.Exponential("alpha", 0.1)
        beta = pm.Exponential("beta", 0.1)
        pm.Gamma("y", alpha, beta, observed=rng.gamma(2.0, 1 / 3.0, size=200))
    return model


def minibatch(rows: int = 40_000, columns: int = 100, batch: int = 500) -> pm.Model:
    rng = np.random.default_rng(SEED)
    data = rng.normal(
        rng.normal(size=columns), rng.uniform(0.5, 2.0, size=columns), (rows, columns)
    )
    with pm.Model() as model:
        mu = pm.Normal("mu", 0.0, 10.0, shape=(columns,))
        sd = pm.HalfNormal("sd", 10.0, shape=(columns,))
        rows_of_a_step = pm.Minibatch(data, batch_size=batch)
        pm.Normal("y", mu, sd, observed=rows_of_a_step, total_size=rows)
    return model


def eight_schools() -> pm.Model:
    effect = np.array([28.0, 8.0, -3.0, 7.0, -1.0, 1.0, 18.0, 12.0])
    error = np.array([15.0, 10.0, 16.0, 11.0, 9.0, 11.0, 10.0, 18.0])
    with pm.Model() as model:
        mu = pm.Normal("mu", 0.0, 5.0)
        tau = pm.HalfCauchy("tau", 5.0)
        z = pm.Normal("z", 0.0, 1.0, shape=8)
        pm.Normal("y", mu + tau * z, error, observed=effect)
    return model


def hierarchical(rows: int = 900, groups: int = 85) -> pm.Model:
    rng = np.random.default_rng(SEED)
    group = np.sort(rng.integers(0, groups, size=rows))
    floor = rng.binomial(1, 0.2, size=rows).astype(float)
    intercept, slope = rng.normal(1.5, 0.3, size=groups), rng.normal(-0.7, 0.2, size=groups)
    observed = rng.normal(intercept[group] + slope[group] * floor, 0.75)
    with pm.Model() as model:
        mean = pm.Normal("mean", 0.0, 5.0, shape=2)
        spread = pm.HalfNormal("spread", 2.0, shape=2)
        z = pm.Normal("z", 0.0, 1.0, shape=(2, groups))
        a, b = mean[0] + spread[0] * z[0], mean[1] + spread[1] * z[1]
        sigma = pm.HalfNormal("sigma", 2.0)
        pm.Normal("y", a[group] + b[group] * floor, sigma, observed=observed)
    return model


def logistic(rows: int = 10_000, columns: int = 50) -> pm.Model:
    rng = np.random.default_rng(SEED)
    x = rng.normal(size=(rows, columns))
    weights = rng.normal(0.0, 0.5, size=columns)
    y = rng.binomial(1, 1 / (1 + np.exp(0.5 - x @ weights)))
    with pm.Model() as model:
        intercept = pm.Normal("intercept", 0.0, 5.0)
        b = pm.Normal("b", 0.0, 1.0, shape=columns)
        pm.Bernoulli("y", logit_p=intercept + pm.math.dot(x, b), observed=y)
    return model


_CASES = (
    Case("gamma", "200 rows, 2 parameters", gamma, 2, 200 * _FLOAT, 30.0),
    Case("eight_schools", "8 rows, non-centred", eight_schools, 10, 2 * 8 * _FLOAT, 30.0),
    Case(
        "hierarchical",
        "900 rows in 85 groups, intercept and slope, non-centred",
        hierarchical,
        175,
        3 * 900 * _FLOAT,
        30.0,
    ),
    Case(
        "minibatch",
        "500 of 40 000 x 100, normal",
        minibatch,
        200,
        500 * 100 * _FLOAT,
        2.5,
    ),
    Case("logistic", "10 000 x 50", logistic, 51, 10_000 * 51 * _FLOAT, 2.5),
)
CASES: dict[str, Case] = {case.name: case for case in _CASES}

"""Predator and prey: a differential equation with a fixed-step integrator."""

from typing import Any

import numpy as np
import pymc as pm
import pytensor
import pytensor.tensor as pt

from benchmarks.posteriors.base import Posterior, Sampling

_YEARS, _STEPS_A_YEAR = 20, 8
_STEP = 1.0 / _STEPS_A_YEAR
_RATES = np.array([0.55, 0.028, 0.80, 0.024])
_START = np.array([30.0, 5.0])


def _slope(state: Any, rates: Any, stack: Any) -> Any:
    prey, predator = state[0], state[1]
    return stack([
        prey * (rates[0] - rates[1] * predator),
        predator * (rates[3] * prey - rates[2]),
    ])  # fmt: skip


def _runge_kutta(state: Any, rates: Any, stack: Any) -> Any:
    """One step of the classical method of order four, by NumPy or PyTensor."""
    k1 = _slope(state, rates, stack)
    k2 = _slope(state + 0.5 * _STEP * k1, rates, stack)
    k3 = _slope(state + 0.5 * _STEP * k2, rates, stack)
    k4 = _slope(state + _STEP * k3, rates, stack)
    return state + _STEP / 6.0 * (k1 + 2.0 * k2 + 2.0 * k3 + k4)


def _observed() -> np.ndarray:
    rng = np.random.default_rng(17)
    states = [_START]
    for _ in range(_YEARS * _STEPS_A_YEAR):
        states.append(_runge_kutta(states[-1], _RATES, np.stack))
    yearly = np.array(states)[::_STEPS_A_YEAR]
    return yearly * rng.lognormal(0.0, 0.2, size=yearly.shape)


def predator_prey() -> pm.Model:
    """Rates and start of a Lotka-Volterra system, 21 yearly counts with lognormal error."""
    observed = _observed()
    with pm.Model() as model:
        rates = pm.LogNormal("rates", np.log([0.6, 0.03, 0.8, 0.03]), 0.4, shape=4)
        start = pm.LogNormal("start", np.log([25.0, 6.0]), 0.4, shape=2)
        sigma = pm.LogNormal("sigma", -1.0, 0.6)
        states = pytensor.scan(
            lambda state, rates: _runge_kutta(state, rates, pt.stack),
            outputs_info=[start],
            non_sequences=[rates],
            n_steps=_YEARS * _STEPS_A_YEAR,
            return_updates=False,
        )
        yearly = pt.concatenate([start[None], states[_STEPS_A_YEAR - 1 :: _STEPS_A_YEAR]])
        pm.LogNormal("y", pt.log(yearly), sigma, observed=observed)
    return model


POSTERIORS = (
    Posterior(
        "predator_prey", "ODE by scan, 160 steps", ("ode", "scan"), predator_prey,
        sampling=Sampling(draws=4000),
    ),
)  # fmt: skip

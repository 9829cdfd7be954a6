"""Jumps, plateaus and moving supports are read off a model; ordinary models have none."""

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pymc as pm
import pytensor
import pytensor.tensor as pt
import pytest

import taut
from benchmarks.posteriors import POSTERIORS
from taut.frontend import as_source
from taut.frontend.pymc.graph import read_model
from taut.frontend.pymc.graph.discontinuities import discontinuities

from .models import MODELS, QUIET

try:
    from pytensor.conditional.op import ifelse
except ModuleNotFoundError:
    # Where it is before PyTensor 3.3.
    from pytensor.ifelse import ifelse

pytestmark = QUIET


def read(build: Callable[[], Any]) -> tuple[str, ...]:
    with pm.Model() as model:
        build()
    return discontinuities(model, read_model(model).factors)


def jump() -> None:
    x = pm.Normal("x")
    pm.Potential("p", pt.switch(x > 0, 0.0, -5.0))


def hard_constraint() -> None:
    pm.Potential("p", pt.where(pm.Normal("x") < 1, 0.0, -np.inf))


def soft_order() -> None:
    a, b = pm.Normal("a"), pm.Normal("b")
    pm.Potential("order", pt.switch(a < b, 0.0, -20.0))


def of_many() -> None:
    total = sum(pm.Normal(f"x{i}") for i in range(5))
    pm.Potential("p", pt.switch((total > 0) & (total < 1), 0.0, -1.0))


def indicator() -> None:
    pm.Normal("y", 2.0 * (pm.Normal("x") >= 0), 1.0, observed=1.0)


def floored() -> None:
    pm.Normal("y", pt.floor(pm.Normal("mu")), 0.5, observed=[1.2, 0.9])


def through_a_deterministic() -> None:
    rounded = pm.Deterministic("rounded", pt.round(pm.HalfNormal("mu")))
    pm.Normal("y", rounded + 1, 0.5, observed=[1.2, 0.9])


def signed() -> None:
    pm.Normal("y", pt.sign(pm.Normal("x")), 1.0, observed=1.0)


def indexed() -> None:
    place = pm.Uniform("place", 0, 3)
    pm.Normal("y", pt.as_tensor([1.0, 2.0, 3.0])[place.astype(int)], 1.0, observed=1.0)


def largest() -> None:
    x = pm.Normal("x", shape=3)
    pm.Normal("y", pt.as_tensor([1.0, 2.0, 3.0])[pt.argmax(x)], 1.0, observed=1.0)


def change_point() -> None:
    tau = pm.Uniform("tau", 0, 10)
    rate = pt.switch(tau > np.arange(10), pm.Exponential("early", 1.0), pm.Exponential("late", 1.0))
    pm.Poisson("y", rate, observed=np.arange(10))


def prior_that_jumps() -> None:
    pm.Normal("y", pt.switch(pm.Normal("x") > 0, 1.0, -1.0), 1.0)


def two_ways() -> None:
    x = pm.Normal("x")
    pm.Potential("p", ifelse(x > 0, x, x - 1.0))


def in_a_loop() -> None:
    def step(level: Any, slope: Any) -> Any:
        return pt.switch(level > 1, level * slope, level + 1.0)

    slope = pm.Normal("slope")
    levels = pytensor.scan(
        step,
        outputs_info=[0.5 + 0 * slope],
        non_sequences=[slope],
        n_steps=4,
        return_updates=False,
    )
    pm.Normal("y", levels[-1], 1.0, observed=1.0)


def custom_density() -> None:
    def logp(value: Any, mu: Any) -> Any:
        return pt.switch(value > mu, mu - value, value - mu - 3.0)

    pm.CustomDist("y", pm.Normal("mu"), logp=logp, observed=[1.0, 2.0])


def custom_composition() -> None:
    def dist(mu: Any, size: Any) -> Any:
        return pm.Normal.dist(pt.floor(mu), 1.0, size=size)

    pm.CustomDist("y", pm.Normal("mu"), dist=dist, observed=[1.0, 2.0])


def uniform_data() -> None:
    pm.Uniform("y", 0.0, pm.HalfNormal("t"), observed=[1.0, 2.0])


def pareto_data() -> None:
    pm.Pareto("y", 1.0, pm.HalfNormal("m"), observed=[1.0, 2.0])


def truncated_data() -> None:
    pm.Truncated("y", pm.Gamma.dist(2.0, 1.0), upper=pm.HalfNormal("t") + 3, observed=[1.0, 2.0])


def truncated_normal_data() -> None:
    pm.TruncatedNormal("y", 0.0, 1.0, lower=pm.Normal("t"), observed=[1.0, 2.0])


def censored_data() -> None:
    pm.Censored("y", pm.Normal.dist(), lower=pm.Normal("t"), upper=None, observed=[1.0, 2.0])


def component_with_a_bound() -> None:
    parts = [pm.Uniform.dist(0.0, pm.HalfNormal("t")), pm.Normal.dist()]
    pm.Mixture("y", [0.5, 0.5], parts, observed=[1.0, 2.0])


def uniform_without_transform() -> None:
    pm.Uniform("x", 0.0, pm.HalfNormal("t"), default_transform=None)


def shifted_waiting_time() -> None:
    shift = pm.Normal("shift")
    pm.Potential("p", pm.logp(pm.Exponential.dist(1.0), np.array([1.0, 2.0]) - shift))


FOUND = {
    jump: ("`switch` on x (Potential p)",),
    hard_constraint: ("`switch` on x (Potential p)",),
    soft_order: ("`switch` on a, b (Potential order)",),
    of_many: ("`switch` on x0, x1, x2, … (Potential p)",),
    indicator: ("`>=` on x (y)",),
    floored: ("`floor` on mu (y)",),
    through_a_deterministic: ("`round` on mu (y)",),
    signed: ("`sign` on x (y)",),
    indexed: ("`cast` on place (y)",),
    largest: ("`argmax` on x (y)",),
    change_point: ("`switch` on tau (y)",),
    prior_that_jumps: ("`switch` on x (y)",),
    two_ways: ("`ifelse` on x (Potential p)",),
    in_a_loop: ("`switch` on slope (y)",),
    custom_density: ("`switch` on mu (y)",),
    custom_composition: ("`floor` on mu (y)",),
    uniform_data: ("support of y on t (Uniform)",),
    pareto_data: ("support of y on m (Pareto)",),
    truncated_data: ("support of y on t (Truncated)",),
    truncated_normal_data: ("support of y on t (TruncatedNormal)",),
    censored_data: ("support of y on t (Censored)",),
    component_with_a_bound: ("support of y on t (Uniform)",),
    uniform_without_transform: ("support of x on t (Uniform)",),
    shifted_waiting_time: ("`switch` on shift (Potential p)",),
}


@pytest.mark.parametrize("build", FOUND, ids=lambda build: build.__name__)
def test_what_is_found(build: Any) -> None:
    assert read(build) == FOUND[build]


# What has a comparison in it, and no jump.


def exposure_of_zero() -> None:
    pm.Poisson("y", np.array([0.0, 1.0]) * pm.HalfNormal("rate"), observed=[0, 1])


def gamma_and_logistic() -> None:
    alpha = pm.HalfNormal("alpha")
    pm.Gamma("y", alpha, alpha, observed=[0.5, 1.0])
    pm.Logistic("z", alpha, alpha, observed=[0.5, 1.0])


def choice_by_data() -> None:
    x, seen = pm.Normal("x"), pm.Data("seen", np.array([0.0, 1.0]))
    pm.Normal("y", pt.switch(seen > 0, x, -x), 1.0, observed=[1.0, 2.0])


def clipped() -> None:
    """A corner, and no jump."""
    pm.Bernoulli("y", pt.clip(pm.Beta("p", 2, 2), 1e-6, 1 - 1e-6), observed=[0, 1])
    pm.Potential("hinge", -pt.maximum(model_value("p") - 0.5, 0.0) - pt.abs(model_value("p")))


def model_value(name: str) -> Any:
    return pm.modelcontext(None)[name]


def log_distribution_function() -> None:
    pm.Potential("p", pm.logcdf(pm.Normal.dist(pm.Normal("mu"), 1.0), 0.5))


def between_two_bounds() -> None:
    pm.OrderedProbit("y", eta=pm.Normal("eta"), cutpoints=np.array([0.0, 1.0]), observed=[0, 1],
                     compute_p=False)  # fmt: skip


def fixed_censoring() -> None:
    normal = pm.Normal.dist(pm.Normal("mu"), pm.HalfNormal("s"))
    pm.Censored("y", normal, lower=0.0, upper=2.0, observed=[0.0, 1.0])
    pm.Truncated("z", pm.Gamma.dist(model_value("s"), 1.0), upper=3.0, observed=[1.0])


def bounded_by_another() -> None:
    """The transform moves with the bound."""
    pm.Uniform("x", 0.0, pm.HalfNormal("t"))


def equality_of_real_numbers() -> None:
    a, b = pm.HalfNormal("a"), pm.HalfNormal("b")
    mean = pt.switch(pt.eq(a, b), a, (pt.exp(-a) - pt.exp(-b)) / (b - a))
    pm.Normal("y", mean, 1.0, observed=1.0)


def lengths() -> None:
    x = pm.Normal("x", shape=4)
    pm.Normal("y", x.sum() / x.shape[0], 1.0, observed=1.0)


SMOOTH = [
    exposure_of_zero, gamma_and_logistic, choice_by_data, clipped, log_distribution_function,
    between_two_bounds, fixed_censoring, bounded_by_another, equality_of_real_numbers, lengths,
]  # fmt: skip


@pytest.mark.parametrize("build", SMOOTH, ids=lambda build: build.__name__)
def test_what_is_smooth(build: Any) -> None:
    assert read(build) == ()


@pytest.mark.parametrize("name", POSTERIORS)
def test_no_false_alarm_on_the_proving_ground(name: str) -> None:
    model = POSTERIORS[name].build()
    assert discontinuities(model, read_model(model).factors) == ()


@pytest.mark.parametrize("name", MODELS)
def test_no_false_alarm_on_the_front_end_s_models(name: str) -> None:
    model = MODELS[name]()
    assert discontinuities(model, read_model(model).factors) == ()


def test_reading_takes_milliseconds() -> None:
    model = POSTERIORS["ordinal"].build()
    factors = read_model(model).factors
    begin = time.process_time()
    discontinuities(model, factors)
    # Some 2 ms; ten times as much on a slow machine.
    assert time.process_time() - begin < 0.1


def test_sources_tell() -> None:
    with pm.Model() as model:
        jump()
    assert as_source(model).discontinuities() == FOUND[jump]
    assert as_source(taut.as_target(model)).discontinuities() == ()

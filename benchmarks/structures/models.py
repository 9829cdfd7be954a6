"""Models of hundreds to ten thousand latents, simulated from known numbers."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pymc as pm
import pytensor.tensor as pt
from jaxtyping import Float


@dataclass(frozen=True)
class Large:
    """A model, and what of it is compared.

    Parameters
    ----------
    build
        Makes it.
    scalars
        Its global unknowns; those that are positive are compared by their logarithm.
    latents
        The variable of the latents.
    """

    build: Callable[[], pm.Model]
    scalars: tuple[str, ...]
    latents: str


def volatility(steps: int) -> Callable[[], pm.Model]:
    """Return stochastic volatility (Kim, Shephard and Chib 1998) of so many returns."""

    def build() -> pm.Model:
        random = np.random.default_rng(14)
        h, noise = np.zeros(steps), 0.25 * random.normal(size=steps)
        h[0] = noise[0] / np.sqrt(1 - 0.95**2)
        for t in range(1, steps):
            h[t] = 0.95 * h[t - 1] + noise[t]
        y = np.exp(0.5 * (h - 1.0)) * random.normal(size=steps)
        with pm.Model() as model:
            phi, sigma = pm.Beta("phi", 20.0, 1.5), pm.HalfNormal("sigma", 0.5)
            level = pm.Normal("level", 0.0, 3.0)
            first = pm.Normal.dist(0, sigma / pt.sqrt(1.0 - phi**2))
            h = pm.AR("h", rho=[phi], sigma=sigma, init_dist=first, steps=steps - 1)
            pm.Normal("y", 0.0, pt.exp(0.5 * (level + h)), observed=y)
        return model

    return build


def hilbert_space() -> pm.Model:
    """Return a log-Gaussian Cox process of 500 points, by 40 basis functions."""
    x = np.linspace(0.0, 10.0, 500)
    rate = np.exp(0.5 + np.sin(1.3 * x) + 0.5 * np.sin(3.1 * x))
    y = np.random.default_rng(1).poisson(rate)
    with pm.Model() as model:
        length, height = pm.InverseGamma("length", 4.0, 4.0), pm.HalfNormal("height", 1.5)
        level = pm.Normal("level", 0.0, 1.0)
        kernel = height**2 * pm.gp.cov.Matern52(1, ls=length)
        f = pm.gp.HSGP(m=[40], L=[7.5], cov_func=kernel).prior("f", X=x[:, None])
        pm.Poisson("y", pt.exp(level + f), observed=y)
    return model


def _lattice(side: int) -> tuple[np.ndarray, Float[np.ndarray, " areas"]]:
    """Return which areas of a square touch, and a smooth surface over them."""
    at = np.arange(side * side).reshape(side, side)
    touching = np.zeros((side * side, side * side), int)
    for one, other in ((at[1:], at[:-1]), (at[:, 1:], at[:, :-1])):
        touching[one.ravel(), other.ravel()] = touching[other.ravel(), one.ravel()] = 1
    surface = np.sin(np.arange(side) / 4)[:, None] * np.cos(np.arange(side) / 5)
    return touching, 0.7 * surface.ravel()


def map_of_areas() -> pm.Model:
    """Return counts of 961 areas, of which neighbours are alike."""
    touching, surface = _lattice(31)
    y = np.random.default_rng(2).poisson(np.exp(1.0 + surface))
    with pm.Model() as model:
        level, scale = pm.Normal("level", 0.0, 2.0), pm.HalfNormal("scale", 1.0)
        area = pm.ICAR("area", W=touching)
        pm.Poisson("y", pt.exp(level + scale * area), observed=y)
    return model


def noisy_map() -> pm.Model:
    """Return the same where each area has an effect of its own too (BYM2)."""
    touching, surface = _lattice(31)
    random = np.random.default_rng(3)
    y = random.poisson(np.exp(1.0 + surface + 0.2 * random.normal(size=len(surface))))
    with pm.Model() as model:
        level, scale = pm.Normal("level", 0.0, 2.0), pm.HalfNormal("scale", 1.0)
        share = pm.Beta("share", 0.5, 0.5)
        area, own = pm.ICAR("area", W=touching), pm.Normal("own", 0.0, 1.0, shape=len(y))
        effect = pt.sqrt(1.0 - share) * own + pt.sqrt(share) * area
        pm.Poisson("y", pt.exp(level + scale * effect), observed=y)
    return model


def item_response() -> pm.Model:
    """Return the Rasch model of 2 000 persons who answer 100 items."""
    random = np.random.default_rng(4)
    ability, difficulty = random.normal(0.0, 1.2, 2000), random.normal(0.3, 1.0, 100)
    logit = ability[:, None] - difficulty
    answers = (random.random(logit.shape) < 1.0 / (1.0 + np.exp(-logit))).astype(int)
    person, item = np.repeat(np.arange(2000), 100), np.tile(np.arange(100), 2000)
    with pm.Model() as model:
        scale, spread = pm.HalfNormal("scale", 2.0), pm.HalfNormal("spread", 2.0)
        mean = pm.Normal("mean", 0.0, 2.0)
        theta = scale * pm.Normal("person", 0.0, 1.0, shape=2000)
        b = mean + spread * pm.Normal("item", 0.0, 1.0, shape=100)
        pm.Bernoulli("y", logit_p=theta[person] - b[item], observed=answers.ravel())
    return model


def nested() -> pm.Model:
    """Return 100 000 binary rows in 10 000 classes in 100 schools."""
    random = np.random.default_rng(5)
    school, pupil = np.repeat(np.arange(100), 100), np.repeat(np.arange(10_000), 10)
    effect = random.normal(0.2, 0.6, 100)[school] + random.normal(0.0, 0.4, 10_000)
    y = (random.random(100_000) < 1.0 / (1.0 + np.exp(-effect[pupil]))).astype(int)
    with pm.Model() as model:
        mean = pm.Normal("mean", 0.0, 2.0)
        between, within = pm.HalfNormal("between", 1.0), pm.HalfNormal("within", 1.0)
        a = mean + between * pm.Normal("school", 0.0, 1.0, shape=100)
        b = a[school] + within * pm.Normal("class", 0.0, 1.0, shape=10_000)
        pm.Bernoulli("y", logit_p=b[pupil], observed=y)
    return model


_OF_VOLATILITY = ("phi", "sigma", "level")
MODELS = {
    "volatility-500": Large(volatility(500), _OF_VOLATILITY, "h"),
    "volatility-5000": Large(volatility(5000), _OF_VOLATILITY, "h"),
    "hilbert-space": Large(hilbert_space, ("length", "height", "level"), "f"),
    "map": Large(map_of_areas, ("level", "scale"), "area"),
    "noisy-map": Large(noisy_map, ("level", "scale", "share"), "area"),
    "item-response": Large(item_response, ("scale", "spread", "mean"), "person"),
    "nested": Large(nested, ("mean", "between", "within"), "class"),
}

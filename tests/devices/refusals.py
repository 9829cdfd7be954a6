"""What is refused on four devices, for `test_refusals`."""

from collections.abc import Callable
from functools import partial
from typing import Any

import jax.numpy as jnp
import numpy as np
import pymc as pm
import pytensor.tensor as pt
from pytensor.compile.ops import as_op

import taut
from devices.on_four import write_found
from taut.target import Space

Y = np.linspace(-1.0, 1.0, 40)


def plain(y: np.ndarray = Y) -> pm.Model:
    with pm.Model() as model:
        pm.Normal("y", pm.Normal("mu"), 1.0, observed=y)
    return model


def without_rows() -> pm.Model:
    with pm.Model() as model:
        pm.Normal("mu")
    return model


def correlated() -> pm.Model:
    """Each observation depends on all others."""
    with pm.Model() as model:
        mu = pm.Normal("mu")
        cov = np.eye(len(Y)) + 0.5
        pm.MvNormal("y", mu * np.ones(len(Y)), cov, observed=Y)
    return model


def crossed() -> pm.Model:
    """Latents that are integrated out by points."""
    random = np.random.default_rng(0)
    first, second = random.integers(0, 60, 1500), random.integers(0, 40, 1500)
    with pm.Model() as model:
        a = pm.Normal("a", 0, pm.HalfNormal("s", 1), shape=60)
        b = pm.Normal("b", 0, pm.HalfNormal("t", 1), shape=40)
        pm.Bernoulli("y", logit_p=a[first] + b[second], observed=random.integers(0, 2, 1500))
    return model


def drawn() -> pm.Model:
    with pm.Model() as model:
        y = pm.Minibatch(Y, batch_size=10)
        pm.Normal("y", pm.Normal("mu"), 1.0, observed=y, total_size=len(Y))
    return model


def on_the_host() -> pm.Model:
    """A density that PyTensor has to evaluate."""

    @as_op(itypes=[pt.dvector], otypes=[pt.dvector])
    def same(x: Any) -> Any:
        return x.copy()

    with pm.Model() as model:
        pm.Normal("y", pm.Normal("mu") + same(pt.as_tensor(Y)), 1.0, observed=Y)
    return model


def by_hand() -> taut.Target:
    return taut.Target(lambda z, data, batch: (-0.5 * jnp.sum(z**2), 0.0), Space.of({"z": (2,)}))


def fit(model: Callable[[], Any], **how: Any) -> None:
    taut.fit(model=model(), progressbar=False, devices=4, **how)


CASES: dict[str, tuple[Callable[[], Any], str]] = {
    "too many": (
        lambda: taut.fit(model=plain(), devices=5, progressbar=False),
        "devices=5, but there are 4 devices: .*jax_num_cpu_devices",
    ),
    "no rows": (partial(fit, without_rows), "no observed variable of the model has rows"),
    "no sum over rows": (partial(fit, correlated), "y"),
    "batches of its own": (partial(fit, drawn), "Leave batch_size and devices out"),
    "a target by hand": (partial(fit, by_hand), "a target that was written by hand"),
    "integrals by points": (
        partial(fit, crossed, method="marginal"),
        "by points, one draw after another",
    ),
    "a source, by gradients of all rows": (
        partial(fit, plain, batch_size=10, rows=taut.ArrayRows({"y": Y})),
        "devices have no effect on",
    ),
    "few rows": (
        partial(fit, partial(plain, Y[:3])),
        "over 4 devices, in 8 parts, and there are 3 of them",
    ),
    "small batches": (
        partial(fit, plain, n=10, method="advi", batch_size=2),
        "over 4 devices, in 4 parts, and there are 2 of them",
    ),
    "rows in any order": (
        partial(fit, plain, n=10, method="advi", batch_size=10, replace=True),
        "replace draws rows that may be on any device",
    ),
}

if __name__ == "__main__":
    write_found({name: case for name, (case, _) in CASES.items()})

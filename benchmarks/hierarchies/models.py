"""The hierarchies, written in PyMC and in NumPyro."""

from typing import Any

import jax.numpy as jnp
import numpy as np
import pymc as pm

from benchmarks.hierarchies.simulated import Simulated

# Elements of each variable by which the hierarchies are compared; scales by their logarithm.
GLOBALS = {
    "binary": ("mu", "beta", "s"),
    "slopes": ("mu", "s", "r"),
    "crossed": ("mu", "s", "t", "r"),
}
SCALES = ("s", "t", "r")


def pymc_model(data: Simulated) -> pm.Model:
    """Write a hierarchy in PyMC, centred: the groups' effects are normal around zero."""
    x, groups = data.x, data.groups
    with pm.Model() as model:
        if data.kind == "binary":
            mu, beta = pm.Normal("mu", 0.0, 2.0), pm.Normal("beta", 0.0, 2.0, shape=x.shape[1])
            a = pm.Normal("a", 0.0, pm.HalfNormal("s", 1.0), shape=groups)
            pm.Bernoulli("y", logit_p=mu + x @ beta + a[data.group], observed=data.y)
        elif data.kind == "slopes":
            mu, s = pm.Normal("mu", 0.0, 2.0, shape=2), pm.HalfNormal("s", 1.0, shape=2)
            own = mu + pm.Normal("a", 0.0, s, shape=(groups, 2))[data.group]
            mean = own[:, 0] + own[:, 1] * x[:, 0]
            pm.Normal("y", mean, pm.HalfNormal("r", 1.0), observed=data.y)
        else:
            mu = pm.Normal("mu", 0.0, 2.0)
            a = pm.Normal("a", 0.0, pm.HalfNormal("s", 1.0), shape=groups)
            b = pm.Normal("b", 0.0, pm.HalfNormal("t", 1.0), shape=len(data.latents["b"]))
            mean = mu + a[data.group] + b[data.other]
            pm.Normal("y", mean, pm.HalfNormal("r", 1.0), observed=data.y)
    return model


def numpyro_model(data: Simulated, batch: int) -> Any:
    """Write the same for NumPyro, whose latents are not centred: its guides do better so."""
    import numpyro
    from numpyro import distributions as dist

    rows, groups = len(data.y), data.groups
    group, other = (jnp.asarray(one) for one in (data.group, data.other))
    x, y = jnp.asarray(data.x), jnp.asarray(data.y)
    half, normal = dist.HalfNormal(1.0), dist.Normal(0.0, 1.0)
    sample = numpyro.sample

    def mean_of(at: Any) -> Any:
        if data.kind == "slopes":
            mu = sample("mu", dist.Normal(0.0, 2.0).expand([2]).to_event(1))
            s = sample("s", half.expand([2]).to_event(1))
            own = mu + (s * sample("z", normal.expand([groups, 2]).to_event(2)))[group[at]]
            return own[:, 0] + own[:, 1] * x[at, 0]
        mu, s = sample("mu", dist.Normal(0.0, 2.0)), sample("s", half)
        mean = mu + (s * sample("z", normal.expand([groups]).to_event(1)))[group[at]]
        if data.kind == "binary":
            beta = sample("beta", dist.Normal(0.0, 2.0).expand([x.shape[1]]).to_event(1))
            return mean + x[at] @ beta
        few = normal.expand([len(data.latents["b"])]).to_event(1)
        return mean + (sample("t", half) * sample("w", few))[other[at]]

    def program() -> None:
        r = None if data.kind == "binary" else sample("r", half)
        # Which rows a plate draws is known before the plate is entered.
        plate = numpyro.plate("rows", rows, subsample_size=batch)
        with plate as at:
            pass
        mean = mean_of(at)
        with plate:
            likelihood = dist.Bernoulli(logits=mean) if r is None else dist.Normal(mean, r)
            sample("y", likelihood, obs=y[at])

    return program


def latents_of_numpyro(draws: dict[str, Any]) -> dict[str, np.ndarray]:
    """Scale what NumPyro's programs draw."""
    shape = (-1, 1, 2) if np.ndim(draws["s"]) == 2 else (-1, 1)
    found = {"a": np.asarray(draws["z"]) * np.asarray(draws["s"]).reshape(shape)}
    if "w" in draws:
        found["b"] = np.asarray(draws["w"]) * np.asarray(draws["t"])[:, None]
    return found

"""Posteriors of the few global unknowns, with the groups integrated out by textbook formulas."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import scipy
from jax.scipy.stats import multivariate_normal, norm
from jaxtyping import Array, Float

from benchmarks.hierarchies.simulated import Simulated

_NODES, _STEPS, _DRAWS = 25, 15, 2048
Vector = Float[np.ndarray, " globals"]


class Exact(NamedTuple):
    """Moments of the global unknowns, scales by their logarithms.

    Parameters
    ----------
    mean, sd
        In the order of `GLOBALS`.
    effective
        Share of the importance draws that they rest on.
    """

    mean: Vector
    sd: Vector
    effective: float


def exact(data: Simulated) -> Exact:
    """Weigh draws of the Gaussian at the mode of the marginal density."""
    with jax.enable_x64(True):
        density, start = DENSITIES[data.kind](data)
        value = jax.jit(lambda theta: -density(theta))
        slope = jax.jit(jax.grad(value))
        mode = scipy.optimize.minimize(value, start, jac=slope, method="BFGS", tol=1e-5).x
        step = 1e-4 * np.eye(len(mode))
        rows = [np.asarray(slope(mode + e) - slope(mode - e)) / 2e-4 for e in step]
        covariance = np.linalg.inv((np.array(rows) + np.array(rows).T) / 2)
        near = scipy.stats.multivariate_t(mode, covariance, df=10, seed=1)
        draws = near.rvs(_DRAWS)
        log_weights = np.array([-float(value(one)) for one in draws]) - near.logpdf(draws)
    weights = scipy.special.softmax(log_weights)
    mean = weights @ draws
    sd = np.sqrt(weights @ (draws - mean) ** 2)
    return Exact(mean, sd, float(1 / np.sum(weights**2) / _DRAWS))


def _of_scales(log_scales: Array) -> Array:
    """Evaluate the half-normal priors of scales, by their logarithms."""
    return jnp.sum(-0.5 * jnp.exp(2 * log_scales) + log_scales)


def _binary(data: Simulated) -> tuple[Callable[[Array], Array], Vector]:
    """Sum over nodes of Gauss and Hermite around each group's mode."""
    x, weights = np.polynomial.hermite_e.hermegauss(_NODES)
    columns, group, groups = data.x.shape[1], data.group, data.groups

    def joint(u: Array, theta: Array) -> Array:
        eta = theta[0] + data.x @ theta[1 : 1 + columns] + u[group]
        rows = data.y * eta - jnp.logaddexp(0.0, eta)
        prior = norm.logpdf(u, 0.0, jnp.exp(theta[-1]))
        return jax.ops.segment_sum(rows, group, groups) + prior

    def curvature(u: Array, theta: Array) -> tuple[Array, Array]:
        total = lambda u: joint(u, theta).sum()  # noqa: E731
        slope, bend = jax.jvp(jax.grad(total), (u,), (jnp.ones_like(u),))
        return slope, -bend

    def density(theta: Array) -> Array:
        def climb(u: Array, _: Any) -> tuple[Array, None]:
            slope, bend = curvature(u, theta)
            return u + jnp.clip(slope / bend, -1.0, 1.0), None

        mode = jax.lax.scan(climb, jnp.zeros(groups), length=_STEPS)[0]
        # Where nodes are moves their sum by no more than its error.
        mode = jax.lax.stop_gradient(mode)
        width = jax.lax.stop_gradient(curvature(mode, theta)[1] ** -0.5)
        levels = [
            joint(mode + width * node, theta) + np.log(weight) + 0.5 * node**2
            for node, weight in zip(x, weights, strict=True)
        ]
        each = jax.nn.logsumexp(jnp.stack(levels), axis=0) + jnp.log(width)
        prior = norm.logpdf(theta[:-1], 0.0, 2.0).sum()
        return each.sum() + prior + _of_scales(theta[-1:])

    return density, np.zeros(columns + 2)


def _slopes(data: Simulated) -> tuple[Callable[[Array], Array], Vector]:
    """The rows of each group are jointly normal."""
    design = np.column_stack([np.ones(len(data.y)), data.x]).reshape(data.groups, -1, 2)
    y = data.y.reshape(data.groups, -1)

    def density(theta: Array) -> Array:
        s, r = jnp.exp(theta[2:4]), jnp.exp(theta[4])

        def one(rows: Array, seen: Array) -> Array:
            covariance = (rows * s**2) @ rows.T + r**2 * jnp.eye(len(rows))
            return multivariate_normal.logpdf(seen, rows @ theta[:2], covariance)

        prior = norm.logpdf(theta[:2], 0.0, 2.0).sum()
        return jax.vmap(one)(design, y).sum() + prior + _of_scales(theta[2:])

    return density, np.zeros(5)


def _crossed(data: Simulated) -> tuple[Callable[[Array], Array], Vector]:
    r"""By the groups that are alike: those of `a` first, then those of `b`.

    Given b, rows of a group have the covariance :math:`r^2 I + s^2 1 1^\top`, whose inverse is
    known in closed form; what is left is a regression on b.
    """
    groups, few = data.groups, len(data.latents["b"])
    counts = np.bincount(data.group, minlength=groups)
    cells = np.zeros((groups, few))
    np.add.at(cells, (data.group, data.other), 1.0)
    rows = len(data.y)

    def density(theta: Array) -> Array:
        mu, s, t, r = theta[0], *jnp.exp(theta[1:])
        rest = data.y - mu
        shrink = s**2 / (r**2 + counts * s**2)
        by_group = jax.ops.segment_sum(rest, data.group, groups)
        by_other = jax.ops.segment_sum(rest, data.other, few)
        pulled = (by_other - cells.T @ (shrink * by_group)) / r**2
        gram = (jnp.diag(cells.sum(0)) - cells.T @ (shrink[:, None] * cells)) / r**2
        root = jnp.linalg.cholesky(gram + jnp.eye(few) / t**2)
        half = jax.scipy.linalg.solve_triangular(root, pulled, lower=True)
        quad = (jnp.sum(rest**2) - shrink @ by_group**2) / r**2 - half @ half
        log_det = rows * jnp.log(r**2) + jnp.log1p(counts * s**2 / r**2).sum()
        log_det = log_det + 2 * jnp.log(jnp.diag(root)).sum() + few * jnp.log(t**2)
        return -0.5 * (quad + log_det) + norm.logpdf(mu, 0.0, 2.0) + _of_scales(theta[1:])

    return density, np.zeros(4)


DENSITIES = {"binary": _binary, "slopes": _slopes, "crossed": _crossed}

"""Latents of groups integrated out by adaptive quadrature."""

import itertools
from typing import NamedTuple, Self

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import scipy
from jaxtyping import Array, Float, Int, Scalar

from taut.arrays import AnyArray
from taut.elimination import BlockDiagonal, cholesky, inverse
from taut.family import HALF_LOG_2PI
from taut.marginal.field import Globals, Latents
from taut.marginal.laplace import MarginalDensity
from taut.marginal.newton import mode_of
from taut.marginal.plate_field import PlateField

# Nodes for each latent of a group, and latents up to which nodes are a grid; random ones beyond.
_EACH, _GRID, _POINTS = {1: 9, 2: 7, 3: 5}, 3, 256


class Nodes(eqx.Module):
    r"""Nodes and weights of an integral.

    .. math:: \int f(x) \, dx \approx \sum_q w_q e^{|x_q|^2 / 2} f(x_q)

    Parameters
    ----------
    x
        The nodes; the first `count` are used.
    log_weights
        Logarithms of the weights.
    count
        How many are used.
    """

    x: Float[AnyArray, "nodes k"]
    log_weights: Float[AnyArray, " nodes"]
    count: Int[AnyArray, ""]


def nodes_for(k: int, doublings: int = 0) -> tuple[Nodes, Nodes]:
    """Choose nodes for the latents of a group, and about twice as many for each of them.

    Both are of one shape, so that one program serves them. For up to three latents they are
    those of Gauss and Hermite; for more, quasi-random normal points, which importance weights
    correct.

    Parameters
    ----------
    k
        Latents of a group.
    doublings
        How often the usual numbers are doubled.
    """
    few, many = (_nodes(k, doublings + more) for more in (0, 1))
    empty = len(many[1]) - len(few[1])
    filled = np.pad(few[0], ((0, empty), (0, 0))), np.pad(few[1], (0, empty))
    return Nodes(*filled, np.array(len(few[1]), np.int32)), Nodes(
        *many, np.array(len(many[1]), np.int32)
    )


def _nodes(k: int, doublings: int) -> tuple[np.ndarray, np.ndarray]:
    if k > _GRID:
        return _points(k, _POINTS * 2**doublings)
    return _grid(k, (_EACH[k] - 1) * 2**doublings + 1)


def _grid(k: int, size: int) -> tuple[np.ndarray, np.ndarray]:
    nodes, weights = np.polynomial.hermite_e.hermegauss(size)
    x = np.array(list(itertools.product(nodes, repeat=k)))
    return x, np.array([np.log(w).sum() for w in itertools.product(weights, repeat=k)])


def _points(k: int, size: int) -> tuple[np.ndarray, np.ndarray]:
    uniform = scipy.stats.qmc.Sobol(k, rng=0).random(size // 2)
    half = scipy.stats.norm.ppf(uniform)
    weight = np.log(1.0 / size) + k * HALF_LOG_2PI
    return np.concatenate([half, -half]), np.full(size, weight)


class Integrated(NamedTuple):
    """A log density with its latents integrated out, and the latents' moments.

    Parameters
    ----------
    marginal
        Value, gradient and mode.
    mean
        Of the latents, given the global unknowns.
    covariance
        Of the latents of each group.
    """

    marginal: MarginalDensity
    mean: Latents
    covariance: Float[Array, "groups k k"]

    def factor(self) -> BlockDiagonal:
        """Factor the precision of a Gaussian with these moments."""
        return BlockDiagonal.of(inverse(cholesky(self.covariance)))


class _Sums(NamedTuple):
    slope: Globals
    first: Float[Array, "groups k"]
    second: Float[Array, "groups k k"]

    @classmethod
    def none(cls, theta: Globals, groups: int, k: int) -> Self:
        empty = (jnp.zeros(shape, theta.dtype) for shape in ((groups, k), (groups, k, k)))
        return cls(jnp.zeros_like(theta), *empty)


def quadrature(field: PlateField, nodes: Nodes, theta: Globals, u: Latents) -> Integrated:
    r"""Evaluate a marginal density by quadrature around the mode of each group.

    .. math:: \log p(y, \theta) = \sum_g \log \sum_q w_q e^{|x_q|^2/2}\, p(y_g, u_{gq} \mid \theta)
              - \tfrac12 \log |H_g|, \quad u_{gq} = \hat u_g + L_g^{-\top} x_q

    The gradient is the mean of the joint density's over the latents (Fisher's identity), which is
    as exact as the integral.

    Parameters
    ----------
    field
        The density.
    nodes
        Of the integral.
    theta
        The global unknowns.
    u
        Where the search for the mode begins.

    References
    ----------
    Naylor, Smith (1982), Applications of a method for the efficient computation of posterior
    distributions. Stringer (2023), Exact gradient evaluation for adaptive quadrature.
    """
    mode, around = mode_of(field, theta, u)
    factor = around.precision.factor(jnp.zeros(field.parts, u.dtype))
    assert isinstance(factor, BlockDiagonal)
    groups, k, _ = factor.lower.shape

    def at(q: Array) -> tuple[Latents, Array]:
        x = nodes.x[q]
        return mode + factor.color(jnp.tile(x, groups)), nodes.log_weights[q] + 0.5 * jnp.sum(x**2)

    def weigh(q: Array, levels: Array) -> Array:
        there, weight = at(q)
        values, _ = field.joint(theta, there)
        return levels.at[q].set(values + weight)

    empty = jnp.full((nodes.x.shape[0], groups), -jnp.inf, u.dtype)
    levels = jax.lax.fori_loop(0, nodes.count, weigh, empty)
    total = jax.nn.logsumexp(levels, axis=0)
    shares = jnp.exp(levels - total)

    def add(q: Array, sums: _Sums) -> _Sums:
        there, _ = at(q)

        def weighed(theta: Globals) -> tuple[Scalar, Scalar]:
            values, rest = field.joint(theta, there)
            return shares[q] @ values + rest / nodes.count, rest

        slope = jax.grad(weighed, has_aux=True)(theta)[0]
        x, share = nodes.x[q], shares[q][:, None]
        second = share[..., None] * jnp.outer(x, x)
        return _Sums(sums.slope + slope, sums.first + share * x, sums.second + second)

    sums = jax.lax.fori_loop(0, nodes.count, add, _Sums.none(theta, groups, k))
    value = total.sum() + around.rest - 0.5 * factor.log_det
    spread = sums.second - sums.first[:, :, None] * sums.first[:, None, :]
    root = _columns(factor, k)
    covariance = root @ spread @ jnp.swapaxes(root, 1, 2)
    mean = mode + factor.color(sums.first.reshape(-1))
    return Integrated(MarginalDensity(value, sums.slope, mode), mean, covariance)


def _columns(factor: BlockDiagonal, k: int) -> Float[Array, "groups k k"]:
    """Write the root of each group's covariance out."""
    groups = factor.lower.shape[0]
    columns = [factor.color(jnp.tile(e, groups)).reshape(groups, k) for e in jnp.eye(k)]
    return jnp.stack(columns, axis=-1)

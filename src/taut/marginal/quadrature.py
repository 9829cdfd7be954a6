"""Latents of groups integrated out by adaptive quadrature."""

import itertools
from typing import NamedTuple

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
from taut.marginal.newton import MOST_STEPS, mode_of
from taut.marginal.plate_field import PlateField

# Latents of a group up to which nodes are a grid; random ones beyond.
GRID = 3
# Nodes for each latent of a grid, and random ones.
_EACH, _POINTS = {1: 9, 2: 7, 3: 5}, 256


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
    is_exact
        Whether they are for normal latents, to whose mode a single step of Newton's leads.
    """

    x: Float[AnyArray, "nodes k"]
    log_weights: Float[AnyArray, " nodes"]
    count: Int[AnyArray, ""]
    is_exact: bool = eqx.field(static=True, default=False)


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


def nodes_of_normal(k: int) -> Nodes:
    """Return the fewest nodes of which moments up to the third are those of normal latents.

    Parameters
    ----------
    k
        Latents of a group.

    References
    ----------
    Stroud (1957), Remarks on the disposition of points in numerical integration formulas.
    """
    x = np.sqrt(k) * np.concatenate([np.eye(k), -np.eye(k)])
    weights = np.full(2 * k, k * HALF_LOG_2PI - np.log(2 * k))
    return Nodes(x, weights, np.array(2 * k, np.int32), is_exact=True)


def _nodes(k: int, doublings: int) -> tuple[np.ndarray, np.ndarray]:
    if k > GRID:
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


class PlacedNodes(NamedTuple):
    """Nodes around the modes of groups, with their shares of the integrals.

    Parameters
    ----------
    mode
        Of the latents.
    factor
        Of their precision there.
    shares
        Of the nodes in each group, which sum to one.
    total
        Logarithms of the integrals, but for the volume.
    rest
        What depends on no latent.
    """

    mode: Latents
    factor: BlockDiagonal
    shares: Float[Array, "nodes groups"]
    total: Float[Array, " groups"]
    rest: Scalar

    def at(self, nodes: Nodes, q: Array) -> Latents:
        """Return the latents at a node of each group."""
        groups = self.factor.lower.shape[0]
        return self.mode + self.factor.color(jnp.tile(nodes.x[q], groups))


def place_nodes(field: PlateField, nodes: Nodes, theta: Globals, u: Latents) -> PlacedNodes:
    """Find the modes of groups, and weigh nodes around them.

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
    """
    most = 1 if nodes.is_exact else MOST_STEPS
    mode, around = mode_of(field, theta, u, most=most)
    factor = around.precision.factor(jnp.zeros(field.parts, u.dtype))
    assert isinstance(factor, BlockDiagonal)
    empty = jnp.full((nodes.x.shape[0], field.parts), -jnp.inf, u.dtype)
    placed = PlacedNodes(mode, factor, empty, empty[0], around.rest)

    def weigh(q: Array, levels: Array) -> Array:
        values, _ = field.joint(theta, placed.at(nodes, q))
        return levels.at[q].set(values + nodes.log_weights[q] + 0.5 * jnp.sum(nodes.x[q] ** 2))

    levels = jax.lax.fori_loop(0, nodes.count, weigh, empty)
    total = jax.nn.logsumexp(levels, axis=0)
    return placed._replace(shares=jnp.exp(levels - total), total=total)


def quadrature(
    field: PlateField, nodes: Nodes, with_slope: bool, theta: Globals, u: Latents
) -> Integrated:
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
    with_slope
        Whether to evaluate the gradient, which takes as long again; else it is zero.
    theta
        The global unknowns.
    u
        Where the search for the mode begins.

    References
    ----------
    Naylor, Smith (1982), Applications of a method for the efficient computation of posterior
    distributions. Stringer (2023), Exact gradient evaluation for adaptive quadrature.
    """
    placed = place_nodes(field, nodes, theta, u)
    mode, factor, shares, total = placed.mode, placed.factor, placed.shares, placed.total
    k = factor.lower.shape[1]

    def add(q: Array, slope: Globals) -> Globals:
        def weighed(theta: Globals) -> Scalar:
            values, rest = field.joint(theta, placed.at(nodes, q))
            return shares[q] @ values + rest / nodes.count

        return slope + jax.grad(weighed)(theta)

    slope = jnp.zeros_like(theta)
    if with_slope:
        slope = jax.lax.fori_loop(0, nodes.count, add, slope)
    first, spread = _moments(shares, jnp.asarray(nodes.x, u.dtype))
    root = _columns(factor, k)
    covariance = root @ spread @ jnp.swapaxes(root, 1, 2)
    mean = mode + factor.color(first.reshape(-1))
    value = total.sum() + placed.rest - 0.5 * factor.log_det
    return Integrated(MarginalDensity(value, slope, mode), mean, covariance)


def _moments(
    shares: Float[Array, "nodes groups"], x: Float[Array, "nodes k"]
) -> tuple[Float[Array, "groups k"], Float[Array, "groups k k"]]:
    """Compute means and covariances of nodes by their shares in each group."""
    k = x.shape[1]
    squares = (x[:, :, None] * x[:, None, :]).reshape(-1, k * k)
    first, second = shares.T @ x, (shares.T @ squares).reshape(-1, k, k)
    return first, second - first[:, :, None] * first[:, None, :]


def _columns(factor: BlockDiagonal, k: int) -> Float[Array, "groups k k"]:
    """Write the root of each group's covariance out."""
    groups = factor.lower.shape[0]
    columns = [factor.color(jnp.tile(e, groups)).reshape(groups, k) for e in jnp.eye(k)]
    return jnp.stack(columns, axis=-1)

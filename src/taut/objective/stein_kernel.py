"""Kernels on the unconstrained space, and the Stein operator on them."""

from abc import abstractmethod
from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Scalar

from taut.errors import ArgumentError

Points = Float[Array, "n dim"]
# Points among which the median distance is looked for: the scale is a rule of thumb, and all pairs
# of more points would take longer than the rest of a step.
_MEDIAN_POINTS = 100


class AbstractKernel(eqx.Module):
    """A positive definite function of two points."""

    @abstractmethod
    def stein(self, x: Points, score: Points) -> tuple[Points, Points, Scalar]:
        r"""Apply the Stein operator at equally weighted points.

        Parameters
        ----------
        x
            The points :math:`x_j`.
        score
            Their scores :math:`s_j = \nabla \log p(x_j)`.

        Returns
        -------
        tuple
            The pull :math:`\frac1n \sum_j k(x_j, x_i) s_j`, the push
            :math:`\frac1n \sum_j \nabla_{x_j} k(x_j, x_i)`, and the squared kernelised Stein
            discrepancy :math:`\frac1{n^2} \sum_{ij} u(x_i, x_j)`, which is zero or more.
        """


class AbstractRadialKernel(AbstractKernel):
    r"""A kernel :math:`k(x, y) = g(\|x - y\|^2 / h)`, its scale `h` from the median distance.

    All sums over pairs are products of matrices: n² memory, never n² · dim.
    """

    @abstractmethod
    def profile(self, s: Float[Array, "n n"]) -> tuple[Array, Array | float, Array | float]:
        """Evaluate g, and its first two derivatives as multiples of it, elementwise."""

    @abstractmethod
    def scale(self, median: Scalar, n: int) -> Scalar:
        """Choose h by the median squared distance between n points."""

    def stein(self, x: Points, score: Points) -> tuple[Points, Points, Scalar]:
        n, dim = x.shape
        squared = _squared_distances(x)
        h = self._positive_scale(squared)
        k, first, second = self.profile(squared / h)
        pull, mixed, row = _products(k, first, score, x)
        mixed, row = 2.0 * mixed / h, 2.0 * row / h
        push = mixed - x * row[:, None]
        # The discrepancy's sum over pairs, rearranged to use what is there already.
        own = jnp.sum(score * x, axis=1)
        crossed = jnp.sum(score * mixed) - jnp.sum(own * row)
        curved = 4.0 * jnp.sum(second * k * squared) / h**2
        total = jnp.sum(score * pull) + 2.0 * crossed - curved - dim * jnp.sum(row)
        return pull / n, push / n, total / n**2

    def _positive_scale(self, squared: Float[Array, "n n"]) -> Scalar:
        n = squared.shape[0]
        step = -(-n // _MEDIAN_POINTS)
        h = self.scale(_median(squared[::step, ::step]), n)
        return jnp.where(h > 0, h, jnp.ones_like(h))


class RBF(AbstractRadialKernel):
    r"""The Gaussian kernel with the median heuristic.

    .. math:: k(x, y) = \exp(-\|x - y\|^2 / 2h), \quad
              h = \operatorname{median}_{ij} \|x_i - x_j\|^2 / (2 \log(n + 1))

    References
    ----------
    Liu, Wang (2016), Stein Variational Gradient Descent.
    """

    def profile(self, s: Float[Array, "n n"]) -> tuple[Array, Array | float, Array | float]:
        # The barrier keeps XLA from computing the exponential again for each use of it.
        return jax.lax.optimization_barrier(jnp.exp(-0.5 * s)), -0.5, 0.25

    def scale(self, median: Scalar, n: int) -> Scalar:
        return 0.5 * median / jnp.log(n + 1.0)


class IMQ(AbstractRadialKernel):
    r"""The inverse multiquadric kernel, whose slow decay lets far points feel each other.

    .. math:: k(x, y) = (1 + \|x - y\|^2 / h)^{-1/2}, \quad
              h = \operatorname{median}_{ij} \|x_i - x_j\|^2

    References
    ----------
    Gorham, Mackey (2017), Measuring Sample Quality with Kernels.
    """

    def profile(self, s: Float[Array, "n n"]) -> tuple[Array, Array | float, Array | float]:
        k = jax.lax.optimization_barrier(jax.lax.rsqrt(1.0 + s))
        return k, -0.5 * k**2, 0.75 * k**4

    def scale(self, median: Scalar, n: int) -> Scalar:
        return median


class FunctionKernel(AbstractKernel):
    """A kernel the user wrote, as a JAX function of two points; differentiated automatically.

    Parameters
    ----------
    function
        ``function(x, y) -> scalar``, symmetric and positive definite.
    """

    function: Callable[[Array, Array], Scalar] = eqx.field(static=True)

    def stein(self, x: Points, score: Points) -> tuple[Points, Points, Scalar]:
        k = self.function

        def pair(x_i: Array, x_j: Array, s_i: Array, s_j: Array) -> tuple[Array, Array, Scalar]:
            value, d_j = jax.value_and_grad(k, argnums=0)(x_j, x_i)
            d_i = jax.grad(k, argnums=1)(x_j, x_i)
            mixed = jnp.trace(jax.jacfwd(jax.grad(k, argnums=0), argnums=1)(x_j, x_i))
            return value * s_j, d_j, value * (s_i @ s_j) + s_i @ d_j + s_j @ d_i + mixed

        def at(point: tuple[Array, Array]) -> tuple[Array, Array, Scalar]:
            every = jax.vmap(pair, in_axes=(None, 0, None, 0))(point[0], x, point[1], score)
            return jax.tree.map(lambda values: jnp.mean(values, axis=0), every)

        # One point against all at a time: n · dim memory instead of n² · dim.
        pull, push, u = jax.lax.map(at, (x, score))
        return pull, push, jnp.mean(u)


def as_kernel(kernel: AbstractKernel | Callable[[Array, Array], Scalar]) -> AbstractKernel:
    """Take a kernel as it is, and wrap a function of two points.

    Raises
    ------
    ArgumentError
        It is neither.
    """
    if isinstance(kernel, AbstractKernel):
        return kernel
    if not callable(kernel) or isinstance(kernel, type):
        raise ArgumentError(
            "kernel must be taut.objective.RBF(), taut.objective.IMQ() or a JAX function of two "
            f"points, got {kernel!r}."
        )
    return FunctionKernel(kernel)


def _squared_distances(x: Points) -> Float[Array, "n n"]:
    norms = jnp.sum(x**2, axis=1)
    squared = norms[:, None] + norms[None, :] - 2.0 * (x @ x.T)
    return jnp.maximum(squared, 0.0)


def _products(
    k: Float[Array, "n n"], multiple: Array | float, score: Points, x: Points
) -> tuple[Points, Points, Float[Array, " n"]]:
    """Compute k @ score, and with (multiple * k) its product with x and its row sums."""
    dim, ones = x.shape[1], jnp.ones((len(x), 1), x.dtype)
    if isinstance(multiple, float):
        # One product reads the matrix once.
        sums = k @ jnp.concatenate([score, x, ones], axis=1)
        return sums[:, :dim], multiple * sums[:, dim:-1], multiple * sums[:, -1]
    sums = (multiple * k) @ jnp.concatenate([x, ones], axis=1)
    return k @ score, sums[:, :-1], sums[:, -1]


def _median(values: Float[Array, "..."]) -> Scalar:
    """Find the median of numbers that are zero or more, by bisection.

    XLA's CPU backend takes 1.6 ms to sort 10 000 float64 numbers, and a tenth of that to count
    them forty times. The two middle ones are then read off, so the result is exact.
    """
    half = (values.size + 1) // 2

    def halve(_: Array, bracket: tuple[Array, Array]) -> tuple[Array, Array]:
        low, high = bracket
        middle = 0.5 * (low + high)
        enough = jnp.sum(values <= middle) >= half
        return jnp.where(enough, low, middle), jnp.where(enough, middle, high)

    largest = jnp.max(values)
    _, bound = jax.lax.fori_loop(0, 40, halve, (jnp.zeros_like(largest), largest))
    within = values <= bound
    lower = jnp.max(jnp.where(within, values, 0.0))
    above = jnp.min(jnp.where(within, jnp.inf, values))
    upper = jnp.where(jnp.sum(within) > values.size // 2, lower, above)
    return 0.5 * (lower + upper)

"""Mean and variance of parameters over many steps, in constant memory, and split R-hat."""

from typing import Self

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Int, PyTree, Scalar


class RunningMoments(eqx.Module):
    """Running moments of each element of a pytree (Welford).

    Parameters
    ----------
    count
        Values seen.
    mean
        Their mean.
    squares
        Sum of squared deviations from it.
    """

    count: Int[Array, ""]
    mean: PyTree
    squares: PyTree

    @classmethod
    def none(cls, like: PyTree) -> Self:
        """Begin without values."""
        zeros = jax.tree.map(jnp.zeros_like, like)
        return cls(jnp.zeros((), jnp.int32), zeros, zeros)

    def add(self, values: PyTree) -> "RunningMoments":
        """Take up one more value."""
        count = self.count + 1

        def mean(old: Array, value: Array) -> Array:
            return old + (value - old) / count.astype(old.dtype)

        means = jax.tree.map(mean, self.mean, values)
        squares = jax.tree.map(
            lambda sum_, value, old, new: sum_ + (value - old) * (value - new),
            self.squares, values, self.mean, means,
        )  # fmt: skip
        return RunningMoments(count, means, squares)


def split_r_hat(first: RunningMoments, second: RunningMoments) -> Scalar:
    r"""Largest split R-hat of any element, of one window cut in two equal halves.

    .. math:: \hat R^2 = \frac{n - 1}{n} + \frac{(\bar x_1 - \bar x_2)^2}{s_1^2 + s_2^2}

    An element that does not move has 1.

    References
    ----------
    Gelman et al. (2013), Bayesian Data Analysis, 11.4.
    """
    count = first.count

    def squared(mean_1: Array, mean_2: Array, squares_1: Array, squares_2: Array) -> Array:
        n = count.astype(mean_1.dtype)
        between, within = (mean_1 - mean_2) ** 2, (squares_1 + squares_2) / (n - 1)
        ratio = jnp.where(between > 0, between / within, 0.0)
        return jnp.max((n - 1) / n + ratio, initial=1.0)

    each = jax.tree.map(squared, first.mean, second.mean, first.squares, second.squares)
    return jnp.sqrt(jnp.max(jnp.stack(jax.tree.leaves(each))))

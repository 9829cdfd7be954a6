"""The terms of a density on a batch of groups, and those of the globals alone."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Scalar

from taut.family import HALF_LOG_2PI
from taut.target import Space

Function = Callable[..., Any]


@dataclass(frozen=True)
class WholeTerms:
    """All terms: ``(z, data, rows) -> arrays``.

    Parameters
    ----------
    function
        Of values, data and rows.
    space
        The unknowns.
    """

    function: Function
    space: Space

    def __call__(
        self, z: Float[Array, " dim"], data: tuple[Array, ...], rows: tuple[Array, ...]
    ) -> tuple[Array, ...]:
        values = self.space.unravel(jnp.asarray(z)).values()
        return tuple(jnp.asarray(one) for one in self.function(*values, *data, *rows))


@dataclass(frozen=True)
class GlobalTerms:
    """The sum of the terms that read no latents: ``(z, data, rows) -> scalar``.

    Parameters
    ----------
    whole
        All terms.
    numbers
        Which of them are meant.
    """

    whole: WholeTerms
    numbers: tuple[int, ...]

    def __call__(
        self, z: Float[Array, " dim"], data: tuple[Array, ...], rows: tuple[Array, ...]
    ) -> Scalar:
        found = self.whole(z, data, rows)
        return sum((found[i].sum() for i in self.numbers), start=jnp.zeros((), z.dtype))


@dataclass(frozen=True)
class GroupTerms:
    """The terms of groups, of which some are not there: those have standard normal latents.

    So a batch that is filled up has the density of its groups, exactly.

    Parameters
    ----------
    whole
        All terms.
    apart
        How many of them have no rows.
    of_groups
        Those among these that have an element for each group, with their axis of groups.
    axes
        For each term of rows its axis of these.
    """

    whole: WholeTerms
    apart: int
    of_groups: tuple[tuple[int, int], ...]
    axes: tuple[int, ...]

    def __call__(
        self,
        z: Float[Array, " dim"],
        data: tuple[Array, ...],
        rows: tuple[Array, ...],
        weights: Float[Array, " rows"],
        is_group: Bool[Array, " groups"],
        places: Int[Array, "groups k"],
    ) -> tuple[Array, ...]:
        found = self.whole(z, data, rows)
        own = tuple(
            jnp.where(_along(is_group, found[i], axis), found[i], 0.0) for i, axis in self.of_groups
        )
        pairs = zip(found[self.apart :], self.axes, strict=True)
        of_rows = tuple(one * _along(weights, one, axis) for one, axis in pairs)
        normal = -0.5 * jnp.sum(z[places] ** 2, axis=1) - places.shape[1] * HALF_LOG_2PI
        return *own, *of_rows, jnp.where(is_group, 0.0, normal)


def _along(values: Array, like: Array, axis: int) -> Array:
    """Shape values along one axis of an array."""
    return values.reshape([-1 if i == axis else 1 for i in range(like.ndim)])

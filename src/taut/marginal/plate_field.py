"""Latents of groups, which may be crossed by others."""

from dataclasses import replace
from typing import Any, Self, final

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Scalar

from taut.arrays import AnyArray
from taut.elimination import Touching
from taut.marginal.field import AbstractField, Globals, Latents, Local
from taut.marginal.precision import AbstractPrecision, BlockPrecision, BorderedPrecision
from taut.structure import Plate, Plates, Structure
from taut.target import Factors


class Corner(eqx.Module):
    """Latents that touch several groups.

    Parameters
    ----------
    places
        Where they are in the flat vector.
    column
        Which of the directions moves each of them: of what has one number, no factor sees two.
    of_factor
        The element that each direction moves in each factor; one past the last for none.
    pair
        Which pair of a group and an element each factor sees, by direction; one past the last for
        none.
    touching
        The pairs.
    """

    places: Int[AnyArray, " corner"]
    column: Int[AnyArray, " corner"]
    of_factor: Int[AnyArray, "columns factors"]
    pair: Int[AnyArray, "columns factors"]
    touching: Touching

    @classmethod
    def of(cls, main: Plate, crossing: tuple[Plate, ...]) -> Self:
        """Number the elements of plates, and the pairs that factors see."""
        places, columns, elements, first = [], [], [], 0
        for plate in crossing:
            for column in plate.places.T:
                places.append(column)
                elements.append(np.where(plate.of_factor >= 0, plate.of_factor + first, -1))
                columns.append(np.full(len(column), len(columns)))
                first += len(column)
        block = np.broadcast_to(main.of_factor, (len(elements), len(main.of_factor)))
        element = np.array(elements)
        touches = (block >= 0) & (element >= 0)
        codes, which = np.unique(block[touches] * first + element[touches], return_inverse=True)
        pair = np.full(element.shape, len(codes))
        pair[touches] = which
        touching = Touching.of(codes // first, codes % first, main.levels, first)
        element = np.where(element >= 0, element, first)
        at, column = _int(np.concatenate(places)), _int(np.concatenate(columns))
        return cls(at, column, _int(element), _int(pair), touching)


@final
class PlateField(AbstractField):
    """A density whose terms each depend on the latents of one group at most, and of one corner.

    Parameters
    ----------
    factors
        The terms.
    dim
        Elements of the flat vector.
    globals, groups
        Where global unknowns are, and the latents of each group.
    of_factor
        The group that each factor depends on; one past the last for none.
    corner
        Latents that touch several groups, if there are any.
    """

    factors: Factors
    dim: int = eqx.field(static=True)
    globals: Int[AnyArray, " globals"]
    groups: Int[AnyArray, "groups k"]
    of_factor: Int[AnyArray, " factors"]
    corner: Corner | None

    @classmethod
    def of(cls, factors: Factors, structure: Structure, dim: int) -> Self:
        """Prepare what was read of a model."""
        latents = structure.latents
        assert isinstance(latents, Plates)
        main, crossing = latents.main, latents.crossing
        numbers = np.where(main.of_factor >= 0, main.of_factor, main.levels)
        corner = Corner.of(main, crossing) if crossing else None
        whole = map(_int, (structure.globals, main.places, numbers))
        places, groups, of_factor = whole
        return cls(factors, dim, places, groups, of_factor, corner)

    @property
    def plates(self) -> Self:
        """The groups alone: what crosses them comes after the global unknowns."""
        assert self.corner is not None
        known = jnp.concatenate([jnp.asarray(self.globals), jnp.asarray(self.corner.places)])
        return replace(self, globals=known, corner=None)

    @property
    def size(self) -> int:
        own = self.groups.shape[0] * self.groups.shape[1]
        return own + (0 if self.corner is None else self.corner.places.shape[0])

    @property
    def parts(self) -> int:
        return self.groups.shape[0] if self.corner is None else 1

    @property
    def terms(self) -> int:
        return self.of_factor.shape[0]

    def place(self, theta: Globals, u: Latents) -> Float[Array, " dim"]:
        return self._moved(theta, u, jnp.zeros(self._directions, u.dtype))

    def joint(self, theta: Globals, u: Latents) -> tuple[Float[Array, " groups"], Array]:
        """Evaluate the log density of each group, and the rest of it."""
        return self._by_group(self.factors(self.place(theta, u)))

    def log_density(self, theta: Globals, u: Latents) -> Scalar:
        return self.factors(self.place(theta, u)).sum()

    def local(self, theta: Globals, u: Latents) -> Local:
        values, slopes, curvatures = self._expanded(theta, u)
        by_group, rest = self._by_group(values)
        k = self.groups.shape[1]
        slope = self._by_group(slopes[:k])[0]
        blocks = -self._by_group(curvatures[:k, :k])[0]
        slope, blocks = jnp.moveaxis(slope, -1, 0), jnp.moveaxis(blocks, -1, 0)
        if self.corner is None:
            return Local(by_group, rest, slope.reshape(-1), BlockPrecision(blocks))
        corner = self.corner
        own, square = _of_corner(corner, slopes[k:], curvatures[k:, k:])
        pairs = corner.touching.block.shape[0]
        border = sum(
            _segments(curvatures[:k, k + i], corner.pair[i], pairs + 1)[..., :pairs]
            for i in range(len(slopes) - k)
        )
        return Local(
            (by_group.sum() + rest)[None],
            jnp.zeros_like(rest),
            jnp.concatenate([slope.reshape(-1), own]),
            BorderedPrecision(blocks, -jnp.moveaxis(border, -1, 0), -square, corner.touching),
        )

    def trace_slope(
        self, theta: Globals, u: Latents, weights: AbstractPrecision
    ) -> tuple[Globals, Latents]:
        def trace(theta: Globals, u: Latents) -> Scalar:
            numbers = eqx.filter(self.local(theta, u).precision, eqx.is_inexact_array)
            products = jax.tree.map(lambda one, weight: jnp.sum(one * weight), numbers, weights)
            return sum(jax.tree.leaves(products), start=jnp.zeros((), u.dtype))

        return jax.grad(trace, argnums=(0, 1))(theta, u)

    @property
    def _directions(self) -> int:
        return self.groups.shape[1] + (0 if self.corner is None else len(self.corner.of_factor))

    def _moved(
        self, theta: Globals, u: Latents, by: Float[Array, " directions"]
    ) -> Float[Array, " dim"]:
        """Put latents into place, all of a direction moved alike."""
        k, own = self.groups.shape[1], self.groups.shape[0] * self.groups.shape[1]
        z = jnp.zeros(self.dim, u.dtype).at[self.globals].set(theta)
        z = z.at[self.groups].set(u[:own].reshape(self.groups.shape) + by[:k])
        if self.corner is None:
            return z
        return z.at[self.corner.places].set(u[own:] + by[k:][self.corner.column])

    def _expanded(self, theta: Globals, u: Latents) -> tuple[Array, Array, Array]:
        """Evaluate all factors with first and second derivatives along the directions."""
        along = lambda by: self.factors(self._moved(theta, u, by))  # noqa: E731
        directions = jnp.eye(self._directions, dtype=u.dtype)

        def to_first(by: Array) -> tuple[Array, Array]:
            push = lambda e: jax.jvp(along, (by,), (e,))  # noqa: E731
            return jax.vmap(push, out_axes=(None, 0))(directions)

        def to_second(e: Array) -> Any:
            return jax.jvp(to_first, (jnp.zeros(self._directions, u.dtype),), (e,))

        axes = ((None, None), (0, 0))
        (values, slopes), (_, curvatures) = jax.vmap(to_second, out_axes=axes)(directions)
        return values, slopes, curvatures

    def _by_group(self, values: Float[Array, "*rows factors"]) -> tuple[Array, Array]:
        """Sum what belongs to each group, and what belongs to none."""
        groups = self.groups.shape[0]
        found = _segments(values, self.of_factor, groups + 1)
        return found[..., :groups], found[..., groups]


def _of_corner(corner: Corner, slopes: Array, curvatures: Array) -> tuple[Array, Array]:
    """Sum slopes and second derivatives by the elements of the corner."""
    size = corner.touching.corner
    own = jnp.zeros(size + 1, slopes.dtype)
    square = jnp.zeros((size + 1) ** 2, slopes.dtype)
    for i, elements in enumerate(corner.of_factor):
        own = own + _segments(slopes[i], elements, size + 1)
        for j, others in enumerate(corner.of_factor):
            at = elements * (size + 1) + others
            square = square + _segments(curvatures[i, j], at, (size + 1) ** 2)
    return own[:size], square.reshape(size + 1, size + 1)[:size, :size]


def _segments(
    values: Float[Array, "*rows factors"], at: Int[AnyArray, " factors"], count: int
) -> Float[Array, "*rows segments"]:
    if values.ndim == 1:
        return jax.ops.segment_sum(values, jnp.asarray(at), count)
    flat = values.reshape(-1, values.shape[-1])
    found = jnp.stack([jax.ops.segment_sum(row, jnp.asarray(at), count) for row in flat])
    return found.reshape(*values.shape[:-1], count)


def _int(values: Any) -> Int[np.ndarray, "..."]:
    return np.asarray(values, np.int32)

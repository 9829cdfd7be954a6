"""A model with latents of groups, on batches of any groups."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, final

import jax
import numpy as np
from jaxtyping import Float, Int

from taut.marginal.group_terms import GlobalTerms, GroupTerms, WholeTerms
from taut.marginal.plate_field import PlateField
from taut.rows import GroupBatch
from taut.target import Factors, RowFactors, Slot, Space

Vector = Float[np.ndarray, " globals"]


@final
@dataclass(frozen=True, eq=False)
class GroupedModel:
    """A model with latents of groups that do not touch each other, on batches of any groups.

    Parameters
    ----------
    factors
        Its terms, of any rows, and of any number of groups unless `is_fixed`.
    latents
        The variables of groups, in the unconstrained space, with their axis of these.
    of_groups
        The terms without rows that have an element for each group, with their axis of groups.
    index
        Which of the columns tells the group of a row.
    levels
        How many groups the model itself has.
    is_fixed
        Whether batches have to have as many.
    start
        Where the search for modes begins: one value for each latent of a group.
    dtype
        Of the unconstrained vector.
    """

    factors: RowFactors
    latents: dict[str, int]
    of_groups: tuple[tuple[int, int], ...]
    index: int
    levels: int
    is_fixed: bool
    start: Float[np.ndarray, " k"]
    dtype: Any

    def space(self, groups: int) -> Space:
        """Lay out the unknowns with so many groups."""
        shapes = {slot.name: list(slot.shape) for slot in self.factors.space}
        for name, axis in self.latents.items():
            shapes[name][axis] = groups
        return Space.of({name: tuple(shape) for name, shape in shapes.items()})

    @property
    def each(self) -> int:
        """Latents of a group."""
        return len(self.start)

    def begin(self, groups: int) -> Float[np.ndarray, " latents"]:
        """Return where the search for modes begins."""
        return np.tile(self.start, groups)

    def places(
        self, groups: int
    ) -> tuple[Int[np.ndarray, " globals"], Int[np.ndarray, "groups k"]]:
        """Return where globals are in the flat vector, and the latents of each group."""
        space = self.space(groups)
        known = [places_of(space[name], axis) for name, axis in self.latents.items()]
        of_groups = np.hstack(known)
        return np.setdiff1d(np.arange(space.dim), of_groups), of_groups

    def field(self, batch: GroupBatch) -> PlateField:
        """Return the density of a batch of groups, without the prior of the globals.

        Its arrays are on the device.
        """
        groups = len(batch.is_group)
        outer, places = self.places(groups)
        rows = tuple(
            batch.index.astype(column.dtype) if i == self.index else _of(batch, column.names)
            for i, column in enumerate(self.factors.columns)
        )
        kinds = batch.weights.astype(self.dtype), batch.is_group, places.astype(np.int32)
        terms = self._terms(groups)
        data = jax.device_put((rows, *kinds))
        field = PlateField(
            Factors(terms, (self.factors.data, *data)),
            self.space(groups).dim,
            outer.astype(np.int32),
            places.astype(np.int32),
            self._of_factor(batch, rows),
            None,
        )
        return jax.device_put(field)

    def _terms(self, groups: int) -> GroupTerms:
        whole = WholeTerms(self.factors.function, self.space(groups))
        return GroupTerms(whole, self.factors.apart, self.of_groups, self.factors.axes)

    def _of_factor(
        self, batch: GroupBatch, rows: tuple[np.ndarray, ...]
    ) -> Int[np.ndarray, " factors"]:
        """Return the group of each term, in the order of `GroupTerms`."""
        groups = len(batch.is_group)
        shapes = self._shapes(groups, len(batch.index))
        numbers = np.arange(groups, dtype=np.int32)
        own = [_spread(numbers, shapes[i], axis) for i, axis in self.of_groups]
        pairs = zip(shapes[self.factors.apart :], self.factors.axes, strict=True)
        return np.concatenate([*own, *(_spread(batch.index, *one) for one in pairs), numbers])

    def _shapes(self, groups: int, rows: int) -> list[tuple[int, ...]]:
        key = groups, rows
        if key not in self._known_shapes:
            space, columns = self.space(groups), self.factors.columns
            of_rows = tuple(jax.ShapeDtypeStruct((rows, *c.shape), c.dtype) for c in columns)
            z = jax.ShapeDtypeStruct((space.dim,), self.dtype)
            found = jax.eval_shape(
                WholeTerms(self.factors.function, space), z, self.factors.data, of_rows
            )
            self._known_shapes[key] = [one.shape for one in found]
        return self._known_shapes[key]

    @cached_property
    def _known_shapes(self) -> dict[tuple[int, int], list[tuple[int, ...]]]:
        return {}

    @cached_property
    def global_terms(self) -> GlobalTerms:
        """The terms that read no latents, with the model's own number of groups."""
        of_groups = {i for i, _ in self.of_groups}
        rest = tuple(i for i in range(self.factors.apart) if i not in of_groups)
        return GlobalTerms(WholeTerms(self.factors.function, self.factors.space), rest)


def places_of(slot: Slot, axis: int) -> Int[np.ndarray, "groups columns"]:
    """Return where the elements of each group are in the flat vector."""
    flat = slot.start + np.arange(slot.size).reshape(slot.shape)
    return np.moveaxis(flat, axis, 0).reshape(slot.shape[axis], -1)


def _of(batch: GroupBatch, names: tuple[str, ...]) -> np.ndarray:
    return next(batch.arrays[name] for name in names if name in batch.arrays)


def _spread(
    numbers: Int[np.ndarray, " elements"], shape: tuple[int, ...], axis: int
) -> Int[np.ndarray, " terms"]:
    """Repeat numbers along one axis of an array, over its other axes."""
    along = numbers.reshape([-1 if i == axis else 1 for i in range(len(shape))])
    return np.broadcast_to(along, shape).ravel()

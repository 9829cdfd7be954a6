"""Variables of which each element touches its neighbours, as on a map, or all others."""

from collections.abc import Iterator, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import scipy
from jaxtyping import Array, Bool, Float, Int

from taut.engine.operations import operations
from taut.structure.coloured import Coloured
from taut.structure.structure import Field
from taut.target import Slot, Target

Vector = Float[np.ndarray, " dim"]
Columns = Float[np.ndarray, "columns latents"]
Pattern = scipy.sparse.csr_array

# Columns that are computed at once, and products.
_AT_ONCE, _READ_AT_ONCE = 128, 32
# Elements under this share of the largest in their column are rounding; and how far a product with
# the Hessian may be from that with its elements, by its size.
_ROUNDING, _CLOSE = 1e-10, 1e-6
# Share of a variable's elements that one of them touches alike where their sum has a density, and
# how nearly alike.
_MOST, _ALIKE = 0.5, 1e-8
# Operations that all columns may take, and those that an expansion with its factor may.
_READ, _WORK = 2e10, 3e9
# Latents at most: their pattern is read column by column.
_MOST_LATENTS = 20_000
# Share of elements that are not zero from which on no order of the rows is looked for.
_FULL = 0.25
# Rows of a block at least.
_NARROWEST = 32


def find_field(
    target: Target,
    points: Sequence[Vector],
    slots: Sequence[Slot],
    random: np.random.Generator,
    timing: Any,
) -> Field | None:
    """Find which elements of variables touch each other; `None` where that is too much work.

    Parameters
    ----------
    target
        The density.
    points
        Where its Hessian is looked at.
    slots
        The variables.
    random
        Draws a direction.
    timing
        Is charged with the seconds.
    """
    places = np.concatenate([slot.start + np.arange(slot.size) for slot in slots])
    each = _operations_of_slope(target, points[0], places)
    hessian = _Hessian(target, places, timing)
    if each * len(places) > _WORK and not hessian.may_be_sparse(points[0], each):
        return None
    members = hessian.sums(points[0], slots)
    pattern = hessian.pattern(points[0], members) + hessian.pattern(points[1], members)
    if not all(_is_apart(pattern, np.flatnonzero(one)) for one in members):
        members, pattern = members[:0], scipy.sparse.csr_array(np.ones(pattern.shape, bool))
    order, width = _order_of(pattern)
    coloured = Coloured.of(pattern[order][:, order].tocsr(), members[:, order])
    found = Field(tuple(slot.name for slot in slots), places[order], width, coloured)
    work = each * coloured.colours + _operations_of(len(places), width)
    if work > _WORK or not _holds(target, found, np.mean(points, axis=0), random, timing):
        return None
    return found


class _Hessian:
    """The negative Hessian of a log density among latents, column by column."""

    def __init__(self, target: Target, places: Int[np.ndarray, " latents"], timing: Any) -> None:
        self._target, self._places, self._timing = target, places, timing

    def may_be_sparse(self, z: Vector, each: float) -> bool:
        """Look at some columns: are they sparse, but for sums, and are all of them affordable?"""
        dim = len(self._places)
        if each * dim > _READ or dim > _MOST_LATENTS:
            return False
        [some] = self._columns(z, np.linspace(0, dim - 1, _AT_ONCE).astype(int))
        alike = np.median(some, axis=1, keepdims=True)
        size = np.abs(some).max(axis=1, keepdims=True)
        return bool((np.abs(some - alike) > _ROUNDING * size).mean() < _FULL)

    def sums(self, z: Vector, slots: Sequence[Slot]) -> Bool[np.ndarray, "sums latents"]:
        """Find the variables whose sum has a density: most of their elements touch alike."""
        begins = np.cumsum([0, *(slot.size for slot in slots)])
        columns = np.concatenate(list(self._columns(z, begins[:-1])))
        found = []
        for column, begin, end in zip(columns, begins[:-1], begins[1:], strict=True):
            others = column[begin + 1 : end]
            alike = np.median(others) if len(others) else 0.0
            if alike and (np.abs(others - alike) <= _ALIKE * abs(alike)).mean() > _MOST:
                found.append(
                    (np.arange(len(self._places)) >= begin) & (np.arange(len(column)) < end)
                )
        return np.array(found, bool).reshape(-1, len(self._places))

    def pattern(self, z: Vector, members: Bool[np.ndarray, "sums latents"]) -> Pattern:
        """Find the elements that are not zero, without those of the sums."""
        dim = len(self._places)
        alike = self._alike(z, members)
        rows, columns = [np.arange(dim)], [np.arange(dim)]
        begin = 0
        for block in self._columns(z, np.arange(dim)):
            at = begin + np.arange(len(block))
            rest = block - (members[:, at].T * alike) @ members
            size = np.abs(block).max(axis=1, keepdims=True)
            column, row = np.nonzero(np.abs(rest) > _ROUNDING * size)
            rows.append(row)
            columns.append(at[column])
            begin += len(block)
        row, column = np.concatenate(rows), np.concatenate(columns)
        found = scipy.sparse.coo_array((np.ones(len(row), bool), (row, column)), (dim, dim))
        return (found + found.T).tocsr()

    def _alike(self, z: Vector, members: Bool[np.ndarray, "sums latents"]) -> np.ndarray:
        """Return the value that most elements of each sum have."""
        if not len(members):
            return np.zeros(0)
        firsts = members.argmax(axis=1)
        columns = np.concatenate(list(self._columns(z, firsts)))
        return np.array(
            [np.median(column[one]) for column, one in zip(columns, members, strict=True)]
        )

    def _columns(self, z: Vector, which: Int[np.ndarray, " columns"]) -> Iterator[Columns]:
        dtype, places = self._target.dtype, self._places.astype(np.int32)
        for begin in range(0, len(which), _AT_ONCE):
            part = which[begin : begin + _AT_ONCE]
            filled = np.resize(part, _AT_ONCE).astype(np.int32)
            at = z.astype(dtype), places, filled
            found = self._target.programs(columns_of, self._target, *at, timing=self._timing)
            yield np.asarray(found, float)[: len(part)]


def columns_of(
    target: Target,
    z: Float[Array, " dim"],
    places: Int[Array, " latents"],
    which: Int[Array, " columns"],
) -> Float[Array, "columns latents"]:
    """Compute columns of the negative Hessian of a log density; a program for `Programs`."""
    slope = jax.linearize(jax.grad(target.log_density), z)[1]
    unit = lambda i: jnp.zeros_like(z).at[places[i]].set(1.0)  # noqa: E731
    return -jax.vmap(lambda i: slope(unit(i))[places])(which)


def products_of(
    target: Target,
    z: Float[Array, " dim"],
    places: Int[Array, " latents"],
    coloured: Coloured,
    direction: Float[Array, " latents"],
) -> tuple[Float[Array, " latents"], Float[Array, " latents"]]:
    """Multiply a direction by the negative Hessian, and by what was read of it."""
    slope = jax.linearize(jax.grad(target.log_density), z)[1]
    product = lambda v: -slope(jnp.zeros_like(z).at[places].set(v))[places]  # noqa: E731
    products = jax.lax.map(product, coloured.directions(direction.dtype), batch_size=_READ_AT_ONCE)
    elements = coloured.read(products)
    return product(direction), coloured.times(elements, direction)


def _holds(
    target: Target, field: Field, z: Vector, random: np.random.Generator, timing: Any
) -> bool:
    """Check what was read where it was not read."""
    direction = random.normal(size=len(field.order)).astype(target.dtype)
    parts = z.astype(target.dtype), field.order.astype(np.int32), field.coloured, direction
    found = target.programs(products_of, target, *parts, timing=timing)
    product, claimed = (np.asarray(part, float) for part in found)
    size = np.abs(product).max()
    return bool(np.isfinite(size) and np.abs(product - claimed).max() <= _CLOSE * size)


def _is_apart(pattern: Pattern, members: Int[np.ndarray, " members"]) -> bool:
    """Whether the first element of a sum touches another by the sum alone."""
    first = members[0]
    touched = pattern.indices[pattern.indptr[first] : pattern.indptr[first + 1]]
    return not np.isin(members, touched).all()


def _order_of(pattern: Pattern) -> tuple[Int[np.ndarray, " latents"], int]:
    """Put neighbours near each other; return the order, and how many rows a block has."""
    dim = pattern.shape[0]
    if pattern.nnz > _FULL * dim**2:
        return np.arange(dim), dim
    order = scipy.sparse.csgraph.reverse_cuthill_mckee(pattern, symmetric_mode=True)
    place = np.argsort(order)
    row, column = pattern.nonzero()
    band = int(np.abs(place[row] - place[column]).max())
    width = min(max(band, _NARROWEST), dim)
    return order, width if _operations_of(dim, width) < _operations_of(dim, dim) else dim


def _operations_of_slope(target: Target, z: Vector, places: Int[np.ndarray, " latents"]) -> float:
    """Count the operations of a gradient that depend on the latents."""
    with jax.enable_x64(True):
        at = jnp.asarray(z, target.dtype)
        slope = jax.grad(lambda u: target.log_density(at.at[places].set(u)))
        return operations(slope, np.zeros(len(places), target.dtype))


def _operations_of(dim: int, width: int) -> float:
    """Count the operations of a factor of a banded matrix in blocks, or of a full one."""
    return dim**3 / 3 if width == dim else -(-dim // width) * width**3 * 7 / 3

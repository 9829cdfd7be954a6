"""Means and standard deviations of latents, batch by batch of their groups."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, final

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from taut.marginal.by_batches import BatchedMarginal
from taut.marginal.field import Globals, Latents
from taut.marginal.grouped_model import GroupedModel
from taut.marginal.plate_field import PlateField
from taut.marginal.quadrature import Nodes, place_nodes
from taut.target import Space

Points = Float[np.ndarray, "points globals"]
Dims = dict[str, tuple[str | None, ...]]
Moments = dict[str, tuple[np.ndarray, np.ndarray]]

# How far latents of one group are moved, to see that those of others stay.
_APART = 0.3


@dataclass(frozen=True)
class OnGroups:
    """Variables with an element for each group: ``(z, data) -> arrays``, groups first.

    Parameters
    ----------
    function
        Of values and data.
    space
        The unknowns.
    axes
        For each of its results the axis of groups; `None` for those that are left out.
    """

    function: Callable[..., Any]
    space: Space
    axes: tuple[int | None, ...]

    def __call__(self, z: Float[Array, " dim"], data: Any) -> tuple[Array, ...]:
        found = self.function(*self.space.unravel(jnp.asarray(z)).values(), *data)
        pairs = zip(found, self.axes, strict=True)
        return tuple(jnp.moveaxis(jnp.asarray(a), axis, 0) for a, axis in pairs if axis is not None)


@final
@dataclass(frozen=True, eq=False)
class LatentBatch:
    """Moments of the latents of some groups.

    Parameters
    ----------
    keys
        Of the groups.
    moments
        Means and standard deviations, by variable, groups along the first axis.
    dims
        Of these, as the model names them; empty where it does not.
    """

    keys: np.ndarray
    moments: Moments
    dims: Dims


@final
class GroupLatents:
    """The latents of all groups, as variables in their own space.

    Parameters
    ----------
    marginal
        The density of the globals.
    points
        Of the globals, which all weigh alike.
    """

    def __init__(self, marginal: BatchedMarginal, points: Points) -> None:
        self._marginal, self._points = marginal, points

    def __iter__(self) -> Iterator[LatentBatch]:
        """Read all rows once."""
        known = None
        for batch, field in self._marginal.batches():
            if known is None:
                known = _variables(self._marginal, len(batch.is_group))
            dims, variables, data = known
            moments = self._moments(field, tuple(dims), variables, data, batch.groups)
            yield LatentBatch(batch.keys, moments, dims)

    def _moments(
        self, field: PlateField, names: tuple[str, ...], variables: OnGroups, data: Any, groups: int
    ) -> Moments:
        """Average over points: of means and variances, and the variance of means."""
        begin, each = None, []
        for theta in self._points:
            found = self._marginal.run_at(moments_of, field, theta, begin, variables, data)
            begin = found[-1] if begin is None else begin
            each.append([np.asarray(one, float)[:, :groups] for one in found[:-1]])
        whole: Moments = {}
        for i, name in enumerate(names):
            mean = np.mean([one[i][0] for one in each], axis=0)
            spread = np.mean([(one[i][0] - mean) ** 2 + one[i][1] for one in each], axis=0)
            whole[name] = mean, np.sqrt(spread)
        return whole


def moments_of(
    field: PlateField, nodes: Nodes, theta: Globals, u: Latents, variables: OnGroups, data: Any
) -> tuple[Array, ...]:
    """Compute means and variances of variables given the globals, by nodes; a program.

    Parameters
    ----------
    field
        The density.
    nodes
        Of the integrals.
    theta
        The globals.
    u
        Where the search for modes begins.
    variables, data
        What is averaged, and what it reads.

    Returns
    -------
    tuple
        For each variable its means and its variances as one array, and the modes of the latents.
    """
    placed = place_nodes(field, nodes, theta, u)
    center = variables(field.place(theta, placed.mode), data)

    def add(q: Array, sums: Any) -> Any:
        found = variables(field.place(theta, placed.at(nodes, q)), data)
        share = placed.shares[q]

        def more(both: Array, one: Array, middle: Array) -> Array:
            weight = share.reshape(-1, *(1,) * (one.ndim - 1))
            # From the mode on: squares of large means would leave no digits.
            away = one - middle
            return both + weight * jnp.stack([away, away**2])

        return tuple(map(more, sums, found, center))

    empty = tuple(jnp.zeros((2, *one.shape), u.dtype) for one in center)
    sums = jax.lax.fori_loop(0, nodes.count, add, empty)
    pairs = zip(sums, center, strict=True)
    moments = tuple(
        jnp.stack([middle + one[0], jnp.maximum(one[1] - one[0] ** 2, 0.0)])
        for one, middle in pairs
    )
    return *moments, placed.mode


def _variables(marginal: BatchedMarginal, groups: int) -> tuple[Dims, OnGroups, Any]:
    """Find the variables with an element for each group, which depends on this group alone."""
    model = marginal.model
    found, space = model.factors.variables, model.space(groups)
    if found is None or model.is_fixed:
        # Lengths are built into the model: the latents as they are in the unconstrained space.
        axes = tuple(model.latents.get(slot.name) for slot in space)
        dims = {slot.name: () for slot in space if slot.name in model.latents}
        return dims, OnGroups(_as_they_are, space, axes), ()
    shapes = [_shapes(model, count) for count in (groups, groups + 1)]
    axes = tuple(map(_axis, *shapes))
    variables = OnGroups(found.function, space, axes)
    own = marginal.target.programs(_at, variables, _two_points(model, groups), found.data)
    stays = [bool(np.array_equal(*np.asarray(one)[:, 1:])) for one in own]
    alone = iter(stays)
    axes = tuple(axis if axis is not None and next(alone) else None for axis in axes)
    each = zip(found.names, found.dims, axes, strict=True)
    dims = {name: _moved(own, axis) for name, own, axis in each if axis is not None}
    return dims, OnGroups(found.function, space, axes), found.data


def _moved(dims: tuple[str | None, ...], axis: int) -> tuple[str | None, ...]:
    """Put the dim of groups first."""
    return (dims[axis], *dims[:axis], *dims[axis + 1 :]) if dims else ()


def _as_they_are(*values: Array) -> tuple[Array, ...]:
    return values


def _at(variables: OnGroups, points: Float[Array, "2 dim"], data: Any) -> tuple[Array, ...]:
    return jax.vmap(lambda z: variables(z, data))(points)


def _two_points(model: GroupedModel, groups: int) -> Float[np.ndarray, "2 dim"]:
    """Return two points that differ in the latents of the first group."""
    outer, places = model.places(groups)
    random = np.random.default_rng(0)
    one = np.zeros(len(outer) + places.size)
    one[outer] = _APART * random.normal(size=len(outer))
    one[places] = model.start + _APART * random.normal(size=places.shape)
    other = one.copy()
    other[places[0]] += _APART
    return np.stack([one, other]).astype(model.dtype)


def _shapes(model: GroupedModel, groups: int) -> list[tuple[int, ...]]:
    variables = model.factors.variables
    assert variables is not None
    values = [jax.ShapeDtypeStruct(slot.shape, model.dtype) for slot in model.space(groups)]
    with jax.enable_x64(np.dtype(model.dtype).itemsize == 8):
        return [a.shape for a in jax.eval_shape(variables.function, *values, *variables.data)]


def _axis(one: tuple[int, ...], other: tuple[int, ...]) -> int | None:
    """Return the axis whose length is that of the groups."""
    apart = [i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b]
    return apart[0] if len(apart) == 1 else None

"""Moments and parameters of an approximation, and its table."""

from collections.abc import Iterable, Mapping
from typing import Any

import jax
import numpy as np

from taut.approximation.drawing import parameters_of, read_along, read_off
from taut.approximation.fitted import Fitted
from taut.approximation.state import State
from taut.descent import Trail
from taut.engine import Programs
from taut.family import AbstractFamily
from taut.tables import Rows
from taut.target import Space

# Of what is read of all states of a chunk at once.
_BYTES = 64 * 2**20


def read(state: State, names: Iterable[str]) -> Mapping[str, np.ndarray]:
    """Read moments and parameters, all by one program; callbacks may do so at every step."""
    wanted = tuple(names)
    if not wanted:
        return {}
    if state.stand is not None and state.stand.trail is not None:
        along = _read_along(state.target.programs, state.family, state.stand.trail, wanted)
        if along is not None:
            return {name: np.array(values[state.stand.place]) for name, values in along.items()}
    values = state.target.programs(read_off, wanted, state.family)
    return {name: np.asarray(value) for name, value in values.items()}


def _read_along(
    programs: Programs, family: AbstractFamily, trail: Trail, names: tuple[str, ...]
) -> Mapping[str, np.ndarray] | None:
    """Read the same of all states of a trail at once; `None` where that takes too much memory."""
    if names not in trail.found:
        like = jax.tree.leaves(programs.shapes(read_off, names, family))
        if trail.slots * sum(leaf.size * leaf.dtype.itemsize for leaf in like) > _BYTES:
            trail.found[names] = None
        else:
            count = np.int32(trail.count)
            along = programs(read_along, names, trail.stepper, trail.states, count)
            trail.found[names] = {name: np.asarray(values) for name, values in along.items()}
    return trail.found[names]


def parameters(approx: Fitted) -> dict[str, np.ndarray]:
    """The parameters by name, in NumPy."""
    state = approx.state
    return dict(read(state, state.target.programs.shapes(parameters_of, state.family)))


def mean_data(approx: Fitted) -> Any:
    """Mean of q by variable, in the unconstrained space, as an `xarray.Dataset`."""
    return _dataset(approx, "mean")


def std_data(approx: Fitted) -> Any:
    """Standard deviations of q by variable, in the unconstrained space, likewise."""
    return _dataset(approx, "std")


def _dataset(approx: Fitted, name: str) -> Any:
    from taut.approximation.datatree import to_dataset

    target = approx.target
    return to_dataset(target.space.unravel(read(approx.state, [name])[name]), target.labels)


def moments_table(space: Space, mean: np.ndarray, std: np.ndarray, longest: int = 12) -> Rows:
    """Lay out mean and sd of the first elements in the unconstrained space."""
    shown = range(min(longest, space.dim))
    names = ["unconstrained", *(space.element_name(i) for i in shown)]
    width = max(map(len, names))
    rows = [(names[0].ljust(width), f"{'mean':>10}", f"{'sd':>10}")]
    rows += [
        (name.ljust(width), f"{mean[i]:10.4g}", f"{std[i]:10.4g}")
        for i, name in zip(shown, names[1:], strict=True)
    ]
    if space.dim > longest:
        rows.append((f"… {space.dim - longest} more".ljust(width), "", ""))
    return rows

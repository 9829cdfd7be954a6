"""What an approximation prints: moments and intervals of variables in their own space."""

import re
from collections.abc import Iterator, Mapping

import jax
import numpy as np
from jaxtyping import Array

from taut import seed
from taut.approximation.drawing import by_blocks, sampled
from taut.approximation.moments import moments_table, read
from taut.approximation.state import State
from taut.tables import Rows
from taut.target import Target

# Draws that moments are computed of, numbers that these may be, and fewer draws than are of use.
_DRAWS, _NUMBERS, _FEWEST = 1000, 20_000_000, 200
# Draws by one call.
_BLOCK = 250
# Of the interval, as ArviZ's.
_MASS = 0.89
# Rows that are shown, unless there are more variables, and variables.
_ROWS, _VARIABLES = 24, 40


def constrained_table(state: State, random_seed: int) -> Rows:
    """Lay out mean, sd and an interval of each variable's first elements, scales first.

    They are those of a thousand draws. Where these would take too much memory moments in the
    unconstrained space are shown.

    Parameters
    ----------
    state
        The approximation.
    random_seed
        Of the fit, which decides the draws.
    """
    target = state.target
    draws = min(_DRAWS, _NUMBERS // max(target.dim, 1))
    if draws < _FEWEST:
        found = read(state, ("mean", "std"))
        return moments_table(target.space, found["mean"], found["std"])
    words = seed.key_words(random_seed, seed.DRAWS, 0)
    z, _ = sampled(target, state.family, draws, words)
    names = _free(target)
    values = by_blocks(lambda block: target.programs(_constrained, names, target, block), z, _BLOCK)
    return _table(target, {name: values[name] for name in names})


def _constrained(names: tuple[str, ...], target: Target, z: Array) -> dict[str, Array]:
    """Evaluate some variables in their own space; nothing that only others need is computed."""

    def one(z: Array) -> dict[str, Array]:
        found = target.constrain(z)
        return {name: found[name] for name in names}

    return jax.vmap(one)(z)


def _free(target: Target) -> tuple[str, ...]:
    """Name the free variables, scales first, then numbers, then arrays."""
    known = target.programs.shapes(_all_constrained, target, np.empty(target.dim, target.dtype))
    own: dict[str, str] = {}
    for slot in target.space:
        ends = [name for name in known if slot.name == name or _is_of(slot.name, name)]
        if ends:
            own[max(ends, key=len)] = slot.name
    return tuple(sorted(own, key=lambda x: (known[x].ndim > 0, not own[x].endswith("_log__"))))


def _is_of(unconstrained: str, name: str) -> bool:
    """Whether that is PyMC's name of a variable in the unconstrained space: x_log__ of x."""
    return re.fullmatch(rf"{re.escape(name)}_.+__", unconstrained) is not None


def _all_constrained(target: Target, z: Array) -> Mapping[str, Array]:
    return dict(target.constrain(z))


def _table(target: Target, values: Mapping[str, np.ndarray]) -> Rows:
    tail = 0.5 * (1.0 - _MASS)
    ends = (f"eti{100 * _MASS:.0f}_{end}" for end in ("lb", "ub"))
    rows: list[tuple[str, ...]] = [("", "mean", "sd", *ends)]
    for name, draws in list(values.items())[:_VARIABLES]:
        rows += _rows_of(target, name, draws, tail, _most(values))
    if len(values) > _VARIABLES:
        rows.append((f"… {len(values) - _VARIABLES} more variables: approx.summary()",))
    width = max(len(row[0]) for row in rows if len(row) > 1)
    return [(row[0].ljust(width), *(cell.rjust(9) for cell in row[1:])) for row in rows]


def _most(values: Mapping[str, np.ndarray]) -> int:
    """Choose how many elements of an array are shown."""
    arrays = sum(draws.ndim > 1 for draws in values.values())
    return max(1, (_ROWS - len(values) + arrays) // max(arrays, 1))


def _rows_of(
    target: Target, name: str, draws: np.ndarray, tail: float, most: int
) -> Iterator[tuple[str, ...]]:
    flat = draws.reshape(len(draws), -1)
    for index in range(min(most, flat.shape[1])):
        one = flat[:, index]
        figures = one.mean(), one.std(), *np.quantile(one, (tail, 1.0 - tail))
        yield (_label(target, name, index, draws.shape[1:]), *(f"{x:.3g}" for x in figures))
    if flat.shape[1] > most:
        yield (f"… {flat.shape[1] - most:,d} more of {name}",)


def _label(target: Target, name: str, index: int, shape: tuple[int, ...]) -> str:
    """Name an element by its coordinates."""
    if not shape:
        return name
    coords, dims = target.labels.coords, target.labels.dims.get(name, (None,) * len(shape))
    at = []
    for dim, i in zip(dims, map(int, np.unravel_index(index, shape)), strict=True):
        at.append(str(i if dim is None or dim not in coords else coords[dim][i]))
    return f"{name}[{', '.join(at)}]"

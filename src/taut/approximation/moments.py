"""Moments and parameters of an approximation, and its table."""

from collections.abc import Iterable, Mapping
from typing import Any

import jax
import numpy as np

from taut.approximation.drawing import read_off
from taut.approximation.fitted import Fitted
from taut.approximation.state import State
from taut.tables import Rows
from taut.target import Space


def read(state: State, names: Iterable[str]) -> Mapping[str, np.ndarray]:
    """Read moments and parameters, all by one program; callbacks may do so at every step."""
    values = state.target.programs(read_off, tuple(names), state.family)
    return {name: np.asarray(value) for name, value in values.items()}


def parameters(approx: Fitted) -> dict[str, np.ndarray]:
    """The parameters by name, in NumPy."""
    names = tuple(jax.eval_shape(approx.family.parameters))
    return dict(read(approx.state, names))


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

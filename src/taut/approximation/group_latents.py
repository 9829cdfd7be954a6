"""The latents of a fit in batches of groups, written to a file on demand."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, final

import numpy as np

from taut.approximation.drawing import sampled
from taut.approximation.fitted import Fitted
from taut.approximation.state import State
from taut.errors import ArgumentError, StorageError
from taut.gaussian import as_normal
from taut.marginal import GroupLatents
from taut.rows import load
from taut.seed import NODES, key_words

Dims = Mapping[str, tuple[str | None, ...]]

# Groups of a chunk of the file.
_CHUNK = 2**16
# Draws of the globals where these are no Gaussian.
_DRAWS = 64


def write_latents(approx: Fitted, path: str | os.PathLike[str]) -> None:
    """Write means and standard deviations of the groups' latents to a zarr group.

    Of a fit by ``taut.fit(groups=...)``, which keeps none of them. All rows are read once more,
    batch by batch, at points of the globals that have their mean and spread; what is uncertain of
    these is in the standard deviations. ``xarray.open_zarr(path, consolidated=False)`` reads the
    file: for each variable ``a`` with an element for each group there are ``a_mean`` and ``a_sd``,
    and the keys of the groups, which are in no order.

    Parameters
    ----------
    path
        Of the folder that is made.

    Raises
    ------
    ArgumentError
        The fit is of another kind, or was loaded from a file, and so has no rows.
    StorageError
        There is something at that place.
    RowsError
        Rows can not be read any more.
    ModuleNotFoundError
        zarr is not installed.

    Examples
    --------
    >>> import pathlib, tempfile, numpy as np, pymc as pm, taut, xarray as xr
    >>> random = np.random.default_rng(1)
    >>> group = np.repeat(np.arange(100), 5)
    >>> y = random.normal(random.normal(0, 1, 100)[group], 1)
    >>> with pm.Model(coords={"person": range(100)}):
    ...     a = pm.Normal("a", pm.Normal("mu", 0, 5), pm.HalfNormal("s", 2), dims="person")
    ...     rows = pm.Normal("y", a[pm.Data("g", group)], 1, observed=y)
    ...     approx = taut.fit(groups="g", random_seed=1, progressbar=False)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     approx.write_latents(pathlib.Path(folder, "latents.zarr"))
    ...     found = xr.open_zarr(f"{folder}/latents.zarr", consolidated=False).load()
    >>> found["a_mean"].sizes["person"], found["g"].dims
    (100, ('person',))
    """
    state = approx.state
    if state.grouped is None:
        raise ArgumentError(
            "write_latents is of fits in batches of groups, taut.fit(groups='g', ...), and of the "
            "process that has made them: there the rows are. Of other fits approx.sample() has the "
            "latents."
        )
    place = Path(path).expanduser()
    if place.exists():
        raise StorageError(f"There is something at {place} already. Choose another path.")
    rows = state.grouped.rows
    writer = _Writer(place, rows.groups, rows.key)
    for batch in GroupLatents(state.grouped, _points(approx, state)):
        writer.name(batch.dims)
        columns = {writer.key: batch.keys}
        for name, (mean, sd) in batch.moments.items():
            columns |= {f"{name}_mean": mean, f"{name}_sd": sd}
        writer.add(columns)
    writer.flush()


def _points(approx: Fitted, state: State) -> np.ndarray:
    """Return points of the globals that have their mean and covariance.

    References
    ----------
    Arasaratnam, Haykin (2009), Cubature Kalman filters.
    """
    normal = as_normal(state.family) if state.family.drawn_on_host else None
    if normal is None:
        words = key_words(approx.random_seed, NODES)
        return np.asarray(sampled(state.target, state.family, _DRAWS, words)[0], float)
    m = len(normal.mean)
    steps = np.sqrt(m) * normal.color(np.eye(m))
    return np.concatenate([normal.mean + steps, normal.mean - steps])


@final
class _Writer:
    """Arrays of a zarr group that grow, chunk by chunk."""

    def __init__(self, path: Path, groups: int, key: str) -> None:
        self._zarr = load("zarr", "write_latents").create_group(path)
        self._groups, self.key = groups, key
        self._dims: Dims = {}
        self._held: list[dict[str, np.ndarray]] = []
        self._written = 0

    def name(self, dims: Dims) -> None:
        """Name the axes of variables, of which the first is that of groups."""
        self._dims = dims

    def add(self, columns: dict[str, np.ndarray]) -> None:
        """Write these, once there are enough for a chunk."""
        self._held.append(columns)
        if sum(len(one[self.key]) for one in self._held) >= _CHUNK:
            self._write(is_last=False)

    def flush(self) -> None:
        """Write what is left."""
        self._write(is_last=True)

    def _write(self, *, is_last: bool) -> None:
        if not self._held:
            return
        whole = {n: np.concatenate([one[n] for one in self._held]) for n in self._held[0]}
        count = len(whole[self.key])
        kept = count if is_last else count // _CHUNK * _CHUNK
        for name, values in whole.items():
            array = self._zarr[name] if name in self._zarr else self._made(name, values)
            array[self._written : self._written + kept] = values[:kept]
        rest = {name: values[kept:] for name, values in whole.items()}
        self._held = [rest] if kept < count else []
        self._written += kept

    def _made(self, name: str, values: np.ndarray) -> Any:
        shape = (self._groups, *values.shape[1:])
        known = self._dims.get(name.removesuffix("_mean").removesuffix("_sd"), ())
        others = [one or f"{name}_dim_{i}" for i, one in enumerate(known)][1:]
        rest = [f"{name}_dim_{i}" for i in range(1, len(shape))]
        return self._zarr.create_array(
            name, shape=shape, dtype=values.dtype, chunks=(min(_CHUNK, self._groups), *shape[1:]),
            dimension_names=[self._group_dim, *(others if len(others) == len(rest) else rest)],
        )  # fmt: skip

    @property
    def _group_dim(self) -> str:
        """The name of the dim of groups: the model's, where it has one."""
        firsts = [dims[0] for dims in self._dims.values() if dims and dims[0]]
        return str(firsts[0]) if firsts else "group"

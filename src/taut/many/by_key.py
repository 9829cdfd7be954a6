"""Data sets by their keys, from the forms in which users have them."""

from collections.abc import Collection, Hashable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from taut.errors import ArgumentError

# What a data set gives: arrays by the names of the model's data.
Values = Mapping[str, Any]


def by_key(datasets: Any, by: str | None, names: Collection[str]) -> dict[Hashable, Values]:
    """Return each data set by its key, in the order in which they come.

    Parameters
    ----------
    datasets
        A table or an `xarray.Dataset`, which is taken apart, or a list or a dict of dicts.
    by
        What a table or a Dataset is taken apart by.
    names
        The data of the model, which columns and variables are looked up among.

    Raises
    ------
    ArgumentError
        They are none of these, or there is no such column or dim.
    """
    if isinstance(datasets, pd.DataFrame):
        parts = _of_table(datasets, _given(by, "column", "DataFrame"), names)
    elif isinstance(datasets, xr.Dataset):
        parts = _of_dataset(datasets, _given(by, "dim or coordinate", "Dataset"), names)
    elif by is not None:
        raise ArgumentError(
            "by names the column or the dim that tells data sets of a pandas.DataFrame or an "
            f"xarray.Dataset apart; datasets is a {type(datasets).__name__}. Leave by out."
        )
    elif isinstance(datasets, Mapping):
        parts = iter(datasets.items())
    elif isinstance(datasets, Sequence) and not isinstance(datasets, str | bytes):
        parts = enumerate(datasets)
    else:
        raise ArgumentError(
            "datasets must be a list or a dict of dicts, such as {'north': {'y': y}}, or a "
            "pandas.DataFrame or an xarray.Dataset with by='name of a column'; got "
            f"{type(datasets).__name__}."
        )
    found = dict(parts)
    if not found:
        raise ArgumentError("There are no data sets: datasets is empty.")
    return found


def _given(by: Any, kind: str, of: str) -> str:
    if not isinstance(by, str):
        raise ArgumentError(
            f"A {of} is taken apart by a {kind}: by='name'. Got by={by!r}; where several tell data "
            "sets apart, join them to one."
        )
    return by


def _of_table(
    table: pd.DataFrame, by: str, names: Collection[str]
) -> Iterator[tuple[Hashable, Values]]:
    columns = _known(by, map(str, table.columns), names, "columns")
    missing = int(np.count_nonzero(pd.isna(table[by].to_numpy())))
    if missing:
        raise ArgumentError(
            f"{missing} rows have no value in the column {by!r}, so that they "
            "belong to no data set. Leave them out, or give them one."
        )
    for key, part in table.groupby(by, sort=False, observed=True):
        yield key, {name: part[name].to_numpy() for name in columns}


def _of_dataset(
    dataset: xr.Dataset, by: str, names: Collection[str]
) -> Iterator[tuple[Hashable, Values]]:
    variables = _known(by, map(str, dataset.variables), names, "variables", dataset.dims)
    if by in dataset.dims:
        for i, key in enumerate(dataset[by].to_numpy().tolist()):
            part = dataset.isel({by: i})
            yield key, {name: part[name].to_numpy() for name in variables}
        return
    of_rows = dataset[by]
    for key in dict.fromkeys(of_rows.to_numpy().tolist()):
        [dim] = of_rows.dims
        part = dataset.isel({dim: np.flatnonzero(of_rows.to_numpy() == key)})
        yield key, {name: part[name].to_numpy() for name in variables}


def _known(
    by: str, there: Iterator[str], names: Collection[str], kind: str, also: Collection[Any] = ()
) -> list[str]:
    """Look up what is the model's data."""
    listed = list(there)
    if by not in listed and by not in also:
        raise ArgumentError(f"There is no {by!r} among the {kind}: {', '.join(listed)}.")
    known = [name for name in listed if name in names]
    if not known:
        raise ArgumentError(
            f"None of the {kind} ({', '.join(listed)}) is data of the model, which are "
            f"{', '.join(sorted(names))}. Give them these names."
        )
    return known

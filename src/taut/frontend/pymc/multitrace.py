"""Draws as PyMC's own containers."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from pymc.backends.arviz import find_constants, find_observations
from pymc.backends.base import MultiTrace
from pymc.backends.ndarray import NDArray
from pymc.data import MinibatchOp
from pymc.pytensorf import extract_obs_data


def multi_trace(model: Any, draws: Mapping[str, np.ndarray]) -> MultiTrace:
    """Put draws into a `pymc.backends.base.MultiTrace` of one chain.

    Parameters
    ----------
    model
        The model.
    draws
        For each variable, value variables included, its draws along the first axis.
    """
    variables = model.unobserved_value_vars
    trace = NDArray(
        model=model,
        vars=variables,
        fn=lambda *values: [values],
        var_shapes={v.name: draws[v.name].shape[1:] for v in variables},
        var_dtypes={v.name: draws[v.name].dtype for v in variables},
    )
    count = len(next(iter(draws.values())))
    trace.setup(draws=count, chain=0)
    trace.samples = {v.name: np.asarray(draws[v.name]) for v in variables}
    trace.draw_idx = count
    trace.close()
    return MultiTrace([trace])


def data_groups(model: Any) -> dict[str, dict[str, np.ndarray]]:
    """Collect a model's data for the groups ``observed_data`` and ``constant_data``.

    Variables observed through `pymc.Minibatch` are given with all their rows; sparse matrices are
    left out, which a dataset has no place for.
    """
    batched = {
        rv.name: rows
        for rv in model.observed_RVs
        if (rows := _all_rows(model.rvs_to_values[rv])) is not None
    }
    whole = [rv for rv in model.observed_RVs if rv.name not in batched]
    rest: Any = _Observed(whole, model.rvs_to_values)
    observed = find_observations(rest) | batched
    constant = {k: v for k, v in find_constants(model).items() if np.asarray(v).dtype != object}
    return {"observed_data": observed, "constant_data": constant}


class _Observed:
    """The part of a model that `find_observations` looks at."""

    def __init__(self, observed_rvs: list[Any], rvs_to_values: Mapping[Any, Any]) -> None:
        self.observed_RVs, self.rvs_to_values = observed_rvs, rvs_to_values


def _all_rows(value: Any) -> np.ndarray | None:
    node = value.owner
    if node is None or not isinstance(node.op, MinibatchOp):
        return None
    return extract_obs_data(node.inputs[node.outputs.index(value)])

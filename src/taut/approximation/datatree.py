"""Results in the containers of ArviZ."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import xarray as xr

from taut.approximation.record import Record
from taut.approximation.state import State
from taut.diagnose import ImportanceWeights
from taut.errors import warn
from taut.target import Labels

_STATS = ("lp", "log_q", "log_weight")


def draws_to_datatree(
    model: Any, state: State, record: Record, drawn: Mapping[str, Any], include_transformed: bool
) -> xr.DataTree:
    """Label draws and everything known of their fit.

    Parameters
    ----------
    model
        The PyMC model, for its data; `None` for none.
    state, record
        Of the fit they come from.
    drawn
        ``constrained`` and ``unconstrained`` draws by variable, their ``lp`` and ``log_q``.
    include_transformed
        Whether the group ``posterior`` holds the unconstrained variables too.
    """
    import arviz_base

    data = _data_groups(model)
    shapes = {name: values.shape[1:] for name, values in drawn["constrained"].items()}
    shapes |= {
        name: np.shape(value) for of_group in data.values() for name, value in of_group.items()
    }
    labels = fitting(state.target.labels, shapes)
    transformed = {k: v for k, v in drawn["unconstrained"].items() if k not in drawn["constrained"]}
    posterior = drawn["constrained"] | (transformed if include_transformed else {})
    groups: dict[str, Any] = {
        "posterior": posterior,
        "unconstrained_posterior": drawn["unconstrained"],
        "sample_stats": _known({name: drawn[name] for name in _STATS if name in drawn}),
    }
    tree = arviz_base.from_dict(
        {
            group: {k: v[None] for k, v in values.items()}
            for group, values in groups.items()
            if values or group == "posterior"
        },
        coords=dict(labels.coords),
        dims={name: list(dims) for name, dims in labels.dims.items()},
    )
    for group, values in data.items():
        if values:
            tree[group] = xr.DataTree(to_dataset(values, labels))
    tree["fit"] = xr.DataTree(xr.Dataset({"loss": ("step", np.asarray(record.hist))}))
    for node in (tree, tree["posterior"]):
        node.attrs.update(_attributes(state, record))
    return tree


def with_weights(tree: xr.DataTree, weights: ImportanceWeights) -> xr.DataTree:
    """Add what is known of the weights by which draws were chosen."""
    tree["sample_stats"].attrs.update(
        khat=weights.khat,
        khat_se=weights.khat_se,
        importance_ess=weights.ess,
        importance_draws=len(weights.log_weights),
    )
    return tree


def with_log_likelihood(
    tree: xr.DataTree, values: Mapping[str, np.ndarray], labels: Labels
) -> xr.DataTree:
    """Add the log likelihood of each row, draws along the first axis, to labelled draws."""
    arrays = {name: label_draws(value, name, labels) for name, value in values.items()}
    tree["log_likelihood"] = xr.DataTree(xr.Dataset(arrays))
    return tree


def fitting(labels: Labels, shapes: Mapping[str, tuple[int, ...]]) -> Labels:
    """Leave out, with a warning, coordinates of another length than variables have there."""
    lengths = {name: len(labels_of) for name, labels_of in labels.coords.items()}
    wrong = {
        dim: (length, lengths[dim])
        for name, shape in shapes.items()
        for dim, length in zip(labels.dims.get(name, ()), shape, strict=False)
        if dim is not None and lengths.get(dim, length) != length
    }
    for dim, (length, of_labels) in wrong.items():
        warn(
            f"The coordinates {dim!r} have {of_labels} labels, and variables have {length} along "
            "it: they are numbered there instead. Give labels with new data: "
            "pm.set_data(..., coords=...)."
        )
    kept = {dim: values for dim, values in labels.coords.items() if dim not in wrong}
    return replace(labels, coords=kept)


def _known(values: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Leave out what there is not: log q of particles, log p of rows that are not in memory."""
    return {name: value for name, value in values.items() if not np.isnan(value).all()}


def _attributes(state: State, record: Record) -> dict[str, Any]:
    return {
        "inference_library": "taut",
        "inference_method": "variational inference",
        "variational_method": record.method or "none",
        "variational_family": type(state.family).__name__,
        "steps": len(record.hist),
        "skipped_steps": record.skipped,
        "stopped": record.stopped or "not fitted",
        "fitting_time": record.timing.total,
    }


def observed_data(model: Any, labels: Labels) -> xr.Dataset:
    """Label what a model observes."""
    return to_dataset(_data_groups(model)["observed_data"], labels)


def _data_groups(model: Any) -> dict[str, dict[str, np.ndarray]]:
    if model is None:
        return {}
    from taut.frontend.pymc import data_groups

    return data_groups(model)


def label_draws(values: np.ndarray, name: str | None, labels: Labels) -> xr.DataArray:
    """Label the draws of one expression, by the dims of the variable it is, if it is one."""
    array = label_array(values[0], name, labels)
    coords = {**array.coords, "chain": np.arange(1), "draw": np.arange(len(values))}
    return xr.DataArray(values[None], dims=("chain", "draw", *array.dims), coords=coords, name=name)


def label_array(values: np.ndarray, name: str | None, labels: Labels) -> xr.DataArray:
    """Label an array, by the dims of the variable it is, if it is one."""
    own = labels.dims.get(name or "", ())
    generic = tuple(f"{name or 'node'}_dim_{i}" for i in range(values.ndim))
    dims = (
        [a or b for a, b in zip(own, generic, strict=True)] if len(own) == len(generic) else generic
    )
    # Rows that were read from a source are not those the model has coordinates for.
    lengths = dict(zip(dims, values.shape, strict=True))
    own_coords = {dim: labels.coords[dim] for dim in dims if dim in labels.coords}
    coords: dict[str, Any] = {d: c for d, c in own_coords.items() if len(c) == lengths[d]}
    return xr.DataArray(values, dims=dims, coords=coords, name=name)


def to_dataset(values: Mapping[str, Any], labels: Labels) -> xr.Dataset:
    """Label arrays that are no draws."""
    import arviz_base

    return arviz_base.dict_to_dataset(
        {name: np.asarray(value) for name, value in values.items()},
        coords=dict(labels.coords),
        dims={name: list(dims) for name, dims in labels.dims.items()},
        sample_dims=[],
        skip_event_dims=True,
    )

"""What a fit predicts."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from taut.approximation.expressions import evaluate_nodes, index_out_of_range
from taut.approximation.fitted import Fitted
from taut.arguments import as_positive, check_mapping
from taut.errors import ArgumentError


def predict(
    approx: Fitted,
    data: Mapping[str, Any] | None = None,
    *,
    coords: Mapping[str, Any] | None = None,
    var_names: Sequence[str] | None = None,
    draws: int = 1000,
    random_seed: Any = None,
) -> Any:
    """Draw what the model observes from the posterior predictive distribution, on JAX.

    Parameters
    ----------
    data
        New values for `pymc.Data` by name, of any length; the model keeps its own.
    coords
        Labels for dims that get another length by that.
    var_names
        What to draw, deterministic variables too; by default all that is observed.
    draws
        How many.
    random_seed
        As in `sample`; decides the noise, too.

    Returns
    -------
    xarray.DataTree
        One chain, with dims and coords, in the group ``posterior_predictive``, and
        ``observed_data``; where `data` are given in ``predictions``, and
        ``predictions_constant_data``.

    Raises
    ------
    ArgumentError
        There is no such variable, nothing to predict, or new data do not fit together.

    Notes
    -----
    Potentials count for the posterior alone. An observed variable gets the length of what it
    depends on; mixtures and others that are made of several keep the length that they were
    written with, which for new data should be by ``dims`` or ``shape=X.shape[0]``. What JAX does
    not draw, such as binomials, PyTensor does.

    Examples
    --------
    >>> import numpy as np, pymc as pm, taut
    >>> with pm.Model():
    ...     x = pm.Data("x", np.arange(4.0))
    ...     slope = pm.Normal("slope")
    ...     y = pm.Normal("y", slope * x, 0.1, observed=np.array([0.1, 2.0, 3.9, 6.1]))
    ...     approx = taut.fit(random_seed=1, progressbar=False)
    >>> told = approx.predict({"x": [10.0, 20.0]}, random_seed=1)
    >>> print(told["predictions"]["y"].mean(("chain", "draw")).values.round())
    [20. 40.]
    """
    draws = as_positive("draws", draws)
    check_mapping("data", data, "{'x': x_new}")
    check_mapping("coords", coords, "{'row': labels}")
    model = approx.model
    if model is None:
        raise ArgumentError(approx.source.no_expressions)
    names = [rv.name for rv in model.observed_RVs] if var_names is None else list(var_names)
    if not names:
        raise ArgumentError("The model observes nothing to predict: say what, by var_names=[...].")
    from taut.frontend.pymc.expressions import given_data

    nodes, given = approx.symbolic.predicted(names), given_data(model, data or {})
    try:
        values = evaluate_nodes(approx, nodes, draws, given, random_seed)
    except (TypeError, ValueError) as error:
        if not data:
            raise
        raise ArgumentError(
            f"The new data do not fit together, or to what keeps its length:\n{error}\n"
            "Give all data that have these rows, and write the variable by dims or by "
            "shape=X.shape[0]."
        ) from error
    beyond = index_out_of_range(approx, nodes, given)
    if beyond is not None:
        raise ArgumentError(
            f"The data pick what the model does not have: {beyond}. A fit has no draws of groups "
            "that it has not seen: leave out rows with indices beyond the last."
        )
    return _labelled(approx, dict(zip(names, values, strict=True)), data or {}, coords or {})


def _labelled(
    approx: Fitted, values: Mapping[str, np.ndarray], data: Mapping[str, Any], coords: Any
) -> Any:
    import xarray as xr

    from taut.approximation.datatree import label_array, label_draws, observed_data

    labels = approx.target.labels
    labels = replace(labels, coords={**labels.coords, **coords})
    drawn = xr.Dataset({name: label_draws(v, name, labels) for name, v in values.items()})
    arrays = {name: np.asarray(value) for name, value in data.items()}
    given = xr.Dataset({name: label_array(v, name, labels) for name, v in arrays.items()})
    _check_coords(coords, {**given.sizes, **drawn.sizes})
    if not data:
        beside = observed_data(approx.model, labels)
        return xr.DataTree.from_dict({"posterior_predictive": drawn, "observed_data": beside})
    return xr.DataTree.from_dict({"predictions": drawn, "predictions_constant_data": given})


def _check_coords(coords: Mapping[str, Any], lengths: Mapping[Any, int]) -> None:
    """Refuse labels for what is not predicted, or too few or many of them."""
    for dim, labels in coords.items():
        if dim not in lengths:
            there = ", ".join(repr(name) for name in lengths if name not in ("chain", "draw"))
            raise ArgumentError(
                f"coords has labels for {dim!r}, which nothing that is predicted has; dims are "
                f"{there or 'none'}."
            )
        if len(labels) != lengths[dim]:
            raise ArgumentError(
                f"coords has {len(labels)} labels for {dim!r}, and what is predicted has "
                f"{lengths[dim]} elements along it."
            )

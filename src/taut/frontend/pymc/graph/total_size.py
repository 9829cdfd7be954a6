"""Whether what is observed by a `pymc.Minibatch` is scaled to all rows."""

from collections.abc import Mapping
from typing import Any

from pytensor.graph.basic import Constant

from taut.errors import ModelError, warn
from taut.frontend.pymc.graph.minibatch import find_minibatches, is_scaled, length_of
from taut.frontend.pymc.graph.resize import check_replacements, replace_loosely


def check_total_sizes(model: Any, more_replacements: Mapping[Any, Any]) -> None:
    """Refuse variables observed by a minibatch without ``total_size``, warn of a wrong one.

    Raises
    ------
    ModelError
        The rows of a batch would count as all there are.
    """
    values = replace_loosely(
        [model.rvs_to_values[rv] for rv in model.observed_RVs],
        check_replacements(more_replacements),
    )
    for rv, value in zip(model.observed_RVs, values, strict=True):
        for node in find_minibatches([value])[:1]:
            batch, rows = length_of(node.outputs[0]), length_of(node.inputs[0])
            if not is_scaled(rv):
                raise ModelError(_forgotten(rv, batch, rows))
            total: Any = rv.owner.inputs[1]
            if isinstance(total, Constant) and total.data is not None and int(total.data) != rows:
                warn(
                    f"{rv.name!r} has total_size={int(total.data)}, and the data behind its "
                    f"minibatch have {rows} rows."
                )


def _forgotten(rv: Any, batch: int, rows: int) -> str:
    kind = type(rv.owner.op).__name__.removesuffix("RV")
    return (
        f"{rv.name!r} is observed by a minibatch and has no total_size: the {batch} rows of a "
        f"batch would count as all there are, and the posterior would be too wide. Write\n\n"
        f"    pm.{kind}({rv.name!r}, ..., observed=..., total_size={rows})\n\n"
        "or write the model for all rows, without Minibatch, and let the fit batch them: "
        f"taut.fit(batch_size={batch}). If it is meant, say fit(require_total_size=False)."
    )

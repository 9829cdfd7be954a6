"""The scalar quantities a posterior is judged by."""

from dataclasses import dataclass

import numpy as np

from benchmarks.posteriors.base import Draws, Posterior
from benchmarks.posteriors.scales import SCALES


@dataclass(frozen=True)
class Quantities:
    """Draws as a table.

    Parameters
    ----------
    labels
        One for each column: ``"b[3]"``, ``"log tau"``.
    values
        ``(*lead, columns)``, where `lead` are the axes of draws.
    """

    labels: tuple[str, ...]
    values: np.ndarray


def quantities(posterior: Posterior, draws: Draws, lead: int = 1) -> Quantities:
    """Put the draws of all variables side by side, each on its scale.

    Parameters
    ----------
    posterior
        Says which scale.
    draws
        ``(*lead, *shape)`` for each of its free variables, in their constrained space.
    lead
        Axes of draws: 1, or 2 for chains and draws.
    """
    labels, columns = [], []
    for name, values in draws.items():
        scale = posterior.scales.get(name, "as it is")
        with np.errstate(divide="ignore", invalid="ignore"):
            scaled = SCALES[scale](np.asarray(values, float))
        shape = scaled.shape[lead:]
        labels += [_label(name, scale, index) for index in np.ndindex(shape)]
        columns.append(scaled.reshape(*scaled.shape[:lead], -1))
    return Quantities(tuple(labels), np.concatenate(columns, axis=-1))


def _label(name: str, scale: str, index: tuple[int, ...]) -> str:
    label = name
    if scale in ("circle", "diagonals"):
        turned = name if scale == "circle" else f"({name} - π/4)"
        label, index = f"{('cos', 'sin')[index[-1]]} {turned}", index[:-1]
    elif scale != "as it is":
        label = f"{scale} {name}"
    return f"{label}[{','.join(map(str, index))}]" if index else label

"""Data sets of hierarchies, simulated from known numbers."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

Rows = Float[np.ndarray, " rows"]
Latents = dict[str, Float[np.ndarray, "groups *k"]]


@dataclass(frozen=True)
class Simulated:
    """Rows of groups, and the latents they were simulated with.

    Parameters
    ----------
    kind
        A key of `KINDS`.
    group, other
        Of each row; `other` is the crossing factor's level, zeros where there is none.
    x
        Columns of the design.
    y
        What was seen.
    latents
        The groups' effects, deviations from the common coefficients.
    """

    kind: str
    group: Int[np.ndarray, " rows"]
    other: Int[np.ndarray, " rows"]
    x: Float[np.ndarray, "rows columns"]
    y: Rows
    latents: Latents

    @property
    def groups(self) -> int:
        return len(self.latents["a"])


def binary(groups: int, random: np.random.Generator) -> Simulated:
    """Draw a logistic regression of three columns with an intercept for each group of ten rows."""
    group = np.repeat(np.arange(groups), 10)
    x, a = random.normal(size=(len(group), 3)), random.normal(0.0, 0.8, groups)
    logit = 0.3 + x @ [-0.6, 0.4, 0.9] + a[group]
    y = (random.random(len(group)) < 1 / (1 + np.exp(-logit))).astype(float)
    return Simulated("binary", group, np.zeros_like(group), x, y, {"a": a})


def slopes(groups: int, random: np.random.Generator) -> Simulated:
    """Draw a line for each group of eight rows, with normal noise."""
    group = np.repeat(np.arange(groups), 8)
    x, a = random.normal(size=(len(group), 1)), random.normal(size=(groups, 2)) * [0.7, 0.4]
    y = -0.5 + a[group, 0] + (1.0 + a[group, 1]) * x[:, 0] + random.normal(0.0, 0.9, len(group))
    return Simulated("slopes", group, np.zeros_like(group), x, y, {"a": a})


def crossed(groups: int, random: np.random.Generator) -> Simulated:
    """Draw two crossed factors, the second of a tenth of the levels, with normal noise."""
    few = max(groups // 10, 10)
    group, other = (random.integers(0, n, 10 * groups) for n in (groups, few))
    a, b = random.normal(0.0, 0.6, groups), random.normal(0.0, 0.5, few)
    y = 0.7 + a[group] + b[other] + random.normal(0.0, 1.1, len(group))
    return Simulated("crossed", group, other, np.zeros((len(group), 0)), y, {"a": a, "b": b})


KINDS: dict[str, Callable[[int, np.random.Generator], Simulated]] = {
    "binary": binary,
    "slopes": slopes,
    "crossed": crossed,
}

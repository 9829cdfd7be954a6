"""Where known parameters lie in the fits to their data, and what that says of the fits."""

from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import scipy
from jaxtyping import Bool, Float

from taut.tables import Rows, as_html, as_text
from taut.target import Labels, Space

if TYPE_CHECKING:
    import xarray as xr

# Chance that all fits are right and any element is called wrong.
_LEVEL = 0.05
_LONGEST = 20


class Check(NamedTuple):
    """A test of one element.

    Examples
    --------
    >>> from taut.calibration.probabilities import Check
    >>> Check(0.0004, "too low", 0.01).passed
    False
    """

    p_value: float
    direction: str
    level: float

    @property
    def passed(self) -> bool:
        """Whether the p-value is no smaller than the level."""
        return self.p_value >= self.level


class Calibration:
    r"""Probabilities :math:`P_q(z_i < z_{ij})` of true parameters under the fits to their data.

    Two tests take them apart. The signs of :math:`p - 1/2` are those of fair coins, whatever the
    sizes, unless q is biased; the test is that of Kolmogorov and Smirnov between `p` and
    :math:`1 - p`, with the exact distribution that their dependence gives it, which is that of
    the largest excursion of a random walk. The sizes :math:`|2p - 1|` are uniform unless the
    spread of q is wrong, by the test of Kolmogorov and Smirnov. An element fails below 0.05
    divided by the number of elements.

    Parameters
    ----------
    values
        One data set a row.
    space, labels
        Name the elements.
    trusted
        Which fits are to be trusted, where they have been judged.

    References
    ----------
    Yao, Vehtari, Simpson, Gelman (2018), Yes, but Did It Work?: Evaluating Variational Inference.
    """

    def __init__(
        self,
        values: Float[np.ndarray, "datasets dim"],
        space: Space,
        labels: Labels,
        trusted: Bool[np.ndarray, " datasets"] | None = None,
    ) -> None:
        self._values, self._space, self._labels = values, space, labels
        self.trusted = trusted

    @cached_property
    def probabilities(self) -> "xr.Dataset":
        """The probabilities by variable, in the unconstrained space, data sets along `dataset`."""
        import xarray as xr

        return xr.Dataset(
            {
                name: one[0].drop_vars("chain").rename(draw="dataset")
                for name, one in self._labelled()
            }
        )

    @cached_property
    def bias(self) -> dict[str, Check]:
        """By element, whether q lies ``"too low"`` or ``"too high"``."""
        checks = {}
        for name, p in self._elements():
            direction = "too low" if p.mean() > 0.5 else "too high"
            checks[name] = Check(symmetry_p_value(p), direction, self._level)
        return checks

    @cached_property
    def spread(self) -> dict[str, Check]:
        """By element, whether q is ``"too narrow"`` or ``"too wide"``."""
        checks = {}
        for name, p in self._elements():
            sizes = np.abs(2 * p - 1)
            direction = "too narrow" if sizes.mean() > 0.5 else "too wide"
            p_value = float(scipy.stats.kstest(sizes, "uniform").pvalue)
            checks[name] = Check(p_value, direction, self._level)
        return checks

    @property
    def passed(self) -> bool:
        """Whether no element fails either test."""
        return all(check.passed for check in (*self.bias.values(), *self.spread.values()))

    def plot(self, **arguments: Any) -> Any:
        """Plot how far the distribution of each element's probabilities is from a uniform one.

        Parameters
        ----------
        **arguments
            Of `arviz_plots.plot_ecdf_pit`, which draws it.
        """
        import arviz_plots
        import xarray as xr

        tree = xr.DataTree.from_dict({"prior_sbc": xr.Dataset(dict(self._labelled()))})
        return arviz_plots.plot_ecdf_pit(tree, **arguments)

    def __repr__(self) -> str:
        bad = {n for checks in (self.bias, self.spread) for n, c in checks.items() if not c.passed}
        verdict = f"{len(bad)} wrong" if bad else "none wrong"
        if self.trusted is not None:
            verdict += f"; {self.trusted.sum()} fits trusted"
        return (
            f"<Calibration of {self._space.dim} elements by {len(self._values)} data sets: "
            f"{verdict}>"
        )

    def __str__(self) -> str:
        return as_text(repr(self), self._table())

    def _repr_html_(self) -> str:
        return as_html(repr(self), self._table())

    def _table(self) -> Rows:
        """Lay out the elements, those with the smallest p-values first."""
        smallest = {n: min(self.bias[n].p_value, self.spread[n].p_value) for n in self.bias}
        shown = sorted(smallest, key=smallest.__getitem__)[:_LONGEST]
        width = max(map(len, ("unconstrained", *shown)))
        rows = [("unconstrained".ljust(width), f"{'bias':<20}", f"{'spread':<20}")]
        rows += [(n.ljust(width), _cell(self.bias[n]), _cell(self.spread[n])) for n in shown]
        if len(smallest) > len(shown):
            rows.append((f"… {len(smallest) - len(shown)} more".ljust(width), "", ""))
        return rows

    @property
    def _level(self) -> float:
        return _LEVEL / self._space.dim

    def _elements(self) -> list[tuple[str, np.ndarray]]:
        return [(self._space.element_name(i), p) for i, p in enumerate(self._values.T)]

    def _labelled(self) -> list[tuple[str, "xr.DataArray"]]:
        from taut.approximation import label_draws

        return [
            (slot.name, label_draws(self._cut(slot), slot.name, self._labels))
            for slot in self._space
        ]

    def _cut(self, slot: Any) -> np.ndarray:
        return self._values[:, slot.slice].reshape(len(self._values), *slot.shape)


def symmetry_p_value(probabilities: Float[np.ndarray, " datasets"]) -> float:
    r"""Test whether probabilities are symmetric around a half.

    .. math:: D = \max_a \frac1n \bigl| \#\{p \ge 1/2 + a\} - \#\{p \le 1/2 - a\} \bigr|

    is the distance of Kolmogorov and Smirnov between `p` and :math:`1 - p`. Taken by falling
    :math:`|p - 1/2|`, the signs are steps of a random walk, whose excursions have a known
    distribution. SciPy's test of two samples would take `p` and :math:`1 - p` for independent,
    and reject twice too often.
    """
    away = probabilities - 0.5
    steps = np.sign(away)[np.argsort(-np.abs(away))].astype(int)
    return 1.0 - _stays_within(len(steps), int(np.abs(np.cumsum(steps)).max()))


def _stays_within(steps: int, bound: int) -> float:
    """Compute the probability that a walk of fair steps never reaches the bound on either side."""
    if bound == 0:
        return 0.0
    at = np.zeros(2 * bound + 1)
    at[bound] = 1.0
    for _ in range(steps):
        at[1:-1] = (at[:-2] + at[2:]) / 2
        at[[0, -1]] = 0.0
    return float(at.sum())


def _cell(check: Check) -> str:
    verdict = "" if check.passed else f" {check.direction}"
    return f"p = {check.p_value:.2g}{verdict}".ljust(20)

"""Pareto smoothed importance sampling: how far q is from p, and weights that make up for it."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from taut.errors import ArgumentError, NotFiniteError
from taut.target import Space

# From here on weighted means can not be trusted, however many the draws.
UNRELIABLE = 0.7
# A tail of fewer weights has no fit.
_SHORTEST_TAIL = 5
# Observations of 0.5 that the fit adds to those of the tail.
_PRIOR_DRAWS = 10


class Khat(NamedTuple):
    r"""The shape of the largest weights, and its standard error.

    Parameters
    ----------
    value
        Shape of the generalised Pareto distribution of the largest weights. Below 0.5 their
        variance is finite; above 0.7 weighted means are not reliable. ``-inf`` where the largest
        weights are all the same, ``inf`` where there are too few for a fit.
    se
        Its standard error, `nan` where there is no fit.

    Examples
    --------
    >>> from taut.diagnose import Khat
    >>> print(Khat(0.84, 0.142), float(Khat(0.5, 0.1)), Khat(float("inf"), float("nan")))
    0.84 ± 0.14 0.5 inf
    """

    value: float
    se: float

    def __float__(self) -> float:
        return self.value

    def __str__(self) -> str:
        return f"{self.value:.2f}" + ("" if np.isnan(self.se) else f" ± {self.se:.2f}")


_NO_TAIL, _NO_FIT = Khat(-np.inf, np.nan), Khat(np.inf, np.nan)


@dataclass(frozen=True, eq=False)
class ImportanceWeights:
    r"""Weights that turn draws of q into draws of p, and how far they can be trusted.

    Parameters
    ----------
    log_weights
        Smoothed, and normalised: their exponentials add up to one.
    khat, khat_se
        Shape of their tail, and its standard error: see `Khat`.
    ess
        :math:`1/\sum_s w_s^2`, independent draws of p worth as much.
    """

    log_weights: Float[np.ndarray, " draws"]
    khat: float
    khat_se: float
    ess: float

    @property
    def weights(self) -> Float[np.ndarray, " draws"]:
        """The weights themselves."""
        return np.exp(self.log_weights)

    @property
    def reliable(self) -> bool:
        """Whether k-hat is at most 0.7."""
        return self.khat <= UNRELIABLE

    def resample(self, draws: int, random: np.random.Generator) -> Int[np.ndarray, " chosen"]:
        """Choose draws by their weights, and give their numbers in a random order.

        Systematic resampling: a draw of weight `w` is chosen ``floor(draws w)`` times or once
        more. So no draw is repeated that the weights do not repeat, which independent choices
        would do, and weighted means gain the least variance.

        References
        ----------
        Kitagawa (1996), Monte Carlo Filter and Smoother for Non-Gaussian Nonlinear State Space
        Models.
        """
        places = (random.random() + np.arange(draws)) / draws
        reached = np.cumsum(self.weights)
        chosen = np.searchsorted(reached / reached[-1], places, side="right")
        return random.permutation(chosen)


def psis(log_ratios: Float[np.ndarray, " draws"]) -> ImportanceWeights:
    r"""Smooth importance weights by a generalised Pareto distribution fitted to the largest.

    .. math:: w_s \propto p(y, z_s) / q(z_s), \quad z_s \sim q

    The :math:`M = \min(S/5, 3\sqrt S)` largest are replaced by the quantiles of the fit. The
    standard error of k-hat is that of the maximum likelihood estimate,
    :math:`(1 + k)/\sqrt M`, times the :math:`M/(M + 10)` by which the fit's prior shrinks it.

    Parameters
    ----------
    log_ratios
        ``log p(y, z) - log q(z)`` in nats, at independent draws from q. ``-inf``, where p is
        zero, is a weight of zero.

    Raises
    ------
    NotFiniteError
        A ratio is not a number, or infinite, or all weights are zero.
    ArgumentError
        There are no draws.

    References
    ----------
    Vehtari, Simpson, Gelman, Yao, Gabry (2024), Pareto Smoothed Importance Sampling.
    Yao, Vehtari, Simpson, Gelman (2018), Yes, but Did It Work?: Evaluating Variational Inference.
    Smith (1987), Estimating Tails of Probability Distributions: the standard error.
    Zhang, Stephens (2009), A New and Efficient Estimation Method for the Generalized Pareto
    Distribution.

    Examples
    --------
    >>> import numpy as np
    >>> from taut.diagnose import psis
    >>> z = np.random.default_rng(1).normal(size=4000)
    >>> weights = psis(-0.5 * (z - 0.5) ** 2 + 0.5 * z**2)
    >>> weights.khat < 0.5, round(float(weights.weights @ z), 1)
    (True, 0.5)
    """
    log_ratios = np.asarray(log_ratios, float)
    _check(log_ratios)
    log_weights, khat = _smoothed(log_ratios)
    log_weights = log_weights - _log_sum(log_weights)
    ess = float(1.0 / np.sum(np.exp(2.0 * log_weights)))
    return ImportanceWeights(log_weights, *khat, ess)


def khat_by_variable(
    log_ratios: Float[np.ndarray, " draws"],
    z: Float[np.ndarray, "draws dim"],
    space: Space,
    *,
    most: int | None = None,
) -> dict[str, Khat]:
    r"""Estimate the k-hat of each element's mean: of :math:`|z_i - \bar z_i| \, w`.

    Weights may be good enough for the mean of one variable and not for another's. Its standard
    error is found as in `psis`. Costs one fit, about a millisecond, for each element.

    Parameters
    ----------
    log_ratios
        As for `psis`.
    z
        The draws, in the unconstrained space.
    space
        Names the elements.
    most
        Elements of a variable at most, of which those are taken whose means the weights move most,
        in standard deviations; by default all.

    Returns
    -------
    dict
        By element, as in ``"theta[3]"``: its k-hat with the standard error.

    Raises
    ------
    NotFiniteError
        As from `psis`.

    References
    ----------
    Vehtari, Simpson, Gelman, Yao, Gabry (2024), Pareto Smoothed Importance Sampling, on
    quantities of interest.

    Examples
    --------
    >>> import numpy as np
    >>> from taut.diagnose import khat_by_variable
    >>> from taut.target import Space
    >>> z = np.random.default_rng(1).normal(size=(2000, 2))
    >>> list(khat_by_variable(-0.1 * z[:, 0] ** 2, z, Space.of({"x": (2,)})))
    ['x[0]', 'x[1]']
    """
    mean = psis(log_ratios).weights @ z
    moved = np.abs(mean - z.mean(axis=0)) / np.maximum(z.std(axis=0), np.finfo(z.dtype).tiny)
    found = {}
    for i in _places_of(space, moved, most):
        away = np.abs(z[:, i] - mean[i])
        with np.errstate(divide="ignore"):
            weighted = np.asarray(log_ratios, float) + np.log(away)
        # A variable that does not move has a mean without error.
        moves = np.isfinite(weighted).any()
        found[space.element_name(i)] = _smoothed(weighted)[1] if moves else _NO_TAIL
    return found


def _places_of(space: Space, moved: Float[np.ndarray, " dim"], most: int | None) -> Iterator[int]:
    """Yield the elements of each variable that are moved most, in their order."""
    for slot in space.slots:
        own = np.argsort(-moved[slot.slice], kind="stable")[:most]
        yield from (slot.start + np.sort(own)).tolist()


def _check(log_ratios: np.ndarray) -> None:
    if log_ratios.ndim != 1 or not len(log_ratios):
        raise ArgumentError(
            f"Importance weights need a vector of log ratios, got shape {log_ratios.shape}."
        )
    bad = np.isnan(log_ratios) | (log_ratios == np.inf)
    if bad.any():
        first = int(bad.argmax())
        raise NotFiniteError(
            f"log p - log q is {log_ratios[first]} at {bad.sum()} of {len(bad)} draws, first at "
            f"draw {first}. A ratio of -inf is a weight of zero; this one is no weight. Look at "
            "the model's log density there: draws['sample_stats']['lp'] of approx.sample()."
        )
    if np.isneginf(log_ratios).all():
        raise NotFiniteError(
            "The model's density is zero at every draw, so no weights make up for it. Fit again, "
            "from another start or with more steps."
        )


def _smoothed(log_ratios: np.ndarray) -> tuple[np.ndarray, Khat]:
    """Smooth the tail where there is one, and give its shape."""
    positive = np.isfinite(log_ratios)
    values, size = log_ratios[positive], _tail(int(positive.sum()))
    if size < _SHORTEST_TAIL:
        return log_ratios, _NO_FIT
    tail = np.partition(values, -size)[-size:]
    if np.ptp(tail) <= np.sqrt(np.finfo(float).eps):
        # Rounding, and no tail.
        return log_ratios, _NO_TAIL
    from arviz_stats.base import array_stats

    # ArviZ takes the logarithm of the weights' inverses, as leaving one out has them.
    smoothed, khat = array_stats.psislw(-values)
    if np.isnan(khat):
        # A quarter of the tail has one value: no Pareto distribution.
        return log_ratios, _NO_FIT
    whole = np.full(len(log_ratios), -np.inf)
    whole[positive] = smoothed
    return whole, Khat(float(khat), _standard_error(float(khat), size))


def _tail(draws: int) -> int:
    """Count the largest weights that are smoothed."""
    return int(3 * np.sqrt(draws)) if draws > 225 else draws // 5


def _standard_error(khat: float, tail: int) -> float:
    return (1 + khat) * float(np.sqrt(tail)) / (tail + _PRIOR_DRAWS)


def _log_sum(log_weights: np.ndarray) -> float:
    top = log_weights.max()
    return float(top + np.log(np.sum(np.exp(log_weights - top))))

"""How far draws are from a reference."""

from dataclasses import dataclass

import numpy as np
from arviz_stats.base import array_stats

from benchmarks.references.base import LEVELS, Reference

# Scales further off than a million are all as bad; the logarithm has to stay finite.
_SMALLEST_RATIO = 1e-6


class NotFiniteDrawsError(ValueError):
    """Some draws are infinite or not a number."""


@dataclass(frozen=True)
class Errors:
    """The distance of one set of draws from the reference, over all quantities.

    Parameters
    ----------
    mean_max, mean_mean
        Error of the means, in reference standard deviations.
    log_sd_max, log_sd_mean
        ``|log(sd / reference sd)|``.
    wasserstein_max, wasserstein_mean
        Marginal 1-Wasserstein distance between the middles of a hundred parts of the
        probability, in reference standard deviations.
    worst_mean, worst_sd
        The quantities at which the largest errors are met.
    """

    mean_max: float
    mean_mean: float
    log_sd_max: float
    log_sd_mean: float
    wasserstein_max: float
    wasserstein_mean: float
    worst_mean: str
    worst_sd: str


def errors(reference: Reference, values: np.ndarray) -> Errors:
    """Measure draws ``(draws, quantities)``.

    Raises
    ------
    NotFiniteDrawsError
        Some draws are not finite.
    ValueError
        There are not as many columns as the reference has quantities.
    """
    if values.shape[1:] != reference.mean.shape:
        raise ValueError(
            f"The draws have {values.shape[1:]} quantities, the reference "
            f"{len(reference.labels)}: was it made for this posterior?"
        )
    bad = ~np.isfinite(values).all(axis=0)
    if bad.any():
        first = reference.labels[int(bad.argmax())]
        raise NotFiniteDrawsError(f"draws of {bad.sum()} quantities are not finite, as of {first}")
    mean = np.abs(values.mean(axis=0) - reference.mean) / reference.sd
    ratio = np.maximum(values.std(axis=0) / reference.sd, _SMALLEST_RATIO)
    log_sd = np.abs(np.log(ratio))
    apart = np.abs(np.quantile(values, LEVELS, axis=0) - reference.quantiles)
    wasserstein = apart.mean(axis=0) / reference.sd
    return Errors(
        *(float(part) for error in (mean, log_sd, wasserstein)
          for part in (error.max(), error.mean())),
        worst_mean=reference.labels[int(mean.argmax())],
        worst_sd=reference.labels[int(log_sd.argmax())],
    )  # fmt: skip


def elbo_and_khat(log_weights: np.ndarray) -> tuple[float | None, float | None]:
    """Estimate the ELBO in nats, and the k-hat of Pareto smoothed importance sampling.

    Parameters
    ----------
    log_weights
        ``log p(y, z) - log q(z)`` at draws from `q`.

    Returns
    -------
    tuple
        Each `None` where weights that are not finite leave it undefined.
    """
    finite = np.isfinite(log_weights)
    elbo = float(log_weights.mean()) if finite.all() else None
    # A weight of zero is a weight: q reaches where the density is zero.
    if not finite.any() or np.isnan(log_weights).any() or (log_weights == np.inf).any():
        return elbo, None
    kept = np.where(finite, log_weights, log_weights[finite].min())
    # ArviZ takes the logarithm of the weights' inverses, as leaving one out has them.
    _, khat = array_stats.psislw(-kept)
    return elbo, float(khat) if np.isfinite(khat) else None

"""Quasi-random draws whose moments are exact, or whose tails are heavy."""

import numpy as np
import scipy
from jaxtyping import Float

# Degrees of freedom of draws with heavy tails: few posteriors of globals have heavier ones.
_FREEDOM = 5.0

Draws = Float[np.ndarray, "draws dim"]


def balanced_noise(random: np.random.Generator, draws: int, dim: int) -> Draws:
    """Make quasi-random normal draws with a mean of zero and the covariance I, exactly.

    The second half are the first, mirrored.

    Parameters
    ----------
    random
        Scrambles them.
    draws
        How many: even, and more than twice the dimensions.
    dim
        Elements of each.
    """
    sobol = scipy.stats.qmc.Sobol(dim, rng=random)
    uniform = sobol.random_base2(int(np.ceil(np.log2(draws // 2))))[: draws // 2]
    half = scipy.stats.norm.ppf(np.clip(uniform, 1e-12, 1 - 1e-12))
    root = np.linalg.cholesky(half.T @ half / len(half))
    half = scipy.linalg.solve_triangular(root, half.T, lower=True).T
    return np.concatenate([half, -half])


def heavy_noise(random: np.random.Generator, draws: int, dim: int) -> Draws:
    """Draw from Student's distribution by quasi-random noise, the second half mirrored.

    Parameters
    ----------
    random
        Scrambles the noise.
    draws
        How many: even, and more than twice the dimensions.
    dim
        Elements of each.
    """
    noise = balanced_noise(random, draws, dim + 1)
    level = scipy.stats.norm.cdf(noise[: draws // 2, -1:])
    stretch = np.sqrt(_FREEDOM / scipy.stats.chi2.ppf(level, _FREEDOM))
    return np.concatenate([stretch, stretch]) * noise[:, :-1]


def heavy_log_prob(squares: Float[np.ndarray, "*points"], dim: int) -> Float[np.ndarray, "*points"]:
    """Evaluate the log density of `heavy_noise`, in nats, by the squared lengths of points.

    Parameters
    ----------
    squares
        Squared lengths.
    dim
        Elements of each point.
    """
    half = 0.5 * (_FREEDOM + dim)
    gammas = scipy.special.gammaln(half) - scipy.special.gammaln(0.5 * _FREEDOM)
    level = gammas - 0.5 * dim * np.log(_FREEDOM * np.pi)
    return level - half * np.log1p(squares / _FREEDOM)

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


def heavy_noise(
    random: np.random.Generator, draws: int, dim: int
) -> tuple[Draws, Float[np.ndarray, " draws"]]:
    """Draw from Student's distribution by quasi-random noise, the second half mirrored.

    Parameters
    ----------
    random
        Scrambles the noise.
    draws
        How many: even, and more than twice the dimensions.
    dim
        Elements of each.

    Returns
    -------
    tuple
        Draws, and by how much their log densities are above those of a standard normal.
    """
    noise = balanced_noise(random, draws, dim + 1)
    level = scipy.stats.norm.cdf(noise[: draws // 2, -1:])
    stretch = np.sqrt(_FREEDOM / scipy.stats.chi2.ppf(level, _FREEDOM))
    x = np.concatenate([stretch, stretch]) * noise[:, :-1]
    mean, spread = np.zeros(dim), np.eye(dim)
    log_t = scipy.stats.multivariate_t(mean, spread, _FREEDOM).logpdf(x)
    return x, np.asarray(log_t - scipy.stats.multivariate_normal(mean, spread).logpdf(x))

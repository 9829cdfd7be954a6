"""How far two members of a family are apart, in the scale of their own spread."""

import jax
import jax.numpy as jnp
from jaxtyping import Scalar

from taut.family import AbstractFamily

# Draws of each member for the divergence between them.
_DRAWS = 32


def distance(first: AbstractFamily, second: AbstractFamily) -> Scalar:
    r"""Compute the largest of three differences, each free of units.

    .. math:: \max\Bigl( \max_i \frac{|\mu_i - \mu'_i|}{\sqrt{\sigma_i \sigma'_i}},\;
              \max_i |\log \sigma_i - \log \sigma'_i|,\;
              \sqrt{\mathrm{SKL}(q, q') / d} \Bigr)

    A mean that is 0.1 standard deviations off, or a standard deviation 10 % off, gives 0.1; the
    symmetrised Kullback-Leibler divergence sees the correlations too. It is estimated by 32 draws
    of each, always from the same noise.
    """
    std, other = first.std(), second.std()
    shift = jnp.max(jnp.abs(first.mean() - second.mean()) / jnp.sqrt(std * other))
    scale = jnp.max(jnp.abs(jnp.log(std) - jnp.log(other)))
    divergence = _divergence(first, second) + _divergence(second, first)
    correlation = jnp.sqrt(jnp.maximum(divergence, 0.0) / first.dim)
    worst = jnp.max(jnp.stack([shift, scale, correlation]))
    return jnp.where(jnp.isnan(worst), jnp.inf, worst)


def _divergence(first: AbstractFamily, second: AbstractFamily) -> Scalar:
    def one(key: jax.Array) -> Scalar:
        z = first.sample(key)
        return first.log_prob(z) - second.log_prob(z)

    return jnp.mean(jax.vmap(one)(jax.random.split(jax.random.key(0), _DRAWS)))

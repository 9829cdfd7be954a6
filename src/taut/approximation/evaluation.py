"""What an approximation is worth on all rows: its ELBO, and the log likelihood of each row."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, PyTree

from taut.approximation.drawing import by_blocks, sampled
from taut.batches import AbstractBatches
from taut.diagnose import Estimate
from taut.engine import map_draws, map_in_turn, points_at_once, single_threaded
from taut.errors import ArgumentError
from taut.family import AbstractFamily, has_density
from taut.gradients import BLOCK, Gradients
from taut.target import Streamed, Target


def elbo(
    family: AbstractFamily,
    target: Target,
    streamed: Streamed | None,
    draws: int,
    key_words: np.ndarray,
) -> Estimate:
    r"""Estimate the evidence lower bound on all rows.

    .. math:: \frac1S \sum_s \log p(y, z_s) - \log q(z_s), \quad z_s \sim q

    Parameters
    ----------
    family, target
        The approximation, and what it approximates.
    streamed
        Rows that are read from a source, in place of the target's own.
    draws
        How many.
    key_words
        Of the stream the draws come from.

    Raises
    ------
    ArgumentError
        The approximation has no density.
    """
    if not has_density(family):
        raise ArgumentError(
            "Particles have no density, and so no ELBO. Compare fits by what they predict: "
            "arviz_stats.loo(approx.log_likelihood()), or arviz_stats.compare of several."
        )
    z, log_q = sampled(target, family, draws, key_words)
    values = log_densities(target, streamed, z) - log_q
    return Estimate(float(values.mean()), float(values.std(ddof=1) / np.sqrt(len(values))))


def log_densities(
    target: Target, streamed: Streamed | None, z: Float[np.ndarray, "draws dim"]
) -> Float[np.ndarray, " draws"]:
    """Evaluate the log joint density on all rows, which may be read from a source."""
    with target.precision(), single_threaded(target.largest_matrix):
        return _densities(target, z) if streamed is None else _streamed_densities(streamed, z)


def _densities(target: Target, z: np.ndarray) -> np.ndarray:
    """Evaluate the log density on all rows, a few draws at a time.

    A program of gradients that a fit has compiled serves as well where a point reads few rows: it
    takes less time for some thousand draws than another program takes to compile.
    """
    gradients = Gradients(target)
    if gradients.is_compiled and points_at_once(target.rows_of(target.whole)) >= BLOCK:
        return gradients(z)[0]
    return by_blocks(lambda block: target.programs(densities_at, target, block), z, BLOCK)


def densities_at(target: Target, z: Float[Array, "draws dim"]) -> Float[Array, " draws"]:
    """Evaluate the log density at draws; a program for `Programs`."""
    return map_in_turn(target.log_density, z, target.rows_of(target.whole))


def _streamed_densities(streamed: Streamed, z: np.ndarray) -> np.ndarray:
    """Read all rows once, and add up what they say of all draws."""
    target, total = streamed.target, np.zeros(len(z))
    for rows, first, steps in streamed.parts():
        added = target.programs(
            densities_of_batches, target, rows, z, np.int32(first), np.int32(steps)
        )
        total += np.asarray(added)
    # Each batch was scaled to all rows.
    return total / streamed.partition.batches


def densities_of_batches(
    target: Target,
    batches: AbstractBatches,
    z: Float[Array, "draws dim"],
    first: Int[Array, ""],
    steps: Int[Array, ""],
) -> Float[Array, " draws"]:
    """Add up the log densities of some batches, each scaled to all rows."""

    def add(step: Int[Array, ""], total: Array) -> Array:
        batch = batches.draw(jax.random.key(0), first + step)
        density = lambda one: target.log_density(one, batch)  # noqa: E731
        return total + map_draws(density, z, target.rows_of(batch))

    return jax.lax.fori_loop(0, steps, add, jnp.zeros(len(z), target.dtype))


def streamed_log_likelihood(streamed: Streamed, z: np.ndarray) -> dict[str, np.ndarray]:
    """Evaluate the log likelihood of each row of a source, at each draw."""
    target, partition, factors = streamed.target, streamed.partition, streamed.factors()
    found = []
    for rows, first, steps in streamed.parts():
        for step in range(first, first + steps):
            out = target.programs(rows_at, factors, rows, z, factors.arrays(), np.int32(step))
            found.append([np.asarray(one)[:, : partition.size(step)] for one in out])
    joined = [np.concatenate(of_one, axis=1) for of_one in zip(*found, strict=True)]
    return dict(zip(factors.names, joined, strict=True))


def rows_at(
    factors: Any,
    batches: AbstractBatches,
    z: Float[Array, "draws dim"],
    data: PyTree,
    step: Int[Array, ""],
) -> tuple[Array, ...]:
    """Evaluate the log likelihoods of the rows of one batch at draws."""
    (share,) = batches.draw(jax.random.key(0), step)
    return map_draws(lambda one: factors(one, data, share.arrays), z, len(share.arrays[0]))

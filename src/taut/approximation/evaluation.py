"""What an approximation is worth on all rows: its ELBO, and the log likelihood of each row."""

from typing import Any, Literal

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, PyTree

from taut.approximation.drawing import by_blocks, sampled
from taut.approximation.fitted import Fitted
from taut.approximation.state import State
from taut.arguments import as_positive
from taut.batches import AbstractBatches
from taut.diagnose import Estimate
from taut.engine import map_draws, map_in_turn, points_at_once, single_threaded
from taut.errors import ArgumentError
from taut.family import has_density
from taut.gradients import BLOCK, Gradients
from taut.target import StreamedRows, Target


def elbo(
    approx: Fitted, draws: int = 1000, *, rows: Literal["all"] = "all", random_seed: Any = None
) -> Estimate:
    r"""Estimate the evidence lower bound from fresh draws, on all rows.

    .. math:: \mathrm{ELBO} = E_q[\log p(y, z) - \log q(z)]

    In nats, in the unconstrained space, with its own sign: a lower bound of the log evidence.
    Rows of a source are read once, in the blocks of the fit.

    Parameters
    ----------
    draws
        How many.
    rows
        Only ``"all"``: the history has the estimates from batches.
    random_seed
        As in `sample`.

    Returns
    -------
    Estimate
        With ``mean`` and its standard error ``se``; ``float(...)`` gives the mean.

    Raises
    ------
    ArgumentError
        There is no density, as of a repair's draws: `log_likelihood` compares such fits.
    RowsError
        Rows can not be read.
    """
    draws = as_positive("draws", draws)
    if rows != "all":
        raise ArgumentError(f'rows must be "all", got {rows!r}.')
    state = approx.state
    if not has_density(state.family):
        raise ArgumentError(
            "Particles have no density, and so no ELBO. Compare fits by what they predict: "
            "arviz_stats.loo(approx.log_likelihood()), or arviz_stats.compare of several."
        )
    z, log_q = sampled(state.target, state.family, draws, approx.words(random_seed))
    values = log_densities(state, z) - log_q
    return Estimate(float(values.mean()), float(values.std(ddof=1) / np.sqrt(len(values))))


def log_densities(state: State, z: Float[np.ndarray, "draws dim"]) -> Float[np.ndarray, " draws"]:
    """Evaluate the log joint density on all rows, which may be read from a source."""
    target, streamed = state.target, state.streamed
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


def _streamed_densities(streamed: StreamedRows, z: np.ndarray) -> np.ndarray:
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


def streamed_log_likelihood(streamed: StreamedRows, z: np.ndarray) -> dict[str, np.ndarray]:
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

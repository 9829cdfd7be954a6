"""Chunks of steps as programs: one takes them, the other keeps what they pass through as well."""

from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PRNGKeyArray, PyTree

from taut import seed
from taut.batches import AbstractBatches
from taut.descent.stepper import AbstractStepper
from taut.target import Target

# One program serves every chunk: the steps of a chunk are an argument, bounded by its buffer.
BUFFER = 8192
# Steps in a row without a finite loss, after which a fit is given up.
PATIENCE = 100


class Passed(eqx.Module):
    """Where a run stands after some step; many of them are one, stacked."""

    state: PyTree
    skipped: Int[Array, "*many"]
    in_a_row: Int[Array, "*many"]


class Chunk(eqx.Module):
    """What a chunk of steps hands on."""

    passed: Passed
    losses: Float[Array, " buffer"]
    done: Int[Array, ""]


def run_chunk(
    stepper: AbstractStepper,
    target: Target,
    batches: AbstractBatches,
    state: PyTree,
    key_words: Array,
    first: Int[Array, ""],
    steps: Int[Array, ""],
    in_a_row: Int[Array, ""],
) -> Chunk:
    """Take up to `steps` steps on the device; a program for `Programs`.

    The noise of a step is a function of the key and the step's number alone, so that results do
    not depend on where one chunk ends and the next begins. A step whose loss or new state is not
    finite leaves the state as it was.
    """
    step = _step(stepper, target, batches, seed.key(key_words), first)
    return jax.lax.while_loop(_goes_on(steps), step, _begin(target, state, in_a_row))


def run_recorded(
    stepper: AbstractStepper,
    target: Target,
    batches: AbstractBatches,
    state: PyTree,
    key_words: Array,
    first: Int[Array, ""],
    steps: Int[Array, ""],
    in_a_row: Int[Array, ""],
    looks: Int[Array, " slots"],
) -> tuple[Chunk, Passed]:
    """Take the same steps, and keep where they stand after those in `looks`, which ascend.

    The last look is at the end of the chunk, which hands that on itself.
    """
    step = _step(stepper, target, batches, seed.key(key_words), first)

    def to_next_look(carry: tuple[Chunk, Passed, Array]) -> tuple[Chunk, Passed, Array]:
        chunk, kept, slot = carry
        # A loop of its own, as in a chunk without looks: so its arithmetic is the same to the last
        # bit, which it is not where XLA sees step and record in one.
        chunk = jax.lax.while_loop(_goes_on(looks[slot]), step, chunk)
        put = jax.lax.dynamic_update_index_in_dim
        kept = jax.tree.map(lambda many, one: put(many, one, slot, 0), kept, chunk.passed)
        return chunk, kept, slot + 1

    begin = _begin(target, state, in_a_row)
    slots, zero = looks.shape[0], jnp.zeros((), jnp.int32)
    kept = jax.tree.map(lambda one: jnp.broadcast_to(one, (slots, *one.shape)), begin.passed)
    goes_on = _goes_on(steps)
    carry = jax.lax.while_loop(lambda c: goes_on(c[0]), to_next_look, (begin, kept, zero))
    return carry[0], carry[1]


def all_finite(tree: PyTree) -> Array:
    """Check whether every number in a tree is finite, inside a program."""
    leaves = jax.tree.leaves(eqx.filter(tree, eqx.is_inexact_array))
    return jnp.all(jnp.stack([jnp.all(jnp.isfinite(leaf)) for leaf in leaves]))


def _begin(target: Target, state: PyTree, in_a_row: Int[Array, ""]) -> Chunk:
    zero = jnp.zeros((), jnp.int32)
    state = jax.tree.map(jnp.asarray, state)
    return Chunk(Passed(state, zero, in_a_row), jnp.zeros(BUFFER, target.dtype), zero)


def _goes_on(steps: Int[Array, ""]) -> Callable[[Chunk], Array]:
    return lambda chunk: (chunk.done < steps) & (chunk.passed.in_a_row < PATIENCE)


def _step(
    stepper: AbstractStepper,
    target: Target,
    batches: AbstractBatches,
    key: PRNGKeyArray,
    first: Int[Array, ""],
) -> Callable[[Chunk], Chunk]:
    def step(chunk: Chunk) -> Chunk:
        number, passed = first + chunk.done, chunk.passed
        noise_key, batch_key = jax.random.split(jax.random.fold_in(key, number))
        batch = batches.draw(batch_key, number)
        state, loss = stepper.step(passed.state, target, batch, noise_key)
        finite = jnp.isfinite(loss) & all_finite(stepper.family(state))
        passed = Passed(
            jax.tree.map(lambda new, old: jnp.where(finite, new, old), state, passed.state),
            passed.skipped + jnp.where(finite, 0, 1).astype(jnp.int32),
            jnp.where(finite, 0, passed.in_a_row + 1).astype(jnp.int32),
        )
        losses = chunk.losses.at[chunk.done].set(loss.astype(chunk.losses.dtype))
        return Chunk(passed, losses, chunk.done + 1)

    return step

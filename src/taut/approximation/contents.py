"""What outlives the process of a fit: all of it but its model, and what was compiled."""

from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Self, final

import jax
import jax.numpy as jnp
import numpy as np

from taut.approximation.record import Record
from taut.approximation.state import State
from taut.batches import ConstantFeed
from taut.family import AbstractFamily
from taut.frontend import AbstractSource
from taut.target import Batching, StepData, Target


@final
@dataclass(frozen=True)
class Contents:
    """What an approximation is made of again, together with its model.

    Parameters
    ----------
    family
        The density, with its parameters.
    record
        How it was reached.
    random_seed
        Of the approximation.
    calls
        How often draws were asked for without a seed of their own.
    scale
        Rows over batch rows in the steps of the fit; `None` if it took none.
    batching
        How rows were read that are not the model's own; `None` where there are none.
    """

    family: AbstractFamily
    record: Record
    random_seed: int
    calls: int
    scale: float | None = None
    batching: Batching | None = None

    @classmethod
    def of(cls, state: State, record: Record, random_seed: int, calls: int) -> Self:
        """Take what an approximation has reached."""
        stepping = state.stepping
        return cls(
            state.family,
            copied(record),
            random_seed,
            calls,
            None if stepping is None else float(stepping.scale),
            None if state.streamed is None else state.batching,
        )

    def state(self, source: AbstractSource) -> State:
        """Return the state that was reached, with a model."""
        target = source.target()
        stepping = self._stepping(source, target)
        return State(self.family, target, stepping, self.batching or Batching())

    def _stepping(self, source: AbstractSource, target: Target) -> StepData | None:
        if self.batching is not None:
            with target.precision():
                start = np.asarray(self.family.mean())
            stepping = source.stepping(target, self.batching, start, self.random_seed)
            if stepping is None:
                return None
            # Nobody takes steps here, and a thread would read ahead for them.
            stepping.feed.close()
            return stepping.after_steps()
        # Steps that are taken from now on prepare their own.
        return (
            None
            if self.scale is None
            else StepData(target, ConstantFeed(target.batches), self.scale)
        )

    def __reduce__(self) -> Any:
        leaves, tree = jax.tree.flatten(self.family)
        on_device = tuple(isinstance(leaf, jax.Array) for leaf in leaves)
        pairs = zip(leaves, on_device, strict=True)
        arrays = [np.asarray(leaf) if there else leaf for leaf, there in pairs]
        family = jax.tree.unflatten(tree, arrays)
        others = self.record, self.random_seed, self.calls, self.scale, self.batching
        return partial(_with_arrays, on_device), (family, *others)


def copied(record: Record) -> Record:
    """Return a record that can be written in alone."""
    return replace(
        record,
        hist=np.array(record.hist),
        timing=replace(record.timing),
        journal=record.journal.copy(),
    )


def _with_arrays(on_device: tuple[bool, ...], family: AbstractFamily, *others: Any) -> Contents:
    """Put arrays back on the device, in their precision, whatever JAX is told otherwise."""
    leaves, tree = jax.tree.flatten(family)
    with jax.enable_x64(True):
        pairs = zip(leaves, on_device, strict=True)
        arrays = [jnp.asarray(leaf) if there else leaf for leaf, there in pairs]
    return Contents(jax.tree.unflatten(tree, arrays), *others)

"""Fits of many data sets that advance together, in programs that are compiled once."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import batched
from typing import Any

import jax
import numpy as np

from taut.approximation import Approximation
from taut.engine import Devices
from taut.many.device import begin, go_on, go_on_in, on_devices
from taut.many.judged import judged
from taut.many.member import Member
from taut.many.settled import settled
from taut.target import Target

# Data sets of one call, on each device.
_TOGETHER = 16
# Rounds before each judgement: of which the first two learn, one more, and in coordinates of any
# kind some of which the first is not counted.
_ROUNDS = (3, 1, 3)
# The same where chains alone judge: the first four learn, and each judgement compares the halves of
# what came after these.
_ROUNDS_ALONE = (10, 6, 12)

Found = Iterator[tuple[Member, Approximation | None]]


def side_by_side(members: Sequence[Member], devices: Devices | None = None) -> Found:
    """Fit data sets together; `None` comes with those that are not trusted.

    Chains of each are scattered around where paths from several starts end, and move for two
    rounds from which coordinates are learnt. In these they move for one round more, Student's t is
    drawn from, and its draws are weighed: weights and chains judge one another. Where they do not
    agree chains go on, in coordinates that weights have chosen. Of a model with scales that no
    prior ties to other elements the chains' own draws are the result, once two halves agree.

    Parameters
    ----------
    members
        Of one model.
    devices
        Each of which has some of them; `None` for one.
    """
    for alike in _by_shape(members, lambda one: one.target):
        yield from _of_one_shape(alike, devices)


def _of_one_shape(members: Sequence[Member], devices: Devices | None) -> Found:
    yield from _by_weights([one for one in members if not one.is_left_to_chains], devices)
    yield from _by_chains([one for one in members if one.is_left_to_chains], devices)


def _by_chains(members: Sequence[Member], devices: Devices | None) -> Found:
    """Let chains go on until the halves of what they did agree."""
    waiting = list(members)
    for left, rounds in zip(reversed(range(len(_ROUNDS_ALONE))), _ROUNDS_ALONE, strict=True):
        goes_on = list[Member]()
        for some in _in_calls(waiting, devices):
            _advance(some, rounds, devices)
            for one in some:
                found = _settled(one)
                if found is not None or not left or not one.is_right:
                    yield one, found
                else:
                    goes_on.append(one)
        waiting = goes_on


def _settled(member: Member) -> Approximation | None:
    if not member.is_right:
        return None
    try:
        return settled(member)
    except (np.linalg.LinAlgError, ValueError):
        return None


def _by_weights(members: Sequence[Member], devices: Devices | None) -> Found:
    """Let weights of draws near the chains judge, and be judged by these."""
    waiting = list(members)
    for left, rounds in zip(reversed(range(len(_ROUNDS))), _ROUNDS, strict=True):
        goes_on = list[Member]()
        for some in _in_calls(waiting, devices):
            _advance(some, rounds, devices)
            for one in some:
                found, better = _judged(one)
                if better is None or not left:
                    yield one, found
                    continue
                goes_on.append(one)
                if left == 1:
                    one.bend(*better)
        waiting = goes_on


def _judged(member: Member) -> tuple[Approximation | None, Any]:
    """Judge one; what numbers can not be computed with is left to a fit of its own."""
    if not member.is_right:
        return None, None
    try:
        return judged(member)
    except (np.linalg.LinAlgError, ValueError):
        return None, None


def _in_calls(members: Sequence[Member], devices: Devices | None) -> Iterator[tuple[Member, ...]]:
    """Cut data sets into those of one call, which have coordinates of one kind."""
    for alike in _by_shape(members, lambda one: one.state):
        yield from batched(alike, _together(devices))


def _together(devices: Devices | None) -> int:
    return _TOGETHER * (1 if devices is None else devices.count)


def _advance(members: Sequence[Member], rounds: int, devices: Devices | None) -> None:
    """Let the chains of some data sets make so many rounds."""
    # The last one fills the call up.
    filled = [*members, *[members[-1]] * (_together(devices) - len(members))]
    targets = _stacked([member.target for member in filled])
    words = _stacked([member.words for member in filled])
    if members[0].state is None:
        starts = _stacked([member.starts() for member in filled])
        values, *begun = _call(devices, begin, targets, starts, words)
        for member, value, state in zip(members, values, _each(tuple(begun)), strict=False):
            member.begin(float(value), state)
    program = go_on_in if members[0].is_bent else go_on
    for _ in range(rounds):
        states = _stacked([member.state for member in filled])
        numbers = np.array([member.number for member in filled], np.int32)
        rates = np.array([member.rate for member in filled], targets.dtype)
        made = _call(devices, program, targets, *states, rates, words, numbers)
        for member, one in zip(members, _each(made), strict=False):
            member.advance(one)


def _call(devices: Devices | None, program: Any, targets: Target, *args: Any) -> Any:
    """Call a program of many data sets, of which each device takes as many as one alone would."""
    if devices is None:
        return targets.programs(program, targets, *args)
    with targets.precision():
        parted = jax.tree.map(devices.place, (targets, *args))
    return targets.programs(on_devices, devices, program, *parted)


def _by_shape(members: Sequence[Member], of: Any) -> list[list[Member]]:
    """Group data sets by the structure and the shapes of something."""
    found: dict[Any, list[Member]] = defaultdict(list)
    for member in members:
        leaves, tree = jax.tree.flatten(of(member))
        found[tree, tuple((leaf.shape, leaf.dtype.name) for leaf in leaves)].append(member)
    return list(found.values())


def _stacked(trees: Sequence[Any]) -> Any:
    """Join trees of arrays along a new first axis."""
    return jax.tree.map(lambda *leaves: np.stack(leaves), *trees)


def _each(tree: Any) -> Iterator[Any]:
    """Take apart what `_stacked` has joined."""
    arrays = jax.tree.map(np.asarray, tree)
    for i in range(len(jax.tree.leaves(arrays)[0])):
        yield jax.tree.map(lambda leaf, i=i: leaf[i], arrays)

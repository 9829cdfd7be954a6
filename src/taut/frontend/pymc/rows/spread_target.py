"""Targets whose rows are spread over devices."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from taut.batches import all_dealt
from taut.engine import Devices
from taut.errors import ArgumentError, ModelError
from taut.frontend.pymc.rows.batch_terms import BatchTerms
from taut.frontend.pymc.rows.row_graph import RowGraph
from taut.frontend.pymc.rows.spread_terms import SpreadTerms
from taut.rows import Partition
from taut.target import Target

# Blocks of all rows at least: any number of devices that divides it adds up the same numbers.
# Chains, and algorithms that follow gradients for long, make much of a last bit.
_BLOCKS = 8
# Unknowns up to which devices tell one another the gradients of all blocks; above, that of a device
# alone, which is a fraction of the bytes.
_FEW = 4096


def in_parts(target: Target, partitions: Sequence[Partition], devices: Devices) -> Target:
    """Return a target of batches on one device as one of batches that devices have parts of.

    Parameters
    ----------
    target
        The target on one device.
    partitions
        For each group how an epoch is cut.
    devices
        The devices.

    Raises
    ------
    ModelError
        JAX can not evaluate the density.
    ArgumentError
        There are fewer rows than devices.
    """
    parts, terms = devices.count, _terms(target)
    _check(terms, min(one.rows // one.batches for one in partitions), parts, devices)
    ragged = tuple(one.width % parts != 0 or one.is_ragged for one in partitions)
    spread = SpreadTerms(replace(terms, ragged=ragged), devices, parts, in_order=False)
    return replace(target, terms=spread, devices=devices)


def spread_target(target: Target, graph: RowGraph, devices: Devices) -> Target:
    """Return the density of all rows, which devices have in turn.

    Parameters
    ----------
    target
        Of batches, on one device.
    graph
        Has the rows.
    devices
        The devices.

    Raises
    ------
    ModelError, ArgumentError
        As by `in_parts`.
    """
    terms, counts = _terms(target), [group.rows.count for group in graph.groups]
    in_order = target.dim <= _FEW
    blocks = devices.count * (-(-_BLOCKS // devices.count) if in_order else 1)
    _check(terms, min(counts), blocks, devices)
    terms = replace(terms, ragged=tuple(count % blocks != 0 for count in counts))
    one = np.asarray(1.0, target.dtype)
    whole = tuple(
        all_dealt([array.values() for array in group.arrays], one, devices, blocks)
        for group in graph.groups
    )
    spread = SpreadTerms(terms, devices, blocks, in_order)
    return replace(target, terms=spread, whole=whole, devices=devices)


def _terms(target: Target) -> BatchTerms:
    assert isinstance(target.terms, BatchTerms)
    return target.terms


def _check(terms: BatchTerms, rows: int, parts: int, devices: Devices) -> None:
    if not terms.lifted.reads_inputs:
        raise ModelError(
            "Rows can be spread over devices only where JAX evaluates the model, and PyTensor "
            "evaluates this one on the host. Leave devices out."
        )
    if rows < parts:
        raise ArgumentError(
            f"devices spreads the rows of a gradient over {devices.count} devices, in {parts} "
            f"parts, and there are {rows} of them. Leave devices out, or take batches of more rows."
        )

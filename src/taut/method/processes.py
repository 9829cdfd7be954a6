"""What several processes that fit together have to agree on."""

import zlib
from typing import Any

import jax
import numpy as np

from taut.engine import Devices
from taut.errors import ArgumentError
from taut.method.fit_arguments import DirectArguments
from taut.target import Batching, Target


def check_processes(batching: Batching, target: Target, random_seed: Any) -> None:
    """Refuse processes that fit different models, data or seeds: each would wait for the others.

    Parameters
    ----------
    batching
        The arguments that concern rows.
    target
        What this process fits.
    random_seed
        By which.

    Raises
    ------
    ArgumentError
        Rows come from a source.
    ProcessError
        Others fit something else.
    """
    devices = batching.devices
    if devices is None or not devices.spans_processes:
        return
    _refuse_source(batching)
    shapes = [
        (leaf.shape, str(leaf.dtype)) for leaf in jax.tree.leaves((target.data, target.whole))
    ]
    told = {
        "random_seed": repr(random_seed),
        "The model, or the shape of its data,": repr((target.space, shapes)),
        "The data": _content(target.data),
    }
    for what, words in told.items():
        number = zlib.crc32(words.encode()) & 0x7FFFFFFF
        devices.check_same(what, np.array(number))


def check_shared(devices: Devices | None, given: DirectArguments) -> None:
    """Refuse what ends a fit, or recalls its results, in one process and not in others.

    Raises
    ------
    ArgumentError
        It is given.
    """
    if devices is None or not devices.spans_processes:
        return
    if given.max_seconds is not None:
        raise ArgumentError(
            "max_seconds ends a fit by the clock of a process, and several fit together: the "
            "others would wait. Leave max_seconds out, or bound the iterations by n."
        )
    if given.checkpoint is not None:
        raise ArgumentError(
            "A fit that ends by itself keeps what programs return in one process, and several fit "
            'together. Leave checkpoint out, or choose a method that takes steps: method="advi".'
        )


def _refuse_source(batching: Batching) -> None:
    """Refuse rows that each process would read all of."""
    if batching.source is not None:
        raise ArgumentError(
            "rows is a source, which is not read in parts by several processes. Give the model "
            "all rows, or fit in one process."
        )


def _content(data: Any) -> str:
    here = [leaf for leaf in jax.tree.leaves(data) if leaf.is_fully_addressable]
    return repr([zlib.crc32(np.ascontiguousarray(leaf).view(np.uint8)) for leaf in here])

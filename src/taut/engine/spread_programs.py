"""Programs that run on several devices, because an argument of theirs is spread over these."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, final

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from taut.errors import ProcessError

# Two programs whose devices wait for one another would each hold some of them.
_one_at_a_time = threading.Lock()


@final
@dataclass(frozen=True, eq=False)
class SpreadProgram:
    """A compiled program of several devices, whose results are as those of any other.

    Parameters
    ----------
    compiled
        The program. Its results are the same on all devices.
    """

    compiled: Any

    def __call__(self, *arrays: Any) -> Any:
        spans = not all(map(_is_here, arrays))
        if spans:
            # Processes have each their own array of what is the same in all of them.
            arrays = tuple(one if mesh_of([one]) is not None else np.asarray(one) for one in arrays)
        with _one_at_a_time:
            try:
                found = jax.block_until_ready(self.compiled(*arrays))
            except jax.errors.JaxRuntimeError as error:
                if spans:
                    raise ProcessError(_ENDED) from error
                raise
        return jax.tree.map(_in_hand, found)

    def as_text(self) -> str:
        """Return what XLA has made of it."""
        return self.compiled.as_text()


_ENDED = (
    "Another process of this fit has ended, or can not be reached. What was kept by checkpoint is "
    "there: start all processes again, and go on by taut.resume(folder)."
)


def _is_here(array: Any) -> bool:
    return not isinstance(array, jax.Array) or array.is_fully_addressable


def described(arrays: Sequence[Any]) -> Sequence[Any]:
    """Describe arrays to a program of several devices, whichever process they are in."""
    if mesh_of(arrays) is None:
        return arrays
    return [jax.ShapeDtypeStruct(one.shape, one.dtype) for one in arrays]


def mesh_of(arrays: Sequence[Any]) -> Mesh | None:
    """Return the devices that some of the arrays are spread over; `None` where none is."""
    for array in arrays:
        if isinstance(array, jax.Array) and isinstance(array.sharding, NamedSharding):
            mesh = array.sharding.mesh
            assert isinstance(mesh, Mesh)
            return mesh
    return None


def places(arrays: Sequence[Any]) -> dict[str, Any]:
    """Return what `jax.jit` has to know of arrays, some of which may be spread over devices.

    What is spread stays where it is. All devices have everything else, and all results.
    """
    mesh = mesh_of(arrays)
    if mesh is None:
        return {}
    on_all = NamedSharding(mesh, PartitionSpec())
    own = tuple(one.sharding if mesh_of([one]) is not None else on_all for one in arrays)
    return {"in_shardings": own, "out_shardings": on_all}


def _in_hand(leaf: jax.Array) -> jax.Array:
    """Return a result where programs of one device take it from."""
    return jax.device_put(np.asarray(leaf.addressable_data(0)))

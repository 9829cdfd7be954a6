"""Programs that run on several devices, because an argument of theirs is spread over these."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, final

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

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
        with _one_at_a_time:
            return jax.tree.map(_in_hand, jax.block_until_ready(self.compiled(*arrays)))

    def as_text(self) -> str:
        """Return what XLA has made of it."""
        return self.compiled.as_text()


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

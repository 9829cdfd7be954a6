"""Devices that one fit is spread over."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal, final

import jax
import numpy as np
from jax.experimental import multihost_utils
from jax.sharding import AxisType, Mesh, NamedSharding, PartitionSpec
from jaxtyping import PyTree

from taut.arguments import is_positive
from taut.errors import ArgumentError, ProcessError

# One of `jax.devices()`, which pyright does not take for a type.
type Device = Any

# What the devices are along, for collectives.
AXIS = "devices"

# What a user gives as `devices`.
AnyDevices = Literal["all"] | int | Mesh | Sequence[Device] | None


@final
@dataclass(frozen=True)
class Devices:
    """Devices, each of which has a part of the rows; what is no row all of them have.

    Pickled, they are so many of those there are, or fewer where there are fewer; all where there
    are several processes.

    Parameters
    ----------
    members
        The devices, in the order of their parts.

    Examples
    --------
    >>> import jax, numpy as np
    >>> from taut.engine import Devices
    >>> one = Devices(tuple(jax.devices()[:1]))
    >>> one.count, one.place(np.arange(3)).shape
    (1, (3,))
    """

    members: tuple[Device, ...]

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self.members)

    @property
    def mesh(self) -> Mesh:
        """The same for JAX."""
        return _mesh(self.members)

    @property
    def spans_processes(self) -> bool:
        """Whether some are those of other processes."""
        return any(one.process_index != jax.process_index() for one in self.members)

    @property
    def is_first_process(self) -> bool:
        """Whether this process tells of a fit, and writes it down."""
        return min(one.process_index for one in self.members) == jax.process_index()

    def place(self, array: np.ndarray) -> jax.Array:
        """Put an array on the devices: of its first axis, which they divide, a part on each.

        Processes are all given the whole of it, and put the parts of their devices there.
        """
        return _placed(array, NamedSharding(self.mesh, PartitionSpec(AXIS)))

    def check_same(self, what: str, numbers: np.ndarray) -> None:
        """Refuse what processes were given that is not the same in all of them.

        Parameters
        ----------
        what
            It, in words.
        numbers
            What tells it from others.

        Raises
        ------
        ProcessError
            It differs.
        """
        if not self.spans_processes:
            return
        everywhere = multihost_utils.process_allgather(np.asarray(numbers, np.int32))
        if (everywhere != everywhere[0]).any():
            raise ProcessError(
                f"{what} is not the same in all processes of this fit. Give all of them the same "
                "model, data and arguments, random_seed among these."
            )

    def everywhere(self, tree: PyTree) -> PyTree:
        """Put the arrays of a tree on all devices, the whole of each."""
        place = NamedSharding(self.mesh, PartitionSpec())
        return jax.tree.map(lambda leaf: _placed(leaf, place), tree)

    def on_all(self, array: jax.Array) -> jax.Array:
        """Let all devices have the whole of an array, inside a program; of its slope, too."""
        return jax.lax.with_sharding_constraint(array, NamedSharding(self.mesh, PartitionSpec()))

    def each[**P, R](self, function: Callable[P, R], parted: PyTree, made: PyTree) -> Any:
        """Return a function that every device calls with its parts.

        Parameters
        ----------
        function
            What is called. Inside, `jax.lax.axis_index` of `AXIS` is the number of the device.
        parted, made
            For each argument, and for each result, whether it is parted over the devices; else it
            is the same on all of them, and has no slope.
        """
        specs = (jax.tree.map(_spec, tree) for tree in (parted, made))
        in_specs, out_specs = specs
        # What is traced once for all calls knows of no devices, which the check would ask for.
        return jax.shard_map(
            function, mesh=self.mesh, in_specs=in_specs, out_specs=out_specs, check_vma=False
        )

    def __reduce__(self) -> Any:
        return _so_many, (self.count,)


def tells(devices: Devices | None) -> bool:
    """Return whether this process is the one that shows how a fit on some devices goes."""
    return devices is None or devices.is_first_process


def _placed(array: Any, place: NamedSharding) -> jax.Array:
    if place.is_fully_addressable:
        return jax.device_put(array, place)
    whole = np.asarray(array)
    return jax.make_array_from_callback(whole.shape, place, lambda part: whole[part])


def as_devices(devices: AnyDevices) -> Devices | None:
    """Read the argument `devices`; `None` for the one device that JAX takes by default.

    Raises
    ------
    ArgumentError
        There are no such devices.
    """
    if devices is None:
        return None
    found = _listed(devices)
    return None if found == tuple(jax.devices()[:1]) else Devices(found)


def _listed(devices: Any) -> tuple[Device, ...]:
    """Return the devices that are meant, checked."""
    there = tuple(jax.devices())
    if isinstance(devices, str) and devices == "all":
        return there
    if isinstance(devices, Mesh):
        return _of_mesh(devices)
    if isinstance(devices, int | np.integer | float | bool | str):
        return _so_many_of(there, devices)
    if not isinstance(devices, Sequence | np.ndarray):
        raise ArgumentError(f"{_EXPECTED}, got {devices!r} ({type(devices).__name__}).")
    found = tuple(devices)
    strange = [one for one in found if one not in there]
    if strange or not found:
        came = f"{strange[0]!r} among them" if strange else "an empty sequence"
        raise ArgumentError(f"{_EXPECTED}, got {came}. There are: {_words(there)}.")
    if len(set(found)) < len(found):
        twice = next(one for one in found if found.count(one) > 1)
        raise ArgumentError(f"devices lists {twice} twice; list each device once.")
    return found


_EXPECTED = (
    'devices must be "all", a number of devices, a jax.sharding.Mesh of one axis, or a sequence of '
    "jax.devices()"
)


def _of_mesh(mesh: Mesh) -> tuple[Device, ...]:
    if mesh.devices.ndim != 1:
        axes = ", ".join(f"{name!r} of {size}" for name, size in mesh.shape.items())
        raise ArgumentError(
            f"devices must be a mesh of one axis, along which rows are spread; got one of the axes "
            f"{axes or 'none'}. Give its devices in a row: devices=list(mesh.devices.flat)."
        )
    return tuple(mesh.devices)


def _so_many_of(there: Sequence[Device], count: Any) -> tuple[Device, ...]:
    if not is_positive(count):
        raise ArgumentError(f"{_EXPECTED}, got {count!r}. There are {len(there)} devices.")
    if jax.process_count() > 1:
        raise ArgumentError(
            f"devices={count} does not say which, where {jax.process_count()} processes have "
            f'devices: write devices="all", or list some of jax.devices().'
        )
    if count > len(there):
        hint = ""
        if jax.default_backend() == "cpu":
            hint = (
                " A CPU is one device, unless JAX is told otherwise before it starts: "
                f'jax.config.update("jax_num_cpu_devices", {count}).'
            )
        only = "there is only one device" if len(there) == 1 else f"there are {len(there)} devices"
        raise ArgumentError(f"devices={count}, but {only}: {_words(there)}.{hint}")
    return tuple(there[:count])


def _words(devices: Sequence[Device]) -> str:
    return ", ".join(map(str, devices))


def _so_many(count: int) -> Devices:
    there = jax.devices()
    return Devices(tuple(there[:count] if jax.process_count() == 1 else there))


# A mesh is an argument of every call of a function that devices share.
@lru_cache(maxsize=16)
def _mesh(devices: tuple[Device, ...]) -> Mesh:
    return Mesh(np.array(devices), (AXIS,), axis_types=(AxisType.Auto,))


def _spec(is_parted: bool) -> PartitionSpec:
    return PartitionSpec(AXIS) if is_parted else PartitionSpec()

"""A target in coordinates of its own, as nutpie samples one."""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import numpy as np
from jaxtyping import Array, Float

from taut.approximation.nuts_coordinates import NutsCoordinates
from taut.target import Target


def nutpie_model(
    target: Target,
    starts: Float[np.ndarray, "points dim"],
    coordinates: NutsCoordinates,
) -> Any:
    """Build a model of nutpie, with the log density of x, which is pushed to z.

    Parameters
    ----------
    target
        The log density of z.
    starts
        Points z; the seed of a chain chooses one of them.
    coordinates
        What x are.

    Raises
    ------
    ModuleNotFoundError
        nutpie is not installed.
    """
    try:
        from nutpie.compiled_pyfunc import from_pyfunc
        from pandas import Index  # of nutpie's own dependencies
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError("nutpie is not installed: pip install nutpie.") from error

    pull = _on_host((target, coordinates), _pulled)
    at_x = [pull(z) for z in starts]
    density = _on_host((target, coordinates), _density)
    draw = _on_host((target, coordinates), _constrained)
    # Compiled here, and not by each chain in its thread.
    density(at_x[0])
    made = draw(at_x[0])
    shapes = {name: value.shape for name, value in made.items()}
    return from_pyfunc(
        target.dim,
        lambda: lambda x: (float((found := density(x))[0]), found[1]),
        lambda *_: draw,
        [np.dtype("float64")] * len(shapes),
        list(shapes.values()),
        list(shapes),
        coords={name: Index(values) for name, values in target.labels.coords.items()},
        dims=_dims(target, shapes),
        make_initial_point_fn=lambda seed: at_x[seed % len(at_x)],
    )


def _dims(target: Target, names: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """Name the dims of those variables all of whose dims have coordinates."""
    coords, dims = target.labels.coords, target.labels.dims
    return {
        name: tuple(str(dim) for dim in dims[name])
        for name in names
        if name in dims and all(dim in coords for dim in dims[name])
    }


def _on_host(known: tuple[Target, NutsCoordinates], program: Callable[..., Any]) -> Callable:
    """Call a compiled program with a vector, for arrays of NumPy in 64 bits."""
    dtype = np.dtype(known[0].dtype)
    leaves, tree = jax.tree.flatten(known)
    # Not one of `Programs`, which looks a program up at each call: some hundred thousand follow.
    jitted = jax.jit(lambda leaves, x: program(*jax.tree.unflatten(tree, leaves), x))

    def call(x: np.ndarray) -> Any:
        with jax.enable_x64(dtype.itemsize == 8):
            made = jitted(leaves, x.astype(dtype))
        return jax.tree.map(lambda a: np.asarray(a, "float64", order="C"), made)

    return call


def _pulled(target: Target, coordinates: NutsCoordinates, z: Array) -> Array:
    return coordinates.pull(z)


def _density(target: Target, coordinates: NutsCoordinates, x: Array) -> tuple[Array, Array]:
    def log_density(x: Array) -> Array:
        z, log_det = coordinates.push(x)
        return target.log_density(z) + log_det

    return jax.value_and_grad(log_density)(x)


def _constrained(target: Target, coordinates: NutsCoordinates, x: Array) -> dict[str, Array]:
    return dict(target.constrain(coordinates.push(x)[0]))

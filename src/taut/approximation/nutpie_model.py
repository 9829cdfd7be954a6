"""A target in coordinates of its own, as nutpie samples one."""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from taut.target import Target


def nutpie_model(
    target: Target,
    starts: Float[np.ndarray, "points dim"],
    mean: Float[np.ndarray, " dim"],
    root: Float[np.ndarray, "dim dim"] | Float[np.ndarray, " dim"],
) -> Any:
    r"""Build a model of nutpie, with the log density of x, where :math:`z = \mu + R x`.

    Parameters
    ----------
    target
        The log density of z.
    starts
        Points z; the seed of a chain chooses one of them.
    mean, root
        :math:`\mu` and :math:`R`, a matrix or the elements of a diagonal one.

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

    # Each of them in one piece of memory.
    at_x = np.ascontiguousarray(_x_of(starts, mean, root))
    density = _on_host(target, _density, mean, root)
    draw = _on_host(target, _constrained, mean, root)
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


def _x_of(z: np.ndarray, mean: np.ndarray, root: np.ndarray) -> np.ndarray:
    away = z - mean
    return away / root if root.ndim == 1 else np.linalg.solve(root, away.T).T


def _dims(target: Target, names: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    """Name the dims of those variables all of whose dims have coordinates."""
    coords, dims = target.labels.coords, target.labels.dims
    return {
        name: tuple(str(dim) for dim in dims[name])
        for name in names
        if name in dims and all(dim in coords for dim in dims[name])
    }


def _on_host(target: Target, program: Callable[..., Any], *fixed: Any) -> Callable[..., Any]:
    """Call a compiled program with a vector, for arrays of NumPy in 64 bits."""
    dtype, leaves = np.dtype(target.dtype), jax.tree.leaves(target)
    tree = jax.tree.structure(target)
    # Not one of `Programs`, which looks a program up at each call: some hundred thousand follow.
    jitted = jax.jit(lambda leaves, x: program(jax.tree.unflatten(tree, leaves), *fixed, x))

    def call(x: np.ndarray) -> Any:
        with jax.enable_x64(dtype.itemsize == 8):
            made = jitted(leaves, x.astype(dtype))
        return jax.tree.map(lambda a: np.asarray(a, "float64", order="C"), made)

    return call


def _z_of(x: Array, mean: Array, root: Array) -> Array:
    return mean + (root * x if jnp.ndim(root) == 1 else root @ x)


def _density(target: Target, mean: Array, root: Array, x: Array) -> tuple[Array, Array]:
    return jax.value_and_grad(lambda x: target.log_density(_z_of(x, mean, root)))(x)


def _constrained(target: Target, mean: Array, root: Array, x: Array) -> dict[str, Array]:
    return dict(target.constrain(_z_of(x, mean, root)))

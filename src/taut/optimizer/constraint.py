"""Constraints on the norms of arrays."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array

from taut.errors import ArgumentError
from taut.optimizer.base import Params, Scalar, Tensor
from taut.optimizer.dtypes import strong_like


def norm_constraint(
    tensor_var: Tensor,
    max_norm: Scalar,
    norm_axes: Sequence[int] | None = None,
    epsilon: Scalar = 1e-7,
) -> Tensor:
    """Rescale the vectors of an array whose norm is too large.

    With the norm over ``norm_axes`` of each vector::

        tensor_var * min(norm, max_norm) / (norm + epsilon)

    Parameters
    ----------
    tensor_var
        The array: parameters, gradients or steps.
    max_norm
        The largest norm that is let through.
    norm_axes
        The axes over which a norm goes. By default the first of a matrix, and all
        but the first of an array of 3 to 5 dimensions.
    epsilon
        Keeps the divisor from 0.

    Raises
    ------
    ArgumentError
        If there is no default axis for so many dimensions. It is a ``ValueError``.

    References
    ----------
    Srivastava, N., Hinton, G., Krizhevsky, A., Sutskever, I. and Salakhutdinov, R. (2014).
    Dropout: a simple way to prevent neural networks from overfitting. JMLR 15, 1929-1958.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> from taut.optimizer import norm_constraint
    >>> print(norm_constraint(jnp.array([[3.0, 0.3], [4.0, 0.4]]), max_norm=1.0).round(3))
    [[0.6 0.3]
     [0.8 0.4]]
    """
    axes = default_axes(jnp.ndim(tensor_var)) if norm_axes is None else tuple(norm_axes)
    norms = jnp.sqrt(jnp.sum(jnp.square(tensor_var), axis=axes, keepdims=True))
    return strong_like(tensor_var * shrink(norms, max_norm, epsilon), tensor_var)


def total_norm_constraint(
    tensor_vars: Params,
    max_norm: Scalar,
    epsilon: Scalar = 1e-7,
    return_norm: bool = False,
) -> Params | tuple[Params, Array]:
    """Rescale arrays whose norm taken together is too large.

    With the norm over all entries of all arrays::

        tensor * min(norm, max_norm) / (norm + epsilon)

    Parameters
    ----------
    tensor_vars
        A list, or any pytree, of arrays.
    max_norm
        The largest norm that is let through.
    epsilon
        Keeps the divisor from 0.
    return_norm
        Whether to return the norm before the rescaling as well.

    Returns
    -------
    pytree
        The arrays in the structure they came in; with ``return_norm`` a tuple of
        them and the norm.

    References
    ----------
    Sutskever, I., Vinyals, O. and Le, Q. V. (2014). Sequence to sequence learning with
    neural networks. NeurIPS 27, 3104-3112.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> from taut.optimizer import total_norm_constraint
    >>> grads = {"loc": jnp.array([3.0]), "scale": jnp.array([4.0])}
    >>> scaled, norm = total_norm_constraint(grads, max_norm=1.0, return_norm=True)
    >>> print(scaled["loc"].round(3), scaled["scale"].round(3), norm)
    [0.6] [0.8] 5.0
    """
    norm = jnp.asarray(optax.tree.norm(tensor_vars))
    factor = shrink(norm, max_norm, epsilon)
    scaled = strong_like(jax.tree.map(lambda x: x * factor, tensor_vars), tensor_vars)
    return (scaled, norm) if return_norm else scaled


def shrink(norm: Array, max_norm: Scalar, epsilon: Scalar) -> Array:
    """The factor that takes a norm down to the largest one."""
    return jnp.minimum(norm, max_norm) / (epsilon + norm)


def default_axes(ndim: int) -> tuple[int, ...]:
    """The axes of a norm: PyMC's, which are those of layers of neural networks."""
    if ndim == 2:
        return (0,)
    if ndim in (3, 4, 5):
        return tuple(range(1, ndim))
    raise ArgumentError(
        f"norm_axes has no default for an array of {ndim} dimensions, only for 2 to 5."
        " Name the axes of the norm, for example norm_axes=(0,)."
    )

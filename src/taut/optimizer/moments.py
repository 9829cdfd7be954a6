"""Adam and its variant on the infinity norm, with PyMC's place of epsilon."""

from typing import cast

import jax
import jax.numpy as jnp
import optax
from optax import GradientTransformation

from taut.optimizer.base import Number, Params, Rate, Scalar, Schedule, State
from taut.optimizer.check import fraction, offset, rate
from taut.optimizer.optimizer import Optimizer, build


def scale_by_adam(beta1: Number, beta2: Number, epsilon: Number) -> GradientTransformation:
    """Scale as optax's Adam does, with epsilon outside of the bias correction.

    optax corrects the root of the second moment and then adds epsilon, PyMC adds
    it first. They agree where optax's epsilon is corrected too.
    """

    def update(updates: Params, state: State, params: Params | None = None) -> tuple[Params, State]:
        bias = 1 - beta2 ** optax.safe_increment(state.count)
        scale = optax.scale_by_adam(beta1, beta2, epsilon / jnp.sqrt(bias))
        return scale.update(updates, state, params)

    return GradientTransformation(optax.scale_by_adam().init, update)


def scale_by_adamax(beta1: Number, beta2: Number, epsilon: Number) -> GradientTransformation:
    """Scale as optax's Adamax does, with epsilon outside of the maximum.

    optax keeps ``max(beta2 * norm, abs(g) + epsilon)``, in which epsilon piles up.
    Its moments without any epsilon are PyMC's; only the division is done here.
    """
    moments = optax.scale_by_adamax(beta1, beta2, eps=0.0)

    def update(updates: Params, state: State, params: Params | None = None) -> tuple[Params, State]:
        after = cast(optax.ScaleByAdamState, moments.update(updates, state, params)[1])
        mean = optax.tree.bias_correction(after.mu, beta1, after.count)
        return jax.tree.map(lambda m, u: m / (u + epsilon), mean, after.nu), after

    return GradientTransformation(moments.init, update)


def adam_rule(
    learning_rate: Number | Schedule, beta1: Number, beta2: Number, epsilon: Number
) -> GradientTransformation:
    """Scale by the moments, then by the rate."""
    return optax.chain(
        scale_by_adam(beta1, beta2, epsilon),
        optax.scale_by_learning_rate(learning_rate),
    )


def adamax_rule(
    learning_rate: Number | Schedule, beta1: Number, beta2: Number, epsilon: Number
) -> GradientTransformation:
    """Scale by the moments, then by the rate."""
    return optax.chain(
        scale_by_adamax(beta1, beta2, epsilon),
        optax.scale_by_learning_rate(learning_rate),
    )


def adam(
    learning_rate: Rate = 0.001,
    beta1: Scalar = 0.9,
    beta2: Scalar = 0.999,
    epsilon: Scalar = 1e-8,
) -> Optimizer:
    """Adam: the mean of the gradients over the root of the mean of their squares.

    With the gradient ``g``, the step's number ``t`` from 1, and moments that start
    at 0::

        m := beta1 * m + (1 - beta1) * g
        v := beta2 * v + (1 - beta2) * g**2
        rate := learning_rate * sqrt(1 - beta2**t) / (1 - beta1**t)
        param := param - rate * m / (sqrt(v) + epsilon)

    This is the paper's efficient form, and PyMC's. ``optax.adam`` adds its epsilon to
    the corrected ``v`` instead, so its first steps differ where gradients are small.

    Parameters
    ----------
    learning_rate
        The size of a step, > 0, or a schedule of optax (step count -> rate).
    beta1
        How much of the first moment stays at each step, in [0, 1).
    beta2
        How much of the second moment stays at each step, in [0, 1).
    epsilon
        Keeps the divisor from 0, >= 0.

    Raises
    ------
    OptimizerError
        If a hyper-parameter lies outside its range.

    References
    ----------
    Kingma, D. P. and Ba, J. (2014). Adam: a method for stochastic optimization.
    arXiv:1412.6980, section 2.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> from taut.optimizer import adam
    >>> optimizer, grads = adam(learning_rate=0.5), jnp.array([3.0, -7.0])
    >>> updates, state = optimizer.update(grads, optimizer.init(grads))
    >>> print(updates.round(3))
    [-0.5  0.5]
    """
    return build(
        adam_rule,
        learning_rate=rate(learning_rate),
        beta1=fraction("beta1", beta1),
        beta2=fraction("beta2", beta2),
        epsilon=offset(epsilon),
    )


def adamax(
    learning_rate: Rate = 0.002,
    beta1: Scalar = 0.9,
    beta2: Scalar = 0.999,
    epsilon: Scalar = 1e-8,
) -> Optimizer:
    """Adamax: Adam with a decaying maximum in place of the root mean square.

    With the gradient ``g``, the step's number ``t`` from 1, and moments that start
    at 0::

        m := beta1 * m + (1 - beta1) * g
        u := max(beta2 * u, abs(g))
        param := param - learning_rate / (1 - beta1**t) * m / (u + epsilon)

    Parameters
    ----------
    learning_rate
        The size of a step, > 0, or a schedule of optax (step count -> rate).
    beta1
        How much of the mean stays at each step, in [0, 1).
    beta2
        How much of the maximum stays at each step, in [0, 1).
    epsilon
        Keeps the divisor from 0, >= 0.

    Raises
    ------
    OptimizerError
        If a hyper-parameter lies outside its range.

    References
    ----------
    Kingma, D. P. and Ba, J. (2014). Adam: a method for stochastic optimization.
    arXiv:1412.6980, section 7.1.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> from taut.optimizer import adamax
    >>> optimizer, grads = adamax(learning_rate=0.5), jnp.array([3.0, -7.0])
    >>> updates, state = optimizer.update(grads, optimizer.init(grads))
    >>> print(updates.round(3))
    [-0.5  0.5]
    """
    return build(
        adamax_rule,
        learning_rate=rate(learning_rate),
        beta1=fraction("beta1", beta1),
        beta2=fraction("beta2", beta2),
        epsilon=offset(epsilon),
    )

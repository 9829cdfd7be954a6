"""Coordinates in which elements that are normal given others no longer depend on these."""

from collections.abc import Sequence
from typing import Any, final

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from taut.chains.coordinates import Composed, Coordinates, Points, Values
from taut.gradients import AbstractGradients
from taut.target import Conditionals, Target

# Points of one call of a program: a few times as many as chains, since most calls are of all draws.
_BLOCK = 256
# Units in the last place of a mean that a prior's standard deviation has to be worth.
_FINE = 64.0

Each = Float[np.ndarray, " dim"]
Vector = Float[Array, " dim"]


@final
@jax.tree_util.register_pytree_node_class
class Conditioned(Coordinates):
    r"""What is left of conditionally normal elements once their prior and some data are known.

    .. math::
        z_i = c_i + r_i x_i, \quad
        r_i = (\sigma_i^{-2} + p_i)^{-1/2}, \quad
        c_i = r_i^2 (\mu_i / \sigma_i^2 + h_i)

    with the prior's :math:`\mu_i(z)` and :math:`\sigma_i(z)`, and :math:`p_i \ge 0` and
    :math:`h_i` the precision of what data say of the element, and that times its mean. Where they
    say nothing it is the non-centred form of a hierarchical model, where they say all the centred
    one; between, it is what the posterior is for normal data. Other elements are left as they are.

    Parameters
    ----------
    target
        With conditionals.
    precision, weighted_mean
        :math:`p` and :math:`h`; 0 for other elements.
    mask
        Which elements are meant; by default, all that are normal given others.

    References
    ----------
    Papaspiliopoulos, Roberts, Sköld (2007), A general framework for the parametrization of
    hierarchical models.
    """

    def __init__(
        self, target: Target, precision: Each, weighted_mean: Each, mask: Any = None
    ) -> None:
        if mask is None:
            mask = _all_of(target)
        self.mask, self._target, self._data = mask, target, (precision, weighted_mean)

    @classmethod
    def nothing(cls, target: Target) -> "Conditioned":
        """Return the map that leaves every element as it is."""
        return cls(target, np.zeros(target.dim), np.zeros(target.dim), np.zeros(target.dim, bool))

    @property
    def target(self) -> Target:
        """The density whose elements are meant."""
        return self._target

    def push(self, x: Points) -> tuple[Points, Values]:
        z, log_det = self._call(_push, x)
        return z, log_det

    def pull(self, x: Points, slopes: Points) -> Points:
        return self._call(_pull, x, slopes)

    def tree_flatten(self) -> tuple[tuple[Any, ...], None]:
        """Return the children of the pytree."""
        return (self._target, *self._data, self.mask), None

    @classmethod
    def tree_unflatten(cls, _: None, children: tuple[Any, ...]) -> "Conditioned":
        """Return what has such children."""
        return cls(*children)

    def whiten(self, z: Points) -> Points:
        centre, root = self.place(z)
        return (z - centre) / root

    def prior(self, z: Points) -> tuple[Points, Points]:
        """Compute mean and standard deviation of the elements' priors, 0 and 1 of others."""
        return self._call(_moments, z)

    def place(self, z: Points) -> tuple[Points, Points]:
        """Compute centre and scale of the elements, 0 and 1 of other elements."""
        return place(*self.prior(z), *self._data)

    def rounded_away(self, x: Points, z: Points) -> Values:
        """Compute by how much the log density is too high for rounding; 0 where it is not.

        Where the prior is narrower than numbers are fine, elements are their means to the last
        digit, however far `x` says that they are from them.
        """
        xp, (mean, std) = z.__array_namespace__(), self.prior(z)
        precision, weighted_mean = self._data
        share = 1.0 + precision * std**2
        exact = std * (weighted_mean - precision * mean) / share + x / share**0.5
        is_fine = std > _FINE * np.finfo(self._target.dtype).eps * xp.abs(mean)
        excess = 0.5 * (exact**2 - ((z - mean) / std) ** 2)
        return xp.where(self.mask & ~is_fine, excess, 0.0).sum(axis=1)

    def _call(self, program: Any, *points: Points) -> Any:
        """Call a program for as many blocks as hold the points; the last is filled up."""
        if not isinstance(points[0], np.ndarray):
            return program(self._target, points, self._data, self.mask)
        count, blocks = len(points[0]), []
        for first in range(0, count, _BLOCK):
            numbers = np.minimum(np.arange(first, first + _BLOCK), count - 1)
            filled = [one[numbers].astype(self._target.dtype) for one in points]
            made = self._target.programs(program, self._target, filled, self._data, self.mask)
            blocks.append(jax.tree.map(lambda a: np.asarray(a, float), made))
        return jax.tree.map(lambda *parts: np.concatenate(parts)[:count], *blocks)


def rounded_away(coordinates: Coordinates, x: Points, z: Points) -> Values | float:
    """Compute by how much the log density in such coordinates is too high for rounding."""
    first, *others = coordinates.parts if isinstance(coordinates, Composed) else (coordinates,)
    if not isinstance(first, Conditioned):
        return 0.0
    return first.rounded_away(Composed(tuple(others)).push(x)[0] if others else x, z)


def conditioned(gradients: AbstractGradients, z: Points) -> Conditioned | None:
    r"""Learn from draws what data say of each element.

    The log likelihood has the derivative :math:`h_i - p_i z_i` where it is normal, all elements
    below in a hierarchy moving along. The least squares line through its values at the draws gives
    both.

    Parameters
    ----------
    gradients
        Of the log density.
    z
        The draws.

    Returns
    -------
    Conditioned or None
        `None` where no element is normal given others.
    """
    conditionals = gradients.target.conditionals
    if conditionals is None:
        return None
    slopes, dim = gradients(z)[1], z.shape[1]
    coordinates = Conditioned(gradients.target, np.zeros(dim), np.zeros(dim))
    # Of elements above others, what the data say depends on how far these move along.
    for _ in conditionals.levels:
        with np.errstate(all="ignore"):
            pulled = coordinates.pull(coordinates.whiten(z), slopes)
            coordinates = relearnt(coordinates, z, pulled)
    return coordinates


def relearnt(coordinates: Conditioned, z: Points, pulled: Points) -> Conditioned:
    """Learn anew what data say of each element, from gradients in coordinates of before.

    Parameters
    ----------
    coordinates
        Those of before.
    z
        Draws; of NumPy, or traced by JAX.
    pulled
        Gradients there, in these coordinates, of the log density and the log determinant.
    """
    mean, std = coordinates.prior(z)
    by_data = pulled / coordinates.place(z)[1] + (z - mean) / std**2
    return Conditioned(coordinates.target, *_line(z, by_data, _conditionals(coordinates.target)))


def _conditionals(target: Target) -> Conditionals:
    assert target.conditionals is not None
    return target.conditionals


def _all_of(target: Target) -> Bool[np.ndarray, " dim"]:
    assert target.conditionals is not None
    return np.any(target.conditionals.masks(), axis=0)


def _line(z: Points, slopes: Points, conditionals: Conditionals) -> tuple[Each, Each]:
    """Fit slopes by lines that do not rise; 0 where they are not finite or no element is meant."""
    xp = z.__array_namespace__()
    mask = np.any(conditionals.masks(), axis=0) & xp.isfinite(slopes).all(axis=0)
    slopes = xp.where(mask, slopes, 0.0)
    away = z - z.mean(axis=0)
    fall = -(away * slopes).sum(axis=0) / xp.maximum((away**2).sum(axis=0), 1e-300)
    precision = xp.where(mask, xp.maximum(fall, 0.0), 0.0)
    return precision, slopes.mean(axis=0) + precision * z.mean(axis=0)


def place(mean: Any, std: Any, precision: Any, weighted_mean: Any) -> tuple[Any, Any]:
    """Compute where elements lie and how far they spread, from their priors and what data say."""
    # Written so that a standard deviation of almost 0 does not overflow.
    share = 1.0 + precision * std**2
    return (mean + weighted_mean * std**2) / share, std / share**0.5


def _placed(
    target: Target, x: Vector, data: tuple[Vector, Vector], meant: Bool[Array, " dim"]
) -> tuple[Vector, Array]:
    """Put one point where it belongs, level by level; the log determinant comes with it."""
    conditionals = target.conditionals
    assert conditionals is not None
    z, log_det = x, jnp.zeros((), x.dtype)
    for mask in conditionals.masks():
        moments = conditionals.moments(z, target.data, target.whole)
        centre, root = place(*moments, *data)
        z = jnp.where(mask & meant, centre + root * x, z)
        log_det += jnp.sum(jnp.where(mask & meant, jnp.log(root), 0.0))
    return z, log_det


def _push(target: Target, points: Sequence[Array], data: Any, meant: Any) -> Any:
    return jax.vmap(lambda x: _placed(target, x, data, meant))(*points)


def _pull(target: Target, points: Sequence[Array], data: Any, meant: Any) -> Any:
    def pulled(x: Vector, slopes: Vector) -> Vector:
        _, back = jax.vjp(lambda x: _placed(target, x, data, meant), x)
        return back((slopes, jnp.ones((), x.dtype)))[0]

    return jax.vmap(pulled)(*points)


def _moments(target: Target, points: Sequence[Array], *_: Any) -> Any:
    assert target.conditionals is not None
    moments = target.conditionals.moments
    return jax.vmap(lambda z: moments(z, target.data, target.whole))(*points)

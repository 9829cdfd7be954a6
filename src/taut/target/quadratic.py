"""A log likelihood as a quadratic, in place of rows that are there no more."""

from dataclasses import dataclass, replace
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PyTree, Scalar

from taut.target.target import Target


class Quadratic(eqx.Module):
    r"""A quadratic in the unconstrained vector, up to a constant.

    .. math:: \ell(z) = g^\top (z - c) - \tfrac12 (z - c)^\top \Lambda (z - c)

    Parameters
    ----------
    centre
        :math:`c`.
    slope
        :math:`g`, the gradient there.
    precision
        :math:`\Lambda`, symmetric.

    Examples
    --------
    >>> import numpy as np
    >>> from taut.target import Quadratic
    >>> quadratic = Quadratic(np.zeros(1), np.ones(1), np.eye(1))
    >>> print(quadratic(np.array([1.0])), (quadratic + quadratic)(np.array([1.0])))
    0.5 1.0
    """

    centre: Float[Any, " dim"]
    slope: Float[Any, " dim"]
    precision: Float[Any, "dim dim"]

    @classmethod
    def flat(cls, dim: int) -> "Quadratic":
        """Return the one of no rows."""
        return cls(np.zeros(dim), np.zeros(dim), np.zeros((dim, dim)))

    def __call__(self, z: Float[Any, " dim"]) -> Scalar:
        away = z - self.centre
        return self.slope @ away - 0.5 * away @ (self.precision @ away)

    def __add__(self, other: "Quadratic") -> "Quadratic":
        """Add another, around its centre."""
        moved = self.slope - self.precision @ (other.centre - self.centre)
        return Quadratic(other.centre, moved + other.slope, self.precision + other.precision)

    def cast(self, dtype: Any) -> "Quadratic":
        """Return the same in numbers of a precision."""
        return Quadratic(*(np.asarray(a, dtype) for a in (self.centre, self.slope, self.precision)))


@dataclass(frozen=True)
class _WithQuadratic:
    """Terms whose data come with a quadratic, which is added to the likelihood."""

    inner: Any

    def __call__(
        self, z: Float[Array, " dim"], data: PyTree, batch: PyTree
    ) -> tuple[Scalar, Scalar]:
        inner, quadratic = data
        prior, likelihood = self.inner(z, inner, batch)
        return prior, likelihood + quadratic(jnp.asarray(z))


@dataclass(frozen=True)
class _OfInner:
    """A function of data that come with a quadratic, which it does not read."""

    inner: Any

    def __call__(self, z: Float[Array, " dim"], data: PyTree, batch: PyTree) -> Any:
        return self.inner(z, data[0], batch)


def with_quadratic(target: Target, quadratic: Quadratic) -> Target:
    """Add a quadratic to a target's likelihood; another one of the same target compiles nothing.

    Parameters
    ----------
    target
        The target.
    quadratic
        The quadratic.
    """
    known, constrain = target.conditionals, target.constrain_terms
    with target.precision():
        return replace(
            target,
            terms=_WithQuadratic(target.terms),
            data=(target.data, quadratic.cast(target.dtype)),
            constrain_terms=None if constrain is None else _OfInner(constrain),
            conditionals=None if known is None else replace(known, moments=_OfInner(known.moments)),
            factors=None,
        )

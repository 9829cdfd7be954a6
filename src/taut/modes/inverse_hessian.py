"""What quasi-Newton paths know of the inverse Hessian, for many paths at once."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

Vector = Float[np.ndarray, " dim"]
Vectors = Float[np.ndarray, "paths dim"]
# The last steps of paths, or changes of their gradients, the newest last; zeros where there were
# fewer.
Last = Float[np.ndarray, "memory paths dim"]

# Pairs of steps and changes of gradient that are remembered.
MEMORY = 6
_SMALL_CURVATURE = 1e-12
_TINY = 1e-300


@dataclass(frozen=True)
class Curvature:
    r"""What a path knows of the inverse Hessian at one of its points.

    .. math:: H = \operatorname{diag}(\alpha) + \ldots

    Parameters
    ----------
    diagonal
        :math:`\alpha`.
    pairs
        The last differences of positions and of gradients. Iterates of a path share them.
    """

    diagonal: Vector
    pairs: tuple[tuple[Vector, Vector], ...] = ()

    def after(self, diagonal: Vector, step: Vector, change: Vector) -> "Curvature":
        """Take in one more step."""
        return Curvature(diagonal, (*self.pairs, (step, change))[-MEMORY:])

    def times(self, vector: Vector) -> Vector:
        """Multiply by the inverse Hessian."""
        empty = np.zeros((1, 1, len(vector)))
        steps, changes = (
            np.stack(part)[:, None] if part else empty
            for part in (zip(*self.pairs, strict=True) if self.pairs else ((), ()))
        )
        return times(steps, changes, vector[None])[0]


@np.errstate(all="ignore")
def times(steps: Last, changes: Last, vectors: Vectors) -> Vectors:
    """Multiply by the inverse Hessians of paths, by the two loops of Nocedal and Wright.

    Infinite where a path runs off an improper density, which ends it.
    """
    products = dot(steps, changes)
    inverse = np.where(products > 0.0, 1.0 / products, 0.0)
    left, weights = vectors.copy(), np.empty(products.shape)
    for k in reversed(range(len(steps))):
        weights[k] = inverse[k] * dot(steps[k], left)
        left -= weights[k][:, None] * changes[k]
    left *= (products[-1] / dot(changes[-1], changes[-1]))[:, None]
    for k in range(len(steps)):
        left += steps[k] * (weights[k] - inverse[k] * dot(changes[k], left))[:, None]
    short = np.minimum(1.0, 1.0 / np.maximum(np.sqrt(dot(vectors, vectors)), _TINY))
    # Paths that know nothing yet take short steps.
    return np.where((products[-1] > 0.0)[:, None], left, vectors * short[:, None])


@np.errstate(all="ignore")
def curves(step: Vectors, change: Vectors) -> Bool[np.ndarray, " paths"]:
    """Whether steps show a positive curvature; what shows none is not remembered."""
    return dot(step, change) > _SMALL_CURVATURE * dot(change, change)


@np.errstate(all="ignore")
def updated_diagonals(diagonal: Vectors, step: Vectors, change: Vectors) -> Vectors:
    """Update diagonals as Gilbert and Lemaréchal do, each kept where that is no scale."""
    a, b, c = dot(change * diagonal, change), dot(change, step), dot(step / diagonal, step)
    a, b, c = a[:, None], b[:, None], c[:, None]
    inverse = a / (b * diagonal) + change**2 / b - a * step**2 / (b * c * diagonal**2)
    new = 1.0 / inverse
    is_scale = (np.isfinite(new) & (new > 0)).all(axis=1)
    return np.where(is_scale[:, None], new, diagonal)


def dot(
    one: Float[np.ndarray, "*many dim"], other: Float[np.ndarray, "*many dim"]
) -> Float[np.ndarray, "*many"]:
    """Multiply each vector with that of the same number."""
    return np.vecdot(one, other)

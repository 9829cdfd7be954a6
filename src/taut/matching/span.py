"""The few directions that the vectors of a batch span."""

import numpy as np
from jaxtyping import Float

from taut.gaussian import Vectors

Basis = Float[np.ndarray, "dim few"]


def span(vectors: Vectors) -> Basis | None:
    """Find an orthonormal basis of what some vectors span; `None` where that may be everything."""
    if len(vectors) >= vectors.shape[1]:
        return None
    # Of one length, so that short vectors are not lost beside long ones.
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.linalg.qr((vectors / np.where(length > 0, length, 1.0)).T)[0]


def within(
    basis: Basis | None, vectors: Float[np.ndarray, "*draws dim"]
) -> Float[np.ndarray, "*draws few"]:
    """Return the coordinates of vectors in a basis."""
    return vectors if basis is None else vectors @ basis

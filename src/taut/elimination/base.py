"""What every factored precision does."""

from abc import abstractmethod

import equinox as eqx
from jaxtyping import Array, Float, Scalar

Vector = Float[Array, " dim"]


class AbstractElimination(eqx.Module):
    r"""A positive definite matrix by a factor, :math:`H = L L^\top`, up to an order of its rows.

    Where `H` is the precision of a Gaussian, :math:`L^{-\top}` is a root of its covariance.
    """

    @property
    @abstractmethod
    def log_det(self) -> Scalar:
        r"""Logarithm of the determinant of `H`; NaN where it is not positive definite."""

    @abstractmethod
    def solve(self, vector: Vector) -> Vector:
        r"""Compute :math:`H^{-1} b`."""

    @abstractmethod
    def color(self, noise: Vector) -> Vector:
        r"""Compute :math:`L^{-\top} x`, which has the covariance :math:`H^{-1}`."""

    @abstractmethod
    def whiten(self, vector: Vector) -> Vector:
        r"""Compute :math:`L^\top z`, the inverse of `color`."""

    @abstractmethod
    def variances(self) -> Vector:
        r"""Compute the diagonal of :math:`H^{-1}`."""

"""Latents given the global unknowns, as an optimiser sees them."""

from abc import abstractmethod
from typing import NamedTuple

import equinox as eqx
from jaxtyping import Array, Float, Scalar

from taut.marginal.precision import AbstractPrecision

Globals = Float[Array, " globals"]
Latents = Float[Array, " latents"]


class Local(NamedTuple):
    """A log density around some latents, to second order.

    Parameters
    ----------
    values
        Of each part, whose sum with `rest` is the log density.
    rest
        What depends on no latent.
    slope, precision
        Gradient and negative Hessian in the latents.
    """

    values: Float[Array, " parts"]
    rest: Float[Array, ""]
    slope: Latents
    precision: AbstractPrecision


class AbstractField(eqx.Module):
    r"""The log density :math:`\log p(y, \theta, u)` with latents `u` of known structure.

    Latents of different parts do not touch each other.
    """

    @property
    @abstractmethod
    def size(self) -> int:
        """Elements of the latents."""

    @property
    @abstractmethod
    def parts(self) -> int:
        """How many independent parts there are."""

    @property
    @abstractmethod
    def terms(self) -> int:
        """Terms of the log density, where they are told apart; else elements of the latents."""

    @abstractmethod
    def log_density(self, theta: Globals, u: Latents) -> Scalar:
        """Evaluate the log density."""

    @abstractmethod
    def local(self, theta: Globals, u: Latents) -> Local:
        """Expand the log density around latents."""

    @abstractmethod
    def trace_slope(
        self, theta: Globals, u: Latents, weights: AbstractPrecision
    ) -> tuple[Globals, Latents]:
        """Differentiate the sum of the precision's elements, each times its weight.

        `weights` are a precision whose arrays of numbers are these, and which has nothing else.
        """

    @abstractmethod
    def place(self, theta: Globals, u: Latents) -> Float[Array, " dim"]:
        """Return the flat vector that the model knows."""

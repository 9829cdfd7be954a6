"""Integrals over latents that are not normal, by points."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import final

import numpy as np
from jaxtyping import Array, Float

from taut.elimination import AbstractElimination
from taut.marginal.integrand import Given, Value, Vector

Latents = Float[np.ndarray, " latents"]


@final
@dataclass(frozen=True)
class Estimate:
    """A marginal log density at a point, and the latents there.

    Parameters
    ----------
    value
        In nats.
    third
        The next term of the series, in nats, which the value leaves out.
    mean
        Of the latents.
    """

    value: float
    third: float
    mean: Latents


class AbstractPoints(ABC):
    """Integrals over latents at given globals."""

    @property
    @abstractmethod
    def most_uneven(self) -> float:
        """Variance of log weights up to which points are of use."""

    @abstractmethod
    def nearest(self, theta: Vector, mode: Latents) -> Given:
        """Find the Gaussian that is nearest to the latents, and how many points are needed there.

        Parameters
        ----------
        theta
            The global unknowns.
        mode
            The latents' mode there.
        """

    @abstractmethod
    def refine(self) -> bool:
        """Take twice as many from here on; return whether so many can be taken."""

    @abstractmethod
    def variance(self, theta: Vector, mode: Latents) -> float:
        """Look how uneven weights of points are: the variance of their logarithms.

        Parameters
        ----------
        theta
            The global unknowns.
        mode
            The latents' mode there.
        """

    @abstractmethod
    def near(self, given: Given) -> Callable[[Vector, Latents], Value | Estimate]:
        """Return the integral where a Gaussian that is near by is known.

        It takes the global unknowns and an expected mean of the latents there.
        """


def variances_of(precision: AbstractElimination) -> Array:
    """Return the variances of latents with a factored precision, as a program."""
    return precision.variances()

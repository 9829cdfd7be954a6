"""Latents that cross groups, integrated out by few points, with the groups' by quadrature."""

from collections.abc import Callable
from typing import final

import numpy as np
from jaxtyping import Float

from taut.marginal.corner_integral import CornerIntegral, corner_integral
from taut.marginal.integrand import Given, Integrand, Value, Vector
from taut.marginal.plate_field import PlateField
from taut.marginal.points import AbstractPoints, variances_of
from taut.marginal.quadrature import GRID, Nodes, nodes_for

# Points at least and at most, and for each unit of the variance of their log ratios.
_FEWEST, _MOST, _EACH = 4, 256, 20
# Variance of log ratios from which on points take longer than chains.
_UNEVEN = 1.0
# How often nodes are doubled where that moves something.
_DOUBLINGS = 3
# Steps to the mode from where Laplace's method ends, and from a mode that was foreseen.
_STEPS, _MORE_STEPS = 25, 1

Latents = Float[np.ndarray, " latents"]
Points = Float[np.ndarray, "points corner"]


@final
class CornerPoints(AbstractPoints):
    """Integrals over latents by quadrature in groups, at points of those that cross them.

    Of what is one sum over many rows, as the ability of a person or the effect of a region, the
    density is nearly normal once the latents of groups are integrated out: few points do.

    Parameters
    ----------
    integrand
        The density of latents and globals.
    random
        Draws the points.
    """

    def __init__(self, integrand: Integrand, random: np.random.Generator) -> None:
        assert isinstance(integrand.field, PlateField)
        assert integrand.field.corner is not None
        self._integrand, self._random = integrand, random
        self._field = integrand.field
        self._doublings = 0
        self._nodes = nodes_for(self._field.groups.shape[1])
        self._count = _FEWEST

    @property
    def most_uneven(self) -> float:
        return _UNEVEN

    @staticmethod
    def suit(integrand: Integrand) -> bool:
        """Whether there are latents that cross groups whose own can be summed over nodes."""
        field = integrand.field
        if not isinstance(field, PlateField) or field.corner is None:
            return False
        return field.groups.shape[1] <= GRID

    def nearest(self, theta: Vector, mode: Latents) -> Given:
        needed = _EACH * self.variance(theta, mode)
        self._count = 2 * int(np.ceil(np.clip(needed, _FEWEST, _MOST) / 2))
        found = self._run(theta, mode, _STEPS)
        variances = self._integrand.run(variances_of, found.precision)
        return Given(_value(found).mean, np.asarray(variances, float), found.precision)

    def refine(self) -> bool:
        if self._doublings == _DOUBLINGS:
            return False
        self._doublings += 1
        self._nodes = nodes_for(self._field.groups.shape[1], self._doublings)
        return True

    def variance(self, theta: Vector, mode: Latents) -> float:
        return _variance(self._run(theta, mode, _STEPS))

    def near(self, given: Given) -> Callable[[Vector, Latents], Value]:
        del given  # The mode is found anew.
        return lambda theta, mean: _value(self._run(theta, mean, _MORE_STEPS))

    def with_twice_the_nodes(self, theta: Vector, mean: Latents) -> tuple[Value, Value]:
        """Return the integral, and with about twice the nodes at the same points.

        Parameters
        ----------
        theta
            The global unknowns.
        mean
            An expected mean of the latents there.
        """
        points = self._noise()
        few, many = (self._run(theta, mean, _MORE_STEPS, nodes, points) for nodes in self._nodes)
        return _value(few), _value(many)

    def _run(
        self,
        theta: Vector,
        near: Latents,
        steps: int,
        nodes: Nodes | None = None,
        points: Points | None = None,
    ) -> CornerIntegral:
        dtype = np.dtype(self._integrand.target.dtype)
        return self._integrand.run(
            corner_integral,
            self._field,
            self._nodes[0] if nodes is None else nodes,
            theta.astype(dtype),
            near.astype(dtype),
            (self._noise() if points is None else points).astype(dtype),
            np.int32(steps),
        )

    def _noise(self) -> Points:
        assert self._field.corner is not None
        half = self._random.normal(size=(self._count // 2, len(self._field.corner.places)))
        return np.concatenate([half, -half])


def _value(found: CornerIntegral) -> Value:
    mean, variances = np.asarray(found.mean, float), np.asarray(found.variances, float)
    return Value(float(found.value), np.zeros(0), mean, variances)


def _variance(found: CornerIntegral) -> float:
    with np.errstate(over="ignore", invalid="ignore"):
        return float(np.nan_to_num(np.asarray(found.log_ratios, float).var(), nan=np.inf))

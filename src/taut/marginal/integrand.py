"""A density with its latents integrated out, for algorithms that run on the host."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, final

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from taut.elimination import AbstractElimination
from taut.engine import Devices
from taut.marginal.chain_field import ChainField
from taut.marginal.field import AbstractField
from taut.marginal.laplace import MarginalDensity, factored, laplace
from taut.marginal.near_field import NearField
from taut.marginal.on_devices import laplace_on, quadrature_on
from taut.marginal.plate_field import PlateField
from taut.marginal.quadrature import (
    Integrated,
    Nodes,
    nodes_for,
    nodes_of_normal,
    quadrature,
)
from taut.structure import Field, Plates, Structure
from taut.target import Factors, Target

# Nodes of a group, and of all together, up to which they are doubled.
_MOST_NODES, _MOST_OF_ALL = 5000, 50_000_000
# Terms, at all nodes, from which on values alone are worth a program without gradients.
_MANY = 1_000_000
# As many nodes Laplace's method takes the time of.
_NO_NODES = 10
# How far apart precisions may be, by their size, that are said not to depend on the latents.
_SAME = 1e-8

Vector = Float[np.ndarray, " globals"]


@final
@dataclass(frozen=True)
class Value:
    """A marginal log density at a point.

    Parameters
    ----------
    value, slope
        In nats, and its gradient; zeros or that where it was not asked for.
    mean, variances
        Of the latents there; no variances where they take as long again.
    """

    value: float
    slope: Vector
    mean: Float[np.ndarray, " latents"]
    variances: Float[np.ndarray, " latents"] | None = None


@final
@dataclass(frozen=True, eq=False)
class Given:
    """The latents given the global unknowns, as a Gaussian of their mean and spread.

    Parameters
    ----------
    mean, variances
        Of the latents.
    precision
        Factored.
    """

    mean: Float[np.ndarray, " latents"]
    variances: Float[np.ndarray, " latents"]
    precision: AbstractElimination


@final
class Integrand:
    """The marginal density of the global unknowns, and the latents given these.

    Parameters
    ----------
    target
        The density of all unknowns.
    factors
        The terms it sums.
    structure
        Which unknowns are latents, and how they touch each other.
    start
        Where the search for modes begins, in the unconstrained space.
    timing
        Is charged with the seconds.
    devices
        That evaluate several points at once, one each; `None` for points one after another.

    Attributes
    ----------
    begin
        The latents at the start.
    is_normal
        Whether latents are normal given the global unknowns: then Laplace's method is exact.
    """

    def __init__(
        self,
        target: Target,
        factors: Factors | None,
        structure: Structure,
        start: np.ndarray,
        timing: Any,
        devices: Devices | None = None,
    ) -> None:
        self.target, self._timing, self._devices = target, timing, devices
        self.structure = structure
        self.is_summed = False
        latents = structure.latents
        assert latents is not None
        self.field: AbstractField
        if isinstance(latents, Plates):
            assert factors is not None
            self.field = PlateField.of(factors, structure, target.dim)
            self._u = start[latents.places]
        elif isinstance(latents, Field):
            self.field, self._u = NearField.of(target, structure), start[latents.order]
        else:
            self.field, self.is_summed = ChainField.of(target, structure), latents.is_summed
            own = start[latents.steps]
            self._u = (np.cumsum(own, axis=0) if latents.is_summed else own).ravel()
        # Where latents are in the start, as they are integrated over.
        self.begin = self._u
        self.is_normal = self._is_normal(start[structure.globals])
        self._on_all: AbstractField | None = None
        self._nodes: Nodes | None = None
        self._doubled: Nodes | None = None
        self._doublings = 0
        if isinstance(self.field, PlateField) and self.field.corner is None:
            k = self.field.groups.shape[1]
            nodes = (nodes_of_normal(k), None) if self.is_normal else nodes_for(k)
            self._nodes, self._doubled = nodes
        self._origin, self._slope = start[structure.globals], None

    @property
    def is_exact(self) -> bool:
        """Whether what is integrated out is so but for the error of a quadrature."""
        return self.is_normal or self._nodes is not None

    @property
    def has_nodes(self) -> bool:
        """Whether integrals are sums over nodes, of which there may be more."""
        return self._doubled is not None

    @property
    def knows_spread(self) -> bool:
        """Whether the latents' variances take little longer than the density: not with a corner."""
        return not isinstance(self.field, PlateField) or self.field.corner is None

    @property
    def at_once(self) -> int:
        """How many points are evaluated side by side: one, while each begins at the last's mode."""
        return 1 if self._devices is None or self._slope is None else self._devices.count

    @property
    def words(self) -> str:
        """What is integrated out, and by how many nodes."""
        if self._nodes is None or not self.has_nodes:
            return str(self.structure)
        return f"{self.structure}; by {self._nodes.count} nodes each"

    def __call__(
        self,
        theta: Vector,
        *,
        doubled: bool = False,
        begin: Float[np.ndarray, " latents"] | None = None,
        with_slope: bool = True,
    ) -> Value:
        """Evaluate value and gradient at a point.

        Parameters
        ----------
        theta
            The point.
        doubled
            Whether to take twice the nodes.
        begin
            Where the search for modes begins, if not where they are to be expected.
        with_slope
            Whether the gradient is needed.
        """
        nodes = self._doubled if doubled else self._nodes
        at = (with_slope or not self._is_large(nodes), *self._at(theta, begin))
        if nodes is not None:
            found = self.run(quadrature, self.field, nodes, *at)
            self._remember(found.marginal.mode)
            return _value(found.marginal, found.mean, _diagonal(found.covariance))
        found = self.run(laplace, self.field, self.is_normal, *at)
        self._remember(found.mode)
        return _value(found, found.mode)

    def values_at(self, thetas: Sequence[Vector]) -> list[Value]:
        """Evaluate values at points, up to as many as `at_once`, each on a device of its own."""
        if self._devices is None or self.at_once == 1:
            return [self(one, with_slope=False) for one in thetas]
        # The last one fills the call up.
        filled = [*thetas, *[thetas[-1]] * (self.at_once - len(thetas))]
        return self._side_by_side(self._devices, filled)[: len(thetas)]

    def _side_by_side(self, devices: Devices, thetas: Sequence[Vector]) -> list[Value]:
        nodes = self._nodes
        points = (np.stack(each) for each in zip(*map(self._at, thetas), strict=True))
        at = (not self._is_large(nodes), *points)
        if self._on_all is None:
            with self.target.precision():
                self._on_all = devices.everywhere(self.field)
        if nodes is None:
            found = self.run(laplace_on, devices, self._on_all, self.is_normal, *at)
            parts = zip(found.value, found.slope, found.mode, strict=True)
            return [_value(MarginalDensity(*one), one[-1]) for one in parts]
        whole = self.run(quadrature_on, devices, self._on_all, nodes, *at)
        density = zip(*whole.marginal, strict=True)
        parts = zip(density, whole.mean, whole.covariance, strict=True)
        return [_value(MarginalDensity(*one), mean, _diagonal(cov)) for one, mean, cov in parts]

    def refine(self) -> bool:
        """Double the nodes from here on; return whether so many can be taken."""
        if not self.has_nodes:
            return False
        assert isinstance(self.field, PlateField)
        groups, k = self.field.groups.shape
        few, many = nodes_for(k, self._doublings + 1)
        if len(many.x) > _MOST_NODES or len(many.x) * groups > _MOST_OF_ALL:
            return False
        self._nodes, self._doubled, self._doublings = few, many, self._doublings + 1
        return True

    def given(self, theta: Vector) -> Given:
        """Find the latents' distribution at a point."""
        at = (not self._is_large(self._nodes), *self._at(theta))
        if self._nodes is not None:
            found = self.run(quadrature, self.field, self._nodes, *at)
            factor = self.run(Integrated.factor, found)
            return Given(np.asarray(found.mean, float), _diagonal(found.covariance), factor)
        mode = self.run(laplace, self.field, self.is_normal, *at).mode
        at = theta.astype(self.target.dtype)
        factor, variances = self.run(_factor_and_variances, self.field, at, mode)
        return Given(np.asarray(mode, float), np.asarray(variances, float), factor)

    def follow(
        self, origin: Vector, mean: Float[np.ndarray, " latents"], slope: np.ndarray
    ) -> None:
        """Begin the search for modes where they are to be expected.

        Parameters
        ----------
        origin, mean
            A point, and the latents there.
        slope
            How these move with the point.
        """
        self._origin, self._u, self._slope = origin, mean, slope

    def _is_large(self, nodes: Nodes | None) -> bool:
        """Whether gradients take so long that values have a program of their own."""
        return self.field.terms * (_NO_NODES if nodes is None else int(nodes.count)) > _MANY

    def _at(self, theta: Vector, begin: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
        u = self._u if self._slope is None else self._u + self._slope @ (theta - self._origin)
        u = u if begin is None else begin
        return theta.astype(self.target.dtype), u.astype(self.target.dtype)

    def _remember(self, mode: Array) -> None:
        """Begin the next search where this one ended, until it is known how modes move."""
        found = np.asarray(mode, float)
        if self._slope is None and np.isfinite(found).all():
            self._u = found

    def _is_normal(self, theta: Vector) -> bool:
        """Find out whether the precision is the same wherever the latents are."""
        random = np.random.default_rng(0)
        away = (self._u + random.normal(size=(2, len(self._u)))).astype(self.target.dtype)
        at = theta.astype(self.target.dtype)
        return float(self.run(difference_of_precisions, self.field, at, away)) < _SAME

    def run(self, function: Any, *args: Any) -> Any:
        """Run a function as a program, charged to the fit."""
        return self.target.programs(function, *args, timing=self._timing)


def _value(found: MarginalDensity, mean: Array, variances: np.ndarray | None = None) -> Value:
    parts = np.asarray(found.slope, float), np.asarray(mean, float)
    return Value(float(found.value), *parts, variances)


def _diagonal(covariance: Array) -> Float[np.ndarray, " latents"]:
    return np.diagonal(np.asarray(covariance, float), axis1=1, axis2=2).ravel()


def _factor_and_variances(
    field: AbstractField, theta: Array, mode: Array
) -> tuple[AbstractElimination, Array]:
    factor = factored(field, theta, mode)
    return factor, factor.variances()


def difference_of_precisions(
    field: AbstractField, theta: Array, u: Float[Array, "2 latents"]
) -> Array:
    """Compare the precisions at two places, by their size."""
    both = jax.lax.map(lambda one: field.local(theta, one).precision, u)
    leaves = [one for one in jax.tree.leaves(both) if jnp.issubdtype(one.dtype, jnp.inexact)]
    apart = [jnp.max(jnp.abs(one[0] - one[1]), initial=0.0) for one in leaves]
    sizes = [jnp.max(jnp.abs(one), initial=0.0) for one in leaves]
    return jnp.max(jnp.stack(apart)) / jnp.max(jnp.stack(sizes))

"""A marginal density at several points at once, one on each device."""

from typing import Any

import jax
from jaxtyping import Array, Float

from taut.engine import Devices
from taut.marginal.field import AbstractField
from taut.marginal.laplace import MarginalDensity, laplace
from taut.marginal.plate_field import PlateField
from taut.marginal.quadrature import Integrated, Nodes, quadrature

Points = Float[Array, "devices globals"]
Latents = Float[Array, "devices latents"]


def quadrature_on(
    devices: Devices, field: PlateField, nodes: Nodes, with_slope: bool, theta: Points, u: Latents
) -> Integrated:
    """Evaluate as `quadrature` does, each device at a point of its own; a program."""

    def own(given: tuple[PlateField, Nodes], theta: Points, u: Latents) -> Integrated:
        return _as_one_of_many(quadrature(*given, with_slope, theta[0], u[0]))

    return devices.each(own, (False, True, True), True)((field, nodes), theta, u)


def laplace_on(
    devices: Devices,
    field: AbstractField,
    is_normal: bool,
    with_slope: bool,
    theta: Points,
    u: Latents,
) -> MarginalDensity:
    """Evaluate as `laplace` does, each device at a point of its own; a program."""

    def own(field: AbstractField, theta: Points, u: Latents) -> MarginalDensity:
        return _as_one_of_many(laplace(field, is_normal, with_slope, theta[0], u[0]))

    return devices.each(own, (False, True, True), True)(field, theta, u)


def _as_one_of_many(found: Any) -> Any:
    return jax.tree.map(lambda leaf: leaf[None], found)

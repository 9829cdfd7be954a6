"""Families of approximations q."""

import warnings

from taut.family.base import AbstractFamily as AbstractFamily
from taut.family.by_name import ByName as ByName
from taut.family.by_name import Start as Start
from taut.family.conditional import AbstractConditional as AbstractConditional
from taut.family.conditional import LinearConditional as LinearConditional
from taut.family.flow import Architecture as Architecture
from taut.family.flow import Flow as Flow
from taut.family.flow import Layers as Layers
from taut.family.flow import Transformer as Transformer
from taut.family.flow import has_exact_moments as has_exact_moments
from taut.family.full_rank import FullRank as FullRank
from taut.family.host import Blocks as Blocks
from taut.family.host import Diagonal as Diagonal
from taut.family.host import Factor as Factor
from taut.family.host import HostGaussian as HostGaussian
from taut.family.host import HostPoints as HostPoints
from taut.family.host import Stretch as Stretch
from taut.family.host import Triangle as Triangle
from taut.family.interpolated import InterpolatedConditional as InterpolatedConditional
from taut.family.interpolated import cardinal_splines as cardinal_splines
from taut.family.location_scale import AbstractLocationScale as AbstractLocationScale
from taut.family.low_rank import LowRank as LowRank
from taut.family.mean_field import MeanField as MeanField
from taut.family.mixture import Mixture as Mixture
from taut.family.parameters import with_parameter as with_parameter
from taut.family.parameters import with_parameters as with_parameters
from taut.family.particles import Particles as Particles
from taut.family.particles import has_density as has_density
from taut.family.product import Product as Product
from taut.family.scaled_low_rank import ScaledLowRank as ScaledLowRank
from taut.family.softplus import HALF_LOG_2PI as HALF_LOG_2PI
from taut.family.softplus import inverse_softplus as inverse_softplus
from taut.family.structured import Structured as Structured
from taut.family.student import StudentT as StudentT

__all__ = [
    "HALF_LOG_2PI",
    "AbstractConditional",
    "AbstractFamily",
    "AbstractLocationScale",
    "Architecture",
    "Blocks",
    "ByName",
    "Diagonal",
    "Factor",
    "Flow",
    "FullRank",
    "HostGaussian",
    "HostPoints",
    "InterpolatedConditional",
    "Layers",
    "LinearConditional",
    "LowRank",
    "MeanField",
    "Mixture",
    "Particles",
    "Product",
    "ScaledLowRank",
    "Start",
    "Stretch",
    "Structured",
    "StudentT",
    "Transformer",
    "Triangle",
    "cardinal_splines",
    "has_density",
    "has_exact_moments",
    "inverse_softplus",
    "with_parameter",
    "with_parameters",
]


def __getattr__(name: str) -> type[AbstractFamily]:
    """Find a family by the name that it had."""
    if name == "Stretched":
        warnings.warn(
            "taut.family.Stretched is now ScaledLowRank.", DeprecationWarning, stacklevel=2
        )
        return ScaledLowRank
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

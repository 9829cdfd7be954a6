"""Families of approximations q."""

from taut.family.base import AbstractFamily as AbstractFamily
from taut.family.flow import Flow as Flow
from taut.family.flow import Layers as Layers
from taut.family.flow import has_exact_moments as has_exact_moments
from taut.family.full_rank import FullRank as FullRank
from taut.family.location_scale import AbstractLocationScale as AbstractLocationScale
from taut.family.low_rank import LowRank as LowRank
from taut.family.mean_field import MeanField as MeanField
from taut.family.mixture import Mixture as Mixture
from taut.family.particles import Particles as Particles
from taut.family.particles import has_density as has_density
from taut.family.product import Product as Product
from taut.family.stretched import Stretched as Stretched
from taut.family.student import StudentT as StudentT
from taut.family.writing import with_parameter as with_parameter
from taut.family.writing import with_parameters as with_parameters

__all__ = [
    "AbstractFamily",
    "AbstractLocationScale",
    "Flow",
    "FullRank",
    "Layers",
    "LowRank",
    "MeanField",
    "Mixture",
    "Particles",
    "Product",
    "Stretched",
    "StudentT",
    "has_density",
    "has_exact_moments",
    "with_parameter",
    "with_parameters",
]

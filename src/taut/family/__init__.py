"""Families of approximations q."""

from taut.family.base import AbstractFamily as AbstractFamily
from taut.family.full_rank import FullRank as FullRank
from taut.family.low_rank import LowRank as LowRank
from taut.family.mean_field import MeanField as MeanField
from taut.family.particles import Particles as Particles
from taut.family.product import Product as Product
from taut.family.stretched import Stretched as Stretched

__all__ = ["AbstractFamily", "FullRank", "LowRank", "MeanField", "Particles", "Product"]

"""Families of approximations q."""

from taut.family.base import AbstractFamily as AbstractFamily
from taut.family.full_rank import FullRank as FullRank
from taut.family.mean_field import MeanField as MeanField

__all__ = ["AbstractFamily", "FullRank", "MeanField"]

"""Which unknowns of a model touch which."""

from taut.structure.chain import band_directions, band_of
from taut.structure.coloured import Coloured
from taut.structure.pattern import order_of, pattern_of
from taut.structure.reader import read_structure
from taut.structure.structure import Chain, Field, Plate, Plates, Structure

__all__ = [
    "Chain",
    "Coloured",
    "Field",
    "Plate",
    "Plates",
    "Structure",
    "band_directions",
    "band_of",
    "order_of",
    "pattern_of",
    "read_structure",
]

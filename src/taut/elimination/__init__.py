"""Factored precisions of many unknowns, each of which touches few others."""

from taut.elimination.banded import Banded
from taut.elimination.base import AbstractElimination
from taut.elimination.block_diagonal import BlockDiagonal
from taut.elimination.block_tridiagonal import BlockTridiagonal, Level
from taut.elimination.bordered import Bordered
from taut.elimination.small import cholesky, inverse
from taut.elimination.touching import Touching
from taut.elimination.updated import Updated

__all__ = [
    "AbstractElimination",
    "Banded",
    "BlockDiagonal",
    "BlockTridiagonal",
    "Bordered",
    "Level",
    "Touching",
    "Updated",
    "cholesky",
    "inverse",
]

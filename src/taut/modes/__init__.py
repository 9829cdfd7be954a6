"""Modes, and the Gaussians around them."""

from taut.modes.basins import Basin as Basin
from taut.modes.basins import Search as Search
from taut.modes.curvature import laplace_at as laplace_at
from taut.modes.lbfgs import ascend as ascend
from taut.modes.mixture import Modes as Modes
from taut.modes.mixture import counts as counts
from taut.modes.mixture import is_apart as is_apart
from taut.modes.mixture import is_parted as is_parted
from taut.modes.newton import CHUNK as CHUNK
from taut.modes.newton import Evaluated as Evaluated
from taut.modes.newton import Function as Function
from taut.modes.newton import descend as descend
from taut.modes.newton import newton_step as newton_step
from taut.modes.newton import scaled_eigen as scaled_eigen
from taut.modes.path_gaussians import Candidate as Candidate
from taut.modes.path_gaussians import best_of_paths as best_of_paths
from taut.modes.starts import Points as Points
from taut.modes.starts import Prior as Prior
from taut.modes.starts import Starts as Starts

__all__ = [
    "CHUNK",
    "Basin",
    "Candidate",
    "Evaluated",
    "Function",
    "Modes",
    "Points",
    "Prior",
    "Search",
    "Starts",
    "ascend",
    "best_of_paths",
    "counts",
    "descend",
    "is_apart",
    "is_parted",
    "laplace_at",
    "newton_step",
    "scaled_eigen",
]

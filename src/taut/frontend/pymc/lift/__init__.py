"""From a graph of PyTensor to a function of JAX."""

from taut.frontend.pymc.lift.factors import LiftedFactors as LiftedFactors
from taut.frontend.pymc.lift.factors import lift_factors as lift_factors
from taut.frontend.pymc.lift.interpret import as_written as as_written
from taut.frontend.pymc.lift.interpret import interpreted as interpreted
from taut.frontend.pymc.lift.interpret import interpreted_function as interpreted_function
from taut.frontend.pymc.lift.jaxify import load_backend as load_backend
from taut.frontend.pymc.lift.lift import INEXPRESSIBLE as INEXPRESSIBLE
from taut.frontend.pymc.lift.lift import Constrain as Constrain
from taut.frontend.pymc.lift.lift import LiftedModel as LiftedModel
from taut.frontend.pymc.lift.lift import Terms as Terms
from taut.frontend.pymc.lift.lift import conditionals_of as conditionals_of
from taut.frontend.pymc.lift.lift import data_arrays as data_arrays
from taut.frontend.pymc.lift.lift import on_device as on_device
from taut.frontend.pymc.lift.sparse_matrix import SparseMatrix as SparseMatrix
from taut.frontend.pymc.lift.sparse_matrix import table_of as table_of

__all__ = [
    "INEXPRESSIBLE",
    "Constrain",
    "LiftedFactors",
    "LiftedModel",
    "SparseMatrix",
    "Terms",
    "as_written",
    "conditionals_of",
    "data_arrays",
    "interpreted",
    "interpreted_function",
    "lift_factors",
    "load_backend",
    "on_device",
    "table_of",
]

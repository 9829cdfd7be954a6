"""The log density that is fitted, and the vector it is a function of."""

from taut.target.conditionals import Conditionals as Conditionals
from taut.target.description import Description as Description
from taut.target.description import Variable as Variable
from taut.target.description import digest as digest
from taut.target.factors import Factors as Factors
from taut.target.quadratic import Quadratic as Quadratic
from taut.target.quadratic import with_quadratic as with_quadratic
from taut.target.row_factors import GroupVariables as GroupVariables
from taut.target.row_factors import RowColumn as RowColumn
from taut.target.row_factors import RowFactors as RowFactors
from taut.target.simulations import Simulations as Simulations
from taut.target.simulations import with_data as with_data
from taut.target.space import Labels as Labels
from taut.target.space import Slot as Slot
from taut.target.space import Space as Space
from taut.target.step_data import Batching as Batching
from taut.target.step_data import StepData as StepData
from taut.target.step_data import StreamedRows as StreamedRows
from taut.target.target import Target as Target

__all__ = [
    "Batching",
    "Conditionals",
    "Description",
    "Factors",
    "GroupVariables",
    "Labels",
    "Quadratic",
    "RowColumn",
    "RowFactors",
    "Simulations",
    "Slot",
    "Space",
    "StepData",
    "StreamedRows",
    "Target",
    "Variable",
    "digest",
    "with_data",
    "with_quadratic",
]

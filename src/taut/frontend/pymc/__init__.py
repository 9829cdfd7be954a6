"""The front end for PyMC."""

from pymc import Minibatch as draw_minibatch

from taut.frontend.pymc.earlier_rows import add_earlier_rows as add_earlier_rows
from taut.frontend.pymc.earlier_rows import earlier_rows_in as earlier_rows_in
from taut.frontend.pymc.earlier_rows import element_labels as element_labels
from taut.frontend.pymc.multitrace import data_groups as data_groups
from taut.frontend.pymc.multitrace import multi_trace as multi_trace
from taut.frontend.pymc.nonfinite import Blame as Blame
from taut.frontend.pymc.nuts import as_pymc_starts as as_pymc_starts
from taut.frontend.pymc.nuts import free_values as free_values
from taut.frontend.pymc.nuts import nuts_step as nuts_step
from taut.frontend.pymc.nuts import random_start as random_start
from taut.frontend.pymc.source import PyMCSource as PyMCSource
from taut.frontend.pymc.source import find_model as find_model

__all__ = [
    "Blame",
    "PyMCSource",
    "add_earlier_rows",
    "as_pymc_starts",
    "data_groups",
    "draw_minibatch",
    "earlier_rows_in",
    "element_labels",
    "find_model",
    "free_values",
    "multi_trace",
    "nuts_step",
    "random_start",
]

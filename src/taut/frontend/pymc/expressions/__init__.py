"""PyTensor's view of an approximation, and expressions at its draws."""

from taut.frontend.pymc.expressions.evaluate import LiftedExpressions as LiftedExpressions
from taut.frontend.pymc.expressions.expressions import Expressions as Expressions
from taut.frontend.pymc.expressions.indices import out_of_range as out_of_range
from taut.frontend.pymc.expressions.nodes import on_flat_vector as on_flat_vector
from taut.frontend.pymc.expressions.predictive import given_data as given_data
from taut.frontend.pymc.expressions.predictive import predicted as predicted
from taut.frontend.pymc.expressions.shared_views import Views as Views
from taut.frontend.pymc.expressions.shared_views import constant as constant

__all__ = [
    "Expressions",
    "LiftedExpressions",
    "Views",
    "constant",
    "given_data",
    "on_flat_vector",
    "out_of_range",
    "predicted",
]

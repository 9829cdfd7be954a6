"""PyTensor's view of an approximation, and expressions at its draws."""

from taut.frontend.pymc.expressions.evaluate import LiftedExpressions as LiftedExpressions
from taut.frontend.pymc.expressions.expressions import Expressions as Expressions
from taut.frontend.pymc.expressions.nodes import on_flat_vector as on_flat_vector
from taut.frontend.pymc.expressions.shared_views import Views as Views
from taut.frontend.pymc.expressions.shared_views import constant as constant

__all__ = [
    "Expressions",
    "LiftedExpressions",
    "Views",
    "constant",
    "on_flat_vector",
]

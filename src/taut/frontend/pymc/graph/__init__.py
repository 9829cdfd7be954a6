"""What a graph of PyTensor says of its model."""

from taut.frontend.pymc.graph.circular import circular_elements as circular_elements
from taut.frontend.pymc.graph.circular import transforms_of as transforms_of
from taut.frontend.pymc.graph.circular import whole_circles as whole_circles
from taut.frontend.pymc.graph.minibatch import factors_with as factors_with
from taut.frontend.pymc.graph.minibatch import find_minibatches as find_minibatches
from taut.frontend.pymc.graph.minibatch import given_the_observed as given_the_observed
from taut.frontend.pymc.graph.minibatch import is_scaled as is_scaled
from taut.frontend.pymc.graph.minibatch import length_of as length_of
from taut.frontend.pymc.graph.minibatch import log_factors as log_factors
from taut.frontend.pymc.graph.minibatch import with_all_rows as with_all_rows
from taut.frontend.pymc.graph.minibatch import with_length as with_length
from taut.frontend.pymc.graph.model_graph import DataInputs as DataInputs
from taut.frontend.pymc.graph.model_graph import ModelGraph as ModelGraph
from taut.frontend.pymc.graph.model_graph import check_randomness as check_randomness
from taut.frontend.pymc.graph.model_graph import lift_data as lift_data
from taut.frontend.pymc.graph.model_graph import read_model as read_model
from taut.frontend.pymc.graph.model_graph import total as total
from taut.frontend.pymc.graph.resize import check_replacements as check_replacements
from taut.frontend.pymc.graph.resize import replace_loosely as replace_loosely
from taut.frontend.pymc.graph.sparse import is_sparse as is_sparse
from taut.frontend.pymc.graph.sparse import value_of as value_of
from taut.frontend.pymc.graph.sparse_ops import FromTable as FromTable
from taut.frontend.pymc.graph.sparse_ops import SparseProduct as SparseProduct
from taut.frontend.pymc.graph.stacked import many_as_one as many_as_one
from taut.frontend.pymc.graph.stand_in import EARLIER_ROWS as EARLIER_ROWS
from taut.frontend.pymc.graph.stand_in import stands_for_rows as stands_for_rows
from taut.frontend.pymc.graph.total_size import check_total_sizes as check_total_sizes

__all__ = [
    "EARLIER_ROWS",
    "DataInputs",
    "FromTable",
    "ModelGraph",
    "SparseProduct",
    "check_randomness",
    "check_replacements",
    "check_total_sizes",
    "circular_elements",
    "factors_with",
    "find_minibatches",
    "given_the_observed",
    "is_scaled",
    "is_sparse",
    "length_of",
    "lift_data",
    "log_factors",
    "many_as_one",
    "read_model",
    "replace_loosely",
    "stands_for_rows",
    "total",
    "transforms_of",
    "value_of",
    "whole_circles",
    "with_all_rows",
    "with_length",
]

"""Densities with their latents integrated out, at compiled speed."""

from taut.marginal.by_batches import BatchedMarginal
from taut.marginal.chain_field import ChainField
from taut.marginal.corner_points import CornerPoints
from taut.marginal.field import AbstractField
from taut.marginal.group_latents import GroupLatents
from taut.marginal.group_reader import read_groups
from taut.marginal.grouped_model import GroupedModel
from taut.marginal.grouped_rows import GroupedRows
from taut.marginal.importance import ImportancePoints, Shape
from taut.marginal.integrand import Given, Integrand, Value
from taut.marginal.laplace import MarginalDensity, factored, laplace
from taut.marginal.near_field import NearField
from taut.marginal.plate_field import PlateField
from taut.marginal.points import AbstractPoints, Estimate
from taut.marginal.quadrature import Integrated, Nodes, nodes_for, nodes_of_normal, quadrature

__all__ = [
    "AbstractField",
    "AbstractPoints",
    "BatchedMarginal",
    "ChainField",
    "CornerPoints",
    "Estimate",
    "Given",
    "GroupLatents",
    "GroupedModel",
    "GroupedRows",
    "ImportancePoints",
    "Integrand",
    "Integrated",
    "MarginalDensity",
    "NearField",
    "Nodes",
    "PlateField",
    "Shape",
    "Value",
    "factored",
    "laplace",
    "nodes_for",
    "nodes_of_normal",
    "quadrature",
    "read_groups",
]

"""What PyMC's module of this name holds: approximations, groups, and errors."""

from typing import Any

from taut import Approximation as Approximation
from taut import Group as Group
from taut.errors import ArgumentError as NotImplementedInference
from taut.errors import GroupError as GroupError
from taut.errors import ModelError as ParametrizationError
from taut.errors import TautError as VariationalInferenceError

__all__ = [
    "Approximation",
    "Group",
    "GroupError",
    "NotImplementedInference",
    "ParametrizationError",
    "VariationalInferenceError",
]

_INSTEAD = {
    "Operator": "an objective is a taut.objective.AbstractObjective",
    "ObjectiveFunction": "an objective is a taut.objective.AbstractObjective, and a step is taken "
    "by taut.Inference.fit",
    "TestFunction": "a kernel of taut.objective.Stein is a function of two points",
    "ExplicitInferenceError": "no error is raised under this name; see taut.errors",
    "AEVBInferenceError": "no error is raised under this name; see taut.errors",
}


def __getattr__(name: str) -> Any:
    """Say what is there in place of names of PyMC's own machinery."""
    advice = f": in taut {_INSTEAD[name]}" if name in _INSTEAD else ""
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}{advice}")

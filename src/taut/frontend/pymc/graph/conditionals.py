"""Free variables of a model that are normal given others, as in a hierarchy."""

from dataclasses import dataclass
from typing import Any

from pytensor.graph.traversal import ancestors
from pytensor.tensor.random.basic import NormalRV

from taut.frontend.pymc.graph.minibatch import find_minibatches


@dataclass(frozen=True, eq=False)
class ConditionalNormal:
    """A free variable whose mean or standard deviation depends on other free variables.

    Parameters
    ----------
    name
        Of its value variable.
    level
        How many such variables it depends on, one by the other.
    mean, std
        Expressions of random variables.
    """

    name: str
    level: int
    mean: Any
    std: Any


def conditional_normals(model: Any) -> list[ConditionalNormal]:
    """List the variables, of those that are not transformed and read all rows."""
    found: dict[Any, ConditionalNormal] = {}
    for rv in model.free_RVs:
        if not isinstance(rv.owner.op, NormalRV) or model.rvs_to_transforms[rv] is not None:
            continue
        mean, std = rv.owner.op.dist_params(rv.owner)
        above = set(ancestors([mean, std]))
        if above.isdisjoint(model.free_RVs) or find_minibatches([mean, std]):
            continue
        level = max((one.level + 1 for other, one in found.items() if other in above), default=0)
        found[rv] = ConditionalNormal(model.rvs_to_values[rv].name, level, mean, std)
    return list(found.values())

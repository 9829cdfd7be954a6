"""What tells one PyMC model from another."""

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import pytensor
import scipy.sparse
from pymc.logprob.transforms import IntervalTransform
from pytensor.compile.sharedvalue import SharedVariable
from pytensor.graph.basic import Constant, Variable
from pytensor.graph.traversal import ancestors
from pytensor.tensor import get_underlying_scalar_constant_value
from pytensor.tensor.exceptions import NotScalarConstantError
from pytensor.tensor.random.type import RandomType

from taut.frontend.pymc.graph import transforms_of
from taut.target import Description, Space, digest
from taut.target import Variable as Described


def describe(model: Any, space: Space) -> Description:
    """Describe the free variables of a model, and take fingerprints of its data and numbers."""
    transforms = transforms_of(model)
    variables = tuple(_described(model, rv, transforms[rv], space) for rv in model.free_RVs)
    dtype = np.dtype(pytensor.config.floatX).name
    return Description(variables, dtype, dict(_fingerprints(model)))


def _described(model: Any, rv: Any, transform: Any, space: Space) -> Described:
    slot = space[model.rvs_to_values[rv].name]
    return Described(
        rv.name,
        slot.name,
        slot.shape,
        None if transform is None else _name(transform),
        _bounds(transform, rv),
        tuple(model.named_vars_to_dims.get(rv.name, ())),
    )


def _name(transform: Any) -> str:
    parts = getattr(transform, "transform_list", None)
    return type(transform).__name__ if parts is None else " after ".join(map(_name, parts[::-1]))


def _bounds(transform: Any, rv: Any) -> tuple[float | None, float | None]:
    """Return the ends of an interval, where these are numbers."""
    if not isinstance(transform, IntervalTransform):
        return None, None
    lower, upper = transform.args_fn(*rv.owner.inputs)
    return _number(lower), _number(upper)


def _number(bound: Any) -> float | None:
    if bound is None:
        return None
    try:
        return float(get_underlying_scalar_constant_value(bound))
    except NotScalarConstantError:
        return float("nan")


def _fingerprints(model: Any) -> Iterator[tuple[str, str]]:
    """Take fingerprints of data, and for each variable of the other numbers that decide it."""
    named = {variable: variable.name for variable in model.data_vars}
    known: dict[Variable, str] = {}
    for variable, name in named.items():
        yield name, _digest(variable, known)
    terms = [*model.free_RVs, *model.observed_RVs, *model.potentials]
    for term in terms:
        others = [one for one in terms if one is not term]
        value = model.rvs_to_values.get(term)
        roots = [term] if value is None or term in model.free_RVs else [term, value]
        below = ancestors(roots, blockers=others)
        yield term.name, _of_all(_digest(v, known) for v in below if _counts(v, named))


def _counts(variable: Any, named: Iterable[Any]) -> bool:
    """Check whether a variable holds numbers that no name stands for."""
    if isinstance(variable, SharedVariable):
        return not isinstance(variable.type, RandomType) and variable not in named
    return isinstance(variable, Constant) and isinstance(variable.data, np.ndarray | np.generic)


def _of_all(digests: Iterable[str]) -> str:
    return digest([np.frombuffer("".join(sorted(digests)).encode(), np.uint8)])


def _digest(variable: Any, known: dict[Variable, str]) -> str:
    if variable not in known:
        is_shared = isinstance(variable, SharedVariable)
        value: Any = variable.get_value(borrow=True) if is_shared else variable.data
        if scipy.sparse.issparse(value):
            table = value.tocoo()
            known[variable] = digest([table.data, table.row, table.col, np.array(table.shape)])
        else:
            known[variable] = digest([value])
    return known[variable]

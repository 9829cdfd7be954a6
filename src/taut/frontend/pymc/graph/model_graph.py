"""A model's log density as a graph whose data are inputs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from pymc.distributions.simulator import SimulatorRV
from pymc.pytensorf import rvs_in_graph
from pytensor.compile.sharedvalue import SharedVariable
from pytensor.graph.basic import Apply, Constant
from pytensor.graph.replace import clone_replace
from pytensor.graph.traversal import graph_inputs
from pytensor.tensor import as_tensor
from pytensor.tensor.math import variadic_add
from pytensor.tensor.random.type import RandomType

from taut.errors import DiscreteVariableError, ModelError
from taut.frontend.pymc.graph.circular import whole_circles
from taut.frontend.pymc.graph.conditionals import ConditionalNormal, conditional_normals
from taut.frontend.pymc.graph.minibatch import log_factors, rows_as_inputs, with_all_rows
from taut.frontend.pymc.graph.resize import check_replacements, replace_loosely
from taut.frontend.pymc.graph.sparse import sparse_data, value_of
from taut.frontend.pymc.graph.stacked import sums_of

# Constants from this size on are passed at run time instead of being built into the program.
_LARGE = 64


@dataclass(frozen=True, eq=False)
class ModelGraph:
    """A model's log density and constrained variables, as functions of their inputs.

    Parameters
    ----------
    values
        The value variables, one for each free variable.
    terms
        The log prior, and the log likelihood in one or more parts; `pymc.Minibatch` replaced by
        inputs.
    names
        Names of the constrained variables, deterministics included.
    constrained
        The constrained variables; `pymc.Minibatch` replaced by inputs.
    batch
        For each `pymc.Minibatch` the inputs that replace its outputs.
    minibatches
        The nodes that were replaced.
    factors
        The log densities that the terms sum, of all rows where nothing but a `pymc.Minibatch` was
        replaced.
    conditionals
        The free variables that are normal given others.
    moments
        Of each of these the mean and the standard deviation.
    """

    values: list[Any]
    terms: list[Any]
    names: list[str]
    constrained: list[Any]
    batch: list[list[Any]]
    minibatches: list[Apply]
    factors: list[Any] = field(default_factory=list)
    conditionals: list[ConditionalNormal] = field(default_factory=list)
    moments: list[Any] = field(default_factory=list)

    @property
    def outputs(self) -> list[Any]:
        """Terms, constrained variables and moments of conditionals."""
        return [*self.terms, *self.constrained, *self.moments]

    @property
    def batch_inputs(self) -> list[Any]:
        return [variable for group in self.batch for variable in group]


def read_model(model: Any, more_replacements: Mapping[Any, Any] | None = None) -> ModelGraph:
    """Read the graphs off a model.

    Parameters
    ----------
    model
        The model.
    more_replacements
        What takes the place of variables in the density, such as a `pymc.Minibatch` of data.

    Raises
    ------
    ModelError
        The model has no free variables, or its density draws random numbers or is unknown.
    DiscreteVariableError
        A free variable is discrete.
    """
    _check_free_variables(model)
    _check_simulators(model)
    replacements = check_replacements(more_replacements or {})
    conditionals = conditional_normals(model)
    moments = [moment for one in conditionals for moment in (one.mean, one.std)]
    with whole_circles(model):
        constrained = model.replace_rvs_by_values([*model.unobserved_RVs, *moments])
    try:
        factors, lengths = log_factors(model, replacements)
    except (ValueError, NotImplementedError) as error:
        raise ModelError(f"PyMC can not derive the model's log density: {error}") from error
    outputs = [*_terms(factors, len(model.free_RVs)), *constrained]
    outputs = replace_loosely(outputs, replacements)
    outputs, minibatches, batch = rows_as_inputs(outputs, lengths)
    check_randomness(outputs[:2])
    names = [rv.name for rv in model.unobserved_RVs]
    first = 2 + len(names)
    return ModelGraph(
        model.value_vars, outputs[:2], names, outputs[2:first], batch, minibatches,
        with_all_rows(factors, lengths), conditionals, outputs[first:],
    )  # fmt: skip


@dataclass(frozen=True, eq=False)
class DataInputs:
    """Outputs of a graph with its data lifted to inputs.

    Parameters
    ----------
    outputs
        The graph's outputs, in which data are inputs.
    inputs
        Those inputs.
    sources
        What each input stands for: a shared variable, a large constant, or what is computed of
        sparse matrices and data (`taut.frontend.pymc.graph.value_of`).
    frozen
        Shared variables built into the graph with the value they had.
    """

    outputs: list[Any]
    inputs: list[Any]
    sources: list[Any]
    frozen: list[tuple[SharedVariable, np.ndarray]]

    def is_current(self) -> bool:
        """Return whether the values built in are still those of their shared variables."""
        return all(np.array_equal(s.get_value(borrow=True), value) for s, value in self.frozen)


def lift_data(outputs: Sequence[Any], freeze_shapes: bool = False) -> DataInputs:
    """Turn shared variables, large constants and sparse matrices into inputs.

    Lengths (shared integer scalars) stay in the graph with their value, since JAX needs shapes
    when it traces; with `freeze_shapes` all integers, booleans and scalars do, for graphs in
    which they decide a shape (``pymc.Data("n", 7)`` is a float).
    """
    outputs, sparse = sparse_data(outputs)
    found: list[Any] = [
        v for v in graph_inputs(outputs) if isinstance(v, SharedVariable | Constant)
    ]
    shared = [v for v in found if isinstance(v, SharedVariable) and not _is_random(v)]
    frozen = [v for v in shared if _decides_shapes(v, freeze_shapes)]
    lifted = [v for v in shared if v not in frozen]
    lifted += [v for v in found if isinstance(v, Constant) and _is_large(v, freeze_shapes)]
    inputs = [v.type(name=v.name) for v in lifted]
    constants = [v.type.filter_variable(v.type.make_constant(value_of(v))) for v in frozen]
    replace: dict[Any, Any] = dict(zip([*lifted, *frozen], [*inputs, *constants], strict=True))
    return DataInputs(
        clone_replace(outputs, replace, rebuild_strict=False),
        [*inputs, *sparse],
        [*lifted, *sparse.values()],
        [(v, np.array(v.get_value())) for v in frozen],
    )


def total(factor: Any) -> Any:
    """Sum a log density over its elements."""
    return as_tensor(factor, allow_xtensor_conversion=True).sum()


def _terms(factors: list[Any], free: int) -> list[Any]:
    """Sum the factors of the free variables, which come first, and those of the rest."""
    prior, likelihood = sums_of(factors[:free]), sums_of(factors[free:])
    return [variadic_add(*prior), variadic_add(*likelihood) if likelihood else as_tensor(0.0)]


def _check_free_variables(model: Any) -> None:
    if not model.free_RVs:
        raise ModelError(
            "The model has no free variables, so there is no posterior to approximate. Define at "
            "least one unobserved variable, such as pymc.Normal('mu', 0, 1), inside "
            "`with pymc.Model() as model:`."
        )
    discrete = [rv.name for rv in model.free_RVs if _is_discrete(model.rvs_to_values[rv].dtype)]
    if discrete:
        names = ", ".join(repr(name) for name in discrete)
        raise DiscreteVariableError(
            f"Free variables that are discrete have no gradient: {names}. Sum them out of the "
            f"model and fit what is left:\n\n"
            f"    import pymc_extras\n"
            f"    marginal_model = pymc_extras.marginalize(model, [{names}])\n"
            f"    approx = taut.fit(model=marginal_model)\n"
        )


def _check_simulators(model: Any) -> None:
    """Refuse variables whose density is known by simulation alone."""
    simulated = [rv for rv in model.basic_RVs if isinstance(rv.owner.op, SimulatorRV)]
    if simulated:
        names = ", ".join(repr(rv.name) for rv in simulated)
        raise ModelError(
            f"{names} is a pymc.Simulator: its likelihood is told by simulations alone, anew each "
            "time, and has no gradient. Fit the model by pymc.sample_smc, or write the likelihood "
            "down: pymc.CustomDist(..., logp=...)."
        )


def check_randomness(outputs: list[Any]) -> None:
    """Refuse a density that draws random numbers."""
    random = rvs_in_graph(outputs)
    if random:
        ops = ", ".join(sorted({str(variable.owner.op) for variable in random}))
        raise ModelError(
            f"The model's log density draws random numbers ({ops}), so it is no density. "
            "Only pymc.Minibatch may be random in it."
        )


def _is_random(variable: Any) -> bool:
    return isinstance(variable.type, RandomType)


def _is_discrete(dtype: str) -> bool:
    return np.dtype(dtype).kind in "biu"


def _decides_shapes(variable: Any, freeze_shapes: bool) -> bool:
    discrete = _is_discrete(variable.type.dtype)
    scalar = variable.type.ndim == 0
    return discrete or scalar if freeze_shapes else discrete and scalar


def _is_large(constant: Any, freeze_shapes: bool) -> bool:
    if not isinstance(constant.data, np.ndarray) or constant.data.size < _LARGE:
        return False
    kind = np.dtype(constant.type.dtype).kind
    return kind != "b" and not (freeze_shapes and kind in "iu")

"""A model's log density as a JAX function, by the first way that works."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytensor
import scipy.sparse
from jaxtyping import Array, Float, PyTree, Scalar
from pytensor.graph.basic import Constant, Variable
from pytensor.graph.traversal import ancestors
from pytensor.graph.utils import MissingInputError

from taut.autodiff import guard_selects
from taut.errors import warn
from taut.frontend.pymc.graph import DataInputs, ModelGraph, lift_data, value_of
from taut.frontend.pymc.lift.callback import constrain_by_callback, lowered, terms_by_callback
from taut.frontend.pymc.lift.gradientless import WITHOUT_GRADIENT, no_gradient
from taut.frontend.pymc.lift.jaxify import jaxify
from taut.frontend.pymc.lift.sparse_matrix import SparseMatrix
from taut.target import Conditionals, Space

# What tracing raises where JAX can not express a graph: an op without a JAX version, or a shape
# that depends on data, or a deterministic variable that draws random numbers.
INEXPRESSIBLE = (NotImplementedError, TypeError, IndexError, ValueError, MissingInputError)

# Levels of a hierarchy that are taken apart.
_DEEPEST = 16

# Where PyTensor has its ops that call LAPACK.
_LINALG = "pytensor.tensor.linalg"


@dataclass(eq=False)
class LiftedModel:
    """A model's graphs as JAX functions of value variables, data and batch inputs.

    Parameters
    ----------
    graph
        The graphs.
    data
        The data inputs. Where PyTensor evaluates the graphs it reads the data itself, and these
        only tell programs for data of one shape from those for another.
    terms
        Gives the terms of the graph: the log prior, and the log likelihood in one or more parts.
    check_bounds
        The model's setting.
    reads_inputs
        Whether the terms read the data inputs, or PyTensor the data themselves.
    """

    graph: ModelGraph
    data: DataInputs
    terms: Callable[..., Sequence[Array]]
    check_bounds: bool
    reads_inputs: bool = True
    _constrain: Callable[..., Sequence[Array]] | None = None
    _moments: Callable[..., Sequence[Array]] | None = None
    _constants: dict[Variable, Array] = field(default_factory=dict)

    @cached_property
    def factors_matrices(self) -> bool:
        """Whether the terms take Cholesky factors, inverses or the like."""
        ops = (v.owner.op for v in ancestors(self.graph.terms) if v.owner is not None)
        return any(_LINALG in type(getattr(op, "core_op", op)).__module__ for op in ops)

    def is_current(self) -> bool:
        """Return whether what was built into the functions still holds."""
        return self.data.is_current()

    def arrays(self) -> tuple[Array, ...]:
        """Copy the data of this moment to the device; constants were copied once."""
        return data_arrays(self.data, self._constants)

    def constrain(self, *args: Array) -> Sequence[Array]:
        """Compute the constrained variables; the function is built at the first call."""
        if self._constrain is None:
            self._constrain = self._build_constrain(args)
        return self._constrain(*args)

    def moments(self, *args: Array) -> Sequence[Array]:
        """Compute mean and standard deviation of each conditional; built at the first call."""
        if self._moments is None:
            moments = self._jaxified(self._outputs_after_terms[len(self.graph.names) :])
            self._moments = guard_selects(moments, len(self.graph.values), is_sum=False)
        return self._moments(*args)

    def _build_constrain(self, args: tuple[Array, ...]) -> Callable[..., Sequence[Array]]:
        try:
            function = self._jaxified(self._outputs_after_terms[: len(self.graph.names)])
            jax.eval_shape(function, *args)
            return function
        except INEXPRESSIBLE as error:
            _warn_fallback("deterministic variables", error)
        return _without_data(self.graph, constrain_by_callback(self.graph))

    def _jaxified(self, outputs: list[Any]) -> Callable[..., Sequence[Array]]:
        inputs = [*self.graph.values, *self.data.inputs, *self.graph.batch_inputs]
        return jaxify(inputs, outputs, self.check_bounds)

    @property
    def _outputs_after_terms(self) -> list[Any]:
        return self.data.outputs[len(self.graph.terms) :]


@dataclass(frozen=True)
class Terms:
    """``(z, data, batch) -> (log_prior, log_likelihood)`` of a lifted model."""

    lifted: LiftedModel
    space: Space

    def __call__(
        self, z: Float[Array, " dim"], data: PyTree, batch: PyTree
    ) -> tuple[Scalar, Scalar]:
        prior, likelihood = self.lifted.terms(*_inputs(self.space, z, data, batch))
        return prior, likelihood


@dataclass(frozen=True)
class Constrain:
    """``(z, data, batch) -> {name: array}`` of a lifted model."""

    lifted: LiftedModel
    space: Space

    def __call__(self, z: Float[Array, " dim"], data: PyTree, batch: PyTree) -> dict[str, Array]:
        values = self.lifted.constrain(*_inputs(self.space, z, data, batch))
        names = self.lifted.graph.names
        return {name: jnp.asarray(value) for name, value in zip(names, values, strict=True)}


@dataclass(frozen=True)
class ConditionalMoments:
    """``(z, data, batch) -> (mean, std)`` of the elements that are normal given others."""

    lifted: LiftedModel
    space: Space

    def __call__(
        self, z: Float[Array, " dim"], data: PyTree, batch: PyTree
    ) -> tuple[Float[Array, " dim"], Float[Array, " dim"]]:
        moments = self.lifted.moments(*_inputs(self.space, z, data, batch))
        names = [one.name for one in self.lifted.graph.conditionals]
        means = self._flat(dict(zip(names, moments[::2], strict=True)), 0.0)
        return means, self._flat(dict(zip(names, moments[1::2], strict=True)), 1.0)

    def _flat(self, known: Mapping[str, Array], else_: float) -> Float[Array, " dim"]:
        parts = [
            jnp.ravel(jnp.broadcast_to(known.get(slot.name, else_), slot.shape))
            for slot in self.space
        ]
        return jnp.concatenate(parts)


def conditionals_of(lifted: LiftedModel, space: Space) -> Conditionals | None:
    """Return the elements that are normal given others; `None` where none are known.

    Nor are they where each depends on one before for many steps, as in a loop over time: each step
    would be a part of the programs of its own.
    """
    found = lifted.graph.conditionals
    depth = 1 + max((one.level for one in found), default=-1)
    if not 0 < depth <= _DEEPEST or not lifted.reads_inputs:
        return None
    levels = [tuple(one.name for one in found if one.level == i) for i in range(depth)]
    return Conditionals(ConditionalMoments(lifted, space), space, tuple(levels))


def lift(
    model: Any, graph: ModelGraph, shapes: Sequence[tuple[int, ...]], batch: PyTree
) -> LiftedModel:
    """Lift a model's graphs.

    First with all data as inputs; if a shape depends on them, with integers, booleans and scalars
    built in; else PyTensor evaluates the density, and a warning says what stood in the way.

    Parameters
    ----------
    model
        The model.
    graph
        Its graphs.
    shapes
        Of the value variables.
    batch
        Arrays like those of a batch, or their shapes.

    Raises
    ------
    ModelError
        Neither JAX nor PyTensor has a gradient of an operation.
    """
    reason: Exception | None = None
    for freeze_shapes in (False, True):
        data = lift_data(graph.outputs, freeze_shapes)
        inputs = [*graph.values, *data.inputs, *graph.batch_inputs]
        try:
            function = jaxify(inputs, data.outputs[: len(graph.terms)], model.check_bounds)
            function = guard_selects(function, len(graph.values))
            lifted = LiftedModel(graph, data, function, model.check_bounds)
            values = [jax.ShapeDtypeStruct(shape, pytensor.config.floatX) for shape in shapes]
            jax.eval_shape(function, *values, *lifted.arrays(), *jax.tree.leaves(batch))
            return lifted
        except INEXPRESSIBLE as error:
            reason = error
    # On the context, where PyMC looks for `check_bounds`.
    with model:
        try:
            function = _without_data(graph, terms_by_callback(graph))
        except WITHOUT_GRADIENT as error:
            raise no_gradient(model, graph, lowered(graph.terms), error) from error
    _warn_fallback("log density", reason)
    data = lift_data(graph.outputs)
    return LiftedModel(graph, data, function, model.check_bounds, reads_inputs=False)


def _without_data(graph: ModelGraph, function: Callable[..., Any]) -> Callable[..., Any]:
    """Leave out the data inputs: PyTensor reads the data themselves."""
    values, batch = len(graph.values), len(graph.batch_inputs)
    return lambda *args: function(*args[:values], *args[len(args) - batch :])


def _inputs(space: Space, z: Array, data: PyTree, batch: PyTree) -> list[Array]:
    # What PyTensor generates calls methods that only JAX's arrays have.
    return [*space.unravel(jnp.asarray(z)).values(), *data, *jax.tree.leaves(batch)]


def data_arrays(
    data: DataInputs, constants: dict[Variable, Array] | None = None
) -> tuple[Array, ...]:
    """Copy the data of this moment to the device.

    Parameters
    ----------
    data
        Tells where they are.
    constants
        Those that were copied before; the others are added.
    """
    copied = {} if constants is None else constants

    def array(source: Any) -> Array:
        if not isinstance(source, Constant):
            return on_device(value_of(source))
        if source not in copied:
            copied[source] = on_device(source.data)
        return copied[source]

    return tuple(map(array, data.sources))


def on_device(value: Any) -> Any:
    """Copy a value to the device, in the type PyTensor's JAX code expects."""
    # A copy: JAX may otherwise share memory with an array that the user goes on changing.
    if isinstance(value, np.ndarray | np.generic | float | int):
        # Put there as it is: jnp.array would compile a small program for each shape.
        return jax.device_put(np.array(value))
    if scipy.sparse.issparse(value):
        return SparseMatrix.of(value)
    from pytensor.link.jax.dispatch import jax_typify

    return jax_typify(value)


def _warn_fallback(what: str, reason: Exception | None) -> None:
    first_line = str(reason).strip().split("\n")[0]
    warn(
        f"JAX can not evaluate the model's {what} ({first_line}). PyTensor evaluates it instead: "
        "results are the same, steps are slower."
    )

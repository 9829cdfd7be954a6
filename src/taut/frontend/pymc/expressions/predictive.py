"""What a model predicts: its observed variables drawn anew, from data that may have other rows."""

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np
import pytensor
import pytensor.tensor as pt
from pytensor.compile.sharedvalue import SharedVariable
from pytensor.tensor.random import basic
from pytensor.tensor.random.op import RandomVariable
from pytensor.tensor.type_other import NoneTypeT

from taut.errors import ArgumentError
from taut.frontend import nearest
from taut.frontend.pymc.graph import is_scaled, replace_loosely


def predicted(model: Any, names: Sequence[str]) -> list[Any]:
    """Return expressions of variables in which the observed ones are drawn anew.

    Raises
    ------
    ArgumentError
        The model has no such variable.
    """
    wanted = [_named(name, model.named_vars, "variable") for name in names]
    return replace_loosely(wanted, _fresh(model.observed_RVs))


def given_data(model: Any, data: Mapping[str, Any]) -> dict[Any, Any]:
    """Return what replaces data of a model, and the lengths of its dims.

    Parameters
    ----------
    model
        The PyMC model.
    data
        New values by the name of `pymc.Data`, of any length.

    Raises
    ------
    ArgumentError
        There are no such data, or lengths contradict one another.
    """
    known = {variable.name: variable for variable in model.data_vars}
    lengths: dict[str, int] = {}
    replacements: dict[Any, Any] = {}
    for name, value in data.items():
        array = np.asarray(value)
        replacements[_named(name, known, "pm.Data")] = array
        for dim, length in zip(model.named_vars_to_dims.get(name) or (), array.shape, strict=False):
            if dim is not None and lengths.setdefault(dim, length) != length:
                raise ArgumentError(
                    f"{name} has {length} along {dim!r}, and other new data {lengths[dim]}."
                )
    return replacements | _of_dims(model, lengths)


def _of_dims(model: Any, lengths: Mapping[str, int]) -> dict[Any, Any]:
    """Replace the lengths of dims by constants, which shapes on JAX have to be."""
    found = {}
    for dim, length in model.dim_lengths.items():
        if dim in lengths:
            found[length] = _length(lengths[dim])
        elif isinstance(length, SharedVariable):
            found[length] = _length(int(length.get_value()))
    return found


@cache
def _length(length: int) -> Any:
    """Return the same constant for the same length, so that the same programs serve."""
    return pt.constant(np.int64(length))


def _named(name: Any, known: Mapping[str, Any], kind: str) -> Any:
    if name not in known:
        there = ", ".join(known) or "none"
        raise ArgumentError(
            f"The model has no {kind} {name!r}{nearest(str(name), known)}. There are: {there}."
        )
    return known[name]


def _fresh(observed: Sequence[Any]) -> dict[Any, Any]:
    """Draw each observed variable anew, from those it depends on that are observed, too."""
    fresh: dict[Any, Any] = {}
    for rv in observed:
        drawn = rv
        while is_scaled(drawn):
            drawn = drawn.owner.inputs[0]
        node = drawn.owner
        inputs = replace_loosely(node.inputs, fresh) if fresh else node.inputs
        if isinstance(node.op, RandomVariable):
            fresh[rv] = _redrawn(node.op, *_parts(node.op.make_node(*inputs)))
        else:
            # What has a graph inside keeps the size it was made for.
            again = node.clone_with_new_inputs(inputs, strict=False)
            fresh[rv] = again.outputs[node.outputs.index(drawn)]
            fresh[rv].name = None
    return fresh


def _parts(node: Any) -> tuple[Any, Any, list[Any]]:
    """Return generator, size and parameters; no size where the parameters decide it."""
    op, parameters = node.op, list(node.op.dist_params(node))
    size = op.size_param(node)
    batches = [
        param.type.shape[: param.type.ndim - ndim]
        for param, ndim in zip(parameters, op.ndims_params, strict=True)
    ]
    axes = node.default_output().type.ndim - op.ndim_supp
    full = (any(len(b) == axes and b[axis] != 1 for b in batches) for axis in range(axes))
    decided = isinstance(size.type, NoneTypeT) or all(full)
    return op.rng_param(node), None if decided else size, parameters


def _redrawn(op: RandomVariable, rng: Any, size: Any, parameters: list[Any]) -> Any:
    """Draw, by random variables that JAX draws as it should where it does not draw this one."""
    drawn = _draw(op, rng, size, *parameters)
    write = _IN_OTHERS.get(type(op))
    return drawn if write is None else write(rng, size, *parameters).astype(drawn.type.dtype)


def _draw(op: RandomVariable, rng: Any, size: Any, *parameters: Any) -> Any:
    return op.make_node(rng, size, *parameters).default_output()


def _bernoulli(rng: Any, size: Any, p: Any) -> Any:
    # Of a random variable that JAX draws without being told a size.
    log_odds: Any = pt.log(p / (1 - p))
    return pt.gt(_draw(basic.logistic, rng, size, log_odds, 1.0), 0.0)


def _categorical(rng: Any, size: Any, p: Any) -> Any:
    size = None if size is None else (*[size[i] for i in range(size.type.shape[0])], p.shape[-1])
    noise = _draw(basic.gumbel, rng, size, pt.zeros_like(p), 1.0)
    return pt.argmax(pt.log(p) + noise, axis=-1)


def _negative_binomial(rng: Any, size: Any, n: Any, p: Any) -> Any:
    own = pytensor.shared(np.random.default_rng())
    rate = _draw(basic._gamma, own, size, n, (1 - p) / p)
    return _draw(basic.poisson, rng, None, rate)


def _log_normal(rng: Any, size: Any, mean: Any, sigma: Any) -> Any:
    return pt.exp(_draw(basic.normal, rng, size, mean, sigma))


def _half_normal(rng: Any, size: Any, loc: Any, sigma: Any) -> Any:
    return loc + abs(_draw(basic.normal, rng, size, pt.zeros_like(loc), sigma))


_IN_OTHERS: dict[type, Callable[..., Any]] = {
    basic.BernoulliRV: _bernoulli,
    basic.CategoricalRV: _categorical,
    basic.HalfNormalRV: _half_normal,
    basic.LogNormalRV: _log_normal,
    basic.NegBinomialRV: _negative_binomial,
}

"""Draws of a family as PyTensor expressions, which follow its parameters."""

from collections.abc import Callable
from functools import singledispatch
from typing import Any

import jax
import numpy as np
import pytensor
import pytensor.tensor as pt
from pytensor.link.jax.ops import JAXOp
from pytensor.link.numba.dispatch.basic import generate_fallback_impl, numba_funcify

from taut import seed
from taut.errors import unwarned
from taut.family import AbstractFamily, FullRank, LowRank, MeanField, Particles, Product

View = Callable[[str], Any]


class FamilyOp(JAXOp):
    """A family's JAX code as an op; PyTensor differentiates it by JAX."""


@numba_funcify.register(FamilyOp)
def _call_python(op: FamilyOp, node: Any = None, **kwargs: Any) -> Any:
    with unwarned("Numba will use object mode"):
        # That numba calls back to Python is how this op works, and nothing a user can change.
        return generate_fallback_impl(op, node, **kwargs)


@singledispatch
def symbolic_draws(family: AbstractFamily, view: View, size: Any, random_seed: int) -> Any:
    """Draw a matrix, one draw a row, from a PyTensor generator of its own.

    Parameters
    ----------
    family
        Tells the kind of draws; its parameters are read by `view`.
    view
        Gives the shared variable of a parameter.
    size
        Rows, a symbolic integer.
    random_seed
        Of the generator.

    Notes
    -----
    This version serves any family: the generator makes the words of JAX keys, and an op samples.
    The families of taut have versions in plain PyTensor, which every backend compiles.
    """
    leaves, tree = jax.tree.flatten(family)
    views = [view(f"leaf_{i}") for i in range(len(leaves))]

    def sample(words: Any, *leaves: Any) -> tuple[Any]:
        member = jax.tree.unflatten(tree, leaves)
        return (jax.vmap(lambda own: member.sample(seed.key(own)))(words),)

    words = _integers(2**32, pt.stack([size, 2]), random_seed).astype("uint32")
    return family_op(sample, words, *views, ndim=2, name="draws")


def family_op(function: Callable[..., tuple[Any]], *inputs: Any, ndim: int, name: str) -> Any:
    """Apply a JAX function with one output of `ndim` axes and PyTensor's float type."""
    out = pt.TensorType(pytensor.config.floatX, shape=(None,) * ndim)
    op: Any = FamilyOp([variable.type for variable in inputs], [out], function, name=name)
    jitted, in_64_bits = op.jitted_func, pytensor.config.floatX == "float64"

    def scoped(*args: Any) -> Any:
        with jax.enable_x64(in_64_bits):
            return jitted(*args)

    op.jitted_func = scoped
    return op(*inputs)


@symbolic_draws.register
def _(family: MeanField, view: View, size: Any, random_seed: int) -> Any:
    noise = _normal(pt.stack([size, family.dim]), random_seed)
    return view("mu") + pt.softplus(view("rho")) * noise


@symbolic_draws.register
def _(family: FullRank, view: View, size: Any, random_seed: int) -> Any:
    dim = family.dim
    lower = pt.zeros((dim, dim))[np.tril_indices(dim)].set(view("L_tril"))
    diagonal = pt.diagonal(lower)
    cholesky = lower - pt.diag(diagonal) + pt.diag(pt.softplus(diagonal))
    return view("mu") + _normal(pt.stack([size, dim]), random_seed) @ cholesky.T


@symbolic_draws.register
def _(family: LowRank, view: View, size: Any, random_seed: int) -> Any:
    noise = _normal(pt.stack([size, family.dim + family.factor.shape[1]]), random_seed)
    own, shared = noise[:, : family.dim], noise[:, family.dim :]
    return view("mu") + pt.softplus(view("rho")) * own + shared @ view("factor").T


@symbolic_draws.register
def _(family: Particles, view: View, size: Any, random_seed: int) -> Any:
    index = _integers(family.histogram.shape[0], pt.stack([size]), random_seed)
    return view("histogram")[index]


@symbolic_draws.register
def _(family: Product, view: View, size: Any, random_seed: int) -> Any:
    def of_part(i: int) -> Any:
        part_view = lambda name: view(f"{name}_{i}")  # noqa: E731
        return symbolic_draws(family.parts[i], part_view, size, random_seed + i)

    order = np.argsort(np.concatenate([np.array(index, int) for index in family.indices]))
    joined: Any = pt.concatenate([of_part(i) for i in range(len(family.parts))], axis=1)
    return joined[:, order]


def _normal(shape: Any, random_seed: int) -> Any:
    rng = pytensor.shared(np.random.default_rng(random_seed))
    dtype = pytensor.config.floatX
    drawn: Any = pt.random.normal(size=shape, rng=rng, return_next_rng=True, dtype=dtype)
    return drawn[1]


def _integers(high: int, shape: Any, random_seed: int) -> Any:
    rng = pytensor.shared(np.random.default_rng(random_seed))
    drawn: Any = pt.random.integers(0, high, size=shape, rng=rng, return_next_rng=True)
    return drawn[1]

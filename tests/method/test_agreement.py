"""A program that is not PyTensor's density ends a fit."""

import jax
import numpy as np
import pymc as pm
import pytensor.tensor as pt
import pytest
from pytensor.graph.basic import Apply
from pytensor.graph.op import Op

import taut
from taut.errors import ModelError
from taut.frontend import as_source
from taut.frontend.pymc.lift.jaxify import load_backend


class Same(Op):
    """Returns what it is given; its version for JAX is wrong by a factor."""

    __props__ = ("factor",)

    def __init__(self, factor: float) -> None:
        self.factor = factor

    def make_node(self, x: pt.TensorVariable) -> Apply:
        return Apply(self, [x], [x.type()])

    def perform(self, node: Apply, inputs: list, outputs: list) -> None:
        outputs[0][0] = np.asarray(inputs[0]).copy()

    def pullback(self, inputs: list, outputs: list, cotangents: list) -> list:
        return cotangents


@pytest.fixture(autouse=True)
def _on_jax() -> None:
    """PyTensor's backend sets JAX's precision where it is imported: taut's way puts it back."""
    known, _ = load_backend()
    known.register(Same, lambda op, **_: lambda x: jax.numpy.multiply(x, op.factor))


def model(factor: float) -> pm.Model:
    with pm.Model() as built:
        x = pm.Normal("x", 0.0, 2.0, shape=2, initval=[0.5, -1.0])
        pm.Normal("y", Same(factor)(x), 1.0, observed=[1.0, 2.0])
    return built


@pytest.mark.parametrize("method", ["auto", "batch_match"])
def test_a_wrong_program_ends_a_fit(method: str) -> None:
    with pytest.raises(ModelError, match="PyTensor evaluates the same model to"):
        taut.fit(model=model(1.01), method=method, random_seed=1, progressbar=False)
    taut.fit(model=model(1.0), method=method, random_seed=1, progressbar=False)


def test_the_density_without_jax() -> None:
    source = as_source(model(1.0))
    z = np.array([0.3, 2.0])
    found = source.log_density(z)
    assert found is not None
    with jax.enable_x64(True):
        np.testing.assert_allclose(found[0], float(source.target().log_density(z)), rtol=1e-12)
    assert found[1] >= abs(found[0])

"""What is taken for an optimizer, and what is refused."""

import subprocess
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pymc
import pymc.variational.updates as theirs
import pytensor
import pytensor.tensor as pt
import pytest

import taut.optimizer as ours
from taut.errors import OptimizerError, TautError
from taut.optimizer import AbstractOptimizer, OptaxOptimizer, Optimizer, as_optimizer

NAMES = [
    "adadelta",
    "adagrad",
    "adagrad_window",
    "adam",
    "adamax",
    "momentum",
    "nesterov_momentum",
    "rmsprop",
    "sgd",
]


def same(one: AbstractOptimizer, two: AbstractOptimizer) -> bool:
    """Say whether two optimizers have the same numbers and would share a program."""
    alike = jax.tree.structure(one) == jax.tree.structure(two)
    return alike and jax.tree.leaves(one) == jax.tree.leaves(two)


def test_none_is_pymcs_default() -> None:
    assert same(as_optimizer(None), ours.adagrad_window())
    assert same(as_optimizer(), ours.adagrad_window())


def test_an_optimizer_is_itself() -> None:
    for optimizer in (ours.adam(), as_optimizer(optax.adam(0.1))):
        assert as_optimizer(optimizer) is optimizer


@pytest.mark.parametrize("name", NAMES)
def test_functions(name: str) -> None:
    expected = getattr(ours, name)()
    assert same(as_optimizer(getattr(ours, name)), expected)
    assert same(as_optimizer(getattr(theirs, name)), expected)
    assert same(as_optimizer(getattr(theirs, name)()), expected)


@pytest.mark.parametrize("name", NAMES)
def test_functions_with_keywords(name: str) -> None:
    expected = getattr(ours, name)(learning_rate=0.25)
    assert same(as_optimizer(partial(getattr(ours, name), learning_rate=0.25)), expected)
    assert same(as_optimizer(getattr(theirs, name)(learning_rate=0.25)), expected)
    assert same(as_optimizer(partial(getattr(theirs, name), learning_rate=0.25)), expected)


def test_pymcs_public_names_and_all_keywords() -> None:
    held = {"learning_rate": np.float32(0.5), "beta1": 0.25, "beta2": 0.5, "epsilon": 0.1}
    assert same(as_optimizer(pymc.adam(**held)), ours.adam(**held))
    window = pymc.adagrad_window(n_win=4, learning_rate=1)
    assert same(as_optimizer(window), ours.adagrad_window(learning_rate=1, n_win=4))


def test_our_partials_may_hold_schedules_and_positions() -> None:
    schedule = optax.linear_schedule(1.0, 0.0, 5)
    assert same(as_optimizer(partial(ours.sgd, schedule)), ours.sgd(schedule))


@pytest.mark.parametrize("symbol", [pt.scalar("r"), pytensor.shared(0.1), pt.constant(0.1), "0.1"])
def test_refuses_pymcs_symbolic_rates(symbol: Any) -> None:
    wanted = (
        r"^pymc\.adam came with learning_rate = .*, where a number was expected\."
        r" Write taut\.adam\(learning_rate=\.\.\.\) with a number or.* schedule of optax\.$"
    )
    with pytest.raises(OptimizerError, match=wanted):
        as_optimizer(pymc.adam(learning_rate=symbol))
    with pytest.raises(OptimizerError, match=r"^learning_rate must be"):
        ours.adam(learning_rate=symbol)


def test_refuses_arguments_of_other_functions() -> None:
    wanted = r"^sgd takes learning_rate, got rho\. Write for example taut\.sgd\(\)\.$"
    with pytest.raises(OptimizerError, match=wanted):
        as_optimizer(partial(ours.sgd, rho=0.5))
    with pytest.raises(OptimizerError, match="got loss_or_grads"):
        as_optimizer(partial(pymc.sgd, loss_or_grads=[]))
    with pytest.raises(OptimizerError, match="got positional arguments"):
        as_optimizer(partial(pymc.sgd, 0.1))


def test_refuses_pymcs_numbers_out_of_range() -> None:
    with pytest.raises(OptimizerError, match=r"^learning_rate must be a finite number > 0.* -1"):
        as_optimizer(pymc.adam(learning_rate=-1))


class Duck:
    """Something with optax's protocol, not hashable."""

    __hash__ = None  # type: ignore[assignment]

    def init(self, params: Any) -> Any:
        return jnp.zeros(())

    def update(self, updates: Any, state: Any, params: Any = None) -> Any:
        return jax.tree.map(jnp.negative, updates), state + 1


@pytest.mark.parametrize(
    "make",
    [
        lambda: optax.adam(0.1),
        lambda: optax.scale(-0.5),
        lambda: optax.chain(optax.clip(1.0), optax.sgd(optax.linear_schedule(1.0, 0.0, 5))),
        lambda: optax.MultiSteps(optax.sgd(0.1), 2),
        lambda: optax.inject_hyperparams(optax.rmsprop)(learning_rate=0.1),
        lambda: optax.noisy_sgd(0.1, key=jax.random.key(0)),
        lambda: ours.sgd(learning_rate=0.1).optax,
        Duck,
    ],
)
def test_optax_is_taken_whole(make: Callable[[], Any]) -> None:
    transformation, params = make(), {"a": jnp.ones(2)}
    mine = as_optimizer(transformation)
    assert isinstance(mine, OptaxOptimizer)
    assert same(mine, as_optimizer(transformation))
    hash(jax.tree.structure(mine))
    state, reference = mine.init(params), transformation.init(params)
    for _ in range(3):
        updates, state = jax.jit(lambda o, *a: o.update(*a))(mine, params, state, params)
        expected, reference = transformation.update(params, reference, params)
        np.testing.assert_allclose(updates["a"], expected["a"], rtol=1e-12)
    chained = optax.chain(mine.optax, optax.scale(1.0))
    chained.update(params, chained.init(params), params)


def test_one_transformation_is_one_program() -> None:
    traces, transformation = [], optax.adam(0.1)

    @jax.jit
    def init(optimizer: AbstractOptimizer) -> Any:
        traces.append(1)
        return optimizer.init(jnp.ones(1))

    for made in (transformation, transformation, optax.adam(0.1)):
        init(as_optimizer(made))
    assert len(traces) == 2


def test_extra_arguments_reach_optax_and_nobody_else() -> None:
    params = jnp.array([2.0])
    polyak = as_optimizer(optax.polyak_sgd())
    updates, _ = polyak.update(2 * params, polyak.init(params), params, value=jnp.array(4.0))
    np.testing.assert_allclose(updates, [-1.0])
    for plain in (ours.sgd(0.5), as_optimizer(optax.scale(-0.5))):
        updates, _ = plain.update(params, plain.init(params), params, value=jnp.array(4.0))
        np.testing.assert_allclose(updates, [-1.0])


class Constant(eqx.Module):
    """A schedule that is not hashable."""

    rate: jax.Array

    def __call__(self, count: Any) -> jax.Array:
        return self.rate


def test_schedules_need_not_be_hashable() -> None:
    schedule = Constant(jnp.array(0.5))
    optimizer = ours.sgd(learning_rate=schedule)
    assert same(optimizer, ours.sgd(learning_rate=schedule))
    updates = jax.jit(lambda o: o.update(jnp.ones(1), o.init(jnp.ones(1)))[0])(optimizer)
    np.testing.assert_allclose(updates, [-0.5])
    assert repr(optimizer) == "sgd(learning_rate=Constant)"


@pytest.mark.parametrize("argument", ["apply_momentum", "apply_nesterov_momentum"])
@pytest.mark.parametrize("inner", [None, ours.rmsprop, pymc.rmsprop(), optax.rmsprop(0.1)])
def test_wrappers_take_the_same(argument: str, inner: Any) -> None:
    optimizer: Optimizer = getattr(ours, argument)(inner)
    assert same(optimizer.wrapped[0], as_optimizer(inner))


PASS = r", or pass any optax\.GradientTransformation\.$"


@pytest.mark.parametrize(
    ("obj", "message"),
    [
        (0.01, r"got 0\.01 \(float\)\. .*obj_optimizer=taut\.adam\(learning_rate=0\.01\)"),
        (0.2, r"got 0\.2 \(float\)\. .*obj_optimizer=taut\.adam\(learning_rate=0\.2\)"),
        (5, r"got 5 \(int\)\. .*obj_optimizer=taut\.adam\(learning_rate=0\.01\)"),
        ("adam", r"got 'adam' \(str\)\. Write obj_optimizer=taut\.adam\(\)"),
        ("newton", r"got 'newton' \(str\)\. Write for example obj_optimizer=taut\.adam\(.*\)"),
        (optax.adam, r"got optax\..*\.adam \(function\)\. If .* call it;.*taut\.adam\(\)"),
        (Optimizer, r"got taut\.optimizer\..*Optimizer \(.*\)\. If .* call it;.*taut\.adam\(\)"),
        (lambda: None, r"got .*<lambda> \(function\)\. If .* call it;.*taut\.adam\(\)"),
        (ours.apply_momentum, r"got taut\..*apply_momentum \(function\)\. .*"),
        (pymc.norm_constraint, r"got pymc\..*norm_constraint \(function\)\. .*"),
        (partial(max, 1), r"got functools\.partial\(.*\) \(partial\)\. If .*"),
        ({}, r"got \{\} \(dict\)\. .*"),
        (np.ones(2), r"got array\(\[1\., 1\.\]\) \(ndarray\)\. .*"),
        (list(range(100)), r"got \[0, 1, .*\.\.\. \(list\)\. .*"),
    ],
)
def test_refuses(obj: Any, message: str) -> None:
    with pytest.raises(
        OptimizerError, match=r"^obj_optimizer must be an optimizer, " + message + PASS
    ):
        as_optimizer(obj)


def test_error_is_ours_and_a_type_error() -> None:
    for kind in (TautError, TypeError):
        with pytest.raises(kind, match=r"^method must be an optimizer"):
            as_optimizer(0.01, argument="method")


def test_everything_is_exported_in_order() -> None:
    assert list(ours.__all__) == sorted(ours.__all__)
    assert all(hasattr(ours, name) for name in ours.__all__)
    assert set(theirs.__all__) <= set(ours.__all__)


def test_pymc_is_not_imported_here() -> None:
    code = """
import importlib.machinery, sys, types
package = types.ModuleType("taut")
package.__path__ = [sys.argv[1]]
sys.modules["taut"] = package
import taut.optimizer
assert "pymc" not in sys.modules and "pytensor" not in sys.modules
"""
    source = ours.__path__[0].rsplit("/", 1)[0]
    subprocess.run([sys.executable, "-c", code, source], check=True, timeout=60)

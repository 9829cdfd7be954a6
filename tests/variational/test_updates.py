"""Optimizers in PyMC's form: updates of shared variables, or what waits for them."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pymc.variational.updates as theirs
import pytensor
import pytensor.tensor as pt
import pytest

import taut
import taut.pymc as pm
import taut.pymc.variational.updates as ours
from taut.errors import OptimizerError
from taut.optimizer import as_optimizer

NAMES = (
    "adadelta", "adagrad", "adagrad_window", "adam", "adamax", "momentum", "nesterov_momentum",
    "rmsprop", "sgd",
)  # fmt: skip
Case = tuple[Any, list[Any]]


def case(dtype: str = "float64") -> Case:
    """A loss of a scalar and of a matrix."""
    a = pytensor.shared(np.asarray(1.0, dtype))
    b = pytensor.shared(np.arange(6.0).reshape(2, 3).astype(dtype))
    return ((a - 3) ** 2 + a * ((b - 1) ** 2).sum()).astype(dtype), [a, b]


def after(updates_of: Callable[[Any, list[Any]], Any], steps: int, dtype: str = "float64") -> Any:
    """Return the parameters after so many steps."""
    loss, params = case(dtype)
    step = pytensor.function([], loss, updates=updates_of(loss, params), mode="FAST_COMPILE")
    for _ in range(steps):
        step()
    return [param.get_value() for param in params]


@pytest.mark.parametrize("name", NAMES)
def test_updates_step_as_pymcs_do(name: str) -> None:
    # More steps than there are in the window.
    ours_, theirs_ = (
        after(lambda loss, params, of=of: getattr(of, name)(loss, params, learning_rate=0.02), 12)
        for of in (ours, theirs)
    )
    for mine, other in zip(ours_, theirs_, strict=True):
        np.testing.assert_allclose(mine, other, rtol=1e-12)


@pytest.mark.parametrize("name", NAMES)
def test_without_both_it_waits_for_them(name: str) -> None:
    loss, params = case()
    later = getattr(pm, name)(learning_rate=0.02)
    assert params[0] in later(loss, params)
    assert repr(as_optimizer(later)) == repr(getattr(taut, name)(learning_rate=0.02))


@pytest.mark.parametrize("name", NAMES)
def test_one_without_the_other_is_an_error_of_pymcs_type(name: str) -> None:
    loss, params = case()
    for given in ({"loss_or_grads": loss}, {"params": params}):
        with pytest.raises(ValueError, match=f"{name} needs both") as told:
            getattr(pm, name)(**given)
        assert isinstance(told.value, OptimizerError)


def test_gradients_may_be_given_in_place_of_the_loss() -> None:
    by_loss = after(lambda loss, params: ours.adam(loss, params), 3)
    by_grads = after(lambda loss, params: ours.adam(pytensor.grad(loss, params), params), 3)
    for one, other in zip(by_loss, by_grads, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    ("grads", "params", "words"),
    [
        ([pt.scalar()], case()[1], "1 gradients of 2 params"),
        (pt.scalar(), [pt.scalar("x")], "params must be shared variables"),
    ],
)
def test_what_can_not_be_updated_is_refused(grads: Any, params: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        ours.sgd(grads, params)


@pytest.mark.parametrize("name", NAMES)
def test_parameters_of_32_bits_stay_so(name: str) -> None:
    found = after(lambda loss, params: getattr(ours, name)(loss, params), 1, "float32")
    assert {value.dtype.name for value in found} == {"float32"}


def test_a_symbolic_rate_may_change() -> None:
    rate = pytensor.shared(1.0)
    param = pytensor.shared(1.0)
    updates = ours.sgd(param, [param], learning_rate=rate)
    step = pytensor.function([], [], updates=updates, mode="FAST_COMPILE")
    rate.set_value(0.25)
    step()
    assert param.get_value() == 0.75


def test_a_symbolic_rate_is_refused_by_a_fit_with_advice() -> None:
    with pytest.raises(OptimizerError, match="a schedule of optax"):
        as_optimizer(pm.adam(learning_rate=pytensor.shared(0.1)))


def test_a_schedule_goes_to_a_fit() -> None:
    def falling(step: Any) -> Any:
        return 0.1 / (1 + step)

    assert repr(as_optimizer(pm.adam(learning_rate=falling))) == repr(taut.adam(falling))


@pytest.mark.parametrize("name", ["apply_momentum", "apply_nesterov_momentum"])
@pytest.mark.parametrize("first_alone", [True, False])
def test_momentum_on_updates_is_pymcs(name: str, first_alone: bool) -> None:
    def updates(of: Any) -> Callable[..., Any]:
        return lambda loss, params: getattr(of, name)(
            of.sgd(loss, params, learning_rate=0.01), params[:1] if first_alone else None, 0.5
        )

    for mine, other in zip(after(updates(ours), 5), after(updates(theirs), 5), strict=True):
        np.testing.assert_allclose(mine, other, rtol=1e-12)


def test_momentum_on_an_optimizer_is_tauts() -> None:
    assert repr(pm.apply_momentum(taut.sgd())) == repr(taut.apply_momentum(taut.sgd()))
    assert repr(pm.apply_nesterov_momentum(pm.sgd())) == repr(
        taut.apply_nesterov_momentum(taut.sgd())
    )


@pytest.mark.parametrize(("shape", "axes"), [((3, 4), None), ((2, 3, 4), None), ((2, 3), (1,))])
def test_norms_of_one_tensor_are_bounded_as_pymcs(shape: Any, axes: Any) -> None:
    x = np.random.default_rng(0).normal(size=shape)
    mine, other = (of.norm_constraint(pt.as_tensor(x), 1.5, axes).eval() for of in (ours, theirs))
    np.testing.assert_allclose(mine, other, rtol=1e-12)
    np.testing.assert_allclose(pm.norm_constraint(x, 1.5, axes), other, rtol=1e-5)


def test_the_norm_of_all_is_bounded_as_pymcs() -> None:
    x = [np.arange(3.0), np.full((2, 2), 5.0)]
    symbolic = [pt.as_tensor(one) for one in x]
    mine, norm = ours.total_norm_constraint(symbolic, 2.0, return_norm=True)
    other, their_norm = theirs.total_norm_constraint(symbolic, 2.0, return_norm=True)
    np.testing.assert_allclose(norm.eval(), their_norm.eval())
    for one, two, three in zip(mine, other, pm.total_norm_constraint(x, 2.0), strict=True):
        np.testing.assert_allclose(one.eval(), two.eval())
        np.testing.assert_allclose(three, two.eval(), rtol=1e-5)

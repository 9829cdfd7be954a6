"""``import taut.pymc as pm`` stands in for ``import pymc as pm``."""

import inspect
from types import ModuleType

import pymc
import pymc.variational
import pytest

import taut
import taut.descent
import taut.diagnose
import taut.pymc

# In PyMC's form these write updates for PyTensor too, and are functions of their own.
UPDATES = set(pymc.variational.updates.__all__)
MORE = {"KLqp", "ImplicitGradient", "Inference", "Approximation"}
REPLACED = sorted(({*pymc.variational.__all__} | MORE) - UPDATES)


def test_every_public_name_of_pymc_is_there() -> None:
    missing = [name for name in dir(pymc) if not hasattr(taut.pymc, name)]
    assert missing == []
    assert set(dir(pymc)) <= set(dir(taut.pymc))


@pytest.mark.parametrize("name", REPLACED)
def test_variational_names_are_tauts(name: str) -> None:
    for namespace in (taut.pymc, taut.pymc.variational):
        assert getattr(namespace, name) is getattr(taut, name)


@pytest.mark.parametrize("name", sorted(UPDATES))
def test_optimizers_are_those_of_the_submodule(name: str) -> None:
    for namespace in (taut.pymc, taut.pymc.variational):
        assert getattr(namespace, name) is getattr(taut.pymc.variational.updates, name)


@pytest.mark.parametrize("name", ["Normal", "Model", "Minibatch", "math", "sample"])
def test_other_names_are_pymcs(name: str) -> None:
    assert getattr(taut.pymc, name) is getattr(pymc, name)


def test_callbacks_have_pymcs_names() -> None:
    theirs = [n for n in dir(pymc.variational.callbacks) if n in pymc.variational.callbacks.__all__]
    assert theirs
    for name in theirs:
        assert hasattr(taut.pymc.variational.callbacks, name)


@pytest.mark.parametrize(
    "name", ["sgd", "momentum", "nesterov_momentum", "adagrad", "adagrad_window", "rmsprop",
             "adadelta", "adam", "adamax"]
)  # fmt: skip
def test_optimizers_have_pymcs_defaults(name: str) -> None:
    ours = inspect.signature(getattr(taut, name)).parameters
    theirs = inspect.signature(getattr(pymc, name)).parameters
    for argument, parameter in ours.items():
        assert parameter.default == theirs[argument].default
    assert set(theirs) - {"loss_or_grads", "params"} == set(ours)
    both = inspect.signature(getattr(taut.pymc, name)).parameters
    assert {n: p.default for n, p in both.items()} == {n: p.default for n, p in theirs.items()}


def test_fit_has_pymcs_leading_arguments_and_defaults() -> None:
    """But for the method, which taut chooses, and with it the number of steps."""
    ours = inspect.signature(taut.fit).parameters
    chosen = {"n": None, "method": "auto"}
    for name, parameter in inspect.signature(pymc.fit).parameters.items():
        if parameter.kind is not inspect.Parameter.VAR_KEYWORD:
            assert ours[name].default == chosen.get(name, parameter.default)


@pytest.mark.parametrize(
    ("room", "before", "now"),
    [
        (taut.descent, "AbstractMethod", "AbstractStepper"),
        (taut.descent, "Ending", "StopRule"),
        (taut.diagnose, "Ending", "HowItEnded"),
    ],
)
def test_a_name_of_before_is_found_with_a_warning(room: ModuleType, before: str, now: str) -> None:
    with pytest.warns(DeprecationWarning, match=f"is called {now}"):
        old = getattr(room, before)
    assert old is getattr(room, now)


def test_a_name_that_never_was_is_not_there() -> None:
    with pytest.raises(AttributeError, match="no attribute 'AbstractMethods'"):
        _ = taut.descent.AbstractMethods

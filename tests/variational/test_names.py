"""The submodules of PyMC's variational module, name by name."""

import importlib
from typing import Any

import pymc.variational
import pytest

import taut
import taut.pymc.variational as variational
from taut import errors

SUBMODULES = ("approximations", "callbacks", "inference", "opvi", "updates")
# Machinery of PyMC's own, for which an error names what there is.
MACHINERY = {"ObjectiveFunction", "Operator", "TestFunction"}


@pytest.mark.parametrize("name", SUBMODULES)
def test_a_submodule_has_the_names_of_pymcs(name: str) -> None:
    ours = importlib.import_module(f"taut.pymc.variational.{name}")
    theirs = importlib.import_module(f"pymc.variational.{name}")
    assert getattr(variational, name) is ours
    missing = {public for public in theirs.__all__ if not hasattr(ours, public)}
    assert missing <= MACHINERY


@pytest.mark.parametrize("name", sorted(MACHINERY))
def test_machinery_is_named_with_what_there_is_instead(name: str) -> None:
    with pytest.raises(AttributeError, match=r"in taut .*objective"):
        getattr(variational.opvi, name)


def test_a_name_that_nobody_has_gets_a_plain_error() -> None:
    with pytest.raises(AttributeError, match=r"no attribute 'Nothing'$"):
        _ = variational.opvi.Nothing


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("GroupError", errors.GroupError),
        ("ParametrizationError", errors.ModelError),
        ("NotImplementedInference", errors.ArgumentError),
        ("VariationalInferenceError", errors.TautError),
    ],
)
def test_errors_are_caught_by_pymcs_names_and_types(theirs: str, ours: type[Exception]) -> None:
    assert getattr(variational.opvi, theirs) is ours
    builtin = {base for base in getattr(pymc.variational.opvi, theirs).__mro__
               if base in (TypeError, ValueError)}  # fmt: skip
    assert all(issubclass(ours, base) for base in builtin)


def test_a_discrete_variable_is_an_error_of_parametrization() -> None:
    with pymc.Model():
        pymc.Bernoulli("b", 0.5)
        with pytest.raises(variational.opvi.ParametrizationError):
            variational.fit(1, progressbar=False)


@pytest.mark.parametrize(
    ("method", "more", "error"),
    [
        ("undefined", {}, KeyError),
        (1, {}, TypeError),
        ("asvgd", {"start": {"x": 1.0}}, TypeError),
        ("advi", {"nonsense": 1}, TypeError),
        ("advi", {"backend": "numba"}, ValueError),
    ],
)
def test_what_fit_does_not_take_raises_as_in_pymc(method: Any, more: Any, error: Any) -> None:
    with pymc.Model():
        pymc.Normal("x")
        with pytest.raises(error) as told:
            taut.fit(10, method=method, progressbar=False, **more)
    assert isinstance(told.value, errors.ArgumentError)

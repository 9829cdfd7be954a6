"""Whatever can be chosen has a row in the tables, and so passes the laws of its kind."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any, get_type_hints

import pytest

import cases
import taut.optimizer
from architecture.source import classes
from taut.batches import AbstractBatches, AbstractFeed
from taut.descent import AbstractStepper
from taut.family import AbstractFamily
from taut.gaussian import Normal
from taut.method import DirectInference, Inference, registry
from taut.objective import AbstractObjective
from taut.optimizer import AbstractOptimizer, Optimizer
from taut.rows import AbstractRows

Table = Mapping[str, Callable[[], Any]]
KINDS: dict[type, Table] = {
    AbstractFamily: cases.FAMILIES,
    Normal: cases.NORMALS,
    AbstractObjective: cases.OBJECTIVES,
    AbstractStepper: cases.STEPPERS,
    Inference: cases.METHODS,
    DirectInference: cases.DIRECT | cases.STRUCTURED,
    AbstractOptimizer: cases.OPTIMIZERS,
    AbstractBatches: cases.BATCHES,
    AbstractFeed: cases.FEEDS,
    AbstractRows: cases.SOURCES,
}


def concrete(kind: type) -> set[type]:
    """The public classes of a kind that can be made."""
    return {
        cls
        for cls in classes()
        if issubclass(cls, kind)
        and not inspect.isabstract(cls)
        and not cls.__name__.startswith("_")
    }


def made(table: Table) -> set[type]:
    """The classes of what a table makes; a row may also give the class itself."""
    things = [row() for row in table.values()]
    return {thing if isinstance(thing, type) else type(thing) for thing in things}


def rules() -> list[str]:
    """The public functions that make an optimizer."""
    functions = [(n, getattr(taut.optimizer, n)) for n in taut.optimizer.__all__]
    return [
        name
        for name, function in functions
        if inspect.isfunction(function) and get_type_hints(function)["return"] is Optimizer
    ]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_public_class_has_a_row(kind: type) -> None:
    assert concrete(kind) == made(KINDS[kind])


def test_every_method_is_listed() -> None:
    listed = {getattr(registry, name) for name in registry.__all__}
    assert concrete(Inference) | concrete(DirectInference) == listed
    names = [cls.name for cls in listed if cls.name is not None]
    assert len(set(names)) == len(names)


def test_every_rule_of_the_optimizers_has_a_row_of_its_name() -> None:
    assert set(rules()) - cases.OPTIMIZERS.keys() == set()


def test_the_search_finds_the_rules() -> None:
    assert {"sgd", "adam", "adagrad_window", "apply_momentum"} <= set(rules())


@pytest.mark.parametrize("name", cases.TARGETS)
def test_a_target_agrees_with_its_closed_form(name: str) -> None:
    """The log density falls from its top as the posterior's precision says."""
    model = cases.TARGETS[name]()
    target, top = model.target(), model.posterior_mean
    away = 0.1 * (1 + top**2)
    with target.precision():
        fall = float(target.log_density(top)) - float(target.log_density(top + away))
    assert fall == pytest.approx(0.5 * away @ model.precision @ away, rel=1e-9)

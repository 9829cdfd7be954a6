"""Every example in a docstring runs, and prints what it shows."""

import ast
import doctest
from collections.abc import Iterator

import pytest

from architecture.source import modules, trees

# Packages of the group `clients`, which has an environment of its own, by what shows them.
CLIENTS = {"taut.bambi.fit": "bambi"}

Documented = ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


def examples() -> Iterator[str]:
    """Name whatever has an example, as the source files say; to import all takes seconds."""
    for module, tree in trees().items():
        yield from _below(module, "", tree)


def _below(module: str, name: str, node: Documented) -> Iterator[str]:
    if ">>> " in (ast.get_docstring(node) or ""):
        yield f"{module}:{name}"
    for inner in node.body:
        if isinstance(inner, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield from _below(module, f"{name}.{inner.name}".lstrip("."), inner)


def found(module: str) -> dict[str, doctest.DocTest]:
    """The examples of a module that doctest finds, by the name of what they explain."""
    tests = doctest.DocTestFinder(exclude_empty=True).find(modules()[module], module)
    return {test.name.removeprefix(module).lstrip("."): test for test in tests if test.examples}


@pytest.mark.parametrize("example", list(examples()))
def test_an_example_prints_what_it_shows(example: str) -> None:
    module, _, name = example.partition(":")
    if module in CLIENTS:
        pytest.importorskip(CLIENTS[module], reason="runs where the group `clients` is installed")
    told: list[str] = []
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE, verbose=False)
    runner.run(found(module)[name], out=told.append)
    assert told == []


def test_no_example_is_overlooked() -> None:
    """By their texts, since a property may have that of the function which it calls."""
    there = {test.docstring for module in trees() for test in found(module).values()}
    named = [example.partition(":") for example in examples()]
    assert there == {found(module)[name].docstring for module, _, name in named}

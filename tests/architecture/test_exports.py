"""What is public is listed, and says what it is."""

import ast
import inspect

import pytest

import taut
from architecture.source import is_package, modules, paths, trees

# All but the namespace that stands in for PyMC's, whose names are PyMC's to choose.
PACKAGES = [name for name in paths() if is_package(name) and name != "taut.pymc"]


def imported(package: str) -> set[str]:
    """The public names that the file of a package imports at module level."""
    return {
        alias.asname or alias.name
        for node in trees()[package].body
        if isinstance(node, ast.ImportFrom) and node.module != "importlib.metadata"
        for alias in node.names
        if not alias.name.startswith("_")
    }


@pytest.mark.parametrize("package", PACKAGES)
def test_all_lists_every_public_name_a_package_imports(package: str) -> None:
    assert set(modules()[package].__all__) == imported(package)


def test_all_is_sorted() -> None:
    """As ruff sorts it: names in capitals, classes, then functions."""

    def kind(name: str) -> int:
        return 0 if name.isupper() else 1 if name[0].isupper() else 2

    assert taut.__all__ == sorted(taut.__all__, key=lambda name: (kind(name), name))


@pytest.mark.parametrize("package", PACKAGES)
def test_every_name_in_all_is_there(package: str) -> None:
    module = modules()[package]
    assert [name for name in module.__all__ if not hasattr(module, name)] == []


@pytest.mark.parametrize("name", paths())
def test_every_public_class_and_function_has_a_docstring(name: str) -> None:
    # Read from the source, since a class inherits its base's docstring and a dataclass gets one.
    silent = [
        node.name
        for node in trees()[name].body
        if isinstance(node, ast.ClassDef | ast.FunctionDef)
        and not node.name.startswith("_")
        and ast.get_docstring(node) is None
    ]
    assert silent == []


@pytest.mark.parametrize("name", paths())
def test_every_module_has_a_docstring(name: str) -> None:
    assert ast.get_docstring(trees()[name])


def test_every_public_name_has_a_docstring() -> None:
    assert [name for name in taut.__all__ if not inspect.getdoc(getattr(taut, name))] == []

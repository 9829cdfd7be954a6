"""What keeps the source readable: sizes, annotations, and classes that are abstract or final."""

import ast
import inspect
from collections.abc import Iterator

from architecture.source import classes, paths, trees

LONGEST_MODULE = 400
# Without the docstring, whose length is the reader's gain.
LONGEST_FUNCTION = 50

Function = ast.FunctionDef | ast.AsyncFunctionDef


def functions() -> Iterator[tuple[str, Function]]:
    """Every function of the package, with the name of its module."""
    for name, tree in trees().items():
        for node in ast.walk(tree):
            if isinstance(node, Function):
                yield name, node


def lines(function: Function) -> int:
    """Count the lines of a function without those of its docstring."""
    begin, body = function.lineno, function.body
    end = function.end_lineno or begin
    if ast.get_docstring(function) is None:
        return end - begin + 1
    return end - begin + 1 - ((body[0].end_lineno or 0) - body[0].lineno + 1)


def methods(cls: type) -> set[str]:
    """The methods and properties that the source of a class defines."""
    for node in ast.walk(trees()[cls.__module__]):
        if isinstance(node, ast.ClassDef) and node.name == cls.__qualname__:
            return {item.name for item in node.body if isinstance(item, Function)}
    return set()


def test_a_module_fits_in_the_head() -> None:
    lengths = {name: len(path.read_text().splitlines()) for name, path in paths().items()}
    assert {name: length for name, length in lengths.items() if length > LONGEST_MODULE} == {}


def test_a_function_fits_on_a_page() -> None:
    long = {f"{name}.{f.name}": lines(f) for name, f in functions() if lines(f) > LONGEST_FUNCTION}
    assert long == {}


def test_every_argument_has_a_type() -> None:
    bare = [
        f"{name}.{function.name}({argument.arg})"
        for name, function in functions()
        for argument in _arguments(function)
        if argument.annotation is None and argument.arg not in ("self", "cls")
    ]
    assert bare == []


def test_every_result_has_a_type() -> None:
    assert [f"{name}.{f.name}" for name, f in functions() if f.returns is None] == []


def test_no_class_inherits_from_a_concrete_one() -> None:
    inherited = [
        f"{cls.__qualname__} is a {base.__qualname__}"
        for cls in classes()
        for base in cls.__mro__[1:]
        if base.__module__.startswith("taut")
        and not inspect.isabstract(base)
        # The tree of exceptions is there to be caught by its branches.
        and not issubclass(base, Exception)
    ]
    assert inherited == []


def test_no_concrete_method_is_overridden() -> None:
    overridden = [
        f"{cls.__qualname__}.{name} hides {base.__qualname__}.{name}"
        for cls in classes()
        for base in cls.__mro__[1:]
        if base.__module__.startswith("taut")
        for name in methods(cls) & methods(base)
        if not getattr(vars(base)[name], "__isabstractmethod__", False)
    ]
    assert overridden == []


def test_no_method_calls_the_one_it_overrides() -> None:
    calls = [
        f"{name}:{node.lineno}"
        for name, tree in trees().items()
        for node in ast.walk(tree)
        if isinstance(node, ast.Name) and node.id == "super"
    ]
    assert calls == []


def test_annotations_are_there_at_run_time() -> None:
    # `from __future__ import annotations` would hide them from run-time checks.
    postponed = [name for name, path in paths().items() if "import annotations" in path.read_text()]
    assert postponed == []


def _arguments(function: Function) -> list[ast.arg]:
    a = function.args
    starred = [argument for argument in (a.vararg, a.kwarg) if argument is not None]
    return [*a.posonlyargs, *a.args, *a.kwonlyargs, *starred]

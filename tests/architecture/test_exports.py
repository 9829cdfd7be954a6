"""What is public is listed, and says what it is."""

import ast
import inspect

import taut
import taut.method.registry
from architecture.source import ROOT, is_package, modules, paths, trees

# All but the namespace that stands in for PyMC's, whose names are PyMC's to choose.
PACKAGES = [name for name in paths() if is_package(name) and not name.startswith("taut.pymc")]


def imported(package: str) -> set[str]:
    """The public names that the file of a package imports at module level."""
    names = {
        name
        for node in trees()[package].body
        if isinstance(node, ast.ImportFrom) and node.module != "importlib.metadata"
        for alias in node.names
        for name in (
            modules()[node.module or ""].__all__
            if alias.name == "*"
            else [alias.asname or alias.name]
        )
    }
    return {name for name in names if not name.startswith("_")}


def test_all_lists_every_public_name_a_package_imports() -> None:
    assert [p for p in PACKAGES if set(modules()[p].__all__) != imported(p)] == []


def test_all_is_sorted() -> None:
    """As ruff sorts it: names in capitals, classes, then functions."""

    def kind(name: str) -> int:
        return 0 if name.isupper() else 1 if name[0].isupper() else 2

    methods = taut.method.registry.__all__
    for names in ([name for name in taut.__all__ if name not in methods], methods):
        assert names == sorted(names, key=lambda name: (kind(name), name))


def test_every_name_in_all_is_there() -> None:
    listed = [(package, name) for package in PACKAGES for name in modules()[package].__all__]
    assert [(p, name) for p, name in listed if not hasattr(modules()[p], name)] == []


def test_every_public_class_and_function_has_a_docstring() -> None:
    # Read from the source, since a class inherits its base's docstring and a dataclass gets one.
    silent = [
        f"{name}.{node.name}"
        for name, tree in trees().items()
        for node in tree.body
        if isinstance(node, ast.ClassDef | ast.FunctionDef)
        and not node.name.startswith("_")
        and ast.get_docstring(node) is None
    ]
    assert silent == []


def test_every_module_has_a_docstring() -> None:
    assert [name for name, tree in trees().items() if not ast.get_docstring(tree)] == []


def test_no_docstring_begins_with_give_or_tell() -> None:
    """What returns says Return, what computes Compute: a reader need not guess which is meant."""
    project = ROOT.parent.parent
    files = [f for room in ("src", "tests", "scripts", "benchmarks", "examples")
             for f in sorted((project / room).rglob("*.py"))]  # fmt: skip
    documented = ast.AsyncFunctionDef | ast.FunctionDef | ast.ClassDef | ast.Module
    vague = [
        f"{file.relative_to(project)}: {text.splitlines()[0]}"
        for file in files
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, documented) and (text := ast.get_docstring(node))
        if text.split()[0] in ("Give", "Gives", "Tell", "Tells")
    ]
    assert vague == []


def test_every_public_name_has_a_docstring() -> None:
    assert [name for name in taut.__all__ if not inspect.getdoc(getattr(taut, name))] == []


def test_dir_shows_what_is_public_alone() -> None:
    assert set(dir(taut)) == {*taut.__all__, "__version__"}

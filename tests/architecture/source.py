"""The package as its source files say it is: modules, trees of syntax, the import graph."""

import ast
import importlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType

import taut

ROOT = Path(taut.__file__).parent


@dataclass(frozen=True)
class Import:
    """One name, or one module, that a module imports."""

    importer: str
    imported: str
    late: bool
    typing: bool

    @property
    def package(self) -> str:
        """The outermost package of what is imported."""
        return self.imported.partition(".")[0]


@cache
def paths() -> dict[str, Path]:
    """The file of each module."""
    return {_name(path): path for path in sorted(ROOT.rglob("*.py"))}


@cache
def trees() -> dict[str, ast.Module]:
    """The tree of syntax of each module."""
    return {name: ast.parse(path.read_text()) for name, path in paths().items()}


@cache
def modules() -> dict[str, ModuleType]:
    """Every module, imported."""
    return {name: importlib.import_module(name) for name in paths()}


def is_package(name: str) -> bool:
    """Return whether a module is a package."""
    return paths()[name].name == "__init__.py"


@cache
def imports() -> tuple[Import, ...]:
    """All imports; late ones stand in functions, those of `typing` are for type checkers alone."""
    return tuple(
        Import(name, target, late, typing)
        for name, tree in trees().items()
        for node, late, typing in _import_nodes(tree.body)
        for target in _targets(name, node)
    )


def classes() -> list[type]:
    """Every class that is defined in the package."""
    return [
        thing
        for name, module in modules().items()
        for thing in vars(module).values()
        if isinstance(thing, type) and thing.__module__ == name
    ]


def _name(path: Path) -> str:
    parts = ("taut", *path.relative_to(ROOT).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _import_nodes(
    body: list[ast.stmt], late: bool = False, typing: bool = False
) -> Iterator[tuple[ast.Import | ast.ImportFrom, bool, bool]]:
    for node in body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield node, late, typing
        checked = isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        inner = late or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        yield from _import_nodes(getattr(node, "body", []), inner, typing or checked)
        for field in ("orelse", "finalbody"):
            yield from _import_nodes(getattr(node, field, []), inner, typing)
        for handler in getattr(node, "handlers", []):
            yield from _import_nodes(handler.body, inner, typing)


def _targets(importer: str, node: ast.Import | ast.ImportFrom) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    base = _absolute(importer, node)
    names = [f"{base}.{alias.name}" for alias in node.names]
    if not base.startswith("taut"):
        return names
    # `from taut import seed` imports a module, `from taut.seed import key` a name of one.
    return [name if name in paths() else base for name in names]


def _absolute(importer: str, node: ast.ImportFrom) -> str:
    if not node.level:
        return node.module or ""
    parts = importer.split(".") + (["__init__"] if is_package(importer) else [])
    return ".".join([*parts[: -node.level], *([node.module] if node.module else [])])

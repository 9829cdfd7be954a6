"""Pages of the site: Markdown whose Python blocks are cells, and one page for each public name."""

import inspect
import re
from abc import ABC
from pathlib import Path
from types import ModuleType
from typing import Any, Generic

import nbformat

# A block of Python, and the text it prints, which running it brings again.
_BLOCK = re.compile(r"^```python\n(.*?)^```\n(?:\n```text\n.*?^```\n)?", re.MULTILINE | re.DOTALL)
# What a page tells the forge before it begins.
_FRONT = re.compile(r"\A---\n.*?^---\n", re.MULTILINE | re.DOTALL)
_KERNEL = {"name": "python3", "display_name": "Python 3", "language": "python"}


def has_code(text: str) -> bool:
    """Return whether a page has a block to run."""
    return _BLOCK.search(text) is not None


def read(text: str) -> nbformat.NotebookNode:
    """Make a notebook of a page: what lies between its Python blocks is Markdown."""
    book = nbformat.v4.new_notebook(metadata={"kernelspec": _KERNEL})
    text, at = _FRONT.sub("", text), 0
    for block in _BLOCK.finditer(text):
        book.cells.append(nbformat.v4.new_markdown_cell(text[at : block.start()]))
        book.cells.append(nbformat.v4.new_code_cell(block.group(1).rstrip()))
        at = block.end()
    book.cells.append(nbformat.v4.new_markdown_cell(text[at:]))
    return book


def write_api(package: ModuleType, folder: Path) -> None:
    """Write a page for each public name of a package, and replace those of before.

    Parameters
    ----------
    package
        Its ``__all__`` says what is public.
    folder
        Where the pages go.
    """
    folder.mkdir(exist_ok=True)
    pages = {name: _page(package, name) for name in package.__all__}
    listed = "\n".join(pages)
    pages["index"] = (
        "# API\n\nEvery public name with its signature; [the reference](../reference.md) has them "
        f"by what they are for.\n\n```{{toctree}}\n:maxdepth: 1\n\n{listed}\n```\n"
    )
    for old in folder.glob("*.md"):
        if old.stem not in pages:
            old.unlink()
    for name, text in pages.items():
        path = folder / f"{name}.md"
        if not path.exists() or path.read_text() != text:
            path.write_text(text)


def _page(package: ModuleType, name: str) -> str:
    thing, full = getattr(package, name), f"{package.__name__}.{name}"
    if not isinstance(thing, ModuleType):
        return f"# {full}\n\n{_directive(full, thing)}"
    parts = [_directive(f"{full}.{one}", getattr(thing, one)) for one in public(thing)]
    summary = (inspect.getdoc(thing) or "").partition("\n")[0]
    return f"# {full}\n\n{summary}\n\n" + "\n".join(parts)


def public(module: ModuleType) -> list[str]:
    """List what a module says is public, or else the classes and functions it defines."""
    if hasattr(module, "__all__"):
        return list(module.__all__)
    return [
        name
        for name, thing in vars(module).items()
        if not name.startswith("_") and getattr(thing, "__module__", None) == module.__name__
    ]


def _directive(full: str, thing: Any) -> str:
    if inspect.isclass(thing):
        more = "   :inherited-members:\n" if _inherits_its_calls(thing) else ""
        body = f".. autoclass:: {full}\n   :members:\n{more}"
    elif callable(thing):
        body = f".. autofunction:: {full}\n"
    else:
        body = f".. autodata:: {full}\n   :no-value:\n"
    return f"```{{eval-rst}}\n{body}```\n"


def _inherits_its_calls(kind: type) -> bool:
    """Return whether bases of the same package, and no others, have members to show."""
    package = kind.__module__.partition(".")[0]
    bases = [base for base in kind.__mro__[1:] if base not in (object, ABC, Generic)]
    return bool(bases) and all(base.__module__.partition(".")[0] == package for base in bases)

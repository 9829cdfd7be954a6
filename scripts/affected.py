"""Print the pytest command for what a change concerns.

Run it with `uv run scripts/affected.py [--direct] [FILES …]`. Files are those that differ from
`main`, committed or not, unless some are given. Modules of taut lead to all that import them, at
any time and through any others, and these to the folders of tests that bear their rooms' names;
with `--direct` only to those that import them themselves. Files of tests lead to themselves, and
what tests share to the folders of those that import it.
"""

import argparse
import ast
import shlex
import subprocess
import sys
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1] / "tests"))

from architecture.rooms import room_of
from architecture.source import paths
from draw_rooms import definers

ROOT = Path(__file__).resolve().parents[1]
# Where tests of a room are, beside those in the folder of its name.
MORE = {
    "bambi": ("tests/clients",),
    "pymc": ("tests/variational",),
    "family": ("tests/laws/test_family.py",),
    "objective": ("tests/laws/test_importance.py", "tests/laws/test_objective.py"),
    "method": ("tests/laws/test_direct.py", "tests/laws/test_method.py", "tests/seed"),
    "frontend": ("tests/zoo",),
}
# Whatever in the package changes.
ALWAYS = ("tests/architecture", "tests/canaries")
# How other files lead to tests.
OTHERS = {
    "benchmarks/": ("tests/benchmarks",),
    "docs/": ("tests/docs", "tests/architecture"),
    "README.md": ("tests/docs",),
    "scripts/": ("tests/architecture", "tests/test_shaking.py"),
    "tests/inner.txt": ("tests/architecture",),
}


def changed() -> list[str]:
    """Return the files that differ from `main`, those that git does not know yet among them."""
    base = _git("merge-base", "main", "HEAD")[0]
    return [*_git("diff", "--name-only", base), *_git("ls-files", "--others", "--exclude-standard")]


def _git(*arguments: str) -> list[str]:
    done = subprocess.run(["git", *arguments], cwd=ROOT, check=True, capture_output=True, text=True)
    return done.stdout.splitlines()


def importers(
    graph: Mapping[str, Collection[str]], begin: Iterable[str], *, direct: bool = False
) -> set[str]:
    """Return what leads to some nodes, these included; or what leads there by one step."""
    found = left = set(begin)
    while left:
        left = {name for name, targets in graph.items() if left & set(targets)} - found
        found = found | left
        if direct:
            break
    return found


def concerned(files: Iterable[str], *, direct: bool = False) -> list[str]:
    """Return the folders and files of tests that changed files concern."""
    files = list(files)
    if any(_concerns_all(file) for file in files):
        return ["tests"]
    modules = {name for name, path in paths().items() if _within(path) in files}
    found = {file for file in files if Path(file).name.startswith("test_")} | _users(files)
    found |= {name for start, names in OTHERS.items() for name in names if _any(files, start)}
    if modules:
        found |= set(ALWAYS)
    for room in {room_of(name) for name in importers(definers(), modules, direct=direct)}:
        found |= {f"tests/{room}", f"tests/test_{room}.py", *MORE.get(room, ())}
    there = sorted(name for name in found if (ROOT / name).exists())
    return [name for name in there if not any(str(up) in there for up in Path(name).parents)]


def _within(path: Path) -> str:
    return path.resolve().relative_to(ROOT).as_posix()


def _any(files: Iterable[str], start: str) -> bool:
    return any(file.startswith(start) for file in files)


def _concerns_all(file: str) -> bool:
    """Check for what every run of the tests reads."""
    path = Path(file)
    shared = path.match("tests/*.py") and len(path.parts) == 2
    return file == "pyproject.toml" or (shared and not path.name.startswith("test_"))


def _users(files: Iterable[str]) -> set[str]:
    """Return the folders of tests that import changed modules of `tests`, and these' own."""
    changed = {Path(file) for file in files if file.startswith("tests/") and file.endswith(".py")}
    begin = {_dotted(path) for path in changed if not path.name.startswith("test_")}
    found = importers(_imports_of_tests(), begin) if begin else ()
    return {f"tests/{name.rpartition('.')[0].replace('.', '/')}" for name in found}


@cache
def _imports_of_tests() -> dict[str, set[str]]:
    """Return the modules of `tests`, and what else, that each of them imports."""
    files = [path.relative_to(ROOT) for path in (ROOT / "tests").rglob("*.py")]
    return {_dotted(file): set(_imported(file)) for file in files}


def _imported(file: Path) -> Iterator[str]:
    folder = ".".join(file.parts[1:-1])
    for node in ast.walk(ast.parse((ROOT / file).read_text())):
        if isinstance(node, ast.ImportFrom):
            base = ".".join(part for part in (folder * (node.level == 1), node.module) if part)
            yield from (base, *(f"{base}.{alias.name}" for alias in node.names))


def _dotted(path: Path) -> str:
    """Return the name by which tests import a module of theirs."""
    parts = path.with_suffix("").parts[1:]
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def main(arguments: Sequence[str]) -> int:
    """Print the command, and give the exit status: 1 where nothing is to be run."""
    parser = argparse.ArgumentParser(prog="affected.py", description=__doc__)
    parser.add_argument("--direct", action="store_true", help="direct importers alone")
    parser.add_argument("files", nargs="*", help="changed files, relative to the repository")
    options = parser.parse_args(arguments)
    tests = concerned(options.files or changed(), direct=options.direct)
    print(shlex.join(["uv", "run", "pytest", *tests]) if tests else "no tests are concerned")
    return 0 if tests else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

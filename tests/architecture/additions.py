"""A copy of the repository, to which a test adds what a contributor would."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
COPIED = ("src", "tests", "docs", "scripts", "CHANGELOG.md", "README.md", "pyproject.toml")
# It names files that are not copied, and none that a method or a family is in.
ELSEWHERE = "test_pages_for_developers_name_files_that_are_there"


def copy_repository(to: Path) -> None:
    """Copy what the tests of an addition read."""
    for name in COPIED:
        if (ROOT / name).is_dir():
            # With what Python has compiled of it, which saves seconds.
            shutil.copytree(ROOT / name, to / name)
        else:
            shutil.copy(ROOT / name, to / name)


def insert(file: Path, before: str, line: str) -> None:
    """Write a line before the first place that begins with some text."""
    head, found, tail = file.read_text().partition(before)
    assert found, f"{file} has no {before!r}"
    file.write_text(f"{head}{line}\n{found}{tail}")


def insert_row(root: Path, table: str, row: str) -> None:
    """Write the first row of a table in the copy's tests/cases.py."""
    cases = root / "tests/cases.py"
    head, found, tail = cases.read_text().partition(f"\n{table}")
    opened, brace, rows = tail.partition("= {\n")
    assert found, table
    assert brace
    cases.write_text(f"{head}{found}{opened}{brace}    {row}\n{rows}")


def add_change(root: Path, line: str) -> None:
    """Write the last line of the changelog."""
    with (root / "CHANGELOG.md").open("a") as changes:
        changes.write(f"- {line}\n")


def run_in_copy(root: Path, *arguments: str) -> None:
    """Run tests of the copy on the copy's own package."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([f"{root}/src", f"{root}/tests"])}
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-n0", "-q", *arguments],
        cwd=root, env=environment, capture_output=True, text=True,
    )  # fmt: skip
    assert run.returncode == 0, run.stdout[-3000:] + run.stderr[-3000:]

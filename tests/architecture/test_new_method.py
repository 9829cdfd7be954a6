"""A new method is one file, one export, one row, one entry, one line: CONTRIBUTING.md says so.

Methods are added to a copy of the repository in these five places and no other. A table elsewhere
that asks for one more fails the laws, the lists or the fit there.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
COPIED = ("src", "tests", "docs", "scripts", "CHANGELOG.md", "README.md", "pyproject.toml")

DIRECT = '''"""Batch and match, once more."""

from collections.abc import Generator
from typing import Any, final

import numpy as np

from taut.gaussian import DenseNormal
from taut.matching import batch_match
from taut.method.direct import DirectInference
from taut.method.problem import Iterate, Problem, matched
from taut.method.setup import Setup


@final
class MatchAgain(DirectInference):
    """A dense Gaussian with the scores of the posterior."""

    name = "match_again"
    title = "batch-and-match again"
    longest = 100

    def __init__(self, *, model: Any = None, random_seed: Any = None, start: Any = None) -> None:
        self._begin(Setup(model, random_seed, start), "fr")

    def _solve(self, problem: Problem) -> Generator[Iterate, None, str]:
        begin = DenseNormal.of(problem.start, np.eye(len(problem.start)))
        steps = batch_match(problem.gradients, begin, problem.random)
        return (yield from matched(steps, problem.gradients.target.dtype))
'''
STEPPING = '''"""ADVI, once more."""

from typing import final

from taut.approximation import Approximation
from taut.method.advi import AbstractADVI
from taut.method.setup import Setup


@final
class StepAgain(AbstractADVI):
    """Mean-field ADVI."""

    name = "step_again"

    def _approximation(self, setup: Setup) -> Approximation:
        return setup.approximation("mf")
'''
# What the class is called, its name, its file, the export it stands before, and the table of rows.
METHODS = (
    ("MatchAgain", "match_again", DIRECT, "Pathfinder", "DIRECT: "),
    ("StepAgain", "step_again", STEPPING, None, "METHODS: "),
)
# That it is found by its name, in the copy.
FOUND = """
import pymc as pm
import taut

def test_it_is_found_by_its_name():
    assert taut.__file__.startswith({root!r})
    with pm.Model() as model:
        pm.Normal("x", 3.0, 2.0)
    how = {{"model": model, "random_seed": 1, "progressbar": False}}
    assert taut.fit(method="match_again", **how).method == "batch-and-match again"
    assert taut.fit(5, method="step_again", **how).method == "StepAgain"
"""
CHECKS = (
    "tests/test_found.py",
    "tests/architecture/test_cases.py::test_every_public_class_has_a_row[Inference]",
    "tests/architecture/test_cases.py::test_every_public_class_has_a_row[DirectInference]",
    "tests/architecture/test_cases.py::test_every_method_is_listed",
    "tests/architecture/test_exports.py",
    "tests/architecture/test_imports.py",
    "tests/docs/test_examples.py::test_reference_names_everything_public",
    "tests/laws/test_direct.py::test_programs_are_compiled_once[match_again]",
    "tests/laws/test_method.py::test_the_same_seed_gives_the_same_fit[step_again]",
)
# It names files that are not copied, and none that a method is in.
ELSEWHERE = "test_pages_for_developers_name_files_that_are_there"


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the repository."""
    for name in COPIED:
        if (ROOT / name).is_dir():
            # With what Python has compiled of it, which saves seconds.
            shutil.copytree(ROOT / name, tmp_path / name)
        else:
            shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


def insert(file: Path, before: str, line: str) -> None:
    """Write a line before the first place that begins with some text."""
    head, found, tail = file.read_text().partition(before)
    assert found, f"{file} has no {before!r}"
    file.write_text(f"{head}{line}\n{found}{tail}")


def add(root: Path, cls: str, name: str, text: str, before: str | None, table: str) -> None:
    """Add a method in the five places."""
    (root / "src/taut/method" / f"{name}.py").write_text(text)
    registry = root / "src/taut/method/registry.py"
    insert(registry, "\n__all__", f"from taut.method.{name} import {cls} as {cls}")
    insert(registry, f'    "{before}",\n' if before else "]\n", f'    "{cls}",')
    cases = root / "tests/cases.py"
    head, found, tail = cases.read_text().partition(f"\n{table}")
    opened, brace, rows = tail.partition("= {\n")
    assert found, table
    assert brace
    cases.write_text(f'{head}{found}{opened}{brace}    "{name}": lambda: taut.{cls},\n{rows}')
    insert(root / "docs/reference.md", "| `taut.KLqp`", f"| `taut.{cls}` | Once more. |")
    with (root / "CHANGELOG.md").open("a") as changes:
        changes.write(f"- `taut.{cls}`: once more.\n")


def test_a_new_method_needs_five_places(copy: Path) -> None:
    for method in METHODS:
        add(copy, *method)
    (copy / "tests/test_found.py").write_text(FOUND.format(root=str(copy)))
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([f"{copy}/src", f"{copy}/tests"])}
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-n0", "-q", "-k", f"not {ELSEWHERE}", *CHECKS],
        cwd=copy, env=environment, capture_output=True, text=True,
    )  # fmt: skip
    assert run.returncode == 0, run.stdout[-3000:] + run.stderr[-3000:]

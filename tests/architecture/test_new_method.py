"""A new method is one file, one export, one row, one entry, one line: CONTRIBUTING.md says so.

Methods are added to a copy of the repository in these five places and no other. A table elsewhere
that asks for one more fails the laws, the lists or the fit there.
"""

from pathlib import Path

from architecture.additions import (
    ELSEWHERE,
    add_change,
    copy_repository,
    insert,
    insert_row,
    run_in_copy,
)

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


def add(root: Path, cls: str, name: str, text: str, before: str | None, table: str) -> None:
    """Add a method in the five places."""
    (root / "src/taut/method" / f"{name}.py").write_text(text)
    registry = root / "src/taut/method/registry.py"
    insert(registry, "\n__all__", f"from taut.method.{name} import {cls} as {cls}")
    insert(registry, f'    "{before}",\n' if before else "]\n", f'    "{cls}",')
    insert_row(root, table, f'"{name}": lambda: taut.{cls},')
    insert(root / "docs/reference.md", "| `taut.KLqp`", f"| `taut.{cls}` | Once more. |")
    add_change(root, f"`taut.{cls}`: once more.")


def test_a_new_method_needs_five_places(tmp_path: Path) -> None:
    copy_repository(tmp_path)
    for method in METHODS:
        add(tmp_path, *method)
    (tmp_path / "tests/test_found.py").write_text(FOUND.format(root=str(tmp_path)))
    run_in_copy(tmp_path, "-k", f"not {ELSEWHERE}", *CHECKS)

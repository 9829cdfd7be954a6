"""The tests of the inner command, and those that may take long."""

from pathlib import Path

import pytest

from affected import ROOT
from scheduling import ALONE
from slow import LONGEST, SLOW_FOLDERS, complaint, may_be_slow

TESTS = ROOT / "tests"
INNER = (TESTS / "inner.txt").read_text().split()


def makes_models(path: Path) -> bool:
    """Check whether a file of tests builds a model of PyMC."""
    return "import pymc" in path.read_text()


def test_the_inner_command_runs_every_folder_that_builds_no_model() -> None:
    folders = {path.parent for path in TESTS.rglob("test_*.py")} - {TESTS}
    free = {f for f in folders if not any(makes_models(path) for path in f.glob("*.py"))}
    slow = {TESTS / name for name in SLOW_FOLDERS}
    assert {f.relative_to(ROOT).as_posix() for f in free - slow} <= set(INNER)


def test_the_inner_command_names_what_is_there() -> None:
    assert sorted(INNER) == INNER
    assert [name for name in INNER if not (ROOT / name).exists()] == []
    assert not {f"tests/{name}" for name in SLOW_FOLDERS} & set(INNER)


def test_places_of_tests_that_may_be_slow_are_there() -> None:
    assert [name for name in SLOW_FOLDERS if not (TESTS / name).is_dir()] == []
    assert [name for name in ALONE if not (TESTS / name).is_file()] == []


def test_a_test_may_be_slow_in_its_folder_or_by_its_mark() -> None:
    assert may_be_slow("tests/zoo/test_every_model.py::test_prior[log]", iter(()))
    assert may_be_slow("tests/rows/test_arrays.py::test", iter([pytest.mark.slow.mark]))
    assert not may_be_slow("tests/rows/test_zoo.py::test", iter([pytest.mark.statistical.mark]))
    assert f"{LONGEST:g}" in complaint(99.0)

"""Shakes reach what they shake, the nightly run tells what fails under them, mutants are found."""

from pathlib import Path

import numpy as np
import pytest

import mutate_criteria
import nightly
from cases import regression
from pytest_runs import failures
from shaking import CRITERIA, SHAKE, SHAKES, last_bits, seconds_each
from taut.engine import Timing
from taut.gradients import Gradients

CONFTEST = """
import pytest
from shaking import apply_criteria

def pytest_configure(config):
    apply_criteria(pytest.MonkeyPatch())
"""
# Stands in for the criteria of taut: one test for one side of each of two fields.
STAND_IN = """
from dataclasses import dataclass

@dataclass(frozen=True)
class Criteria:
    shift: float = 0.1
    chains: int = 5
    nothing: float = 0.0

    def __post_init__(self):
        if self.chains > 8:
            raise ValueError("too many")

CRITERIA = Criteria()
"""
TESTS = """
import stand_in

def test_shift():
    assert stand_in.CRITERIA.shift < 0.15

def test_chains():
    assert isinstance(stand_in.CRITERIA.chains, int)
    assert stand_in.CRITERIA.chains > 3
"""


@pytest.fixture(autouse=True)
def _one_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs of a single test need no workers, nor plugins that take seconds to load."""
    plugins = [f"-p no:{name}" for name in ("hypothesispytest", "jaxtyping", "zarr")]
    monkeypatch.setenv("PYTEST_ADDOPTS", " ".join(["-n 0", *plugins]))


def evaluated() -> tuple[np.ndarray, np.ndarray]:
    model = regression(5)
    z = model.posterior_mean + np.random.default_rng(0).normal(size=(40, 5))
    return Gradients(model.target(), Timing())(z)


def test_last_bits_are_shaken_alike_at_the_same_points(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = evaluated()
    last_bits(1)(monkeypatch)
    shaken, again = evaluated(), evaluated()
    for before, after, once_more in zip(plain, shaken, again, strict=True):
        np.testing.assert_allclose(after, before, rtol=1e-14)
        assert (after != before).mean() > 0.5
        np.testing.assert_array_equal(after, once_more)


def test_choices_of_the_machine_are_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    seconds_each(3e-6)(monkeypatch)
    assert Gradients(regression(2).target(), Timing()).seconds_each == 3e-6


def test_the_nightly_run_tells_what_fails_under_a_shake(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shake = next(iter(SHAKES))
    (tmp_path / "test_some.py").write_text(
        f"import os, pytest\n"
        f"@pytest.mark.statistical\n"
        f"def test_shy(): assert os.environ.get({SHAKE!r}) != {shake!r}, 'shaken'\n"
        f"@pytest.mark.nightly\n"
        f"def test_long(): pass\n"
        f"def test_neither(): assert False\n"
    )
    assert nightly.run(nightly.AS_IT_IS, [str(tmp_path)]) == []
    assert nightly.main(["--only", nightly.LONG, str(tmp_path)]) == 0
    assert nightly.main(["--only", shake, str(tmp_path)]) == 1
    assert f"{shake}: 1 failed" in (told := capsys.readouterr().out)
    assert "test_shy: AssertionError: shaken" in told


def test_tests_that_were_not_run_are_no_success(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="ended with status"):
        failures([str(tmp_path / "none.py")], {})


def test_an_unknown_shake_is_told() -> None:
    with pytest.raises(RuntimeError, match="choose from last bits 1"):
        failures(["tests/test_shaking.py"], {SHAKE: "earthquake"})


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Write criteria, with a test, into a folder that processes import from."""
    (tmp_path / "conftest.py").write_text(CONFTEST)
    (tmp_path / "stand_in.py").write_text(STAND_IN)
    (tmp_path / "test_stand_in.py").write_text(TESTS)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:{Path(__file__).parent}")
    return tmp_path


def test_mutants_that_no_test_notices_are_named(
    stand_in: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert mutate_criteria.main(["--module", "stand_in", str(stand_in)]) == 1
    *rows, last = capsys.readouterr().out.splitlines()
    ends = [row.split(maxsplit=6)[6] for row in rows]
    assert [row.split()[0] for row in rows] == [*2 * ["shift"], *2 * ["chains"], *2 * ["nothing"]]
    assert ends[0].endswith("::test_shift")
    assert ends[1] == "SURVIVED"
    assert ends[2] == "refused: too many"
    assert ends[3].endswith("::test_chains")
    # Twice nothing is nothing: that no test can notice.
    assert ends[4:] == ["SURVIVED", "SURVIVED"]
    assert last == "3 survived"


def test_criteria_are_not_mutated_where_tests_fail_anyway(
    stand_in: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(CRITERIA, "stand_in:shift=9.0")
    assert mutate_criteria.main(["--module", "stand_in", str(stand_in)]) == 1
    assert "before anything is changed" in capsys.readouterr().out

"""Run pytest in a process of its own, and tell which tests failed."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

ROOT = Path(__file__).resolve().parents[1]
_PASSED, _SOME_FAILED = 0, 1


@dataclass(frozen=True)
class Failure:
    """A test that failed, and the first line of why."""

    test: str
    why: str

    def __str__(self) -> str:
        return f"{self.test}: {self.why}"


def failures(arguments: Sequence[str], variables: Mapping[str, str]) -> list[Failure]:
    """Run tests with some variables of the environment, and collect what failed.

    Raises
    ------
    RuntimeError
        The tests were not run to their end, or there are none.
    """
    with tempfile.TemporaryDirectory(prefix="taut-tests-") as folder:
        report = Path(folder, "report.xml")
        command = [sys.executable, "-m", "pytest", "-q", "--tb=short", f"--junitxml={report}"]
        done = subprocess.run(
            [*command, *arguments], cwd=ROOT, env=os.environ | variables,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
        )  # fmt: skip
        if done.returncode not in (_PASSED, _SOME_FAILED):
            raise RuntimeError(
                f"`{' '.join([*command, *arguments])}` with {dict(variables)} ended with status "
                f"{done.returncode}: {done.stdout[-2000:]}"
            )
        return _failed(report)


def _failed(report: Path) -> list[Failure]:
    cases = ElementTree.parse(report).iter("testcase")
    return [
        Failure(f"{case.get('classname')}::{case.get('name')}", _first_line(reason.get("message")))
        for case in cases
        for reason in case
        if reason.tag in ("failure", "error")
    ]


def _first_line(message: str | None) -> str:
    lines = (message or "").splitlines()
    return lines[0][:160] if lines else ""

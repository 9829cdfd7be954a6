"""Change each number that decides trust to double and half of it, and see which test notices.

Run it with `uv run scripts/mutate_criteria.py [TESTS …]`. It prints a row for each field of
`taut.diagnose.Criteria`, with the first test that fails by each change; the exit status is 1 if all
tests pass with one of them.
"""

import argparse
import importlib
import sys
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).resolve().parents[1] / "tests"))

from pytest_runs import failures
from shaking import CRITERIA

FACTORS = (2.0, 0.5)
_TESTS = ["tests/diagnose/test_criteria.py"]
# One after the other, and the first failure is enough.
_HOW = ["-x", "-n", "0"]


@dataclass(frozen=True)
class Mutant:
    """One field, changed."""

    field: str
    factor: float
    before: float
    after: float

    @classmethod
    def of(cls, criteria: Any, field: str, factor: float) -> "Mutant":
        """Multiply a field; what is an integer stays one."""
        before = getattr(criteria, field)
        changed = before * factor
        return cls(field, factor, before, round(changed) if isinstance(before, int) else changed)

    def __str__(self) -> str:
        change = f"{self.before:>10g} → {self.after:<10g}"
        return f"{self.field:<24} × {self.factor:<4g} {change}"

    def killer(self, criteria: Any, module: str, tests: Sequence[str]) -> str | None:
        """Name what notices the change, if anything does."""
        if self.after == self.before:
            return None
        try:
            replace(criteria, **{self.field: self.after})
        except ValueError as error:
            return f"refused: {error}"
        found = failures([*_HOW, *tests], {CRITERIA: f"{module}:{self.field}={self.after!r}"})
        return found[0].test if found else None


def mutants(criteria: Any) -> list[Mutant]:
    """List every change of every field."""
    return [Mutant.of(criteria, f.name, factor) for f in fields(criteria) for factor in FACTORS]


def main(arguments: Sequence[str]) -> int:
    """Try all, print the table, and give the exit status."""
    parser = argparse.ArgumentParser(prog="mutate_criteria.py", description=__doc__)
    parser.add_argument("--module", default="taut.diagnose.criteria", help="which has CRITERIA")
    parser.add_argument("tests", nargs="*", default=_TESTS, help="files, folders or test ids")
    options = parser.parse_args(arguments)
    if broken := failures([*_HOW, *options.tests], {}):
        print(f"Tests fail before anything is changed: {broken[0]}")
        return 1
    criteria, survived = importlib.import_module(options.module).CRITERIA, 0
    for mutant in mutants(criteria):
        killer = mutant.killer(criteria, options.module, options.tests)
        survived += killer is None
        print(f"{mutant} {killer or 'SURVIVED'}", flush=True)
    print(f"{survived} survived" if survived else "none survived")
    return 1 if survived else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

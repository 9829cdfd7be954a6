"""Run what is too long for every change: shaken statistical tests, and laws over many seeds.

Run it with `uv run scripts/nightly.py`. The tests that are marked `statistical` run once as they
are and once under each row of `SHAKES` in tests/shaking.py, those marked `nightly` once. It prints
which tests failed under which shake; the exit status is 1 if any did.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1] / "tests"))

from pytest_runs import Failure, failures
from shaking import SHAKE, SHAKES

AS_IT_IS, LONG = "as it is", "nightly"


def run(name: str, tests: Sequence[str]) -> list[Failure]:
    """Run the statistical tests under a shake, or as they are, or the nightly ones."""
    marked = "nightly" if name == LONG else "statistical and not nightly"
    variables = {SHAKE: name} if name in SHAKES else {}
    return failures(["-m", marked, *tests], variables)


def main(arguments: Sequence[str]) -> int:
    """Run all, print what failed, and give the exit status."""
    names = [AS_IT_IS, *SHAKES, LONG]
    parser = argparse.ArgumentParser(prog="nightly.py", description=__doc__)
    parser.add_argument("--only", action="append", choices=names, help="may be given several times")
    parser.add_argument("tests", nargs="*", default=["tests"], help="files, folders or test ids")
    options = parser.parse_args(arguments)
    count = 0
    for name in options.only or names:
        found = run(name, options.tests)
        count += len(found)
        print(f"{name}: {f'{len(found)} failed' if found else 'all passed'}", flush=True)
        for failure in found:
            print(f"    {failure}", flush=True)
    return 1 if count else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""What is built of the repository: small, and with what a reader of it needs."""

import subprocess
import sys
import tarfile
import tomllib
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
MOST_BYTES = 1_000_000


def test_the_source_distribution_is_small_and_has_what_it_needs(tmp_path: Path) -> None:
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-d", str(tmp_path)],
        cwd=ROOT, check=True, capture_output=True,
    )  # fmt: skip
    [built] = tmp_path.glob("*.tar.gz")
    assert built.stat().st_size < MOST_BYTES
    with tarfile.open(built) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    for needed in (
        "CONTRIBUTING.md",
        "LICENSE",
        "README.md",
        "src/taut/py.typed",
        "tests/cases.py",
    ):
        assert needed in names
    assert not [name for name in names if name.startswith("benchmarks/")]


def test_requirements_have_a_lower_bound_and_no_upper_one() -> None:
    """An upper bound makes others uninstallable; it stands only where a break is known."""
    for text in PROJECT["dependencies"]:
        bounds = {one.operator for one in Requirement(text).specifier}
        assert bounds == {">="}, text

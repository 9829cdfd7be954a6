"""`import taut` is cheap and changes nothing of what is there."""

import json
import subprocess
import sys

import pytest

SCRIPT = """
import json, sys
import pymc
import jax
before, x64 = set(sys.modules), jax.config.jax_enable_x64
import taut
new = sorted(set(sys.modules) - before)
print(json.dumps({"new": new, "x64": [x64, jax.config.jax_enable_x64]}))
"""
HEAVY = (
    "arviz_plots", "blackjax", "flowjax", "grain", "matplotlib", "optimistix", "orbax",
    "pyarrow", "scipy.integrate", "scipy.linalg", "scipy.optimize", "scipy.stats", "zarr",
)  # fmt: skip


@pytest.fixture(scope="module")
def told() -> dict[str, list[object]]:
    """What a fresh process tells of its import of taut, after one of PyMC."""
    run = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True)
    return json.loads(run.stdout)


def test_it_is_taut_that_the_process_loads(told: dict[str, list[object]]) -> None:
    assert "taut" in told["new"]


@pytest.mark.parametrize("package", HEAVY)
def test_import_leaves_a_heavy_package_alone(told: dict[str, list[object]], package: str) -> None:
    assert package not in told["new"]


def test_import_leaves_the_precision_of_jax_as_it_was(told: dict[str, list[object]]) -> None:
    before, after = told["x64"]
    assert before == after

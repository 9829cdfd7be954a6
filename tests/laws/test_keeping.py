"""Whatever is fitted, by whatever method, outlives its process."""

import copy
import os
import subprocess
import sys
from pathlib import Path

import cloudpickle
import numpy as np
import pytest

import taut
from approximation.round_trips import WAYS, is_the_same
from cases import DIRECT
from laws.kept_rows import TABLES, file_of, seen_of
from taut.target import Batching

EVERY = [(table, name) for table, (rows, _) in TABLES.items() for name in rows]
every_row = pytest.mark.parametrize(
    ("table", "name"), EVERY, ids=[f"{table}, {name}" for table, name in EVERY]
)


@every_row
def test_every_fit_comes_back(table: str, name: str) -> None:
    _, make = TABLES[table]
    approx, model = make(name)
    assert all(is_the_same(copy.copy(approx), way(approx, model)) for way in WAYS.values())


@pytest.mark.parametrize("name", DIRECT)
def test_a_fit_that_ends_by_itself_keeps_no_batches(name: str) -> None:
    approx, _ = TABLES["by itself"][1](name)
    assert approx.state.batching == Batching()


ELSEWHERE = """
import sys
from pathlib import Path
from laws.kept_rows import read_all
read_all(Path(sys.argv[1]), Path(sys.argv[2]))
"""


@pytest.mark.slow
def test_another_process_in_another_folder_reads_every_fit(tmp_path: Path) -> None:
    kept, out, elsewhere = (tmp_path / name for name in ("kept", "out", "elsewhere"))
    for folder in (kept, out, elsewhere):
        folder.mkdir()
    seen = {}
    for table, name in EVERY:
        approx, _ = TABLES[table][1](name)
        path = kept / file_of(table, name)
        approx.save(path.with_suffix(".fit"))
        path.with_suffix(".pkl").write_bytes(cloudpickle.dumps(approx))
        seen[path.name] = seen_of(approx)
    tests = str(Path(__file__).parents[1])
    subprocess.run(
        [sys.executable, "-c", ELSEWHERE, str(kept), str(out)],
        cwd=elsewhere, check=True, env=os.environ | {"PYTHONPATH": tests, "JAX_ENABLE_X64": "1"},
    )  # fmt: skip
    assert len(list(out.iterdir())) == 2 * len(EVERY)
    for name, here in seen.items():
        for way in ("save", "cloudpickle"):
            there = np.load(out / f"{name}.{way}.npz")
            assert there.files == list(here)
            for what, value in here.items():
                np.testing.assert_array_equal(there[what], value, err_msg=f"{name}, {what}")


def test_a_fit_is_saved_as_it_is_seen() -> None:
    """What is compared above tells one fit from another."""
    one, other = (TABLES["by steps"][1](name)[0] for name in ("advi", "fullrank_advi"))
    assert isinstance(one, taut.Approximation)
    assert any(
        not np.array_equal(one_of, seen_of(other).get(what))
        for what, one_of in seen_of(one).items()
    )

"""Two processes that fit together, as hosts do."""

import os
import pickle
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import taut
from devices.fits import fit, regression
from devices.on_four import TESTS
from devices.process import FITS, KEPT

_SECONDS = 240


def run_two(case: str, folder: Path) -> tuple[list[Any], list["subprocess.Popen[str]"], list[str]]:
    """Run a case in two processes; return what each found, the processes, and what they said."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    processes = [
        subprocess.Popen(
            [sys.executable, "-m", "devices.process", case, str(number), str(port), str(folder)],
            cwd=TESTS,
            env=os.environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for number in (0, 1)
    ]
    try:
        said = [process.communicate(timeout=_SECONDS)[0] for process in processes]
    finally:
        for process in processes:
            process.kill()
    paths = [folder / f"{case}{number}.pickle" for number in (0, 1)]
    assert paths[0].exists(), said
    return [pickle.loads(p.read_bytes()) if p.exists() else None for p in paths], processes, said


@pytest.mark.slow
def test_a_fit_is_that_of_one_process(tmp_path: Path) -> None:
    (one, other), _, said = run_two("together", tmp_path)
    assert not isinstance(one, Exception), said
    for name, how in FITS.items():
        alone = fit(regression(), None, how)
        for part, values in alone.items():
            # Every process holds the result.
            np.testing.assert_array_equal(one[name][part], other[name][part])
            size = np.abs(values).max(axis=0)
            assert (np.abs(one[name][part] - values) <= 1e-8 * size).all()


@pytest.mark.slow
def test_one_process_shows_how_a_fit_goes(tmp_path: Path) -> None:
    _, _, (first, second) = run_two("told", tmp_path)
    assert "Finished" in first
    assert "Finished" not in second


@pytest.mark.slow
def test_processes_that_fit_something_else_are_told(tmp_path: Path) -> None:
    found, _, _ = run_two("differently", tmp_path)
    for error in found:
        with pytest.raises(taut.errors.ProcessError, match="random_seed is not the same in all"):
            raise error


@pytest.mark.slow
def test_a_process_that_is_killed_leaves_an_error_and_the_checkpoint(tmp_path: Path) -> None:
    (error, _), (_, killed), said = run_two("killed", tmp_path)
    assert killed.returncode == -signal.SIGKILL, said
    with pytest.raises(taut.errors.ProcessError, match="Another process of this fit has ended"):
        raise error
    # Here there is one device, which goes on with what two have begun.
    rest = taut.resume(tmp_path / "kept", model=regression(), progressbar=False)
    whole = taut.fit(KEPT, "advi", regression(), 1, progressbar=False)
    np.testing.assert_allclose(rest.hist, whole.hist, rtol=1e-8)

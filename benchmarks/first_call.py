"""Seconds from the call of `fit` to the approximation, in a fresh process.

``python -m benchmarks.first_call PEER MODEL STEPS`` is the worker: it prints one line of JSON.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.blas import faster_blas
from benchmarks.models import CASES, Case
from benchmarks.peers import PEERS, fit, last_loss, load

CACHES = ("cold", "warm")
_ROOT = Path(__file__).resolve().parents[1]


@dataclass
class FirstCall:
    """Seconds of one library on one model, one number for each repetition.

    Parameters
    ----------
    cold
        The first call of a process that finds no compiled code on disk.
    warm
        The first call of the next process, which finds what the former left there.
    repeat
        The second call in a process, for the same model.
    loss
        Mean of the last losses, at the scale of all rows.
    timing
        Where taut says that its seconds went, by cache.
    """

    cold: list[float] = field(default_factory=list)
    warm: list[float] = field(default_factory=list)
    repeat: list[float] = field(default_factory=list)
    loss: list[float] = field(default_factory=list)
    timing: dict[str, str] = field(default_factory=dict)

    def add(self, cache: str, told: dict[str, Any]) -> None:
        """Take up what a worker has told."""
        getattr(self, cache).append(told["first"])
        self.repeat.append(told["repeat"])
        self.loss.append(told["loss"])
        self.timing[cache] = told["timing"]

    def seconds(self, kind: str) -> float:
        """Return the median of ``"cold"``, ``"warm"`` or ``"repeat"`` calls."""
        return median(getattr(self, kind))


@contextmanager
def bytecode(case: Case) -> Iterator[Path]:
    """Keep the bytecode of all modules in a folder, as an installation has it.

    Workers that are not timed fill it, so that no timed one compiles Python modules even where
    the environment forbids to keep them (``PYTHONDONTWRITEBYTECODE``).
    """
    with tempfile.TemporaryDirectory(prefix="taut-bench-") as kept:
        for peer in PEERS:
            with tempfile.TemporaryDirectory(prefix="taut-bench-") as folder:
                _run_worker(peer, case, 1, Path(folder), Path(kept))
        yield Path(kept)


def measure(case: Case, steps: int, repetitions: int, pycache: Path) -> dict[str, FirstCall]:
    """Run workers with empty caches and again with full ones, the libraries taking turns.

    Parameters
    ----------
    case
        What is fitted.
    steps
        Of each call.
    repetitions
        Pairs of cold and warm processes, of each library.
    pycache
        Folder of `bytecode`.
    """
    calls = {peer: FirstCall() for peer in PEERS}
    for _ in range(repetitions):
        with tempfile.TemporaryDirectory(prefix="taut-bench-") as folder:
            for cache in CACHES:
                for peer in PEERS:
                    told = _run_worker(peer, case, steps, Path(folder, peer), pycache)
                    calls[peer].add(cache, told)
    return calls


def work(peer: str, name: str, steps: int) -> dict[str, Any]:
    """Time two calls of `fit`; imports and the making of the model are not counted."""
    load(peer)
    model = CASES[name].build()
    first, approx = _timed_fit(peer, model, steps)
    timing, loss = str(getattr(approx, "timing", "")), last_loss(peer, approx)
    repeat, _ = _timed_fit(peer, model, steps)
    return {"first": first, "repeat": repeat, "loss": loss, "timing": timing}


def _timed_fit(peer: str, model: Any, steps: int) -> tuple[float, Any]:
    with faster_blas():
        begin = time.perf_counter()
        approx = fit(peer, model, steps)
        return time.perf_counter() - begin, approx


def _run_worker(peer: str, case: Case, steps: int, folder: Path, pycache: Path) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.first_call", peer, case.name, str(steps)],
        cwd=_ROOT,
        env=_environment(folder, pycache),
        capture_output=True,
        text=True,
    )
    if done.returncode:
        raise RuntimeError(f"the {peer} worker failed on {case.name}:\n{done.stderr[-4000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def _environment(folder: Path, pycache: Path) -> dict[str, str]:
    """Point every cache of compiled code into one folder, bytecode apart.

    PyTensor keeps its own C code, and what its numba backend compiles, under ``base_compiledir``;
    ``NUMBA_CACHE_DIR`` takes what else numba caches.
    """
    kept = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    flags = [*filter(None, [kept.get("PYTENSOR_FLAGS")]), f"base_compiledir={folder / 'pytensor'}"]
    return kept | {
        "PYTENSOR_FLAGS": ",".join(flags),
        "NUMBA_CACHE_DIR": str(folder / "numba"),
        "TAUT_CACHE_DIR": str(folder / "taut"),
        "PYTHONPYCACHEPREFIX": str(pycache),
    }


if __name__ == "__main__":
    print(json.dumps(work(sys.argv[1], sys.argv[2], int(sys.argv[3]))))

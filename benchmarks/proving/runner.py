"""Run what is missing of a run, each fit in a process of its own."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Any

from rich.console import Console

from benchmarks.methods import METHODS
from benchmarks.proving import records
from benchmarks.proving.records import CRASH, TIME_OUT, Key, Record
from benchmarks.proving.warm_up import WARM_UP, copied, environment

_WORKER = (sys.executable, "-m", "benchmarks.proving.worker")
_ROOT = Path(__file__).resolve().parents[2]
# Imports are not part of a fit's time.
_IMPORTS_SECONDS = 40.0
_POLL_SECONDS = 0.1
# A second fit is made where the first took less than this part of the limit.
_SECOND = 0.4


@dataclass(frozen=True)
class Plan:
    """What to run.

    Parameters
    ----------
    keys
        Posterior, method and seed of each fit, in the order in which they are run.
    seconds
        Limit of a fit.
    processes
        How many at a time.
    retry
        Whether to fit once more what failed.
    share
        Whether the seeds of a posterior and method that are missing share a process: all are
        measured, but only the first is timed with its compilation.
    second
        Whether a fit is followed by a second one, of a program that is compiled.
    """

    keys: list[Key]
    seconds: float
    processes: int = 1
    retry: bool = False
    share: bool = False
    second: bool = True

    @classmethod
    def of(
        cls,
        posteriors: Iterable[str],
        methods: Iterable[str],
        seeds: int,
        seconds: float,
        processes: int,
    ) -> "Plan":
        """Plan all combinations: one seed of everything first."""
        methods, posteriors = list(methods), list(posteriors)
        keys = [(p, m, seed) for seed in range(seeds) for p in posteriors for m in methods]
        return cls(keys, seconds, processes)  # fmt: skip

    def groups(self, missing: Iterable[Key]) -> list[list[Key]]:
        """Put together what is fitted in one process."""
        if not self.share:
            return [[key] for key in missing]
        groups: dict[tuple[str, str], list[Key]] = {}
        for key in missing:
            groups.setdefault(key[:2], []).append(key)
        return list(groups.values())


def run(plan: Plan, path: Path, head: Mapping[str, Any], log: Console) -> None:
    """Fit what `path` does not have yet, and add it there.

    What took too long for one seed is taken to do so for the others.
    """
    found = records.read(path).records if path.exists() else {}
    done = {key for key, record in found.items() if record.is_ok or not plan.retry}
    missing = [key for key in plan.keys if key not in done]
    log.print(f"{len(missing)} fits to go, {len(plan.keys) - len(missing)} done")
    if not missing:
        return
    records.write_head(path, head)
    lock = Lock()

    with _caches({method for _, method, _ in missing}, plan.processes, log) as caches:
        slow = {key[:2] for key in done if found[key].status == TIME_OUT}

        def one(keys: list[Key]) -> None:
            if keys[0][:2] in slow:
                made = [_too_slow(key) for key in keys]
            else:
                made = fit_apart(keys, plan.seconds, caches, second=plan.second)
            with lock:
                for record in made:
                    if record.status == TIME_OUT:
                        slow.add(record.key[:2])
                    records.write(path, record)
                    log.print(_line(record), style="dim" if record.is_ok else "red")

        with ThreadPoolExecutor(plan.processes) as pool:
            list(pool.map(one, plan.groups(missing)))


def _too_slow(key: Key) -> Record:
    return Record(*key, status=TIME_OUT, message="as with an earlier seed: not tried again")


@dataclass(frozen=True)
class Caches:
    """Folders of compiled code."""

    root: Path

    @property
    def bytecode(self) -> Path:
        """Of Python modules."""
        return self.root / "bytecode"

    def of(self, method: str) -> Path:
        """What the method's library keeps of models."""
        return self.root / METHODS[method].library


@contextmanager
def _caches(methods: Iterable[str], processes: int, log: Console) -> Iterator[Caches]:
    """Let each library fit a small model once."""
    with tempfile.TemporaryDirectory(prefix="taut-proving-") as folder:
        caches = Caches(Path(folder))

        def warm_up(method: str) -> None:
            log.print(f"warming up {METHODS[method].library}", style="dim")
            caches.of(method).mkdir()
            _run([(WARM_UP, method, 0)], 600.0, caches.of(method), caches.bytecode, second=True)

        one_each = {METHODS[method].library: method for method in sorted(methods)}
        with ThreadPoolExecutor(processes) as pool:
            list(pool.map(warm_up, one_each.values()))
        yield caches


def fit_apart(keys: list[Key], seconds: float, caches: Caches, *, second: bool) -> list[Record]:
    """Fit one posterior by one method in a fresh process with a copy of the caches."""
    with copied(caches.of(keys[0][1])) as folder:
        return _run(keys, seconds, folder, caches.bytecode, second=second)


def _run(
    keys: list[Key], seconds: float, folder: Path, bytecode: Path, *, second: bool
) -> list[Record]:
    (posterior, method, _), seeds = keys[0], [seed for _, _, seed in keys]
    # One second fit of each posterior is enough: it is the same program.
    longest = _SECOND * seconds if second and seeds == [0] else 0.0
    names = ",".join(map(str, seeds))
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        process = subprocess.Popen(
            [*_WORKER, method, posterior, names, str(longest), str(time.time())],
            cwd=_ROOT, env=environment(folder, bytecode), stdout=out, stderr=err,
            start_new_session=True,
        )  # fmt: skip
        in_time = _wait(process, out, seconds)
        told = _told(out, seeds[0])
        failure = _failure(in_time, seconds, _tail(err))
    return [_record(key, told.get(key[2], {}), seconds, failure) for key in keys]


def _record(key: Key, told: dict[str, Any], seconds: float, failure: Mapping[str, Any]) -> Record:
    if "status" not in told:
        told = dict(failure)
    elif max(told.get("seconds", 0.0), told.get("second_seconds", 0.0)) > seconds:
        told |= _failure(False, seconds, "")
    return Record(*key, **told)


def _wait(process: subprocess.Popen[bytes], out: Any, seconds: float) -> bool:
    """Wait for each fit as long as it may take; end what takes longer."""
    begin = time.perf_counter()
    while process.poll() is None:
        time.sleep(_POLL_SECONDS)
        limit = _IMPORTS_SECONDS + seconds * (1 + len(_lines(out)))
        if time.perf_counter() - begin > limit:
            # The whole session: some methods start processes of their own.
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            return False
    return True


def _told(out: Any, first: int) -> dict[int, dict[str, Any]]:
    """Put together the lines of a worker, by seed."""
    told: dict[int, dict[str, Any]] = {}
    for line in _lines(out):
        seed = line.pop("seed", first)
        told[seed] = told.get(seed, {}) | line
    return told


def _lines(out: Any) -> list[dict[str, Any]]:
    """Read what a worker has told so far; libraries print there too."""
    # Not `seek`: the process writes where the file stands.
    text = os.pread(out.fileno(), os.fstat(out.fileno()).st_size, 0).decode(errors="replace")
    lines = (line for line in text.splitlines() if line.startswith("{") and line.endswith("}"))
    return [json.loads(line) for line in lines]


def _failure(in_time: bool, seconds: float, tail: str) -> dict[str, Any]:
    if in_time:
        return {"status": CRASH, "message": f"the process ended: {tail}"}
    return {"status": TIME_OUT, "message": f"more than {seconds:g} s"}


def _tail(file: Any, characters: int = 300) -> str:
    file.seek(0)
    return file.read()[-characters:]


def _line(record: Record) -> str:
    name = f"{record.posterior} {record.method} seed {record.seed}"
    if not record.is_ok:
        return f"{name}: {record.status} {record.message[:120]}"
    worst = record.errors["mean_max"], record.errors["log_sd_max"]
    took = record.second_seconds if record.seconds is None else record.seconds
    return f"{name}: {took:.1f} s, mean {worst[0]:.2f}, log sd {worst[1]:.2f}"

"""Press Ctrl-C at random moments of fits, and check that nothing is lost and nothing stays behind.

    uv run python scripts/interrupt_test.py --presses 200 --seconds 900

A real SIGINT is sent to the process at a random moment of a fit: of an automatic one, of one that
streams rows from a Parquet file, or of a repair. Each fit has to return what it had found, or raise
a KeyboardInterrupt that has it, or say that nothing was fitted. After it the process has to be as
it was before: its threads, the handler of the signal, Python's hook for errors that can not be
raised, the filters of warnings, the threads of linear algebra, and JAX's precision. Every other
model has a number of unknowns of its own, so that it is compiled anew, and presses fall into the
compiler too.
"""

import argparse
import gc
import os
import random
import signal
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pymc as pm

# Adds a filter of warnings when it is first imported, which a fit may do.
import scipy.special  # noqa: F401
from threadpoolctl import threadpool_info

import taut
from taut.progress import INTERRUPTED
from taut.rows import packing

_ROWS, _BATCH = 20_000, 500
# Steps of a stream.
_STEPS = 20_000
# taut's threads for gradients, as many as cores, which stay when they are first used.
_POOL = f"taut-{os.getpid()}_"
# A thread that was told to end has so many seconds for the block that it is reading.
_PATIENCE = 10.0


def line(x: np.ndarray, y: np.ndarray, others: int) -> pm.Model:
    """Build a regression on a line, and so many unknowns beside it."""
    with pm.Model() as model:
        pm.Normal("other", shape=others)
        at = pm.Normal("at", shape=2)
        seen = pm.Data("x", x)
        pm.Normal("seen", at[0] + at[1] * seen, pm.HalfNormal("scale"), observed=pm.Data("y", y))
    return model


def schools(count: int) -> pm.Model:
    """Build a hierarchy whose draws have to be repaired."""
    made = np.random.default_rng(1)
    errors = made.uniform(9.0, 18.0, size=count)
    with pm.Model() as model:
        mu, tau = pm.Normal("mu", 0.0, 5.0), pm.HalfNormal("tau", 3.0)
        theta = pm.Normal("theta", mu, tau, shape=count)
        pm.Normal("y", theta, errors, observed=made.normal(5.0, 11.0, size=count))
    return model


def regression(rows: int) -> dict[str, np.ndarray]:
    """Make data of a line."""
    made = np.random.default_rng(0)
    x = made.normal(size=rows)
    return {"x": x, "y": 1.0 + 2.0 * x + made.normal(size=rows)}


def automatic(number: int, folder: Path) -> Callable[[], taut.Approximation]:
    """Prepare an automatic fit that ends in chains."""
    model = schools(8 + number)
    return lambda: taut.fit(model=model, random_seed=number, progressbar=False)


def stream(number: int, folder: Path) -> Callable[[], taut.Approximation]:
    """Prepare a fit that reads rows from a file."""
    import pyarrow
    import pyarrow.parquet

    path, data = folder / "rows.parquet", regression(_ROWS)
    if not path.exists():
        pyarrow.parquet.write_table(pyarrow.table(data), path, row_group_size=1000)
    # As if they were too many for memory.
    packing.IN_MEMORY_BYTES = 1000
    model, rows = line(**data, others=1 + number), taut.ParquetRows(path, {"x": "x", "y": "y"})
    return lambda: taut.fit(
        _STEPS, "advi", model=model, batch_size=_BATCH, rows=rows,
        random_seed=number, progressbar=False,
    )  # fmt: skip


def repair(number: int, folder: Path) -> Callable[[], taut.Approximation]:
    """Prepare a repair of a fit by a few steps, which stays whatever happens."""
    begun = taut.fit(60, "advi", model=schools(8 + number), random_seed=1, progressbar=False)
    return lambda: begun.repair(4, random_seed=number)


KINDS = {"automatic": automatic, "stream": stream, "repair": repair}


@dataclass(frozen=True)
class Process:
    """What a fit may not leave changed."""

    threads: frozenset[threading.Thread]
    handler: Any
    hook: Any
    filters: tuple[Any, ...]
    blas: tuple[int, ...]
    x64: bool
    collects: bool

    @classmethod
    def now(cls) -> "Process":
        """Look at it."""
        pools = threadpool_info()
        return cls(
            frozenset(one for one in threading.enumerate() if not one.name.startswith(_POOL)),
            signal.getsignal(signal.SIGINT),
            sys.unraisablehook,
            tuple(warnings.filters),
            tuple(pool["num_threads"] for pool in pools if pool["user_api"] == "blas"),
            bool(jax.config.jax_enable_x64),
            gc.isenabled(),
        )

    def left(self) -> list[str]:
        """Name what is another now, once threads have had time to end."""
        end, now = time.monotonic() + _PATIENCE, Process.now()
        while not now.threads <= self.threads and time.monotonic() < end:
            time.sleep(0.01)
            now = Process.now()
        more = [f"the thread {thread.name}" for thread in now.threads - self.threads]
        more += [f"the filter {one[:3]}" for one in {*now.filters} - {*self.filters}]
        names = ("handler", "hook", "filters", "blas", "x64", "collects")
        return more + [name for name in names if getattr(now, name) != getattr(self, name)]


class Press:
    """Presses Ctrl-C once, so many seconds after it began."""

    def __init__(self, seconds: float) -> None:
        self._cancelled, self.sent = threading.Event(), False
        self._seconds = seconds
        self._thread, self._begun = threading.Thread(target=self._run), False

    def begin(self) -> None:
        """Begin to count."""
        self._begun = True
        self._thread.start()

    def _run(self) -> None:
        if not self._cancelled.wait(self._seconds):
            self.sent = True
            os.kill(os.getpid(), signal.SIGINT)

    def end(self) -> None:
        """Press no more."""
        self._cancelled.set()
        if self._begun:
            self._thread.join()


def pressed(
    fit: Callable[[], taut.Approximation], seconds: float, *, kept: bool
) -> tuple[str, bool, bool]:
    """Fit, and press in it; say how it ended, whether that is right, and if it was pressed."""
    warned: list[str] = []
    warnings.showwarning = lambda message, *more: warned.append(str(message))
    press, found, is_in_it = Press(seconds), None, False
    try:
        try:
            press.begin()
            is_in_it = True
            found = fit()
        finally:
            press.end()
    except KeyboardInterrupt as error:
        if not is_in_it:
            return "before it", True, True
        # It may have come between the fit and its end.
        return (*(("after it", True) if found is not None else refused(error, kept)), True)
    return (*returned(found, press.sent, warned), press.sent)


def returned(found: taut.Approximation, sent: bool, warned: list[str]) -> tuple[str, bool]:
    """Say whether what a fit has returned is as it should be."""
    has_nothing = any("Nothing was" in one for one in warned)
    is_interrupted = str(found.stopped).startswith(INTERRUPTED)
    if not sent:
        return "by itself, before", not is_interrupted and not has_nothing
    if has_nothing:
        return "with nothing, and a warning", True
    return ("with what it had", are_finite(found)) if is_interrupted else ("LOST", False)


def refused(error: KeyboardInterrupt, kept: bool) -> tuple[str, bool]:
    """Say whether an exception carries the fit, or tells that nothing was fitted.

    Where the fit is kept in any case, as by who repairs it, one from before chains begin need not.
    """
    notes = " ".join(getattr(error, "__notes__", []))
    if "What was fitted is kept" in notes:
        return "with an exception that has the fit", are_finite(error.approx)
    return "with an exception", "Nothing was fitted" in notes or kept


def are_finite(approx: taut.Approximation) -> bool:
    """Check that draws can be made, and are numbers."""
    draws = approx.sample(10, random_seed=0)["posterior"]
    return all(bool(np.isfinite(draws[name]).all()) for name in draws)


def seconds_of(prepare: Callable[[int, Path], Any], number: int, folder: Path) -> float:
    """Return the seconds of a fit that is left alone."""
    fit = prepare(number, folder)
    begun = time.monotonic()
    fit()
    return time.monotonic() - begun


def main() -> None:
    """Press so often, as long as there is time."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--presses", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=900.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=list(KINDS))
    given = parser.parse_args()
    # Else the handler is that of a shell that has started this in the background: none.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    warnings.simplefilter("always")
    warnings.showwarning = lambda *told: None
    taut.set_cache_directory(None)
    choose, begun = random.Random(given.seed), time.monotonic()
    good = done = sent = 0
    ends: dict[str, int] = {}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        # What a process makes once is there after the first.
        for kind in given.kinds:
            seconds_of(KINDS[kind], 0, folder)
        lengths = {
            (kind, anew): seconds_of(KINDS[kind], given.presses + 1 if anew else 0, folder)
            for kind in given.kinds
            for anew in (True, False)
        }
        print({f"{kind}, {anew=}": round(length, 2) for (kind, anew), length in lengths.items()})
        number = 0
        while sent < given.presses and time.monotonic() - begun < given.seconds:
            kind = given.kinds[number % len(given.kinds)]
            anew = number // len(given.kinds) % 2 == 0
            fit = KINDS[kind](number // 4 + 1 if anew else 0, folder)
            gc.collect()
            before = Process.now()
            how, right, was_sent = pressed(
                fit, choose.uniform(0.0, lengths[kind, anew]), kept=kind == "repair"
            )
            del fit
            left = before.left()
            done, good, sent = done + 1, good + (right and not left), sent + was_sent
            ends[f"{kind}: {how}"] = ends.get(f"{kind}: {how}", 0) + 1
            if not right or left:
                print(f"{number} {kind}: ended {how}; left behind: {left or 'nothing'}", flush=True)
            number += 1
    for how, count in sorted(ends.items()):
        print(f"{how}: {count}")
    print(f"{good} of {done} fits, {sent} of them by Ctrl-C, ended as they should")
    sys.exit(good != done or not done)


if __name__ == "__main__":
    main()

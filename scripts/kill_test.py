"""Kill fits at random moments, resume them, and compare with fits that were left alone.

    uv run python scripts/kill_test.py --kills 50 --seconds 900

Each fit runs in a child that is forked before JAX starts, gets a SIGKILL at a random moment between
its first checkpoint and its end, and is resumed in another one, which may be killed as well. What
comes out has to be equal to the last bit. `writes` writes a checkpoint after every step, so that
most kills fall into one; most of the time of `automatic` goes to chains, and all of `repair`.
"""

import argparse
import hashlib
import os
import random
import signal
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pymc as pm

import taut
from taut.rows import packing

_ROWS = 20_000
# Nobody waits for a child longer than this.
_PATIENCE = 120.0
# How often a fit is killed at most before it may end.
_MOST = 3


def regression(rows: int) -> tuple[np.ndarray, np.ndarray]:
    """Make data of a line."""
    made = np.random.default_rng(0)
    x = made.normal(size=rows)
    return x, 1.0 + 2.0 * x + made.normal(size=rows)


def line(rows: int) -> pm.Model:
    """Build a regression on a line."""
    with pm.Model() as model:
        x, y = (pm.Data(name, data) for name, data in zip("xy", regression(rows), strict=True))
        at = pm.Normal("at", shape=2)
        pm.Normal("seen", at[0] + at[1] * x, pm.HalfNormal("scale", 5.0), observed=y)
    return model


def schools() -> pm.Model:
    """Build a hierarchy whose chains have to go on."""
    with pm.Model() as model:
        mu, tau = pm.Normal("mu", 0.0, 5.0), pm.HalfNormal("tau", 3.0)
        theta = pm.Normal("theta", mu, tau, shape=8)
        errors = [15.0, 10.0, 16.0, 11.0, 9.0, 11.0, 10.0, 18.0]
        pm.Normal("y", theta, errors, observed=[28.0, 8.0, -3.0, 7.0, -1.0, 1.0, 18.0, 12.0])
    return model


def rows_on_disk(folder: Path) -> taut.ParquetRows:
    """Write rows to a file, once, and read them as if they were too many for memory."""
    import pyarrow
    import pyarrow.parquet

    path = folder / "rows.parquet"
    if not path.exists():
        columns = dict(zip("xy", regression(_ROWS), strict=True))
        pyarrow.parquet.write_table(pyarrow.table(columns), path, row_group_size=1000)
    packing.IN_MEMORY_BYTES = 1000
    return taut.ParquetRows(path, {"x": "x", "y": "y"})


def arguments(kind: str, folder: Path) -> dict[str, Any]:
    """Return the model, and what its fit is given."""
    if kind in ("automatic", "repair"):
        return {"model": schools(), "every": "1s"}
    how = {"model": line(_ROWS), "method": "advi"}
    if kind == "stream":
        return how | {"n": 1500, "batch_size": 500, "rows": rows_on_disk(folder), "every": 20}
    return how | ({"n": 1500, "every": 20} if kind == "steps" else {"n": 200, "every": 1})


KINDS = ("steps", "writes", "stream", "automatic", "repair")


def digest(approx: taut.Approximation) -> str:
    """Return what is another text for other parameters or losses."""
    found = hashlib.blake2b(digest_size=16)
    for array in [*jax.tree.leaves(approx.family), approx.hist]:
        found.update(np.asarray(array).tobytes())
    return found.hexdigest()


def fit(kind: str, folder: Path) -> str:
    """Fit, or go on, and return the digest of the result."""
    given = arguments(kind, folder.parent)
    if (folder / "checkpoint").exists():
        return digest(taut.resume(folder, model=given["model"], progressbar=False))
    if kind == "repair":
        begun = taut.fit(60, "advi", model=given["model"], random_seed=1, progressbar=False)
        return digest(begun.repair(random_seed=1, checkpoint=folder, every=given["every"]))
    return digest(taut.fit(**given, checkpoint=folder, random_seed=1, progressbar=False))


def child(call: Callable[[], str], out: Path) -> int:
    """Run a call in a child, which writes what it returns to a file."""
    with warnings.catch_warnings():
        # Those of OpenBLAS and of Arrow's allocator, which expect forks.
        warnings.filterwarnings("ignore", "This process .* is multi-threaded", DeprecationWarning)
        process = os.fork()
    if process:
        return process
    try:
        warnings.simplefilter("ignore")
        result = call()
        part = out.with_suffix(".part")
        part.write_text(result)
        part.rename(out)
    except BaseException as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr, flush=True)
    finally:
        os._exit(0)


def wait(process: int, until: Callable[[], bool]) -> bool:
    """Wait until something holds, or the child has ended; return whether it has."""
    begun = time.monotonic()
    while time.monotonic() - begun < _PATIENCE:
        if os.waitpid(process, os.WNOHANG)[0]:
            return True
        if until():
            return False
        time.sleep(0.005)
    os.kill(process, signal.SIGKILL)
    os.waitpid(process, 0)
    raise SystemExit(f"a child took more than {_PATIENCE:g} s")


def whole(kind: str, place: Path) -> tuple[str, float]:
    """Fit without a kill; return the digest, and the seconds after the first checkpoint."""
    folder, out = place / "whole", place / "whole.txt"
    process = child(lambda: fit(kind, folder), out)
    wait(process, (folder / "checkpoint").exists)
    begun = time.monotonic()
    wait(process, lambda: False)
    return out.read_text(), time.monotonic() - begun


def killed(kind: str, place: Path, number: int, seconds: float, choose: random.Random) -> str:
    """Kill a fit, maybe several times, and return the digest of its result."""
    folder, out = place / f"{number}", place / f"{number}.txt"
    for turn in range(_MOST + 1):
        process = child(lambda: fit(kind, folder), out)
        kills = turn == 0 or (turn < _MOST and choose.random() < 0.5)
        moment = None
        if kills and not wait(process, (folder / "checkpoint").exists):
            moment = time.monotonic() + choose.uniform(0.0, seconds)
        if not wait(process, lambda at=moment: at is not None and time.monotonic() > at):
            os.kill(process, signal.SIGKILL)
            os.waitpid(process, 0)
        elif out.exists():
            break
    return out.read_text()


def main() -> None:
    """Kill so many fits, as long as there is time."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=900.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=KINDS)
    given = parser.parse_args()
    choose, begun, equal, done = random.Random(given.seed), time.monotonic(), 0, 0
    with tempfile.TemporaryDirectory() as temporary:
        place = {kind: Path(temporary, kind) for kind in given.kinds}
        references: dict[str, tuple[str, float]] = {}
        for number in range(given.kills):
            kind = given.kinds[number % len(given.kinds)]
            if kind not in references:
                place[kind].mkdir()
                references[kind] = whole(kind, place[kind])
            if time.monotonic() - begun > given.seconds:
                break
            reference, seconds = references[kind]
            same = killed(kind, place[kind], number, seconds, choose) == reference
            done, equal = done + 1, equal + same
            print(f"{kind}: {'equal' if same else 'DIFFERENT'}", flush=True)
    print(f"{equal} of {done} fits that were killed are equal to the last bit")
    sys.exit(equal != done or not done)


if __name__ == "__main__":
    main()

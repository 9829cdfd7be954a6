"""Fit many times in one process, and check that nothing grows.

    uv run python scripts/many_fits.py --fits 1000 --seconds 900

Fits take turns: an automatic one that ends in chains, one by steps, one that streams rows from a
file, and one that is saved, loaded and diagnosed; each of a model that is built, lifted and
compiled anew, of a dozen sizes. What is compared is the memory of the process, its threads, its
file descriptors, arrays on the device, tables of programs, and objects that Python's collector
knows, when each size has been there twice, and at the end.
"""

import argparse
import gc
import os
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import jax
import numpy as np
import pymc as pm

import taut
from taut.engine import Programs
from taut.rows import packing

_ROWS, _BATCH, _SIZES = 400, 50, 12
# Arrays and tables that the last fit's cycles may still hold, and the share that noise may add to
# the others: grain and JAX keep some weak references of each fit.
_MORE, _SHARE = {"arrays": 30, "programs": 2}, 0.03


def schools(count: int) -> pm.Model:
    """Build a hierarchy whose draws have to be repaired."""
    made = np.random.default_rng(1)
    errors = made.uniform(9.0, 18.0, size=count)
    with pm.Model() as model:
        mu, tau = pm.Normal("mu", 0.0, 5.0), pm.HalfNormal("tau", 3.0)
        theta = pm.Normal("theta", mu, tau, shape=count)
        pm.Normal("y", theta, errors, observed=made.normal(5.0, 11.0, size=count))
    return model


def place(others: int) -> pm.Model:
    """Build a model whose rows are read from a file."""
    with pm.Model() as model:
        seen = pm.Data("seen", np.zeros(_ROWS))
        pm.Normal("other", shape=others)
        pm.Normal("y", pm.Normal("at"), 1.0, observed=seen)
    return model


def automatic(size: int, folder: Path) -> None:
    """Fit by the automatic method."""
    taut.fit(model=schools(3 + size), random_seed=size, progressbar=False).sample(20)


def steps(size: int, folder: Path) -> None:
    """Fit by steps, refine, and draw."""
    inference = taut.FullRankADVI(model=schools(3 + size), random_seed=size)
    inference.fit(50, progressbar=False)
    inference.refine(20, progressbar=False).sample(20)


def stream(size: int, folder: Path) -> None:
    """Fit to rows of a file."""
    import pyarrow
    import pyarrow.parquet

    path = folder / "rows.parquet"
    if not path.exists():
        values = np.random.default_rng(0).normal(size=_ROWS)
        pyarrow.parquet.write_table(pyarrow.table({"seen": values}), path, row_group_size=_BATCH)
    rows = taut.ParquetRows(path, {"seen": "seen"})
    taut.fit(
        40, "advi", model=place(size + 1), rows=rows, batch_size=_BATCH, random_seed=1,
        progressbar=False,
    )  # fmt: skip


def files(size: int, folder: Path) -> None:
    """Save a fit, load it with its model, and diagnose it."""
    path = folder / f"{size}.fit"
    model = schools(3 + size)
    if not path.exists():
        taut.fit(30, "advi", model=model, random_seed=1, progressbar=False).save(path)
    taut.load(path, model=model).diagnose(100, random_seed=1)


KINDS: dict[str, Callable[[int, Path], None]] = {
    "automatic": automatic, "steps": steps, "stream": stream, "files": files,
}  # fmt: skip


@dataclass(frozen=True)
class Usage:
    """What a process holds."""

    megabytes: float
    threads: int
    descriptors: int
    arrays: int
    programs: int
    objects: int

    @classmethod
    def now(cls) -> "Usage":
        """Look, once what nobody holds is gone."""
        gc.collect()
        pages = int(Path("/proc/self/statm").read_text().split()[1])
        known = gc.get_objects()
        # Not isinstance, which asks what a dead proxy stands for.
        programs = sum(type(one) is Programs for one in known)
        return cls(
            round(pages * os.sysconf("SC_PAGE_SIZE") / 2**20, 1), threading.active_count(),
            len(os.listdir("/proc/self/fd")), len(jax.live_arrays()), programs, len(known),
        )  # fmt: skip

    def grown(self, before: "Usage") -> list[str]:
        """Name what is more now than it was."""
        most = {name: value + _MORE.get(name, 0) for name, value in asdict(before).items()}
        most["megabytes"] *= 1.0 + _SHARE
        most["objects"] *= 1.0 + _SHARE
        return [name for name, value in asdict(self).items() if value > most[name]]


def fit(number: int, kinds: list[str], folder: Path) -> None:
    """Fit for the so many-th time."""
    turn, kind = divmod(number, len(kinds))
    # Every other time the size of before.
    size = 0 if turn % 2 else 1 + turn // 2 % _SIZES
    KINDS[kinds[kind]](size, folder)


def main() -> None:
    """Fit so often, as long as there is time."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--fits", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=900.0)
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=list(KINDS))
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    packing.IN_MEMORY_BYTES = 1000
    begun, number, looks = time.monotonic(), 0, dict[int, Usage]()
    with tempfile.TemporaryDirectory() as temporary:
        while number < given.fits and time.monotonic() - begun < given.seconds:
            fit(number, given.kinds, Path(temporary))
            number += 1
            if number % 50 == 0 or number == given.fits:
                looks[number] = Usage.now()
                seconds = time.monotonic() - begun
                print(f"{number:5d} fits, {seconds:5.0f} s: {looks[number]}", flush=True)
    # JAX keeps what it knows of shapes, up to a number: each has to have been there twice.
    settled = [at for at in looks if at >= 4 * _SIZES * len(given.kinds)]
    if len(settled) < 2:
        sys.exit(f"{number} fits are too few to compare")
    grown = looks[settled[-1]].grown(looks[settled[0]])
    print(f"from fit {settled[0]} to fit {settled[-1]}: {', '.join(grown) or 'nothing'} has grown")
    sys.exit(bool(grown))


if __name__ == "__main__":
    main()

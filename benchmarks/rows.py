"""Time batches, in memory and from disk, and measure memory: ``python -m benchmarks.rows``.

``python -m benchmarks.rows --memory-of FILE`` is the worker: it fits once and prints its memory.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pymc as pm
from rich.console import Console
from rich.table import Table

import taut
from benchmarks.models import SEED
from benchmarks.peers import load, optimizer
from benchmarks.speed import refine_seconds
from taut.rows import packing

_ROOT = Path(__file__).resolve().parents[1]
_COLUMNS = 20
_ROW_GROUP = 100_000
_BATCH = 10_000


@dataclass
class Rate:
    """Steps per second of warm objects that take turns, by what they are called."""

    seconds: dict[str, list[float]] = field(default_factory=dict)
    steps: dict[str, int] = field(default_factory=dict)

    def per_second(self, name: str) -> float:
        """Return the median over repetitions."""
        return self.steps[name] / median(self.seconds[name])


def measure(warm: dict[str, Any], steps: int, repetitions: int) -> Rate:
    """Time `refine` of some inference objects, each with so many steps."""
    rate = Rate({name: [] for name in warm}, dict.fromkeys(warm, steps))
    for _ in range(repetitions):
        for name, advi in warm.items():
            rate.seconds[name].append(refine_seconds(advi, rate.steps[name]))
    return rate


def tutorial(rows: int = 40_000, columns: int = 100, batch: int = 500) -> dict[str, Any]:
    """Warm the tutorial's model of all rows, and of minibatches in both libraries."""
    rng = np.random.default_rng(SEED)
    data = rng.normal(rng.normal(size=columns), rng.uniform(0.5, 2.0, columns), (rows, columns))

    def model(observed: Any, **total_size: Any) -> pm.Model:
        with pm.Model() as built:
            mu = pm.Normal("mu", 0.0, 10.0, shape=columns)
            sd = pm.HalfNormal("sd", 10.0, shape=columns)
            pm.Normal("y", mu, sd, observed=observed, **total_size)
        return built

    drawn = pm.Minibatch(data, batch_size=batch)
    return {
        "pm.fit, Minibatch": _warm("pymc", model(drawn, total_size=rows)),
        "taut, Minibatch": _warm("taut", model(drawn, total_size=rows)),
        "taut, batch_size": _warm("taut", model(data), batch_size=batch),
        "taut, batch_size, replace": _warm("taut", model(data), batch_size=batch, replace=True),
    }


def _warm(peer: str, model: pm.Model, **arguments: Any) -> Any:
    with model:
        advi = load(peer).ADVI(random_seed=SEED)
    advi.fit(2000, progressbar=False, obj_optimizer=optimizer(peer), **arguments)
    return advi


def linear(x: np.ndarray, y: np.ndarray) -> pm.Model:
    """A regression on data that can be fed."""
    with pm.Model() as model:
        slope = pm.Normal("slope", 0.0, 1.0, shape=x.shape[1])
        sigma = pm.HalfNormal("sigma", 2.0)
        pm.Normal("y", pm.Data("X", x) @ slope, sigma, observed=pm.Data("target", y))
    return model


def simulate(rows: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw rows of the regression."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((rows, _COLUMNS))
    return x, x @ np.linspace(-1.0, 1.0, _COLUMNS) + rng.standard_normal(rows)


def names() -> list[str]:
    """Name the columns of the file."""
    return [f"x{i}" for i in range(_COLUMNS)]


def write(path: Path, rows: int) -> None:
    """Write rows to a Parquet file, a group at a time."""
    schema = pa.schema([(name, pa.float64()) for name in [*names(), "y"]])
    with pq.ParquetWriter(path, schema) as file:
        for first in range(0, rows, _ROW_GROUP):
            x, y = simulate(min(_ROW_GROUP, rows - first), first)
            file.write_table(pa.table([*x.T, y], schema=schema), row_group_size=_ROW_GROUP)


def source(path: Path) -> taut.ParquetRows:
    """Read the file as the model's data."""
    return taut.ParquetRows(path, {"X": names(), "y": "y"})


def from_disk(path: Path, rows: int) -> dict[str, Any]:
    """Warm the regression on rows in memory, and on those of a file."""
    parts = [simulate(min(_ROW_GROUP, rows - i), i) for i in range(0, rows, _ROW_GROUP)]
    x, y = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    sample = linear(x[:100], y[:100])
    in_memory = _warm("taut", linear(x, y), batch_size=_BATCH)
    return {
        "memory": in_memory,
        "Parquet": _warm("taut", sample, batch_size=_BATCH, rows=source(path)),
        "Parquet, not kept": _streamed(sample, rows=source(path)),
        "Parquet, not kept, in order": _streamed(sample, rows=source(path), shuffle=False),
        "arrays, not kept": _streamed(sample, rows=taut.ArrayRows({"X": x, "y": y})),
    }


def _streamed(model: pm.Model, **arguments: Any) -> Any:
    """Warm a fit that reads its rows anew in each epoch, as if they did not fit in memory."""
    limit, packing.IN_MEMORY_BYTES = packing.IN_MEMORY_BYTES, 0
    try:
        return _warm("taut", model, batch_size=_BATCH, **arguments)
    finally:
        packing.IN_MEMORY_BYTES = limit


def memory_of(path: Path | None) -> dict[str, float]:
    """Fit once, and tell the greatest resident memory; without a file, of the sample alone."""
    model = linear(*simulate(_BATCH, 0))
    with model:
        advi = taut.ADVI(random_seed=SEED)
    rows = None if path is None else source(path)
    steps = 200 if rows is None else -(-rows.rows // _BATCH)
    arguments = {} if rows is None else {"rows": rows, "batch_size": _BATCH}
    advi.fit(steps, progressbar=False, obj_optimizer=optimizer("taut"), **arguments)
    return {"megabytes": _peak_megabytes(), "seconds": advi.approx.timing.total, "steps": steps}


def _peak_megabytes() -> float:
    """Read the greatest resident memory of this program; Linux only.

    `resource.getrusage` would count the process that started it, too.
    """
    lines = Path("/proc/self/status").read_text().splitlines()
    [peak] = [line for line in lines if line.startswith("VmHWM")]
    return int(peak.split()[1]) / 1024


def _worker(path: Path | None) -> dict[str, float]:
    file = "" if path is None else str(path)
    command = [sys.executable, "-m", "benchmarks.rows", "--memory-of", file]
    done = subprocess.run(command, cwd=_ROOT, capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def _rates(title: str, rate: Rate, against: str, goals: dict[str, str]) -> Table:
    table = Table("way", "steps/s", f"against {against}", "goal", title=title)
    for name in rate.steps:
        ratio = rate.per_second(name) / rate.per_second(against)
        goal = goals.get(name, "")
        table.add_row(name, f"{rate.per_second(name):,.0f}", f"{ratio:.2f}x", goal)
    return table


def _memory(path: Path) -> Table:
    empty, streamed = _worker(None), _worker(path)
    table = Table("fit", "resident MB at most", "steps", "seconds", title="Memory of one epoch")
    for name, told in {"of the sample": empty, "of the file": streamed}.items():
        table.add_row(
            name, f"{told['megabytes']:,.0f}", f"{told['steps']:,}", f"{told['seconds']:.1f}"
        )
    more = streamed["megabytes"] - empty["megabytes"]
    table.caption = f"{path.stat().st_size / 1e9:.2f} GB on disk; {more:,.0f} MB more than without."
    return table


def main() -> None:
    """Measure, and print three tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000, help="of the rate from disk")
    parser.add_argument("--gigabytes", type=float, default=4.0, help="of the file for memory")
    parser.add_argument("--steps", type=int, default=2000, help="of one repetition")
    parser.add_argument("--repetitions", type=int, default=5)
    parser.add_argument("--memory-of", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.memory_of is not None:
        print(json.dumps(memory_of(Path(options.memory_of) if options.memory_of else None)))
        return
    console = Console(width=100)
    # Ten times as many of these short steps, or the copy of the data at their start would count.
    rate = measure(tutorial(), 10 * options.steps, options.repetitions)
    goals = {"taut, Minibatch": "2.5x", "taut, batch_size": "2.5x"}
    console.print(_rates("500 of 40 000 x 100, normal: steps", rate, "pm.fit, Minibatch", goals))
    with tempfile.TemporaryDirectory(prefix="taut-bench-") as folder:
        path = Path(folder, "rows.parquet")
        write(path, options.rows)
        warm = from_disk(path, options.rows)
        rate = measure(warm, options.steps, options.repetitions)
        title = f"{_BATCH:,} of {options.rows:,} x {_COLUMNS}, regression: steps"
        console.print(_rates(title, rate, "memory", {"Parquet": "0.70x"}))
        warm.clear()
        write(path, int(options.gigabytes * 1e9 / (8 * (_COLUMNS + 1))))
        console.print(_memory(path))


if __name__ == "__main__":
    main()

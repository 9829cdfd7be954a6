"""A hierarchy with more groups than memory is meant to hold, fitted from a Parquet file.

``python -m benchmarks growing-groups`` writes rows of binary data, those of a group scattered over
the file, fits the globals by ``taut.fit(groups=...)``, and writes means and sds of the latents. It
prints CPU seconds of all threads, how often rows were read, the most memory that the process held
(the rows are made by another), and how far globals are from the truth, and latents from theirs.
``--in-memory`` fits the same rows by ``method="marginal"`` too, and compares. ``--engines`` times
what brings the rows of a group together: DuckDB and Polars, each in a process of its own.
"""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pymc as pm
import xarray as xr

import taut
from benchmarks.arguments import positive

# Of the rows; of a sample of groups in the model.
SEED, PIECE, SAMPLE = 7, 1_000_000, 200
LEVEL, SPREAD, SLOPE = -0.3, 0.7, 0.5
NAMES = ("mu", "s_log__", "b")
TRUTH = np.array([LEVEL, np.log(SPREAD), SLOPE])

# What sorts 10^7 rows as `taut.rows.TogetherOnDisk` has them sorted, with as much memory.
_DUCKDB = """
import duckdb
engine = duckdb.connect(config={"memory_limit": "512MB", "threads": 2})
engine.execute("SET enable_progress_bar = false")
engine.execute(f"COPY (SELECT * FROM '{rows}' ORDER BY hash(g), g) TO '{out}' (FORMAT parquet)")
"""
_POLARS = """
import os
os.environ["POLARS_MAX_THREADS"] = "2"
import polars as pl
pl.scan_parquet(rows).sort(pl.col("g").hash(0), "g").sink_parquet(out)
"""
_TIMED = """
import resource, sys, time
rows, out = sys.argv[1:]
{code}
found = resource.getrusage(resource.RUSAGE_SELF)
print(f"{{found.ru_utime + found.ru_stime:.1f}} CPU s, {{found.ru_maxrss / 1024:,.0f}} MB at most")
"""


def levels(groups: int) -> np.ndarray:
    """Draw the latents."""
    return np.random.default_rng(SEED).normal(LEVEL, SPREAD, groups)


def write_rows(path: Path, groups: int, rows: int) -> None:
    """Write rows of groups in no order, a piece at a time."""
    own, random, writer = levels(groups), np.random.default_rng(SEED + 1), None
    for first in range(0, rows, PIECE):
        count = min(PIECE, rows - first)
        g, x = random.integers(0, groups, count), random.normal(size=count)
        y = (random.random(count) < 1.0 / (1.0 + np.exp(-own[g] - SLOPE * x))).astype(np.int8)
        table = pa.table({"g": g, "x": x, "y": y})
        writer = writer or pq.ParquetWriter(path, table.schema)
        writer.write_table(table, row_group_size=2**18)
    assert writer is not None
    writer.close()


def model_of(g: np.ndarray, x: np.ndarray, y: np.ndarray) -> pm.Model:
    """Write the regression, on whatever groups there are."""
    with pm.Model(coords={"person": range(int(g.max()) + 1)}) as model:
        mu, s = pm.Normal("mu", 0.0, 2.0), pm.HalfNormal("s", 1.0)
        a = pm.Normal("a", mu, s, dims="person")
        eta = a[pm.Data("g", g)] + pm.Normal("b", 0.0, 1.0) * pm.Data("x", x)
        pm.Bernoulli("y", logit_p=eta, observed=y)
    return model


def sample_of_groups() -> pm.Model:
    """Write it on a few groups, whose rows do not matter."""
    random, g = np.random.default_rng(0), np.repeat(np.arange(SAMPLE), 10)
    return model_of(g, random.normal(size=len(g)), random.integers(0, 2, len(g)))


def globals_of(approx: taut.Approximation) -> tuple[np.ndarray, np.ndarray]:
    """Return means and sds of the globals, in the unconstrained space."""
    at = np.concatenate([np.arange(approx.ndim)[approx.target.space[n].slice] for n in NAMES])
    return approx.mean.eval()[at], approx.std.eval()[at]


def fit(path: Path, groups: int, folder: Path) -> taut.Approximation:
    """Fit from the file, and print what it took."""
    source = taut.ParquetRows(path, {"g": "g", "x": "x", "y": "y"})
    begun = time.process_time()
    approx = taut.fit(
        model=sample_of_groups(), rows=source, groups="g", random_seed=1, progressbar=False
    )
    spent, (mean, sd) = time.process_time() - begun, globals_of(approx)
    for stage in approx.journal.stages:
        print(f"  {stage}")
    away = ", ".join(f"{one:+.2f}" for one in (mean - TRUTH) / sd)
    print(f"fit: {spent:.0f} CPU s, {_held()}; {approx.report.verdict}")
    print(f"globals are {away} sd from the truth")
    begun = time.process_time()
    approx.write_latents(folder / "latents.zarr")
    found = xr.open_zarr(folder / "latents.zarr", consolidated=False).load()
    z = (found["a_mean"].values - levels(groups)[found["g"].values]) / found["a_sd"].values
    print(
        f"latents: {time.process_time() - begun:.0f} CPU s, {_held()}; {len(z):,d} of {groups:,d}, "
        f"from the truth by a mean of {z.mean():+.4f} sd and a root mean square of {z.std():.4f}"
    )
    return approx


def _held() -> str:
    """Say how much memory this process held at most."""
    return f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:,.0f} MB at most"


def compare(path: Path, approx: taut.Approximation) -> None:
    """Fit all rows in memory, and compare."""
    table = pq.read_table(path).to_pandas()
    keys, g = np.unique(table["g"], return_inverse=True)
    model = model_of(g, table["x"].to_numpy(), table["y"].to_numpy())
    begun = time.process_time()
    whole = taut.fit(model=model, method="marginal", random_seed=1, progressbar=False)
    (mean, sd), (known, std) = globals_of(approx), globals_of(whole)
    away = ", ".join(f"{one:+.3f}" for one in (mean - known) / std)
    wider = ", ".join(f"{one:+.3f}" for one in np.log(sd / std))
    print(
        f"in memory, {len(keys):,d} groups: {time.process_time() - begun:.0f} CPU s, {_held()}; "
        f"globals {away} sd apart, log sd {wider}; {whole.report.verdict}"
    )


def time_engines(path: Path, folder: Path) -> None:
    """Sort the rows by a random number of their group, by each engine."""
    for name, code in (("DuckDB", _DUCKDB), ("Polars", _POLARS)):
        script = _TIMED.format(code=code)
        told = subprocess.run(
            [sys.executable, "-c", script, str(path), str(folder / f"{name}.parquet")],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        print(f"{name}: {told.stdout.strip()}")


def main(arguments: list[str]) -> None:
    """Run what is asked for."""
    parser = argparse.ArgumentParser(prog="benchmarks growing-groups", description=__doc__)
    parser.add_argument("--groups", type=positive, default=1_000_000)
    parser.add_argument("--rows", type=positive, default=10_000_000)
    parser.add_argument("--in-memory", action="store_true")
    parser.add_argument("--engines", action="store_true")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "rows.parquet")
        # By another process, whose memory is not counted.
        call = f"write_rows(Path({str(path)!r}), {options.groups}, {options.rows})"
        code = f"from pathlib import Path; from benchmarks.growing_groups import *; {call}"
        subprocess.run([sys.executable, "-c", code], check=True, cwd=os.getcwd())
        print(
            f"{options.rows:,d} rows of {options.groups:,d} groups, {path.stat().st_size:,d} bytes"
        )
        if options.engines:
            time_engines(path, Path(folder))
            return
        approx = fit(path, options.groups, Path(folder))
        if options.in_memory:
            compare(path, approx)

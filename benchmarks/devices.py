"""Several devices beside one: seconds, cores and bytes, on host devices.

``python -m benchmarks devices`` runs each number of devices in a process of its own, and prints a
table. ``python -m benchmarks.devices COUNT ROWS`` is the worker: it prints one line of JSON.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

_ROOT = Path(__file__).resolve().parents[1]
_COLUMNS, _BATCH, _STEPS, _POINTS = 50, 1000, 3000, 512
_BYTES = {"f64": 8, "f32": 4, "s32": 4, "u32": 4, "pred": 1}
# What devices tell one another, in the text of a compiled program.
_EXCHANGE = re.compile(r"= (.*?) (all-reduce|all-gather|all-to-all|collective-permute)\(")
_ARRAY = re.compile(r"(\w+)\[([\d,]*)\]")


def exchanged(text: str) -> int:
    """Add up the bytes of all that a compiled program exchanges, each time it is evaluated.

    Examples
    --------
    >>> exchanged("%a = f64[32,3]{1,0} all-reduce(%b), channel_id=1")
    768
    """
    found = 0
    for arrays, _ in _EXCHANGE.findall(text):
        for kind, shape in _ARRAY.findall(arrays):
            lengths = [int(one) for one in shape.split(",") if one]
            found += _BYTES.get(kind, 0) * int(np.prod(lengths))
    return found


def model(rows: int) -> Any:
    """A logistic regression of so many rows."""
    import pymc as pm

    random = np.random.default_rng(1)
    x = random.normal(size=(rows, _COLUMNS))
    y = random.random(rows) < 1 / (1 + np.exp(-x @ random.normal(0, 0.2, _COLUMNS)))
    with pm.Model() as model:
        slope = pm.Normal("slope", 0, 1, shape=_COLUMNS)
        pm.Bernoulli("y", logit_p=pm.math.dot(x, slope), observed=y.astype(int))
    return model


def measure(count: int, rows: int) -> dict[str, Any]:
    """Time steps on batches, and gradients on all rows."""
    import taut
    from taut.engine import as_devices
    from taut.engine.spread_programs import SpreadProgram
    from taut.gradients import gradients_of
    from taut.target import Batching

    one, devices = model(rows), None if count == 1 else count
    how: dict[str, Any] = {"devices": devices, "progressbar": False, "batch_size": _BATCH}
    advi = taut.ADVI(model=one, random_seed=1)
    advi.fit(_STEPS, **how)
    steps = _clocked(lambda: advi.refine(_STEPS, progressbar=False))
    source = advi.approx.source
    target, start = source.target(), np.zeros(_COLUMNS)
    stepping = source.stepping(target, Batching(devices=as_devices(devices)), start, 1)
    gradients = gradients_of(target, stepping)
    points = np.random.default_rng(2).normal(0, 0.1, (_POINTS, _COLUMNS))
    gradients(points[:32])
    of_rows = _clocked(lambda: gradients(points))
    programs = [p for p in target.programs.compiled.values() if isinstance(p, SpreadProgram)]
    told = {name: exchanged(text) for text in (p.as_text() for p in programs)
            for name in ("run_chunk", "at_points") if name in text[:80]}  # fmt: skip
    return {
        "devices": count,
        "us_a_step": [1e6 * each / _STEPS for each in steps],
        "us_a_gradient": [1e6 * each / _POINTS for each in of_rows],
        "bytes_a_step": told.get("run_chunk", 0),
        "bytes_a_gradient": told.get("at_points", 0) / gradients._at_once,
    }


def _clocked(call: Callable[[], Any]) -> tuple[float, float]:
    """Return seconds by the clock, and of all cores together; the least of three."""
    found = []
    for _ in range(3):
        begun = time.perf_counter(), time.process_time()
        call()
        found.append((time.perf_counter() - begun[0], time.process_time() - begun[1]))
    return min(found)


def main(arguments: list[str]) -> None:
    """Run all numbers of devices, and print a table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks devices")
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--devices", type=int, nargs="+", default=[1, 2, 4])
    given = parser.parse_args(arguments)
    print("| devices | µs a step | CPU µs | bytes | µs a gradient | CPU µs | bytes |")
    print("|---|---|---|---|---|---|---|")
    for count in given.devices:
        told = _told(count, given.rows)
        (step, step_cpu), (gradient, gradient_cpu) = told["us_a_step"], told["us_a_gradient"]
        print(
            f"| {count} | {step:.0f} | {step_cpu:.0f} | {told['bytes_a_step']} | {gradient:.0f} | "
            f"{gradient_cpu:.0f} | {told['bytes_a_gradient']:.0f} |"
        )
    floor = 8 * (_COLUMNS + 1)
    print(f"\nFloor: a number and a gradient, {floor} bytes; {os.cpu_count()} cores.")


def _told(count: int, rows: int) -> dict[str, Any]:
    flags = f"{os.environ.get('XLA_FLAGS', '')} --xla_force_host_platform_device_count={count}"
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.devices", str(count), str(rows)],
        cwd=_ROOT,
        env={**os.environ, "XLA_FLAGS": flags.strip()},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        sys.exit(done.stderr)
    return json.loads(done.stdout.splitlines()[-1])


if __name__ == "__main__":
    print(json.dumps(measure(int(sys.argv[1]), int(sys.argv[2]))))

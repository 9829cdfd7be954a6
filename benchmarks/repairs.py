"""What a repair costs: CPU seconds for a gradient, and memory, in many dimensions.

``python -m benchmarks repairs`` prints a line for each dimension. Chains begin at a Gaussian that
suits no hierarchy, so that coordinates are learnt in each of three rounds; each dimension has a
process of its own. Up to 1 000 dimensions what compiles is left out.
"""

import argparse
import json
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pymc as pm

import taut
from benchmarks.arguments import positive
from benchmarks.proving.tables import markdown, number
from taut.diagnose import Journal
from taut.engine import single_threaded
from taut.gaussian import ScaledLowRankNormal
from taut.gradients import Gradients

DIMENSIONS = (20, 100, 300, 1_000, 10_000, 100_000)
ROUNDS, ROWS_EACH, ASKED = 3, 3, 64
# Dimensions above which one round is enough to see its memory.
MANY = 1_000
_ROOT = Path(__file__).resolve().parents[1]
_MEGABYTE = 2**20 if sys.platform == "darwin" else 2**10


def hierarchy(dim: int) -> pm.Model:
    """Groups that hardly differ, whose spread is known badly; their levels are standardised."""
    random, groups = np.random.default_rng(4), dim - 2
    group = np.repeat(np.arange(groups), ROWS_EACH)
    with pm.Model() as model:
        mu, tau = pm.Normal("mu"), pm.HalfNormal("tau")
        z = pm.Normal("z", shape=groups)
        pm.Normal("y", mu + tau * z[group], 1.0, observed=random.normal(size=len(group)))
    return model


def measured(dim: int) -> dict[str, float]:
    """Repair; return CPU seconds of a gradient alone and in a repair, and megabytes."""
    gradients, z = Gradients(taut.as_target(hierarchy(dim))), np.zeros((ASKED, dim))
    gradients(z)
    alone = _best(lambda: gradients(z)) / ASKED
    before = _peak()
    # The first compiles; in many dimensions that is nothing beside what is run.
    seconds, count = repaired(gradients, 1 if dim > MANY else ROUNDS)
    megabytes = _peak() - before
    if dim <= MANY:
        seconds, count = repaired(gradients, ROUNDS)
    return {"dim": dim, "gradients": count, "alone": alone, "in_repair": seconds / count,
            "megabytes": megabytes}  # fmt: skip


def repaired(gradients: Gradients, rounds: int) -> tuple[float, int]:
    """Let chains go on for some rounds; return CPU seconds and gradients of these."""
    dim, random, journal = gradients.target.dim, np.random.default_rng(1), Journal()
    normal = ScaledLowRankNormal.diagonal(np.zeros(dim), np.ones(dim))
    with single_threaded(0):
        draws = normal.draw(random, 4 * ASKED)[0]
        chains = journal.judge(gradients, normal, draws, random)
        begun, steps = (time.process_time(), gradients.count), journal.repair(gradients, chains)
        for _ in range(rounds):
            next(steps)
    return time.process_time() - begun[0], gradients.count - begun[1]


def _best(call: Callable[[], Any], times: int = 20) -> float:
    """Return CPU seconds of the quickest call."""
    found = []
    for _ in range(times):
        begin = time.process_time()
        call()
        found.append(time.process_time() - begin)
    return min(found)


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / _MEGABYTE


def table(found: Sequence[dict[str, float]]) -> str:
    """Lay out a line for each dimension, in microseconds and megabytes."""
    head = ("dimensions", "gradients", "µs alone", "µs in a repair", "times", "MB")
    rows = [
        (
            f"{one['dim']:,d}",
            f"{one['gradients']:,d}",
            number(1e6 * one["alone"]),
            number(1e6 * one["in_repair"]),
            number(one["in_repair"] / one["alone"]),
            f"{one['megabytes']:,.0f}",
        )
        for one in found
    ]
    return markdown(head, rows)


def main(arguments: Sequence[str]) -> None:
    """Measure each dimension in a process of its own, and print a table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks repairs", description=__doc__)
    parser.add_argument("--dimensions", type=positive, nargs="+", default=list(DIMENSIONS))
    found = []
    for dim in parser.parse_args(arguments).dimensions:
        command = (sys.executable, "-m", "benchmarks.repairs", str(dim))
        ran = subprocess.run(command, cwd=_ROOT, check=True, capture_output=True, text=True)
        found.append(json.loads(ran.stdout.splitlines()[-1]))
    print(table(found))


if __name__ == "__main__":
    print(json.dumps(measured(int(sys.argv[1]))))

"""Compare packages on hierarchies of many groups: ``python -m benchmarks hierarchies``.

Each fits the same simulated data sets, in this process and one after another; what was compiled is
not kept from one set to the next. Errors of global unknowns are in standard deviations of their
exact posterior.
"""

import argparse
import json
import time
import warnings
from pathlib import Path
from typing import Any

import jax
import numpy as np
from rich.console import Console
from rich.table import Table

import taut
from benchmarks import machine
from benchmarks.arguments import positive
from benchmarks.hierarchies.exact import Exact, exact
from benchmarks.hierarchies.peers import LACKS, PEERS, Found
from benchmarks.hierarchies.simulated import KINDS, Simulated


def measure(peer: str, data: Simulated, right: Exact) -> dict[str, Any]:
    """Fit one data set, and compare."""
    # Programs of hundreds of fits in one process use up its memory maps.
    jax.clear_caches()
    wall, cpu = time.perf_counter(), time.process_time()
    found = PEERS[peer](data)
    seconds = {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu}
    return seconds | compared(found, data, right)


def warm_up(kind: str, peers: list[str]) -> None:
    """Fit a small data set by each, which imports what they need."""
    data = KINDS[kind](20, np.random.default_rng(0))
    for peer in peers:
        PEERS[peer](data)


def compared(found: Found, data: Simulated, right: Exact) -> dict[str, Any]:
    """Return the worst errors of the global unknowns, and how many latents their intervals hold."""
    covered, width = [], []
    for name, true in data.latents.items():
        low, high = found.intervals[name]
        known = np.isfinite(low)
        covered.append(((low <= true) & (true <= high))[known])
        width.append((high - low)[known])
    log_sd = np.abs(np.log(found.sd / right.sd))
    known = log_sd[np.isfinite(log_sd)]
    return {
        "mean": float(np.max(np.abs(found.mean - right.mean) / right.sd)),
        "log_sd": float(known.max()),
        "coverage": float(np.mean(np.concatenate([one.ravel() for one in covered]))),
        "width": float(np.mean(np.concatenate([one.ravel() for one in width]))),
        "trusted": found.trusted,
        "exact": right.effective,
    }


def show(records: list[dict[str, Any]]) -> None:
    """Print a row for each kind and package: medians over data sets, coverage over all."""
    columns = "kind", "package", "sets", "CPU s", "s", "mean, sd", "worst", "log sd", "coverage"
    table = Table(*columns)
    for kind, peer in dict.fromkeys((one["kind"], one["peer"]) for one in records):
        those = [one for one in records if (one["kind"], one["peer"]) == (kind, peer)]
        middle = {
            key: np.median([one[key] for one in those]) for key in ("cpu", "wall", "mean", "log_sd")
        }
        worst = max(one["mean"] for one in those)
        coverage = np.mean([one["coverage"] for one in those])
        table.add_row(
            kind, peer, str(len(those)), f"{middle['cpu']:.1f}", f"{middle['wall']:.1f}",
            f"{middle['mean']:.2f}", f"{worst:.2f}", f"{middle['log_sd']:.2f}", f"{coverage:.3f}",
        )  # fmt: skip
    Console(width=120).print(table)


def main(arguments: list[str]) -> None:
    """Fit what is asked for, and print a table."""
    parser = argparse.ArgumentParser(prog="benchmarks hierarchies", description=__doc__)
    parser.add_argument("--groups", type=positive, default=1000)
    parser.add_argument("--sets", type=positive, default=20)
    parser.add_argument("--kind", choices=KINDS, action="append")
    parser.add_argument("--peer", choices=PEERS, action="append")
    parser.add_argument("--json", type=Path, help="file to which every figure is added, by lines")
    options = parser.parse_args(arguments)
    warnings.simplefilter("ignore")
    # Programs that are found on disk would compile in no time.
    taut.set_cache_directory(None)
    records = []
    for kind in options.kind or KINDS:
        peers = [one for one in options.peer or PEERS if (one, kind) not in LACKS]
        warm_up(kind, peers)
        for seed in range(options.sets):
            data = KINDS[kind](options.groups, np.random.default_rng(seed))
            right = exact(data)
            for peer in peers:
                about = {"kind": kind, "groups": options.groups, "seed": seed, "peer": peer}
                records.append(about | measure(peer, data, right))
                print(json.dumps(records[-1]), flush=True)
                if options.json:
                    with options.json.open("a") as file:
                        file.write(json.dumps(records[-1] | {"machine": machine.describe()}) + "\n")
    show(records)

"""``python -m benchmarks chains``: the automatic fit beside NUTS, where chains are needed."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from benchmarks import machine
from benchmarks.arguments import positive, some_of
from benchmarks.posteriors import EVERY, GALLERY
from benchmarks.proving import records
from benchmarks.proving.chains import NUTS, pairs, summary, table
from benchmarks.proving.runner import Plan, run
from benchmarks.proving.trust import AUTO

# Those of the proving ground that end in a repair, and the models of galleries.
POSTERIORS = (
    "schools_centred", "schools_non_centred", "banana", "funnel", "student", "bounded",
    "autoregression", "hierarchical_centred", "hierarchical_non_centred", "gaussian_process",
    "horseshoe", "predator_prey", "stochastic_volatility", "item_response", *GALLERY,
)  # fmt: skip


def main(arguments: Sequence[str]) -> None:
    """Fit what is missing, and print a table and how it stands to the goals."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks chains", description=__doc__)
    add = parser.add_argument
    add("--posteriors", type=some_of(EVERY), default=list(POSTERIORS))
    add("--seeds", type=positive, default=1, help="how many; by default 1")
    add("--seconds", type=float, default=180.0, help="limit of a fit; by default 180")
    add("--out", type=Path, default=Path("chains.jsonl"), help="file of JSON lines")
    options = parser.parse_args(arguments)
    plan = Plan.of(options.posteriors, [AUTO, NUTS], options.seeds, options.seconds, 1)
    head = machine.describe() | {"seconds": options.seconds, "processes": 1}
    run(plan, options.out, head, Console(stderr=True))
    found = pairs(records.read(options.out).only(options.posteriors))
    print(table(found))
    print(summary(found))

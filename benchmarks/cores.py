"""Fits on one core and on all, side by side.

``python -m benchmarks cores`` prints a line for each of four fits: the wall time of a second fit
whose process may use one core, and the same with all cores; whether the draws are equal to the
bit; and the share of the time that is left. Linux alone lets a process choose its cores.
"""

import argparse
import hashlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pymc as pm

import taut
from benchmarks.arguments import some_of
from benchmarks.posteriors import EVERY
from benchmarks.proving.tables import markdown, number

_ROOT = Path(__file__).resolve().parents[1]
_DRAWS = 1_000


def many_rows() -> pm.Model:
    """A logistic regression of 100 000 rows on 20 columns."""
    random = np.random.default_rng(1)
    x = random.normal(size=(100_000, 20))
    y = random.binomial(1, 1.0 / (1.0 + np.exp(-x @ np.linspace(-1.0, 1.0, 20))))
    with pm.Model() as model:
        slope = pm.Normal("slope", 0.0, 1.0, shape=20)
        pm.Bernoulli("y", logit_p=x @ slope, observed=y)
    return model


# Many rows, a dear density whose fit ends in a repair, one of many dimensions, and a small one.
FITS: Mapping[str, Callable[[], pm.Model]] = {
    "100 000 rows": many_rows,
    "item response": EVERY["item_response"].build,
    "85 groups": EVERY["hierarchical_centred"].build,
    "eight schools": EVERY["schools_centred"].build,
}


def timed(name: str, cores: int) -> dict[str, Any]:
    """Fit twice on some cores; return the wall time of the second fit, and a hash of its draws."""
    allowed = sorted(os.sched_getaffinity(0))[:cores]
    os.sched_setaffinity(0, allowed)
    model = FITS[name]()
    taut.fit(model=model, random_seed=1, progressbar=False)
    begin = time.perf_counter()
    approx = taut.fit(model=model, random_seed=2, progressbar=False)
    seconds = time.perf_counter() - begin
    drawn = approx.sample(_DRAWS, random_seed=3)["posterior"]
    digest = hashlib.sha256()
    for variable in drawn.values():
        digest.update(np.ascontiguousarray(variable.values))
    return {"seconds": seconds, "cores": len(allowed), "draws": digest.hexdigest()}


def beside(name: str, cores: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """Fit on one core and on several, in processes of their own."""
    return _apart(name, 1), _apart(name, cores)


def _apart(name: str, cores: int) -> dict[str, Any]:
    command = (sys.executable, "-m", "benchmarks.cores", name, str(cores))
    ran = subprocess.run(command, cwd=_ROOT, check=True, capture_output=True, text=True)
    return json.loads(ran.stdout.splitlines()[-1])


def main(arguments: Sequence[str]) -> None:
    """Time each fit on one core and on all, and print a table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks cores", description=__doc__)
    parser.add_argument("--fits", type=some_of(FITS), default=list(FITS))
    cores = len(os.sched_getaffinity(0))
    rows = []
    for name in parser.parse_args(arguments).fits:
        one, all_ = beside(name, cores)
        share = all_["seconds"] / one["seconds"]
        same = "yes" if one["draws"] == all_["draws"] else "no"
        rows.append((name, number(one["seconds"]), number(all_["seconds"]), number(share), same))
    head = ("fit", "1 core, s", f"{cores} cores, s", "share", "bit-equal")
    print(markdown(head, rows))


if __name__ == "__main__":
    print(json.dumps(timed(sys.argv[1], int(sys.argv[2]))))

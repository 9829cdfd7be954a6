"""Compare with nutpie on models of many latents: ``python -m benchmarks structures``.

Both fit the same model in one process. What chains say is not exact, so that the noise of their
means is told beside what differs; all in standard deviations of their draws.
"""

import argparse
import json
import time
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import arviz_stats
import numpy as np
import pymc as pm
from jaxtyping import Float
from rich.console import Console
from rich.table import Table

import taut
from benchmarks import machine
from benchmarks.arguments import positive, some_of
from benchmarks.structures.models import MODELS, Large

Draws = Mapping[str, Float[np.ndarray, "chain draw *shape"]]


@dataclass(frozen=True)
class Found:
    """Draws, what they took, and what is said of them.

    Parameters
    ----------
    draws
        Of the compared variables.
    seconds
        Processor seconds: all, and of these those of sampling.
    trusted
        What the fit says of itself.
    """

    draws: Draws
    seconds: tuple[float, float]
    trusted: bool | None = None


def by_taut(model: pm.Model, names: list[str]) -> Found:
    """The automatic fit, and 2 000 draws."""
    begin = time.process_time()
    approx = taut.fit(model=model, random_seed=1, progressbar=False)
    fitted = time.process_time()
    drawn = approx.sample(2000, random_seed=1, var_names=names)["posterior"]
    took = time.process_time()
    draws = {name: drawn[name].values for name in names}
    return Found(draws, (took - begin, took - fitted), approx.trusted)


def by_nutpie(model: pm.Model, names: list[str], draws: int, tune: int) -> Found:
    """Four chains as they come."""
    import nutpie

    begin = time.process_time()
    compiled = nutpie.compile_pymc_model(model)
    ready = time.process_time()
    trace = nutpie.sample(
        compiled, draws=draws, tune=tune, chains=4, cores=2, seed=1, progress_bar=False
    ).posterior
    took = time.process_time()
    draw = {name: np.asarray(trace[name]) for name in names}
    return Found(draw, (took - begin, took - ready))


def compared(found: Draws, right: Draws, large: Large) -> dict[str, float]:
    """Return errors of the globals and of the latents, and the noise of what they are beside."""
    worst, log_sd, noise, effective = 0.0, 0.0, 0.0, np.inf
    for name in large.scalars:
        positive_only = min(found[name].min(), right[name].min()) > 0
        x, y = (np.log(one) if positive_only else one for one in (found[name], right[name]))
        sd, count = y.std(), float(arviz_stats.ess(y))
        worst = max(worst, abs(x.mean() - y.mean()) / sd)
        log_sd = max(log_sd, abs(np.log(x.std() / sd)))
        noise, effective = max(noise, 1.0 / np.sqrt(count)), min(effective, count)
    x, y = (one[large.latents].reshape(-1, one[large.latents][0, 0].size) for one in (found, right))
    off = (x.mean(axis=0) - y.mean(axis=0)) / y.std(axis=0)
    ratio = np.log(x.std(axis=0) / y.std(axis=0))
    return {
        "mean": float(worst), "log_sd": float(log_sd), "noise": float(noise),
        "effective": effective, "latent_mean": float(np.sqrt(np.mean(off**2))),
        "latent_log_sd": float(np.mean(ratio)),
    }  # fmt: skip


def measure(name: str, draws: int, tune: int) -> dict[str, Any]:
    """Fit a model by both."""
    large = MODELS[name]
    names = [*large.scalars, large.latents]
    fit = by_taut(large.build(), names)
    chains = by_nutpie(large.build(), names, draws, tune)
    return {
        "model": name, "trusted": fit.trusted,
        "fit": fit.seconds[0], "draws": fit.seconds[1],
        "nutpie": chains.seconds[0], "sampling": chains.seconds[1],
        **compared(fit.draws, chains.draws, large),
    }  # fmt: skip


def show(records: list[dict[str, Any]]) -> None:
    """Print a row for each model."""
    table = Table(
        "model", "taut, CPU s", "nutpie, CPU s", "its worst ess", "trusted", "mean, sd", "noise",
        "log sd", "latents: mean", "log sd",
    )  # fmt: skip
    for one in records:
        table.add_row(
            one["model"], f"{one['fit']:.1f}", f"{one['nutpie']:.0f}", f"{one['effective']:.0f}",
            "yes" if one["trusted"] else "no", f"{one['mean']:.2f}", f"{one['noise']:.2f}",
            f"{one['log_sd']:.2f}", f"{one['latent_mean']:.2f}", f"{one['latent_log_sd']:+.2f}",
        )  # fmt: skip
    Console(width=130).print(table)


def main(arguments: list[str]) -> None:
    """Fit what is asked for, and print a table."""
    parser = argparse.ArgumentParser(prog="benchmarks structures", description=__doc__)
    parser.add_argument("--only", type=some_of(MODELS), default=list(MODELS))
    parser.add_argument("--draws", type=positive, default=1000, help="of each of nutpie's chains")
    parser.add_argument("--tune", type=positive, default=1000, help="draws before these")
    parser.add_argument("--json", type=Path, help="file to which every figure is added, by lines")
    options = parser.parse_args(arguments)
    warnings.simplefilter("ignore")
    # Programs that are found on disk would compile in no time.
    taut.set_cache_directory(None)
    records = []
    for name in options.only:
        records.append(measure(name, options.draws, options.tune))
        line = json.dumps(records[-1] | {"machine": machine.describe()})
        print(line, flush=True)
        if options.json:
            with options.json.open("a") as file:
                file.write(line + "\n")
    show(records)

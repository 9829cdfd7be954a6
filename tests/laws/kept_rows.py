"""A fit of every family and by every method, made by its name, here or in another process."""

from collections.abc import Callable
from inspect import signature
from pathlib import Path
from typing import Any

import numpy as np
import pymc as pm

import taut
from cases import DIRECT, FAMILIES, METHODS, STRUCTURED, independent, regression

Row = Callable[[], tuple[taut.Approximation, Any]]


def hierarchy() -> pm.Model:
    """Build groups whose effects can be integrated out."""
    of = np.repeat(np.arange(12), 3)
    seen = np.random.default_rng(3).normal(size=12)[of] + 0.1 * np.arange(36) % 1.0
    with pm.Model() as model:
        effect = pm.Normal("effect", pm.Normal("mu", 0, 2.0), pm.HalfNormal("tau", 1.0), shape=12)
        pm.Normal("y", effect[of], pm.HalfNormal("scale", 1.0), observed=seen)
    return model


def of_family(name: str) -> tuple[taut.Approximation, Any]:
    """Make an approximation of a family, that has drawn before."""
    family = FAMILIES[name]()
    target = regression(family.dim).target()
    approx = taut.MeanField(model=target, random_seed=1)
    approx.show(family)
    approx.sample(5)
    return approx, target


def by_steps(name: str) -> tuple[taut.Approximation, Any]:
    """Fit by a method that takes steps."""
    target = independent(5).target()
    cls: Any = METHODS[name]()
    if "model" in signature(cls).parameters:
        inference = cls(model=target, random_seed=1)
    else:
        group = taut.Group(None, "fr")
        inference = cls(taut.Approximation([group], model=target, random_seed=1))
    return inference.fit(30, progressbar=False), target


def by_itself(name: str, **own: Any) -> tuple[taut.Approximation, Any]:
    """Fit by a method that ends by itself."""
    target = independent(5).target()
    method = DIRECT[name]()(model=target, random_seed=1, **own)
    return taut.fit(method=method, progressbar=False), target


def structured(name: str) -> tuple[taut.Approximation, Any]:
    """Fit a model with latents of known structure."""
    model = hierarchy()
    return taut.fit(method=STRUCTURED[name](), model=model, random_seed=1, progressbar=False), model


# What makes a row, of each table.
TABLES: dict[str, tuple[Any, Callable[[str], tuple[taut.Approximation, Any]]]] = {
    "family": (FAMILIES, of_family),
    "by steps": (METHODS, by_steps),
    "by itself": (DIRECT, by_itself),
    "structured": (STRUCTURED, structured),
}


def model_of(table: str, name: str) -> Any:
    """Build the model of a row again."""
    if table == "structured":
        return hierarchy()
    return (regression(FAMILIES[name]().dim) if table == "family" else independent(5)).target()


def seen_of(approx: taut.Approximation) -> dict[str, np.ndarray]:
    """Return what has to be the same to the last bit, wherever a fit is read."""
    words = f"{approx!r}\n{approx}\n{approx.report.verdict}\n{approx.stopped}"
    return {
        "words": np.array(words),
        "hist": approx.hist,
        "next draws": approx.unconstrained_draws(20),
        "draws of a seed": approx.unconstrained_draws(20, random_seed=3),
        **{f"parameter {name}": value for name, value in approx.parameters.items()},
    }


def file_of(table: str, name: str) -> str:
    """Return a file's name, without its ending."""
    return f"{table}-{name}".replace(", ", "-").replace(" ", "_")


def read_all(folder: Path, out: Path) -> None:
    """Read every fit in a folder, in both ways, and write down what is seen."""
    import pickle

    for table, (rows, _) in TABLES.items():
        for name in rows:
            path = folder / file_of(table, name)
            ways = {
                "save": taut.load(path.with_suffix(".fit"), model=model_of(table, name)),
                "cloudpickle": pickle.loads(path.with_suffix(".pkl").read_bytes()),
            }
            for way, approx in ways.items():
                np.savez(out / f"{path.name}.{way}.npz", **seen_of(approx))  # pyright: ignore[reportArgumentType]

"""Files that this version of taut, or an earlier one, has saved, and what is in them.

`PYTHONPATH=tests uv run python tests/approximation/saved_files.py` writes those that are missing. A
file that is there is never written again: later versions have to read it.
"""

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pymc as pm

import taut
from cases import FAMILIES, regression
from laws.kept_rows import TABLES, Row, file_of
from taut.family import AbstractFamily

FOLDER = Path(__file__).parent / "saved"


def fitted_model() -> pm.Model:
    """One with transforms of many kinds, dims, and data."""
    with pm.Model(coords={"group": ["a", "b"]}) as model:
        place = pm.Normal("place", 0.0, 2.0, dims="group")
        scale = pm.HalfNormal("scale", 1.0)
        share = pm.Beta("share", 2.0, 2.0)
        between = pm.Uniform("between", -1.0, 2.0)
        mix = pm.Dirichlet("mix", np.ones(3))
        way = pm.Exponential("way", 1.0)
        pm.Deterministic("twice", 2.0 * place)
        number = pm.Data("number", np.linspace(0.0, 1.0, 20))
        mean = place[0] + place[1] * number + share + between + mix[0] + way
        pm.Normal("y", mean, 0.5 + scale, observed=np.sin(np.arange(20.0)))
    return model


def skewed() -> pm.Model:
    """One whose fit is repaired by chains, in one dimension."""
    with pm.Model() as model:
        pm.SkewNormal("x", mu=0.0, sigma=1.0, alpha=8.0)
    return model


def rows() -> dict[str, Callable[[], tuple[AbstractFamily, taut.Target]]]:
    """Every family in five dimensions, with the target that it is a fit of, by name of the file."""
    named = {name.replace(", ", "-").replace(" ", "_"): row for name, row in FAMILIES.items()}
    return {name: partial(_made, row) for name, row in named.items() if name.endswith("5-d")}


def _made(row: Callable[[], AbstractFamily]) -> tuple[AbstractFamily, taut.Target]:
    family = row()
    return family, regression(family.dim).target()


# What makes the fit of a method smaller than usual. A flow's parameters are among the families.
_SMALLER: dict[str, dict[str, Any]] = {"by_itself-pathfinder": {"importance": False}}
_LARGE = ("by_steps-flow",)


def methods() -> dict[str, Row]:
    """A fit by each method, with its model, by name of the file."""
    named = {
        file_of(table, name): partial(make, name)
        for table, (names, make) in TABLES.items()
        if table != "family"
        for name in names
    }
    return {
        name: partial(row, **_SMALLER.get(name, {}))
        for name, row in named.items()
        if name not in _LARGE
    }


def write() -> None:
    """Write the files that are missing."""
    FOLDER.mkdir(exist_ok=True)
    for name, fitted in methods().items():
        if not (FOLDER / f"{name}.fit").exists():
            approx, _ = fitted()
            approx.save(FOLDER / f"{name}.fit")
    for name, row in rows().items():
        family, target = row()
        approx = taut.MeanField(model=target, random_seed=1)
        approx.show(family)
        if not (FOLDER / f"{name}.fit").exists():
            approx.save(FOLDER / f"{name}.fit")
    if not (FOLDER / "automatic.fit").exists():
        taut.fit(model=skewed(), random_seed=1, progressbar=False).save(FOLDER / "automatic.fit")


if __name__ == "__main__":
    with jax.enable_x64(True):
        write()

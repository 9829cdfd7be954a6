"""Caches of compiled code as a user has them who has run the library, never on this model.

A fit with no caches at all would time how long PyTensor and numba compile what is the same for all
models, and one with the caches of an earlier fit would time nothing of the compilation.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pymc as pm

WARM_UP = "warm-up"


def model() -> pm.Model:
    """A model that is none of the posteriors."""
    with pm.Model() as made:
        mu = pm.Normal("mu", 0.0, 1.0)
        sd = pm.HalfNormal("sd", 1.0)
        pm.Normal("y", mu, sd, observed=np.array([0.5, 1.5, 1.0, 2.0, 0.0]))
    return made


@contextmanager
def copied(warm: Path) -> Iterator[Path]:
    """Yield a copy of a folder of caches, which is thrown away."""
    with tempfile.TemporaryDirectory(prefix="taut-proving-") as folder:
        copy = Path(folder, "caches")
        shutil.copytree(warm, copy)
        yield copy


def environment(caches: Path, bytecode: Path) -> dict[str, str]:
    """Point every cache of compiled code into one folder, bytecode apart."""
    kept = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    flags = [*filter(None, [kept.get("PYTENSOR_FLAGS")]), f"base_compiledir={caches / 'pytensor'}"]
    return kept | {
        "PYTENSOR_FLAGS": ",".join(flags),
        "NUMBA_CACHE_DIR": str(caches / "numba"),
        "TAUT_CACHE_DIR": str(caches / "taut"),
        "PYTHONPYCACHEPREFIX": str(bytecode),
    }

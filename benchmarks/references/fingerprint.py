"""What tells that a reference belongs to a model: log densities at fixed points.

The maker of references evaluates them by PyMC, the test by taut's front end.
"""

import zlib
from typing import Any

import numpy as np
import pymc as pm

_POINTS = 3
_JITTER = 0.1


def points(name: str, model: pm.Model) -> list[dict[str, np.ndarray]]:
    """Jitter the model's initial point, in the unconstrained space."""
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    start = model.initial_point()
    return [
        {key: np.asarray(start[key]) + _JITTER * rng.normal(size=np.shape(start[key]))
         for key in sorted(start)}
        for _ in range(_POINTS)
    ]  # fmt: skip


def by_pymc(name: str, model: pm.Model) -> np.ndarray:
    """Evaluate the model's log density, log Jacobian included, by PyMC's own function."""
    log_density = model.compile_logp()
    return np.array([float(log_density(point)) for point in points(name, model)])


def by_taut(name: str, model: pm.Model) -> np.ndarray:
    """Evaluate it by taut's front end."""
    import jax

    from taut.frontend import as_target

    target = as_target(model)

    def flat(point: dict[str, np.ndarray]) -> Any:
        return np.concatenate([np.ravel(point[slot.name]) for slot in target.space.slots])

    stacked = np.stack([flat(point) for point in points(name, model)])
    with target.precision():
        # One after the other: a batched triangular solve takes many times as long.
        by_rows = jax.jit(lambda rows: jax.lax.map(lambda z: target.log_density(z), rows))
        return np.asarray(by_rows(stacked))

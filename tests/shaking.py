"""What another machine would do otherwise: rounding, and every choice that depends on it.

A fit takes a random path, and rounding alone sends it along another. What is tested has to hold on
all of them. `scripts/nightly.py` runs the statistical tests once under each row of `SHAKES`; to run
one by hand: ``TAUT_SHAKE="last bits 1" uv run pytest -m statistical``.
"""

import importlib
import os
import zlib
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

SHAKE, CRITERIA = "TAUT_SHAKE", "TAUT_CRITERIA"
# So many roundings a value or a slope is off by.
_ROUNDINGS = 4.0

Shake = Callable[[pytest.MonkeyPatch], None]


def last_bits(seed: int) -> Shake:
    """Multiply values and slopes by one and some roundings, always the same at the same points."""

    def shaken(evaluate: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(self: Any, z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            values, slopes = evaluate(self, z)
            rng = np.random.default_rng([seed, zlib.crc32(np.ascontiguousarray(z).tobytes())])
            size = _ROUNDINGS * np.finfo(self.target.dtype).eps
            noise = size * rng.normal(size=(len(z), 1 + z.shape[1]))
            return values * (1.0 + noise[:, 0]), slopes * (1.0 + noise[:, 1:])

        return wrapped

    def apply(patch: pytest.MonkeyPatch) -> None:
        from taut.gradients import Gradients
        from taut.gradients.in_batches import BatchGradients

        for kind in (Gradients, BatchGradients):
            patch.setattr(kind, "_evaluate", shaken(kind._evaluate))

    return apply


def seconds_each(seconds: float) -> Shake:
    """Let a gradient seem to take so long."""

    def apply(patch: pytest.MonkeyPatch) -> None:
        from taut.gradients import AbstractGradients

        patch.setattr(AbstractGradients, "seconds_each", property(lambda _: seconds))

    return apply


# Rounding, and two values of each choice that depends on the machine: a row for every one.
SHAKES: dict[str, Shake] = {
    "last bits 1": last_bits(1),
    "last bits 2": last_bits(2),
    "seconds_each 3e-6": seconds_each(3e-6),
    "seconds_each 2e-4": seconds_each(2e-4),
}


def apply_shake(patch: pytest.MonkeyPatch) -> None:
    """Apply the shake that the environment names, if any."""
    if name := os.environ.get(SHAKE):
        if name not in SHAKES:
            raise pytest.UsageError(f"{SHAKE}={name!r}; choose from {', '.join(SHAKES)}.")
        SHAKES[name](patch)


def apply_criteria(patch: pytest.MonkeyPatch) -> None:
    """Change one of the numbers that decide trust, as the environment says: module:field=value."""
    if text := os.environ.get(CRITERIA):
        name, _, change = text.partition(":")
        field, _, value = change.partition("=")
        module = importlib.import_module(name)
        kind = type(getattr(module.CRITERIA, field))
        patch.setattr(module, "CRITERIA", replace(module.CRITERIA, **{field: kind(value)}))

"""What the figures were measured on."""

import os
import platform
import time
from collections.abc import Iterable
from contextlib import suppress
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import jax

_PACKAGES = ("taut", "pymc", "pytensor", "numba", "jax", "jaxlib", "numpy", "equinox", "optax")
_RIVALS = ("pymc-extras", "numpyro", "blackjax", "nutpie")


def describe() -> dict[str, Any]:
    """Describe machine, versions and load."""
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "processor": _line("/proc/cpuinfo", "model name") or platform.processor(),
        "cores": _cores(),
        "device": jax.devices()[0].device_kind,
        "memory": _line("/proc/meminfo", "MemTotal"),
        "system": platform.platform(),
        "python": platform.python_version(),
        "versions": {package: version(package) for package in _PACKAGES} | _versions(_RIVALS),
        "pytensor_mode": _pytensor_mode(),
    }


def _versions(packages: Iterable[str]) -> dict[str, str]:
    """Return the versions of those that are installed."""
    found: dict[str, str] = {}
    for package in packages:
        with suppress(PackageNotFoundError):
            found[package] = version(package)
    return found


def busy_cores(seconds: float = 1.0) -> float | None:
    """Measure how many cores other programs keep busy, while this one sleeps; Linux only."""
    before = _busy_and_all()
    time.sleep(seconds)
    after = _busy_and_all()
    if before is None or after is None or after[1] == before[1]:
        return None
    return (os.cpu_count() or 1) * (after[0] - before[0]) / (after[1] - before[1])


def _busy_and_all() -> tuple[int, int] | None:
    """Read the ticks of all cores since the machine started: not idle, and all."""
    if not Path("/proc/stat").exists():
        return None
    user_to_steal = [int(t) for t in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    idle = user_to_steal[3] + user_to_steal[4]
    return sum(user_to_steal) - idle, sum(user_to_steal)


def _cores() -> int | None:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


def _pytensor_mode() -> str:
    from pytensor.compile.mode import get_default_mode

    mode = get_default_mode()
    return f"{type(mode).__name__}, linker {type(mode.linker).__name__}"


def _line(path: str, key: str) -> str:
    """Read the value of the first line of a file that starts with `key`."""
    if not Path(path).exists():
        return ""
    lines = Path(path).read_text().splitlines()
    found = (line.partition(":")[2].strip() for line in lines if line.startswith(key))
    return next(found, "")

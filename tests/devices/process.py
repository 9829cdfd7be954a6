"""One of two processes that fit together, for `test_processes`.

Called as ``python -m devices.process CASE NUMBER PORT FOLDER``.
"""

import os
import pickle
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax

FITS: dict[str, dict[str, Any]] = {
    "advi in batches": {"n": 600, "method": "advi", "batch_size": 50},
    "automatic": {},
}
# Steps of a fit of which one process is killed.
KEPT = 3000


def together(number: int, folder: Path) -> Any:
    """Fit on the devices of both processes."""
    from devices.fits import fit, regression

    return {name: fit(regression(), "all", how) for name, how in FITS.items()}


def told(number: int, folder: Path) -> None:
    """Show how a fit goes, in one process."""
    import taut
    from devices.fits import regression

    taut.fit(200, "advi", regression(), 1, devices="all")


def differently(number: int, folder: Path) -> None:
    """Fit by two seeds."""
    import taut
    from devices.fits import regression

    taut.fit(200, "advi", regression(), number, devices="all", progressbar=False)


def killed(number: int, folder: Path) -> None:
    """Kill one process in the middle of a fit that is kept."""
    import taut
    from devices.fits import regression

    def die(approx: Any, losses: Any, i: int) -> None:
        if number == 1 and i >= 600:
            os.kill(os.getpid(), signal.SIGKILL)

    setattr(die, "every", 200)  # noqa: B010
    taut.fit(
        KEPT, "advi", regression(), 1, devices="all", progressbar=False, callbacks=[die],
        checkpoint=folder / "kept", every=200,
    )  # fmt: skip


CASES: dict[str, Callable[[int, Path], Any]] = {
    case.__name__: case for case in (together, told, differently, killed)
}


def main(case: str, number: int, port: str, folder: Path) -> None:
    """Fit, and write down what was found, or why there is nothing."""
    jax.distributed.initialize(
        f"127.0.0.1:{port}", 2, number, heartbeat_timeout_seconds=10, shutdown_timeout_seconds=10
    )
    try:
        found = CASES[case](number, folder)
    except Exception as error:
        found = error
    (folder / f"{case}{number}.pickle").write_bytes(pickle.dumps(found))
    if case == "killed":
        # What is left of the two would wait for the other at its end.
        os._exit(0)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3], Path(sys.argv[4]))

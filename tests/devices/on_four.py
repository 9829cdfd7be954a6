"""What a process with four devices finds, which JAX has to be told before it starts."""

import os
import pickle
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

COUNT = 4
TESTS = Path(__file__).parents[1]
_FLAG = f"--xla_force_host_platform_device_count={COUNT}"


def found_on_four(module: str, folder: Path) -> dict[str, Any]:
    """Run a module of `devices` in a process that has four devices; return what it has found.

    A case that raises an error has found that.
    """
    path = folder / "found.pickle"
    flags = f"{os.environ.get('XLA_FLAGS', '')} {_FLAG}".strip()
    done = subprocess.run(
        [sys.executable, "-m", f"devices.{module}", str(path)],
        cwd=TESTS,
        env={**os.environ, "XLA_FLAGS": flags},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return pickle.loads(path.read_bytes())


def write_found(cases: Mapping[str, Callable[[], Any]]) -> None:
    """Run cases, and write down what they find; what such a module ends with."""
    found = {name: _found(case) for name, case in cases.items()}
    Path(sys.argv[1]).write_bytes(pickle.dumps(found))


def _found(case: Callable[[], Any]) -> Any:
    try:
        return case()
    except Exception as error:
        return error

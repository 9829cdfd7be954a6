"""Programs that tests compile are kept for the next run: XLA takes most of their seconds.

JAX finds a program by its text, its options and its own version, so that a change of taut compiles
what it changes. A run that is to compile everything takes an empty folder:
``JAX_COMPILATION_CACHE_DIR=$(mktemp -d) uv run pytest``.

Where Python is told to keep no bytecode, that is kept beside them: without it each process of a run
compiles the sources of all packages anew, which takes some 15 s.
"""

import sys
from collections.abc import MutableMapping
from contextlib import suppress
from pathlib import Path

import platformdirs

FOLDER = "JAX_COMPILATION_CACHE_DIR"
NO_BYTECODE, BYTECODE = "PYTHONDONTWRITEBYTECODE", "PYTHONPYCACHEPREFIX"
# Some five runs that have no program in common.
_MOST_BYTES = 2**30
# All packages, and some copies of the repository that tests make.
_MOST_BYTECODE = 2**29


def keep_programs(environment: MutableMapping[str, str]) -> None:
    """Let JAX keep whatever it compiles, and taut nothing in the folder of who runs the tests."""
    environment["TAUT_CACHE_DIR"] = "off"
    environment.setdefault(FOLDER, str(Path(platformdirs.user_cache_dir("taut"), "tests")))
    environment["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"
    environment["JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES"] = "-1"


def keep_bytecode(environment: MutableMapping[str, str]) -> None:
    """Keep bytecode in a folder of its own, where it is not to stand beside the sources."""
    if environment.pop(NO_BYTECODE, ""):
        folder = Path(platformdirs.user_cache_dir("taut"), "bytecode")
        sys.pycache_prefix = environment.setdefault(BYTECODE, str(folder))
        sys.dont_write_bytecode = False
        trim(folder, _MOST_BYTECODE, "**/*.pyc")


def trim(folder: Path, most_bytes: int = _MOST_BYTES, names: str = "*-cache") -> None:
    """Remove the oldest programs of a folder until the others take so many bytes at most."""
    with suppress(FileNotFoundError):  # which another run has removed
        found = [(path.stat(), path) for path in folder.glob(names)]
        total = 0
        for stat, path in sorted(found, key=lambda one: one[0].st_mtime, reverse=True):
            total += stat.st_size
            if total > most_bytes:
                path.unlink()

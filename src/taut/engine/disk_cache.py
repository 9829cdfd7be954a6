"""Programs on disk, for the next process.

JAX's persistent compilation cache is switched on around taut's own compilations and off again,
unless the user has chosen a cache folder for JAX already, which then serves taut too.
"""

import logging
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import final

import jax
import platformdirs
from jax.experimental.compilation_cache import compilation_cache

from taut.engine.jax_private import states as jax_states
from taut.errors import ArgumentError
from taut.storage import obstacle

_LOGGER = logging.getLogger("taut")
_ENVIRONMENT = "TAUT_CACHE_DIR"
_OFF = ("", "0", "off", "none", "false")


def set_cache_directory(path: str | os.PathLike[str] | None) -> None:
    """Choose the folder of compiled programs, or turn the cache off.

    Without this call it is ``$TAUT_CACHE_DIR`` (``off`` turns the cache off), else ``taut`` under
    the user's own cache directory. Where the user has set ``jax_compilation_cache_dir`` for JAX,
    that folder is used and this setting is not.

    Parameters
    ----------
    path
        A folder, made when it is first needed, for its user alone; `None` for no cache. One that
        others can write to is not used, because the programs in it are executed.

    Raises
    ------
    ArgumentError
        It is neither.

    Examples
    --------
    >>> import tempfile, taut
    >>> taut.set_cache_directory(tempfile.mkdtemp())
    >>> taut.set_cache_directory(None)
    """
    if not isinstance(path, str | os.PathLike | None):
        raise ArgumentError(
            "The folder of compiled programs must be a path, or None for no cache, got "
            f"{path!r} ({type(path).__name__})."
        )
    _disk_cache.choose(None if path is None else _in_home(path))


def cache_directory() -> Path | None:
    """Return the folder of compiled programs, `None` where the cache is off."""
    return _disk_cache.folder()


@contextmanager
def persistent_cache() -> Iterator[None]:
    """Let JAX keep on disk what is compiled inside, and leave its configuration as it was."""
    with _disk_cache.opened():
        yield


@final
class DiskCache:
    """The folder that a process keeps its programs in."""

    def __init__(self) -> None:
        self._is_chosen, self._chosen = False, None
        self._usable: dict[Path, bool] = {}
        self._switching = threading.Lock()

    def choose(self, folder: Path | None) -> None:
        """Take the user's choice, which beats the environment's."""
        self._is_chosen, self._chosen = True, folder
        self._usable.clear()

    def folder(self) -> Path | None:
        """Return the folder, `None` where the cache is off."""
        if self._is_chosen:
            return self._chosen
        setting = os.environ.get(_ENVIRONMENT)
        if setting is None:
            return _default()
        return None if setting.lower() in _OFF else _in_home(setting)

    @contextmanager
    def opened(self) -> Iterator[None]:
        """Let JAX read and write the folder."""
        folder = self.folder()
        if folder is None or jax.config.jax_compilation_cache_dir or not self._can_use(folder):
            yield
            return
        # JAX reads these states per thread but holds the open cache per process: hence the lock,
        # and the reset, without which programs of the user would be written to taut's folder.
        with (
            self._switching,
            jax_states.compilation_cache_dir(str(folder)),
            jax_states.persistent_cache_min_compile_time_secs(0.0),
            jax_states.persistent_cache_min_entry_size_bytes(-1),
        ):
            compilation_cache.reset_cache()
            try:
                yield
            finally:
                compilation_cache.reset_cache()

    def _can_use(self, folder: Path) -> bool:
        """Check a folder once; JAX would warn for each program."""
        if folder not in self._usable:
            reason = _obstacle(folder)
            self._usable[folder] = reason is None
            if reason is not None:
                _LOGGER.warning(
                    "Compiled programs are not kept in %s: %s. Choose another folder, or none, "
                    "with taut.set_cache_directory.",
                    folder,
                    reason,
                )
        return self._usable[folder]


def _default() -> Path:
    try:
        return Path(platformdirs.user_cache_dir("taut")) / "programs"
    except RuntimeError:
        # A user without an entry and without HOME, as in some containers.
        return Path("~") / "taut" / "programs"


def _in_home(path: str | os.PathLike[str]) -> Path:
    """Put the home folder in; where the user has none the path stays, and is refused later."""
    return Path(os.path.expanduser(path))


def _obstacle(folder: Path) -> str | None:
    """Return why programs can not be kept in a folder, `None` where they can."""
    if not folder.is_absolute() and folder.parts[:1] == ("~",):
        return "the user has no home folder"
    return obstacle(folder)


_disk_cache = DiskCache()

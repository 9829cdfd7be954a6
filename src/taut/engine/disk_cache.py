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

from taut.arguments import as_positive
from taut.engine.jax_private import programs_kept_in
from taut.engine.program_files import ProgramFiles
from taut.errors import ArgumentError
from taut.storage import obstacle

_LOGGER = logging.getLogger("taut")
_ENVIRONMENT = "TAUT_CACHE_DIR"
_OFF = ("", "0", "off", "none", "false")
# Some twenty thousand programs.
_MOST_BYTES = 2**30


def set_cache_directory(path: str | os.PathLike[str] | None, max_bytes: int = _MOST_BYTES) -> None:
    """Choose the folder of compiled programs, or turn the cache off.

    Without this call it is ``$TAUT_CACHE_DIR`` (``off`` turns the cache off), else ``taut`` under
    the user's own cache directory. Where the user has set ``jax_compilation_cache_dir`` for JAX,
    that folder is used and this setting is not.

    Parameters
    ----------
    path
        A folder, made when it is first needed, for its user alone; `None` for no cache. One that
        others can write to is not used, because the programs in it are executed.
    max_bytes
        What the programs take at most. Those that were not used for longest are removed.

    Raises
    ------
    ArgumentError
        The folder is neither, or the bytes are no positive integer.

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
    most = as_positive("max_bytes", max_bytes)
    _disk_cache.choose(None if path is None else _in_home(path), most)


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
        self._is_chosen, self._chosen, self._most = False, None, _MOST_BYTES
        self._files: dict[Path, ProgramFiles | None] = {}
        self._switching = threading.Lock()

    def choose(self, folder: Path | None, max_bytes: int) -> None:
        """Take the user's choice, which beats the environment's."""
        self._is_chosen, self._chosen, self._most = True, folder, max_bytes
        self._files.clear()

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
        if folder is None or jax.config.jax_compilation_cache_dir:
            yield
            return
        files = self._files_of(folder)
        if files is None:
            yield
            return
        with self._switching, programs_kept_in(files):
            yield

    def _files_of(self, folder: Path) -> ProgramFiles | None:
        """Check a folder once; JAX would warn for each program."""
        if folder not in self._files:
            reason = _obstacle(folder)
            self._files[folder] = None if reason else ProgramFiles(folder, self._most)
            if reason is not None:
                _LOGGER.warning(
                    "Compiled programs are not kept in %s: %s. Choose another folder, or none, "
                    "with taut.set_cache_directory.",
                    folder,
                    reason,
                )
        return self._files[folder]


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

"""A folder that keeps a fit under way, so that a kill loses little of it."""

import os
import re
import time
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any, final

import numpy as np
from jaxtyping import PyTree

from taut.approximation.stored_classes import codec
from taut.arguments import is_positive
from taut.callbacks import AbstractObserver
from taut.engine import CallLog, Devices
from taut.errors import ArgumentError, StorageError, warn
from taut.frontend import AbstractSource
from taut.rows import AbstractRows, fingerprint
from taut.storage import Archive, obstacle, read_archive, write_archive
from taut.target import Description

# What the file says it is, and the version of what is in it.
_FORMAT, _VERSION = "taut checkpoint", 1
_FILE, _LOG = "checkpoint", "results"
_PACKAGES = ("taut", "jax", "pymc", "pytensor", "numpy")
_DEFAULT = "60s"
_SECONDS = re.compile(r"(\d+(?:\.\d*)?)\s*s")


@final
class Checkpoint:
    """The folder of one fit, and when it is written to.

    It holds one file, which is replaced whole, and for fits that end by themselves a log
    of results.

    Parameters
    ----------
    folder
        Its path.
    every
        Steps, or seconds such as ``"60s"``, between two states that are written.
    writes
        Whether this process is the one of the fit that writes.
    """

    def __init__(
        self, folder: str | os.PathLike[str], every: Any = None, *, writes: bool = True
    ) -> None:
        if not isinstance(folder, str | os.PathLike):
            raise ArgumentError(
                f"checkpoint must be the path of a folder, got {folder!r} "
                f"({type(folder).__name__})."
            )
        self.folder = Path(folder).expanduser()
        self.every = _DEFAULT if every is None else every
        self._steps, self._seconds = _schedule(self.every)
        self._written = time.monotonic()
        self._rows: str | None = None
        self._writes = writes

    @property
    def file(self) -> Path:
        """The file."""
        return self.folder / _FILE

    def begin(self, rows: AbstractRows | None) -> None:
        """Make the folder, if that is needed; what another fit has left there is kept.

        Parameters
        ----------
        rows
            The source that the fit reads, to be known again.

        Raises
        ------
        StorageError
            There is a fit in it, or it can not be used.
        """
        if not self._writes:
            return
        self._check_folder()
        if self.file.exists():
            raise StorageError(
                f"There is a fit in {self.folder} already: taut.resume({str(self.folder)!r}, "
                "model=model) goes on with it, or returns it if it has ended. Choose another "
                "folder, or delete this one."
            )
        self._clean()
        with suppress(FileNotFoundError):
            (self.folder / _LOG).unlink()
        self._rows = None if rows is None else fingerprint(rows)

    def check_seconds(self, method: str) -> None:
        """Refuse a number of steps where there are none."""
        if self._steps is not None:
            raise ArgumentError(
                f"{method} ends by itself and takes no steps: every is a number of seconds, such "
                f'as "60s", got {self.every!r}.'
            )

    def go_on(self, rows: AbstractRows | None, before: str | None) -> None:
        """Take up the folder of a fit that goes on.

        Parameters
        ----------
        rows
            The source that it reads.
        before
            The fingerprint of that when the fit began, if it is known.

        Raises
        ------
        StorageError
            Rows have changed, or the folder can not be used.
        """
        self._rows = before
        if self._writes:
            self._check_folder()
            self._clean()
        if rows is not None and before is not None and fingerprint(rows) != before:
            raise StorageError(
                f"The rows that the fit in {self.folder} reads from a source have changed since it "
                "began: the rest would be fitted to other data. Bring them back, or begin anew in "
                "another folder."
            )

    def on(self, devices: Devices | None) -> "Checkpoint":
        """Return the same, of a fit on some devices, one process of which writes."""
        return _of_process(self.folder, self.every, devices)

    def log(self) -> CallLog:
        """Open the log of results."""
        return CallLog(self.folder / _LOG, self._seconds)

    def next_step(self, done: int) -> int:
        """Return the first step after `done` at which it has to be written for their number."""
        return _FAR if self._steps is None else (done // self._steps + 1) * self._steps

    def is_due(self, done: int) -> bool:
        """Whether it has to be written after so many steps."""
        if self._steps is not None:
            return done % self._steps == 0
        return time.monotonic() - self._written >= self._seconds

    def write(self, source: AbstractSource, content: bytes, *, ended: bool = False) -> None:
        """Replace what is there, whole.

        Parameters
        ----------
        source
            The model, which is described.
        content
            The fit.
        ended
            Whether there is nothing to go on with.
        """
        if not self._writes:
            return
        text, arrays = codec().encode({"model": source.description()})
        made_by = {package: version(package) for package in _PACKAGES}
        head = {
            "format": _FORMAT, "version": _VERSION, "made_by": made_by, "ended": ended,
            "every": self.every, "rows": self._rows,
        }  # fmt: skip
        arrays["fit.npy"] = np.frombuffer(content, np.uint8)
        write_archive(self.file, Archive(head | text, arrays))
        self._written = time.monotonic()
        if ended:
            with suppress(FileNotFoundError):
                (self.folder / _LOG).unlink()

    def try_to_write(self, source: AbstractSource, content: bytes, *, ended: bool = False) -> None:
        """Do the same; a fit goes on where the disk is full, with what is there."""
        try:
            self.write(source, content, ended=ended)
        except OSError as error:
            self._written = time.monotonic()
            warn(
                f"The checkpoint in {self.folder} could not be written, and stays as it was: "
                f"{error}. The fit goes on."
            )

    def _check_folder(self) -> None:
        reason = obstacle(self.folder)
        if reason is not None:
            raise StorageError(f"{self.folder} can not keep a checkpoint: {reason}.")

    def _clean(self) -> None:
        """Remove what a kill has left of a write."""
        for part in self.folder.glob(f".{_FILE}.*.part"):
            with suppress(FileNotFoundError):
                part.unlink()


@final
class Found:
    """What a folder keeps of a fit.

    Parameters
    ----------
    folder
        Its path.

    Raises
    ------
    StorageError
        There is none, it is damaged, or of a later version.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        path = Checkpoint(folder).file
        if not path.exists():
            raise StorageError(f"There is no fit in {folder}: it has no file {_FILE!r}.")
        reason = obstacle(path.parent)
        if reason is not None:
            raise StorageError(f"{folder} is not read: {reason}.")
        archive = read_archive(path)
        if archive.text.get("format") != _FORMAT:
            raise StorageError(f"{path} is no checkpoint of taut's.")
        if archive.text["version"] > _VERSION:
            raise StorageError(
                f"{path} is of version {archive.text['version']} of the format, and this taut "
                f"reads up to {_VERSION}: update taut."
            )
        self.path, self.ended = path, bool(archive.text["ended"])
        self.checkpoint = Checkpoint(folder, archive.text["every"])
        self.rows: str | None = archive.text.get("rows")
        described = {"model": archive.text["model"]}
        self.description: Description = codec().decode(described, archive.arrays)["model"]
        self.content = archive.arrays["fit.npy"].tobytes()


@final
class Keeping(AbstractObserver):
    """Lets another observer look, and then writes the checkpoint, if that is due.

    Parameters
    ----------
    observer
        Looks first.
    checkpoint
        Says when.
    write
        Writes it.
    """

    def __init__(self, observer: AbstractObserver, checkpoint: Checkpoint, write: Any) -> None:
        self._observer, self._checkpoint, self._write = observer, checkpoint, write

    def next_look(self, done: int) -> int:
        return min(self._observer.next_look(done), self._checkpoint.next_step(done))

    def look(self, state: PyTree, losses: np.ndarray) -> None:
        self._observer.look(state, losses)
        if self._checkpoint.is_due(len(losses)):
            self._write()


_FAR = int(np.iinfo(np.int32).max)


def as_checkpoint(folder: Any, every: Any, devices: Devices | None = None) -> Checkpoint | None:
    """Take the arguments of a fit on some devices; `None` where it is not kept.

    Raises
    ------
    ArgumentError
        They make no sense.
    """
    if folder is not None:
        return _of_process(folder, every, devices)
    if every is not None:
        raise ArgumentError("every says how often a checkpoint is written: give checkpoint, too.")
    return None


def _of_process(folder: Any, every: Any, devices: Devices | None) -> Checkpoint:
    return Checkpoint(folder, every, writes=devices is None or devices.is_first_process)


def _schedule(every: Any) -> tuple[int | None, float]:
    if is_positive(every):
        return int(every), np.inf
    found = _SECONDS.fullmatch(every.strip()) if isinstance(every, str) else None
    if found is None:
        raise ArgumentError(
            f'every must be a number of steps, or seconds such as "60s", got {every!r}.'
        )
    return None, float(found[1])

"""One file: a zip of a JSON text and of arrays in NumPy's own format, as `numpy.savez` writes.

It is written beside its place and then renamed, so that at any moment there is the old file or the
new one. The zip has a checksum of each member, and reading a member checks it.
"""

import io
import json
import os
import secrets
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, final

import numpy as np

from taut.errors import StorageError

# The member that says what the others are.
_TEXT = "fit.json"
# Where it lists them.
_MEMBERS = "members"
# What a damaged zip, or a damaged member of one, makes `zipfile` raise.
_DAMAGED = (
    zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError,
    OSError, KeyError,
)  # fmt: skip
# The same moment for all members, so that equal fits make equal files.
_MOMENT = (1980, 1, 1, 0, 0, 0)


@final
@dataclass(frozen=True)
class Archive:
    """What one file holds.

    Parameters
    ----------
    text
        What JSON can hold.
    arrays
        Arrays by the names of their members.
    """

    text: dict[str, Any]
    arrays: Mapping[str, np.ndarray]


def write_archive(path: Path, archive: Archive) -> None:
    """Write a file whole, or leave what was there.

    Raises
    ------
    StorageError
        There is something at its place that is no file.
    OSError
        The disk is full, or the folder is not there or can not be written to.
    """
    place = path.resolve()
    if place.exists() and not place.is_file():
        raise StorageError(f"{path} is there already, and is no file. Choose another name.")
    beside = place.with_name(f".{place.name[:100]}.{secrets.token_hex(4)}.part")
    try:
        with _opened(beside) as file:
            _write(file, archive)
            file.flush()
            os.fsync(file.fileno())
        os.replace(beside, place)
        _sync_folder(place.parent)
    except OSError as error:
        error.add_note(f"Nothing was saved: what was at {path} before is as it was.")
        raise
    finally:
        with suppress(FileNotFoundError):
            beside.unlink()


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    """Open a file that is not there yet."""
    with open(path, "xb") as file:
        yield file


def _write(file: BinaryIO, archive: Archive) -> None:
    with zipfile.ZipFile(file, "w") as members:
        whole = archive.text | {_MEMBERS: list(archive.arrays)}
        text = json.dumps(whole, indent=1, allow_nan=False)
        members.writestr(zipfile.ZipInfo(_TEXT, _MOMENT), text)
        for name, array in archive.arrays.items():
            with members.open(zipfile.ZipInfo(name, _MOMENT), "w", force_zip64=True) as member:
                np.lib.format.write_array(member, array, allow_pickle=False)


def _sync_folder(folder: Path) -> None:
    """Write the new name down; systems on which a folder can not be opened do so themselves."""
    with suppress(PermissionError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def read_archive(path: Path) -> Archive:
    """Read a file, and check every member.

    Raises
    ------
    StorageError
        The file, or a member of it, is damaged, or it is no saved fit.
    OSError
        It is not there, or can not be opened.
    """
    with open(path, "rb") as file:
        try:
            members = zipfile.ZipFile(file)
        except _DAMAGED as error:
            raise StorageError(
                f"{path} is no saved fit, or not all of one: its list of members can not be read "
                f"({error})."
            ) from error
        with members:
            text = _text(path, _checked(path, members, _TEXT))
            names = text.pop(_MEMBERS, [])
            arrays = {name: _array(path, name, _checked(path, members, name)) for name in names}
    return Archive(text, arrays)


def _checked(path: Path, members: zipfile.ZipFile, name: str) -> bytes:
    try:
        return members.read(name)
    except _DAMAGED as error:
        raise _damaged(path, name, error) from error


def _text(path: Path, content: bytes) -> dict[str, Any]:
    try:
        text = json.loads(content)
    except ValueError as error:
        raise _damaged(path, _TEXT, error) from error
    if not isinstance(text, dict):
        raise StorageError(f"{path} is no saved fit: its {_TEXT} says nothing of one.")
    return text


def _array(path: Path, name: str, content: bytes) -> np.ndarray:
    try:
        return np.lib.format.read_array(io.BytesIO(content), allow_pickle=False)
    except _DAMAGED as error:
        raise _damaged(path, name, error) from error


def _damaged(path: Path, name: str, error: BaseException) -> StorageError:
    return StorageError(
        f"{path} is damaged: its member {name!r} can not be read, or is not what was written "
        f"({error}). Take another copy of the file."
    )

"""Compiled programs as files: whole or not there, the least recently used ones removed."""

import hashlib
import logging
import os
import secrets
import time
from contextlib import suppress
from pathlib import Path
from typing import final

_LOGGER = logging.getLogger("taut")
_SUFFIX, _PART = "-cache", ".part"
_DIGEST = 32
# When too many bytes are there, so many of them stay: entries are not looked through at each write.
_STAY = 0.9
# A file that another process has been writing for longer is one that a kill has left.
_FORGOTTEN = 3600.0


@final
class ProgramFiles:
    """A folder of programs, by JAX's keys.

    Each is written beside its place and renamed, behind a digest of its key and content. One that
    is not what was written is removed, and so compiled and kept anew. When it was used is the time
    of its modification.

    Parameters
    ----------
    folder
        The folder, which is there.
    max_bytes
        Of all programs together.
    """

    def __init__(self, folder: Path, max_bytes: int) -> None:
        self._path, self._most = folder, max_bytes
        # How many more may be written before the folder is looked through.
        self._room, self._is_full = -1, False

    def get(self, key: str) -> bytes | None:
        """Return the program of a key, `None` where there is no whole one."""
        path = self._place(key)
        try:
            whole = path.read_bytes()
        except OSError:
            return None
        content = whole[_DIGEST:]
        is_whole = whole[:_DIGEST] == _digest(key, content)
        # A folder may be one that can be read alone.
        with suppress(OSError):
            os.utime(path) if is_whole else path.unlink()
        return content if is_whole else None

    def put(self, key: str, value: bytes) -> None:
        """Keep the program of a key, as long as the disk has room."""
        whole = _digest(key, value) + value
        if self._is_full or len(whole) > self._most:
            return
        try:
            if self._room < len(whole):
                self._trim(len(whole))
            _write(self._place(key), whole)
            self._room -= len(whole)
        except OSError as error:
            self._is_full = True
            _LOGGER.warning("No more compiled programs are kept in %s: %s.", self._path, error)

    def _place(self, key: str) -> Path:
        return self._path / f"{key}{_SUFFIX}"

    def _trim(self, wanted: int) -> None:
        """Look the folder through, and remove the least recently used programs if need be."""
        found = sorted(self._found(), key=lambda one: one[0].st_mtime_ns)
        total = sum(status.st_size for status, _ in found)
        if total + wanted > self._most:
            for status, path in found:
                if total <= max(0.0, _STAY * self._most - wanted):
                    break
                path.unlink(missing_ok=True)
                total -= status.st_size
        self._room = self._most - total

    def _found(self) -> list[tuple[os.stat_result, Path]]:
        """List the programs; what a kill has left of a write goes."""
        found, now = [], time.time()
        for path in self._path.iterdir():
            if not path.name.endswith((_SUFFIX, _PART)):
                continue
            # Another process may just have removed it.
            with suppress(FileNotFoundError):
                status = path.stat()
                if path.name.endswith(_SUFFIX):
                    found.append((status, path))
                elif now - status.st_mtime > _FORGOTTEN:
                    path.unlink()
        return found


def _write(path: Path, content: bytes) -> None:
    beside = path.with_name(f".{secrets.token_hex(8)}{_PART}")
    try:
        beside.write_bytes(content)
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)


def _digest(key: str, content: bytes) -> bytes:
    found = hashlib.blake2b(key.encode(), digest_size=_DIGEST)
    found.update(content)
    return found.digest()

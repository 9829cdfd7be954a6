"""What programs have returned, on disk: a fit that was killed goes through it again, and goes on.

A program is a function of its arguments. So the algorithms of a fit that runs on the host need not
be stopped and taken up inside: they are run anew from their beginning, with the results that are
here, until they ask for one that is not.
"""

import errno
import hashlib
import json
import math
import os
import struct
import threading
import time
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, final

import jax
import numpy as np

from taut.errors import warn

_HEAD = struct.Struct("<QI")
_DIGEST = 16


@final
class CallLog:
    """Results by the digests of what they were computed from.

    Each is appended as soon as it is there, with its length and checksum. What a kill has left
    unfinished at the end is cut off.

    Parameters
    ----------
    path
        Of the file, made where there is none.
    seconds
        After so many the disk is made to keep what was appended, for a machine that stops; what a
        process has appended outlives it in any case.
    """

    def __init__(self, path: Path, seconds: float) -> None:
        self._file = open(path, "a+b", buffering=0)  # noqa: SIM115, it is open as long as the fit goes on
        self._places: dict[bytes, tuple[int, int]] = {}
        self._kinds: dict[Any, int] = {}
        self._digests: dict[int, tuple[Any, bytes]] = {}
        self._lock, self._is_paused, self._is_full = threading.Lock(), False, False
        self._file.truncate(self._scan())
        self._seconds, self._flushed = seconds, time.monotonic()

    def close(self) -> None:
        """Write everything down, and let go of the file."""
        with self._lock:
            if not self._file.closed:
                self.flush()
                self._file.close()

    def flush(self) -> None:
        """Have the disk keep what was appended."""
        os.fsync(self._file.fileno())
        self._flushed = time.monotonic()

    def calls_of(self, function: Callable[..., Any], fixed: Sequence[Any]) -> "LoggedCalls":
        """Return what keeps the calls of a program whose first arguments are fixed."""
        return LoggedCalls(self, function, fixed)

    def number(self, kind: Any) -> int:
        """Number what is no array, and so has no content to go by, by when it was first seen.

        That is the same whenever a fit is run.
        """
        with self._lock:
            return self._kinds.setdefault(kind, len(self._kinds))

    def recalled(self, key: bytes) -> list[np.ndarray] | None:
        """Return the arrays of a key, `None` where there are none or a call on the host is made."""
        return None if self._is_paused else self._read(key)

    def keep(self, key: bytes, arrays: Sequence[np.ndarray]) -> None:
        """Append the arrays of a key."""
        if not self._is_paused and not self._is_full:
            self._append(key, arrays)

    def of_host(
        self, name: str, arrays: Sequence[np.ndarray], run: Callable[[], Sequence[np.ndarray]]
    ) -> Sequence[np.ndarray]:
        """Return what a function on the host returned, or run it; its programs are not kept."""
        whole = hashlib.blake2b(name.encode(), digest_size=_DIGEST)
        for array in arrays:
            whole.update(self.digest(array))
        key = whole.digest()
        found = self.recalled(key)
        if found is not None:
            return found
        before, self._is_paused = self._is_paused, True
        try:
            result = run()
        finally:
            self._is_paused = before
        self.keep(key, result)
        return result

    def digest(self, array: Any) -> bytes:
        """Return the digest of an array."""
        if not isinstance(array, jax.Array):
            return _digest(np.asarray(array))
        # The data of a model are an argument of every call.
        found = self._digests.get(id(array))
        if found is not None and found[0] is array:
            return found[1]
        digest = _digest(np.asarray(array))
        if array.nbytes > 2**16:
            self._digests[id(array)] = array, digest
        return digest

    def _scan(self) -> int:
        """Read which results there are; return where the last whole one ends."""
        size, end = self._file.seek(0, os.SEEK_END), 0
        while end + _HEAD.size <= size:
            self._file.seek(end)
            length, checksum = _HEAD.unpack(self._file.read(_HEAD.size))
            if not _DIGEST <= length <= size - end - _HEAD.size:
                break
            content = self._file.read(length)
            if zlib.crc32(content) != checksum:
                break
            begin, end = end + _HEAD.size + _DIGEST, end + _HEAD.size + length
            self._places[content[:_DIGEST]] = begin, end - begin
        return end

    def _read(self, key: bytes) -> list[np.ndarray] | None:
        with self._lock:
            if key not in self._places:
                return None
            begin, length = self._places[key]
            self._file.seek(begin)
            content = self._file.read(length)
        return _unpacked(content)

    def _append(self, key: bytes, arrays: Sequence[np.ndarray]) -> None:
        whole = key + _packed(arrays)
        with self._lock:
            # Not counted: a Ctrl-C may have come after the last one was written.
            end = self._file.seek(0, os.SEEK_END)
            try:
                written = self._file.write(_HEAD.pack(len(whole), zlib.crc32(whole)) + whole)
                if written < _HEAD.size + len(whole):
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                if time.monotonic() - self._flushed > self._seconds:
                    self.flush()
            except OSError as error:
                # The fit goes on; what was kept before is read up to its last whole result.
                self._is_full = True
                warn(f"The checkpoint of this fit is kept no further: {error}.")
                return
            self._places[key] = end + _HEAD.size + _DIGEST, len(whole) - _DIGEST


@final
class LoggedCalls:
    """Calls of one program.

    Parameters
    ----------
    log
        Keeps what it returns.
    function, fixed
        The program, and its first arguments.
    """

    def __init__(self, log: CallLog, function: Callable[..., Any], fixed: Sequence[Any]) -> None:
        self.log, self._name = log, f"{function.__module__}.{function.__qualname__}"
        arrays, kind = _parted(fixed)
        self._fixed = log.number((self._name, kind))
        self._begin = hashlib.blake2b(f"{self._name} {self._fixed}".encode(), digest_size=_DIGEST)
        for array in arrays:
            self._begin.update(log.digest(array))
        self._numbers: dict[Any, int] = {}
        self._trees: dict[Any, Any] = {}

    def __call__(
        self, args: Sequence[Any], run: Callable[[], Any], shapes: Callable[[], Any]
    ) -> Any:
        """Return what a call returned, or make it.

        Parameters
        ----------
        args
            The further arguments.
        run
            Makes it.
        shapes
            Gives a tree like that of its results.
        """
        arrays, kind = _parted(args)
        if kind not in self._numbers:
            self._numbers[kind] = self.log.number((self._name, self._fixed, kind))
        whole = self._begin.copy()
        whole.update(str(self._numbers[kind]).encode())
        for array in arrays:
            whole.update(self.log.digest(array))
        key = whole.digest()
        found = self.log.recalled(key)
        if found is None:
            result = run()
            self.log.keep(key, [np.asarray(leaf) for leaf in jax.tree.leaves(result)])
            return result
        if kind not in self._trees:
            self._trees[kind] = jax.tree.structure(shapes())
        return jax.tree.unflatten(self._trees[kind], jax.device_put(found))


def _packed(arrays: Sequence[np.ndarray]) -> bytes:
    """Write arrays one after another, behind a line that describes them."""
    plain = [np.ascontiguousarray(array) for array in arrays]
    head = json.dumps(
        [(array.dtype.str, np.shape(given)) for array, given in zip(plain, arrays, strict=True)]
    )
    return b"".join([head.encode(), b"\n", *(array.tobytes() for array in plain)])


def _unpacked(content: bytes) -> list[np.ndarray]:
    head, _, _ = content.partition(b"\n")
    found, place = [], len(head) + 1
    for dtype, shape in json.loads(head):
        count = math.prod(shape)
        array = np.frombuffer(content, dtype, count, place).reshape(shape)
        # What is computed may be written to.
        found.append(array.copy())
        place += array.nbytes
    return found


def _digest(array: np.ndarray) -> bytes:
    found = hashlib.blake2b(f"{array.dtype.str} {array.shape} ".encode(), digest_size=_DIGEST)
    found.update(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
    return found.digest()


def _parted(args: Sequence[Any]) -> tuple[list[Any], Any]:
    """Return the arrays among arguments, and what else decides a call."""
    leaves, tree = jax.tree.flatten(args)
    is_array = [isinstance(leaf, jax.Array | np.ndarray | np.generic) for leaf in leaves]
    pairs = list(zip(leaves, is_array, strict=True))
    return [leaf for leaf, there in pairs if there], (
        tree,
        *(None if there else leaf for leaf, there in pairs),
    )

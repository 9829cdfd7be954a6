"""What memory is left to this process: what can not be held is refused before it is made."""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from taut.errors import TooLargeError

_MACHINE, _GROUPS = Path("/proc/meminfo"), Path("/proc/self/cgroup")
_MOUNTED = Path("/sys/fs/cgroup")
# Of both versions of control groups: limit, what is taken, the line of what can be given back.
_NEW = "memory.max", "memory.current", "inactive_file"
_OLD = "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"


def bytes_left() -> int | None:
    """Return the bytes that the machine, and each control group of this process, has left.

    `None` where the system does not tell.
    """
    found = [left for left in (_of_machine(), *_of_groups()) if left is not None]
    return min(found, default=None)


def check_memory(needed: float, what: str, instead: str) -> None:
    """Refuse what takes more memory than is left.

    Parameters
    ----------
    needed
        Bytes.
    what
        What takes them, with its verb: "1 000 draws take".
    instead
        What would fit.

    Raises
    ------
    TooLargeError
        It does.
    """
    left = bytes_left()
    if left is not None and needed > left:
        raise TooLargeError(f"{what} {_told(needed)}, and {_told(left)} are left. {instead}")


def _told(count: float) -> str:
    return f"{count / 1e9:,.1f} GB" if count >= 1e8 else f"{count / 1e6:,.1f} MB"


def _of_machine() -> int | None:
    with suppress(OSError, ValueError, IndexError):
        for line in _MACHINE.read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
    return None


def _of_groups() -> Iterator[int | None]:
    """Look at each group that this process is in, and at those around it."""
    with suppress(OSError):
        for line in _GROUPS.read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            if controllers not in ("", "memory"):
                continue
            root = _MOUNTED if not controllers else _MOUNTED / "memory"
            place = root / path.strip("/")
            for folder in (place, *place.parents):
                if folder.is_relative_to(root):
                    yield _of_group(folder, _OLD if controllers else _NEW)


def _of_group(folder: Path, names: tuple[str, str, str]) -> int | None:
    limit, taken, reclaimable = names
    with suppress(OSError, ValueError):
        most, used = (int((folder / name).read_text()) for name in (limit, taken))
        lines = map(str.split, (folder / "memory.stat").read_text().splitlines())
        return max(0, most - used + int(dict(lines).get(reclaimable, 0)))
    return None

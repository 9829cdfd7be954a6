"""What memory is left, as the system tells it."""

from pathlib import Path

import pytest

from taut.engine import bytes_left, check_memory, memory
from taut.errors import TooLargeError


@pytest.fixture
def system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Be a machine with 8 GB left, and no control groups."""
    (tmp_path / "meminfo").write_text("MemTotal: 16000000 kB\nMemAvailable: 8000000 kB\n")
    monkeypatch.setattr(memory, "_MACHINE", tmp_path / "meminfo")
    monkeypatch.setattr(memory, "_GROUPS", tmp_path / "cgroup")
    monkeypatch.setattr(memory, "_MOUNTED", tmp_path)
    return tmp_path


def group(folder: Path, names: tuple[str, str, str], limit: str, taken: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / names[0]).write_text(limit)
    (folder / names[1]).write_text(str(taken))
    (folder / "memory.stat").write_text(f"anon 1\n{names[2]} 1000\n")


def test_this_machine_has_some() -> None:
    left = bytes_left()
    assert left is None or left > 2**20


def test_a_group_has_less_than_its_machine(system: Path) -> None:
    assert bytes_left() == 8_000_000 * 1024
    (system / "cgroup").write_text("0::/a/b\n")
    group(system / "a" / "b", memory._NEW, "max", 500)
    assert bytes_left() == 8_000_000 * 1024
    group(system / "a", memory._NEW, "3000000", 2_000_000)
    assert bytes_left() == 1_001_000


def test_groups_of_the_first_version(system: Path) -> None:
    (system / "cgroup").write_text("8:pids:/\n4:memory:/a\n")
    group(system / "memory" / "a", memory._OLD, "5000000", 6_000_000)
    assert bytes_left() == 0


def test_a_system_that_does_not_tell(system: Path) -> None:
    (system / "meminfo").unlink()
    assert bytes_left() is None
    check_memory(1e18, "It takes", "Less.")


@pytest.mark.usefixtures("system")
def test_too_much_is_refused_with_the_figures() -> None:
    check_memory(8e9, "It takes", "Less.")
    with pytest.raises(
        TooLargeError, match=r"It takes 9\.0 GB, and 8\.2 GB are left\. Less\."
    ) as seen:
        check_memory(9e9, "It takes", "Less.")
    assert isinstance(seen.value, MemoryError)

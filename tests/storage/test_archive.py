"""Files that are damaged say so, and name what is; a write that fails leaves what was there."""

import errno
import os
import zipfile
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from taut.errors import StorageError
from taut.storage import Archive, archive, read_archive, write_archive

ARRAYS = {
    "family/mu.npy": np.arange(5.0),
    "family/points.npy": np.arange(12, dtype=np.int32).reshape(3, 4),
    "labels.npy": np.array(["north", "south"]),
}
HELD = Archive({"format": "a test", "values": [1, 2.5, None]}, ARRAYS)
MEMBERS = ("fit.json", *ARRAYS)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    write_archive(tmp_path / "held.fit", HELD)
    return tmp_path / "held.fit"


def place_of(path: Path, member: str) -> int:
    """Find where the content of a member ends in the file."""
    with zipfile.ZipFile(path) as members:
        info = members.getinfo(member)
        with members.open(member) as opened:
            content = opened.read()
    begin = path.read_bytes().index(content, info.header_offset)
    return begin + len(content) - 1


def is_whole(path: Path) -> bool:
    found = read_archive(path)
    assert found.text == HELD.text
    assert found.arrays.keys() == ARRAYS.keys()
    return all(np.array_equal(found.arrays[name], array) for name, array in ARRAYS.items())


def test_what_is_written_is_read(path: Path) -> None:
    assert is_whole(path)
    assert os.listdir(path.parent) == [path.name]


def test_numpy_reads_the_arrays_as_well(path: Path) -> None:
    with np.load(path, allow_pickle=False) as arrays:
        np.testing.assert_array_equal(arrays["family/mu"], np.arange(5.0))


@pytest.mark.parametrize("member", MEMBERS)
@pytest.mark.parametrize("bit", [0, 5])
def test_a_flipped_bit_names_the_member(path: Path, member: str, bit: int) -> None:
    content = bytearray(path.read_bytes())
    content[place_of(path, member)] ^= 1 << bit
    path.write_bytes(content)
    with pytest.raises(StorageError, match=f"damaged: its member '{member}'"):
        read_archive(path)


def test_no_flipped_bit_gives_other_values(path: Path) -> None:
    """Wherever it is: in what is written twice or means nothing, it changes nothing."""
    whole = path.read_bytes()
    for place in range(0, len(whole), 3):
        content = bytearray(whole)
        content[place] ^= 1 << (place % 8)
        path.write_bytes(content)
        with suppress(StorageError):
            assert is_whole(path)


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.99])
def test_a_truncated_file_is_refused(path: Path, share: float) -> None:
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(StorageError, match="no saved fit, or not all of one"):
        read_archive(path)


def test_another_zip_is_refused(path: Path) -> None:
    np.savez(path.with_suffix(".npz"), x=np.ones(2))
    with pytest.raises(StorageError, match=r"fit\.json"):
        read_archive(path.with_suffix(".npz"))


def test_nothing_is_unpickled(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as members:
        members.writestr("fit.json", '{"members": ["family/evil.npy"]}')
        with members.open("family/evil.npy", "w") as member:
            np.lib.format.write_array(member, np.array([{}], object), allow_pickle=True)
    with pytest.raises(StorageError, match=r"family/evil\.npy"):
        read_archive(path)


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as caught:
        write_archive(tmp_path / "removed" / "held.fit", HELD)
    assert "Nothing was saved" in caught.value.__notes__[0]


def test_what_is_no_file_is_not_replaced(tmp_path: Path) -> None:
    for place in (tmp_path, Path(os.devnull)):
        with pytest.raises(StorageError, match="is no file"):
            write_archive(place, HELD)
    assert Path(os.devnull).is_char_device()


def test_a_link_is_followed(path: Path) -> None:
    link = path.with_name("link.fit")
    link.symlink_to(path)
    write_archive(link, Archive({"other": 1}, {}))
    assert link.is_symlink()
    assert read_archive(path).text == {"other": 1}


def test_a_full_disk_leaves_what_was_there(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    @contextmanager
    def full(beside: Path) -> Any:
        beside.touch()
        with open("/dev/full", "wb", buffering=0) as file:
            yield file

    monkeypatch.setattr(archive, "_opened", full)
    with pytest.raises(OSError, match="No space left") as caught:
        write_archive(path, Archive({"other": 1}, {}))
    assert caught.value.errno == errno.ENOSPC
    assert "as it was" in caught.value.__notes__[0]
    assert is_whole(path)
    assert os.listdir(path.parent) == [path.name]


@pytest.mark.parametrize("step", ["fsync", "replace"])
def test_a_write_that_fails_late_leaves_what_was_there(
    path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    def fails(*_: Any) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, step, fails)
    with pytest.raises(OSError, match="Input/output"):
        write_archive(path, Archive({"other": 1}, {}))
    assert is_whole(path)
    assert os.listdir(path.parent) == [path.name]


def test_a_write_that_is_interrupted_leaves_what_was_there(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_archive(path, Archive({"other": 1}, {}))
    assert is_whole(path)
    assert os.listdir(path.parent) == [path.name]

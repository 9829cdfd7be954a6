"""Programs on disk: nobody else's settings are touched."""

import errno
import itertools
import json
import logging
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.experimental.compilation_cache import compilation_cache

import taut
from engine.watching import fit, hits, new_target, scaled
from taut.engine import Programs
from taut.engine.disk_cache import cache_directory, persistent_cache
from taut.engine.program_files import ProgramFiles
from taut.errors import ArgumentError

CONFIG = (
    "jax_compilation_cache_dir",
    "jax_enable_compilation_cache",
    "jax_enable_x64",
    "jax_persistent_cache_min_compile_time_secs",
    "jax_persistent_cache_min_entry_size_bytes",
)

DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "a bit in the middle": lambda whole: flipped(whole, len(whole) // 2),
    "a bit at the end": lambda whole: flipped(whole, len(whole) - 1),
    "a bit of the digest": lambda whole: flipped(whole, 3),
    "truncated": lambda whole: whole[: len(whole) // 2],
    "empty": lambda whole: b"",
    "nonsense": lambda whole: b"nonsense" * 100,
}


def flipped(whole: bytes, place: int) -> bytes:
    """Flip a bit."""
    return whole[:place] + bytes([whole[place] ^ 16]) + whole[place + 1 :]


# What JAX has where nobody says otherwise.
KEPT: dict[str, Any] = {
    "jax_compilation_cache_dir": None,
    "jax_persistent_cache_min_compile_time_secs": 1.0,
    "jax_persistent_cache_min_entry_size_bytes": 0,
}


def config() -> dict[str, Any]:
    """JAX's settings as the user sees them."""
    return {name: getattr(jax.config, name) for name in CONFIG}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder that taut is told to use."""
    taut.set_cache_directory(tmp_path / "programs")
    return tmp_path / "programs"


def kept(folder: Path) -> set[str]:
    """The names of the programs in a folder."""
    return {path.name.partition("-")[0] for path in folder.glob("**/*-cache")}


@contextmanager
def user_setting(**settings: Any) -> Iterator[None]:
    """JAX as a user has set it."""
    before = {name: getattr(jax.config, name) for name in settings}
    for name, value in settings.items():
        jax.config.update(name, value)
    try:
        yield
    finally:
        for name, value in before.items():
            jax.config.update(name, value)
        # A user's folder stays open until then, as JAX has it.
        compilation_cache.reset_cache()


@pytest.fixture(autouse=True)
def _a_user_who_has_set_nothing(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """JAX without the folder in which the tests' own programs are kept."""
    for name in (name.upper() for name in KEPT):
        monkeypatch.delenv(name, raising=False)
    with user_setting(**KEPT):
        compilation_cache.reset_cache()
        yield


def compile_one() -> None:
    """Compile a small program, as taut does all of its own."""
    Programs()(scaled, 2, np.ones(5))


def test_programs_are_kept_and_found_again(folder: Path) -> None:
    with hits() as first:
        one = fit(new_target())
    assert {"jit__init", "jit_run_chunk"} <= kept(folder)
    with hits() as second:
        other = fit(new_target())
    assert len(first) == 0
    assert len(second) >= 2
    np.testing.assert_array_equal(one.hist, other.hist)


def test_programs_of_the_user_are_not_kept(folder: Path) -> None:
    compile_one()
    # However short their compilation, which JAX by itself would not keep.
    with user_setting(jax_persistent_cache_min_compile_time_secs=0.0):
        jax.jit(lambda x: jnp.sin(x) + 1)(np.ones(3))
    assert kept(folder) == {"jit_scaled"}


def test_a_folder_the_user_sets_later_is_not_mistaken_for_tauts(
    folder: Path, tmp_path: Path
) -> None:
    def mine(x: Any) -> Any:
        return jnp.cos(x) * 3

    compile_one()
    own = tmp_path / "own"
    with user_setting(
        jax_compilation_cache_dir=str(own), jax_persistent_cache_min_compile_time_secs=0.0
    ):
        jax.jit(mine)(np.ones(3))
    assert kept(own) == {"jit_mine"}
    assert kept(folder) == {"jit_scaled"}


def test_a_users_own_folder_is_used_for_taut_too(folder: Path, tmp_path: Path) -> None:
    own = tmp_path / "own"
    with user_setting(
        jax_compilation_cache_dir=str(own), jax_persistent_cache_min_compile_time_secs=0.0
    ):
        compile_one()
    assert "jit_scaled" in kept(own)
    assert not folder.exists()


def test_settings_of_jax_are_left_as_they_were(folder: Path) -> None:
    before = config()
    during: list[dict[str, Any]] = []
    fit(new_target(), callbacks=[lambda *_: during.append(config())]).sample(10)
    assert config() == before
    # Within a fit only the precision differs, which the fit's own thread has for itself.
    assert {**during[-1], "jax_enable_x64": before["jax_enable_x64"]} == before


def test_settings_are_left_as_they_were_where_compiling_fails(folder: Path) -> None:
    before = config()
    with pytest.raises(ZeroDivisionError), persistent_cache():
        raise ZeroDivisionError
    assert config() == before


def test_no_folder_keeps_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platformdirs.user_cache_dir", lambda name: str(tmp_path / name))
    monkeypatch.delenv("TAUT_CACHE_DIR")
    taut.set_cache_directory(None)
    compile_one()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("word", ["off", "OFF", "0", "none", "False", ""])
def test_the_environment_can_turn_it_off(
    word: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("platformdirs.user_cache_dir", lambda name: str(tmp_path / name))
    monkeypatch.setenv("TAUT_CACHE_DIR", word)
    assert cache_directory() is None
    compile_one()
    assert list(tmp_path.iterdir()) == []


def test_the_default_folder_is_made_when_it_is_needed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("platformdirs.user_cache_dir", lambda name: str(tmp_path / name))
    monkeypatch.delenv("TAUT_CACHE_DIR")
    compile_one()
    assert kept(tmp_path / "taut" / "programs") == {"jit_scaled"}


def test_the_folder_is_chosen_by_call_then_environment_then_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("platformdirs.user_cache_dir", lambda name: str(tmp_path / name))
    monkeypatch.delenv("TAUT_CACHE_DIR")
    assert cache_directory() == tmp_path / "taut" / "programs"
    monkeypatch.setenv("TAUT_CACHE_DIR", "~/elsewhere")
    assert cache_directory() == Path.home() / "elsewhere"
    taut.set_cache_directory(tmp_path / "chosen")
    assert cache_directory() == tmp_path / "chosen"
    taut.set_cache_directory("~/chosen")
    assert cache_directory() == Path.home() / "chosen"


@pytest.mark.parametrize("below", [".", "a/b"])
def test_a_folder_that_can_not_be_made_breaks_no_fit(
    below: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Below a regular file: root, which tests may run as, could write anywhere else."""
    (tmp_path / "file").write_text("mine")
    taut.set_cache_directory(tmp_path / "file" / below)
    with caplog.at_level(logging.WARNING, logger="taut"):
        fit(new_target())
        compile_one()
    assert len(caplog.messages) == 1
    assert "set_cache_directory" in caplog.text
    assert (tmp_path / "file").read_text() == "mine"


def test_the_folder_is_made_for_its_user_alone(folder: Path) -> None:
    compile_one()
    assert folder.stat().st_mode & 0o777 == 0o700


def test_a_folder_that_others_can_write_to_is_not_used(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder.mkdir()
    folder.chmod(0o777)
    with caplog.at_level(logging.WARNING, logger="taut"):
        compile_one()
        compile_one()
    assert kept(folder) == set()
    assert len(caplog.messages) == 1
    assert "others can write" in caplog.text


@pytest.mark.parametrize("setting", [None, "~/programs"])
def test_a_user_without_a_home_fits_without_a_cache(
    setting: str | None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(os.path, "expanduser", os.fspath)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.delenv("TAUT_CACHE_DIR", raising=False)
    if setting is not None:
        monkeypatch.setenv("TAUT_CACHE_DIR", setting)
    with caplog.at_level(logging.WARNING, logger="taut"):
        compile_one()
        compile_one()
    assert list(tmp_path.iterdir()) == []
    assert len(caplog.messages) == 1
    assert "no home folder" in caplog.text


def test_a_folder_of_another_user_is_not_used(
    folder: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder.mkdir(mode=0o700)
    owner = os.geteuid() or 4321
    os.chown(folder, owner, -1)
    monkeypatch.setattr(os, "geteuid", lambda: owner + 1)
    with caplog.at_level(logging.WARNING, logger="taut"):
        compile_one()
    assert kept(folder) == set()
    assert f"belongs to another user ({owner})" in caplog.text


def programs(folder: Path) -> dict[str, bytes]:
    """All programs in a folder."""
    return {path.name: path.read_bytes() for path in folder.glob("**/*-cache")}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_program_is_replaced(damage: str, folder: Path) -> None:
    compile_one()
    (whole,) = programs(folder).values()
    (path,) = folder.glob("**/*-cache")
    path.write_bytes(DAMAGES[damage](whole))
    with hits() as found:
        compile_one()
    assert len(found) == 0
    with hits() as found:
        compile_one()
    assert len(found) == 1


def test_a_program_under_the_name_of_another_is_not_run(folder: Path) -> None:
    compile_one()
    (mine,) = folder.glob("**/*-cache")
    Programs()(other_function, np.ones(5))
    (other,) = set(folder.glob("**/*-cache")) - {mine}
    mine.write_bytes(other.read_bytes())
    np.testing.assert_array_equal(Programs()(scaled, 2, np.ones(5)), np.ones(5))


def other_function(x: Any) -> Any:
    """A function whose program takes and gives what that of `scaled` does."""
    return 7.0 * x


def test_a_full_disk_ends_no_fit(
    folder: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: Path, content: bytes) -> None:
        self.touch()
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "write_bytes", full)
    with caplog.at_level(logging.WARNING, logger="taut"):
        fit(new_target())
    assert len(caplog.messages) == 1
    assert "No space left" in caplog.text
    assert list(folder.iterdir()) == []


def test_what_was_not_used_for_longest_goes(tmp_path: Path) -> None:
    files = ProgramFiles(tmp_path, max_bytes=1000)
    for number in range(9):
        files.put(f"{number}", bytes(68))
        os.utime(tmp_path / f"{number}-cache", (number, number))
    assert files.get("0") == bytes(68)
    # The tenth fits, and the next does not: so many stay that another fits.
    files.put("9", bytes(68))
    assert len(programs(tmp_path)) == 10
    files.put("10", bytes(68))
    assert set(programs(tmp_path)) == {f"{name}-cache" for name in (0, *range(3, 11))}


def test_what_other_processes_write_is_counted(tmp_path: Path) -> None:
    first, second = (ProgramFiles(tmp_path, max_bytes=1000) for _ in range(2))
    for number in range(50):
        (first, second)[number % 2].put(f"{number}", bytes(68))
    # What one writes before it looks again is at most what fits.
    assert sum(map(len, programs(tmp_path).values())) <= 2000


def test_a_program_larger_than_all_may_be_is_not_kept(tmp_path: Path) -> None:
    files = ProgramFiles(tmp_path, max_bytes=100)
    files.put("small", bytes(50))
    files.put("large", bytes(101))
    assert set(programs(tmp_path)) == {"small-cache"}


def test_what_a_kill_left_of_a_write_goes(tmp_path: Path) -> None:
    for name, age in {".old.part": 7200, ".new.part": 0}.items():
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (time.time() - age,) * 2)
    (tmp_path / "of-somebody-else").touch()
    ProgramFiles(tmp_path, max_bytes=100).put("one", bytes(50))
    assert {path.name for path in tmp_path.iterdir()} == {
        ".new.part", "of-somebody-else", "one-cache",
    }  # fmt: skip


def test_the_size_can_be_chosen(tmp_path: Path) -> None:
    taut.set_cache_directory(tmp_path, max_bytes=10)
    compile_one()
    assert kept(tmp_path) == set()
    with pytest.raises(ArgumentError, match="max_bytes must be a positive integer, got 0"):
        taut.set_cache_directory(tmp_path, max_bytes=0)


SCRIPT = """
import json, sys
import jax
events = []
jax.monitoring.register_event_listener(lambda event, **more: events.append(event))
import taut
from cases import regression
target = regression(2).target()
approx = taut.fit(100, method="advi", model=target, random_seed=1, progressbar=False)
print(json.dumps({"hits": events.count("/jax/compilation_cache/cache_hits"),
                  "misses": events.count("/jax/compilation_cache/cache_misses"),
                  "last": float(approx.hist[-1])}))
"""


def told_by_a_process(folder: Path) -> dict[str, Any]:
    """Fit in another process, which keeps its programs in a folder."""
    environment = os.environ | {
        "TAUT_CACHE_DIR": str(folder),
        "PYTHONPATH": str(Path(__file__).parents[1]),
    }
    run = subprocess.run(
        [sys.executable, "-W", "error:Error reading", "-c", SCRIPT],
        env=environment, check=True, capture_output=True, text=True,
    )  # fmt: skip
    return json.loads(run.stdout)


def test_other_processes_find_programs_and_replace_damaged_ones(tmp_path: Path) -> None:
    first, second = (told_by_a_process(tmp_path) for _ in range(2))
    assert first["hits"] == 0
    assert first["misses"] >= 2
    assert second["hits"] == first["misses"]
    assert second["misses"] == 0
    assert "jit_run_chunk" in kept(tmp_path)
    # Every program of a fit, damaged in each way in turn.
    for (name, whole), damage in zip(
        programs(tmp_path).items(), itertools.cycle(DAMAGES.values()), strict=False
    ):
        (tmp_path / name).write_bytes(damage(whole))
    third, fourth = (told_by_a_process(tmp_path) for _ in range(2))
    assert (third["hits"], third["misses"]) == (0, first["misses"])
    assert fourth["hits"] == first["misses"]
    assert len({told["last"] for told in (first, second, third, fourth)}) == 1

"""Programs on disk: nobody else's settings are touched."""

import json
import logging
import os
import subprocess
import sys
from collections.abc import Iterator
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

CONFIG = (
    "jax_compilation_cache_dir",
    "jax_enable_compilation_cache",
    "jax_enable_x64",
    "jax_persistent_cache_min_compile_time_secs",
    "jax_persistent_cache_min_entry_size_bytes",
)

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


def test_a_spoilt_program_is_compiled_anew(folder: Path) -> None:
    compile_one()
    for path in folder.glob("**/*-cache"):
        path.write_bytes(b"nonsense")
    with pytest.warns(UserWarning, match="Error reading persistent compilation cache"):
        compile_one()


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


def test_a_second_process_finds_the_programs_of_the_first(tmp_path: Path) -> None:
    environment = os.environ | {
        "TAUT_CACHE_DIR": str(tmp_path),
        "PYTHONPATH": str(Path(__file__).parents[1]),
    }
    command = [sys.executable, "-c", SCRIPT]
    told = [
        json.loads(
            subprocess.run(
                command, env=environment, check=True, capture_output=True, text=True
            ).stdout
        )
        for _ in range(2)
    ]
    assert told[0]["hits"] == 0
    assert told[0]["misses"] >= 2
    assert told[1]["hits"] == told[0]["misses"]
    assert told[1]["misses"] == 0
    assert told[0]["last"] == told[1]["last"]
    assert "jit_run_chunk" in kept(tmp_path)

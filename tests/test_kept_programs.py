"""The folder of programs that tests compile."""

import os
import sys
from pathlib import Path

import jax
import pytest

from blas import THREADS, limit_blas
from kept_programs import BYTECODE, FOLDER, NO_BYTECODE, keep_bytecode, keep_programs, trim


def test_programs_of_tests_are_kept_apart_from_the_user_s() -> None:
    environment: dict[str, str] = {}
    keep_programs(environment)
    assert environment["TAUT_CACHE_DIR"] == "off"
    assert environment[FOLDER].endswith(os.path.join("taut", "tests"))
    assert jax.config.jax_compilation_cache_dir == os.environ[FOLDER]


def test_a_folder_that_was_chosen_is_taken() -> None:
    environment = {FOLDER: "mine"}
    keep_programs(environment)
    assert environment[FOLDER] == "mine"


def test_bytecode_is_kept_apart_where_it_is_not_to_be_beside_the_sources(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(sys, "pycache_prefix", None)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    plain: dict[str, str] = {}
    keep_bytecode(plain)
    assert plain == {}
    assert sys.pycache_prefix is None
    environment = {NO_BYTECODE: "1", BYTECODE: str(tmp_path)}
    keep_bytecode(environment)
    assert environment == {BYTECODE: str(tmp_path)}
    assert (sys.pycache_prefix, sys.dont_write_bytecode) == (str(tmp_path), False)


def test_threads_that_were_chosen_are_taken() -> None:
    environment = {THREADS: "2"}
    limit_blas(environment)
    assert environment == {THREADS: "2"}


def test_the_oldest_programs_go_first(tmp_path: Path) -> None:
    for age in range(4):
        path = tmp_path / f"{age}-cache"
        path.write_bytes(bytes(10))
        os.utime(path, (1e9 - age, 1e9 - age))
    trim(tmp_path, 25)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0-cache", "1-cache"]
    trim(tmp_path / "missing", 25)

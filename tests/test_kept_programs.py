"""The folder of programs that tests compile."""

import os
from pathlib import Path

import jax

from kept_programs import FOLDER, keep_programs, trim


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


def test_the_oldest_programs_go_first(tmp_path: Path) -> None:
    for age in range(4):
        path = tmp_path / f"{age}-cache"
        path.write_bytes(bytes(10))
        os.utime(path, (1e9 - age, 1e9 - age))
    trim(tmp_path, 25)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0-cache", "1-cache"]
    trim(tmp_path / "missing", 25)

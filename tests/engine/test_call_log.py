"""Results of programs on disk: whole ones come back, and nothing else does."""

from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest

from taut.engine import CallLog, Programs


def double(scale: Any, x: Any) -> dict[str, Any]:
    return {"twice": scale * x, "sum": jnp.sum(x)}


def halve(scale: Any, x: Any) -> dict[str, Any]:
    return {"twice": x / scale, "sum": jnp.sum(x)}


POINTS = [np.arange(3.0) + i for i in range(4)]


def results(path: Path, points: list[np.ndarray] = POINTS) -> tuple[list[Any], int]:
    """Call two programs, and tell how many had to be compiled."""
    programs = Programs()
    bound = programs.bind(double, np.float64(2.0))
    with programs.kept_in(CallLog(path, 60.0)):
        made = [bound(point) for point in points] + [programs(halve, np.float64(2.0), points[0])]
    return made, programs.count


def assert_equal(first: list[Any], second: list[Any]) -> None:
    for one, other in zip(first, second, strict=True):
        assert one.keys() == other.keys()
        for name in one:
            np.testing.assert_array_equal(one[name], other[name])
            assert one[name].dtype == other[name].dtype


def test_what_was_computed_is_recalled_without_a_program(tmp_path: Path) -> None:
    first, compiled = results(tmp_path / "log")
    again, none = results(tmp_path / "log")
    assert (compiled, none) == (2, 0)
    assert_equal(first, again)


@pytest.mark.parametrize("share", [0.0, 0.3, 0.5, 0.99])
def test_a_log_that_was_cut_off_anywhere_goes_on(tmp_path: Path, share: float) -> None:
    path = tmp_path / "log"
    first, _ = results(path)
    size = path.stat().st_size
    with open(path, "r+b") as file:
        file.truncate(int(share * size))
    again, compiled = results(path)
    assert compiled > 0
    assert_equal(first, again)
    assert path.stat().st_size == size


def test_a_bit_that_was_flipped_is_not_believed(tmp_path: Path) -> None:
    path = tmp_path / "log"
    first, _ = results(path)
    content = path.read_bytes()
    for place in np.random.default_rng(0).choice(len(content), 12, replace=False):
        path.write_bytes(
            content[:place] + bytes([content[place] ^ 1 << int(place) % 8]) + content[place + 1 :]
        )
        again, _ = results(path)
        assert_equal(first, again)


def test_other_arguments_are_other_calls(tmp_path: Path) -> None:
    results(tmp_path / "log")
    others = [point + 0.5 for point in POINTS]
    found, compiled = results(tmp_path / "log", others)
    assert compiled == 2
    np.testing.assert_array_equal(found[0]["twice"], 2 * others[0])


def test_programs_inside_a_function_on_the_host_are_not_kept(tmp_path: Path) -> None:
    programs, path = Programs(), tmp_path / "log"

    def compute() -> list[np.ndarray]:
        return [np.asarray(programs(double, np.float64(2.0), POINTS[0])["twice"])]

    found = []
    for _ in range(2):
        with programs.kept_in(CallLog(path, 60.0)):
            found += programs.on_host("an epoch", [POINTS[0]], compute)
    np.testing.assert_array_equal(found[0], found[1])
    assert path.stat().st_size < 200
    assert programs.count == 1


def test_a_full_disk_ends_the_log_and_not_the_fit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log, programs = CallLog(tmp_path / "log", 60.0), Programs()

    class Full:
        def __getattr__(self, name: str) -> Any:
            return getattr(file, name)

        def write(self, content: bytes) -> int:
            raise OSError(28, "No space left on device")

    file = log._file
    monkeypatch.setattr(log, "_file", Full())
    with pytest.warns(UserWarning, match="No space left"), programs.kept_in(log):
        made = [programs(double, np.float64(2.0), point) for point in POINTS]
    np.testing.assert_array_equal(made[3]["twice"], 2 * POINTS[3])

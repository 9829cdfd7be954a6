"""Faults at every stage of a fit: what was raised is raised, and nothing that was kept is lost."""

import copy
import itertools
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pymc as pm
import pytest
from jax.errors import JaxRuntimeError

import taut
from approximation.round_trips import is_the_same
from process_state import ProcessState
from taut.approximation import drawing
from taut.chains import Chains
from taut.engine import programs
from taut.errors import RowsError
from taut.frontend.pymc import source
from taut.gradients import Gradients
from taut.method import gaussian_stages
from taut.modes import Search
from taut.rows import packing

QUIET: Any = {"random_seed": 5, "progressbar": False}


def schools() -> pm.Model:
    """A hierarchy whose fit goes through every stage to a repair."""
    with pm.Model() as model:
        mu, tau = pm.Normal("mu", 0.0, 5.0), pm.HalfNormal("tau", 3.0)
        theta = pm.Normal("theta", mu, tau, shape=4)
        pm.Normal("y", theta, [15.0, 10.0, 16.0, 11.0], observed=[28.0, 8.0, -3.0, 7.0])
    return model


@pytest.fixture(scope="module")
def whole() -> taut.Approximation:
    """The fit that nothing disturbs."""
    return taut.fit(model=schools(), **QUIET)


def assert_equal(first: taut.Approximation, second: taut.Approximation) -> None:
    for one, other in zip(
        jax.tree.leaves(first.family), jax.tree.leaves(second.family), strict=True
    ):
        np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(first.hist, second.hist)
    assert first.stopped == second.stopped


class Op(Exception):
    """Somebody's own."""


def out_of_memory() -> Exception:
    """What XLA raises."""
    return JaxRuntimeError("RESOURCE_EXHAUSTED: Out of memory allocating 8 bytes.")


# Where a fault comes, at which call of that, and what it is.
STAGES: dict[str, tuple[Any, str, int, Callable[[], Exception]]] = {
    "lift": (source, "lift", 1, lambda: Op("of a rewrite")),
    "compile": (programs, "_compile", 1, out_of_memory),
    "compile, later": (programs, "_compile", 4, lambda: MemoryError("in LLVM")),
    "the first gradients": (Gradients, "_evaluate", 1, lambda: Op("of an Op")),
    "gradients": (Gradients, "_evaluate", 9, out_of_memory),
    "path": (Search, "run", 1, lambda: MemoryError("in a path")),
    "curvature": (gaussian_stages, "laplace_at", 1, lambda: np.linalg.LinAlgError("singular")),
    "match": (gaussian_stages, "batch_match", 1, lambda: np.linalg.LinAlgError("singular")),
    "check": (Chains, "run", 1, lambda: Op("in the check")),
    "repair": (Chains, "run", 4, lambda: MemoryError("in the repair")),
}


@pytest.fixture
def broken(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Let the so many-th call of a function fail."""

    def let_fail(place: Any, name: str, count: int, fault: Callable[[], BaseException]) -> None:
        calls, function = [0], getattr(place, name)

        def failing(*args: Any, **more: Any) -> Any:
            calls[0] += 1
            if calls[0] == count:
                raise fault()
            return function(*args, **more)

        monkeypatch.setattr(place, name, failing)

    return let_fail


@pytest.mark.parametrize("stage", STAGES)
def test_a_fault_loses_nothing(
    stage: str, whole: taut.Approximation, tmp_path: Path, broken: Callable[..., None]
) -> None:
    folder, before = tmp_path / "fit", ProcessState.now()
    broken(*STAGES[stage])
    fault = STAGES[stage][-1]()
    with pytest.raises(type(fault)) as caught:
        taut.fit(model=schools(), **QUIET, checkpoint=folder)
    assert str(caught.value) == str(fault)
    assert before.changes() == []
    if stage == "lift":
        # Before there is an approximation, or a folder.
        assert not folder.exists()
        assert_equal(taut.fit(model=schools(), **QUIET, checkpoint=folder), whole)
        return
    approx: Any = caught.value.approx  # pyright: ignore[reportAttributeAccessIssue]
    assert any("`approx`" in note for note in caught.value.__notes__)
    assert np.isfinite(approx.unconstrained_draws(10, random_seed=1)).all()
    # The fault was that of a moment.
    resumed = taut.resume(folder, model=schools(), progressbar=False)
    assert_equal(resumed, whole)
    assert str(resumed.diagnose().verdict) == str(whole.diagnose().verdict)


@pytest.mark.parametrize("kind", [out_of_memory, lambda: MemoryError("for draws")])
def test_a_fault_in_draws_leaves_the_fit(
    kind: Callable[[], Exception], whole: taut.Approximation, broken: Callable[..., None]
) -> None:
    approx, before = copy.copy(whole), copy.copy(whole)
    broken(drawing, "by_blocks", 2, kind)
    with pytest.raises(type(kind()), match=str(kind())):
        approx.sample(10, random_seed=1)
    assert is_the_same(approx, before)


ROWS, BLOCK = 120, 30
# The block of a pass that fails, from which pass on, and the passes that were begun.
FAULT: dict[str, Any] = {"block": None, "first": 1, "passes": 0}


def blocks() -> Iterator[dict[str, np.ndarray]]:
    """Yield rows, a block at a time; a checkpoint names this function."""
    values = np.random.default_rng(0).normal(size=ROWS)
    FAULT["passes"] += 1
    fails = FAULT["passes"] >= FAULT["first"]
    for number in range(ROWS // BLOCK):
        if fails and number == FAULT["block"]:
            raise Op(f"block {number}")
        yield {"seen": values[number * BLOCK :][:BLOCK]}


def stream(**more: Any) -> taut.Approximation:
    with pm.Model() as model:
        seen = pm.Data("seen", np.zeros(BLOCK))
        pm.Normal("y", pm.Normal("at"), 1.0, observed=seen)
    if "resume" in more:
        return taut.resume(more["resume"], model=model, progressbar=False)
    rows = taut.IterableRows(blocks, rows=ROWS)
    return taut.fit(model=model, rows=rows, batch_size=BLOCK, **more, **QUIET)


@pytest.fixture
def in_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Read a source block by block, as if it were large."""
    monkeypatch.setattr(packing, "IN_MEMORY_BYTES", 100)
    monkeypatch.setattr("taut.batches.stream._BATCHES", 1)


@pytest.mark.usefixtures("in_blocks")
@pytest.mark.parametrize("how", [{"n": 13, "method": "advi"}, {"method": "batch_match"}])
def test_a_fault_in_any_block_of_a_stream_loses_nothing(
    how: dict[str, Any], tmp_path: Path
) -> None:
    FAULT.update(block=None)
    whole, before = stream(**how), ProcessState.now()
    under_way = 0
    # The first passes look at the source, before there is a fit.
    for first, block in itertools.product((1, 4, 5), range(ROWS // BLOCK)):
        FAULT.update(block=block, first=first, passes=0)
        folder, every = tmp_path / f"{first}-{block}", {"every": 2} if "n" in how else {}
        with pytest.raises(RowsError) as caught:
            stream(**how, checkpoint=folder, **every)
        FAULT.update(block=None)
        assert str(caught.value.__cause__) == f"block {block}"
        assert before.changes() == []
        if (folder / "checkpoint").exists():
            under_way += 1
            assert isinstance(caught.value.approx, taut.Approximation)
            fit = stream(resume=folder)
        else:
            fit = stream(**how, checkpoint=folder, **every)
        assert_equal(fit, whole)
    assert under_way >= 8


@pytest.mark.usefixtures("in_blocks")
def test_what_a_source_raises_carries_the_fit() -> None:
    FAULT.update(block=3, first=4, passes=0)
    with pytest.raises(RowsError, match="The iterable raised Op") as caught:
        stream(n=40, method="advi")
    FAULT.update(block=None)
    assert isinstance(caught.value.approx, taut.Approximation)
    assert 0 < len(caught.value.approx.hist) < 40


def remove(folder: Path, at: int) -> Callable[..., None]:
    """Return a callback that removes a folder at a step."""

    def callback(approx: Any, losses: Any, i: int) -> None:
        if i == at:
            shutil.rmtree(folder)

    return callback


def test_a_folder_that_is_removed_under_way_ends_no_fit_by_steps(tmp_path: Path) -> None:
    folder, how = tmp_path / "fit", {"n": 120, "method": "advi", **QUIET}
    with pytest.warns(UserWarning, match="could not be written"):
        approx = taut.fit(
            model=schools(), **how, checkpoint=folder, every=50, callbacks=[remove(folder, 60)]
        )
    assert_equal(approx, taut.fit(model=schools(), **how))


def test_a_folder_that_is_removed_under_way_ends_no_other_fit(
    whole: taut.Approximation, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, run = tmp_path / "fit", Search.run

    def removed(*args: Any) -> Any:
        shutil.rmtree(folder)
        return run(*args)

    monkeypatch.setattr(Search, "run", removed)
    with pytest.warns(UserWarning, match="could not be written"):
        approx = taut.fit(model=schools(), **QUIET, checkpoint=folder)
    assert_equal(approx, whole)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own, of 64 kB."""
    place = tmp_path / "disk"
    place.mkdir(mode=0o700)
    command = ["mount", "-t", "tmpfs", "-o", "size=64k,mode=700", "none", str(place)]
    if not shutil.which("mount") or subprocess.run(command, capture_output=True).returncode:
        pytest.skip("only root, with the right to mount, can make a file system")
    try:
        yield place
    finally:
        subprocess.run(["umount", str(place)], check=True)


def test_a_full_disk_keeps_what_was_saved(whole: taut.Approximation, small_disk: Path) -> None:
    small = taut.fit(9, "advi", model=schools(), **QUIET)
    small.save(small_disk / "kept.fit")
    before = (small_disk / "kept.fit").read_bytes()
    with pytest.raises(OSError, match="No space left") as caught:
        whole.save(small_disk / "kept.fit")
    assert "as it was" in caught.value.__notes__[0]
    assert (small_disk / "kept.fit").read_bytes() == before
    assert os.listdir(small_disk) == ["kept.fit"]


def test_a_full_disk_keeps_the_last_checkpoint_and_then_the_next(small_disk: Path) -> None:
    folder, filler, found = small_disk / "fit", small_disk / "filler", []

    def callback(approx: Any, losses: Any, i: int) -> None:
        if i == 50:
            with suppress(OSError), open(filler, "wb", buffering=0) as file:
                while True:
                    file.write(bytes(4096))
        if i == 90:
            found.append((folder / "checkpoint").read_bytes())
            filler.unlink()

    callback.every = 10
    how: Any = {"n": 150, "method": "advi", **QUIET}
    with pytest.warns(UserWarning, match="No space left"):
        approx = taut.fit(model=schools(), **how, checkpoint=folder, every=20, callbacks=[callback])
    whole = taut.fit(model=schools(), **how)
    assert_equal(approx, whole)
    assert_equal(taut.resume(folder, model=schools()), whole)
    # What was there while the disk was full goes on as well, with the callbacks it had.
    (folder / "checkpoint").write_bytes(found[0])
    with pytest.warns(UserWarning, match="No space left"):
        assert_equal(taut.resume(folder, model=schools(), progressbar=False), whole)


def test_a_disk_that_is_full_for_the_results_of_an_automatic_fit(
    whole: taut.Approximation, small_disk: Path
) -> None:
    with pytest.warns(UserWarning, match="No space left"):
        approx = taut.fit(model=schools(), **QUIET, checkpoint=small_disk / "fit")
    assert_equal(approx, whole)

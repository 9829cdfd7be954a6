"""Fits that are stopped and resumed are equal, to the last bit, to those that were not."""

import copy
import shutil
import signal
import subprocess
import sys
import threading
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jax
import numpy as np
import optax
import pyarrow
import pyarrow.parquet
import pymc as pm
import pytest

import taut
from taut.approximation import checkpoint
from taut.batches import Stream
from taut.chains import Chains
from taut.errors import ArgumentError, RowsError, StorageError
from taut.rows import packing

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=3000)
Y = 1.0 + 2.0 * X + RANDOM.normal(size=len(X))
QUIET: Any = {"random_seed": 5, "progressbar": False}


def line(y: np.ndarray = Y, sd: float = 5.0) -> pm.Model:
    with pm.Model() as model:
        x = pm.Data("x", X)
        at = pm.Normal("at", shape=2)
        pm.Normal("seen", at[0] + at[1] * x, pm.HalfNormal("scale", sd), observed=y)
    return model


def schools() -> pm.Model:
    with pm.Model() as model:
        mu, tau = pm.Normal("mu", 0.0, 5.0), pm.HalfNormal("tau", 3.0)
        theta = pm.Normal("theta", mu, tau, shape=4)
        pm.Normal("y", theta, [15.0, 10.0, 16.0, 11.0], observed=[28.0, 8.0, -3.0, 7.0])
    return model


class Killed(BaseException):
    """What ends a fit as a kill does: nothing is written after it."""


@pytest.fixture
def stop(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """Let a fit write so many checkpoints, and end in the next one."""

    def after(count: int) -> None:
        written, write = [0], checkpoint.write_archive

        def write_or_die(*args: Any) -> None:
            written[0] += 1
            if written[0] > count:
                monkeypatch.setattr(checkpoint, "write_archive", write)
                raise Killed
            write(*args)

        monkeypatch.setattr(checkpoint, "write_archive", write_or_die)

    return after


def assert_equal(first: taut.Approximation, second: taut.Approximation) -> None:
    for one, other in zip(
        jax.tree.leaves(first.family), jax.tree.leaves(second.family), strict=True
    ):
        np.testing.assert_array_equal(one, other)
        assert np.asarray(one).dtype == np.asarray(other).dtype
    np.testing.assert_array_equal(first.hist, second.hist)
    assert first.stopped == second.stopped


STEPS: dict[str, dict[str, Any]] = {
    "advi": {"n": 300, "method": "advi"},
    "auto": {"n": 900, "method": "fullrank_advi", "step_size": "auto"},
    "epochs": {"n": 300, "method": "advi", "batch_size": 128},
    "replace": {"n": 200, "method": "advi", "batch_size": 128, "replace": True},
    "optax": {"n": 200, "method": "advi", "obj_optimizer": optax.adam(0.01)},
}


@pytest.mark.filterwarnings("ignore:The fit reached the cap")
@pytest.mark.parametrize("kind", STEPS)
def test_steps_go_on(kind: str, tmp_path: Path, stop: Callable[[int], None]) -> None:
    whole = taut.fit(model=line(), **STEPS[kind], **QUIET)
    for every, count in ((7, 11), (50, 1)):
        stop(count)
        folder = tmp_path / f"{every}"
        with pytest.raises(Killed):
            taut.fit(model=line(), **STEPS[kind], **QUIET, checkpoint=folder, every=every)
        resumed = taut.resume(folder, model=line(), progressbar=False)
        assert_equal(resumed, whole)
        assert_equal(taut.resume(folder, model=line()), whole)


def test_a_callback_goes_on_with_what_it_knows(tmp_path: Path, stop: Callable[[int], None]) -> None:
    def given() -> dict[str, Any]:
        seen = taut.callbacks.Tracker(every=25, i=lambda approx, losses, i: (i, len(losses)))
        settled = taut.callbacks.CheckParametersConvergence(every=50, tolerance=0.02)
        return {"n": 2000, "method": "advi", "callbacks": [seen, settled]}

    whole = taut.fit(model=line(), **given(), **QUIET)
    stop(4)
    with pytest.raises(Killed):
        taut.fit(model=line(), **given(), **QUIET, checkpoint=tmp_path / "fit", every=60)
    resumed = taut.resume(tmp_path / "fit", model=line(), progressbar=False)
    assert_equal(resumed, whole)


def test_rows_of_a_stream_go_on_where_they_were(
    tmp_path: Path, stop: Callable[[int], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "rows.parquet"
    pyarrow.parquet.write_table(pyarrow.table({"x": X, "seen": Y}), path, row_group_size=170)
    monkeypatch.setattr(packing, "IN_MEMORY_BYTES", 1000)
    monkeypatch.setattr("taut.batches.stream._BATCHES", 5)
    skipped, skip = list[int](), Stream.skip
    monkeypatch.setattr(
        Stream, "skip", lambda self, batches: (skipped.append(batches), skip(self, batches))
    )
    how: Any = {"n": 200, "method": "advi", "batch_size": 130}

    def rows() -> taut.ParquetRows:
        return taut.ParquetRows(path, {"x": "x", "seen": "seen"})

    whole = taut.fit(model=line(), rows=rows(), **how, **QUIET)
    for every, count in ((7, 11), (50, 1), (50, 3)):
        stop(count)
        folder = tmp_path / f"{every}-{count}"
        with pytest.raises(Killed):
            taut.fit(model=line(), rows=rows(), **how, **QUIET, checkpoint=folder, every=every)
        assert_equal(taut.resume(folder, model=line(), progressbar=False), whole)
    assert skipped == [70, 0, 100]


def rows_on_disk(path: Path, y: np.ndarray = Y) -> taut.ParquetRows:
    pyarrow.parquet.write_table(pyarrow.table({"x": X, "seen": y}), path, row_group_size=170)
    return taut.ParquetRows(path, {"x": "x", "seen": "seen"})


@pytest.mark.parametrize(
    ("method", "source"), [("auto", True), ("auto", False), ("batch_match", True)]
)
def test_direct_fits_of_rows_in_batches_go_on(
    method: str, source: bool, tmp_path: Path, stop: Callable[[int], None],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(packing, "IN_MEMORY_BYTES", 1000)
    how: Any = {"method": method, "batch_size": 500, **QUIET}
    if source:
        how["rows"] = rows_on_disk(tmp_path / "rows.parquet")
    whole = taut.fit(model=line(), **how)
    stop(1)
    with pytest.raises(Killed):
        taut.fit(model=line(), **how, checkpoint=tmp_path / "fit")
    with open(tmp_path / "fit" / "results", "r+b") as file:
        file.truncate((tmp_path / "fit" / "results").stat().st_size // 2)
    resumed = taut.resume(tmp_path / "fit", model=line(), progressbar=False)
    assert_equal(resumed, whole)
    assert resumed.diagnose().trusted == whole.diagnose().trusted


def groups() -> pm.Model:
    of = np.repeat(np.arange(40), 3)
    seen = np.random.default_rng(3).normal(size=40)[of] + 0.1 * np.arange(120) % 1.0
    with pm.Model() as model:
        effect = pm.Normal("effect", pm.Normal("mu", 0, 2.0), pm.HalfNormal("tau", 1.0), shape=40)
        pm.Normal("y", effect[of], pm.HalfNormal("scale", 1.0), observed=seen)
    return model


def test_a_fit_with_latents_integrated_out_goes_on(
    tmp_path: Path, stop: Callable[[int], None]
) -> None:
    how: Any = {"method": "marginal", **QUIET}
    whole = taut.fit(model=groups(), **how)
    stop(1)
    with pytest.raises(Killed):
        taut.fit(model=groups(), **how, checkpoint=tmp_path / "fit")
    size = (tmp_path / "fit" / "results").stat().st_size
    for share in (1.0, 0.4):
        folder = tmp_path / f"{share}"
        shutil.copytree(tmp_path / "fit", folder)
        with open(folder / "results", "r+b") as file:
            file.truncate(int(share * size))
        assert_equal(taut.resume(folder, model=groups(), progressbar=False), whole)


def test_a_file_that_has_changed_meanwhile_is_noticed(
    tmp_path: Path, stop: Callable[[int], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packing, "IN_MEMORY_BYTES", 1000)
    path, how = tmp_path / "rows.parquet", {"n": 100, "method": "advi", "batch_size": 130}
    whole = taut.fit(model=line(), rows=rows_on_disk(path), **how, **QUIET)
    stop(2)
    with pytest.raises(Killed):
        taut.fit(
            model=line(), rows=rows_on_disk(path), **how, **QUIET, checkpoint=tmp_path / "fit",
            every=20,
        )  # fmt: skip
    # As many rows, in as many row groups; the first ones stay.
    rows_on_disk(path, np.append(Y[:2000], Y[2000:] + 1.0))
    with pytest.raises(RowsError, match="its values are other ones"):
        taut.resume(tmp_path / "fit", model=line(), progressbar=False)
    rows_on_disk(path)
    assert_equal(taut.resume(tmp_path / "fit", model=line(), progressbar=False), whole)


def test_other_rows_of_any_source_are_noticed(
    tmp_path: Path, stop: Callable[[int], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packing, "IN_MEMORY_BYTES", 1000)
    path = tmp_path / "seen.npy"
    np.save(path, Y)

    def blocks() -> Any:
        yield {"x": X, "seen": np.load(path)}

    how: Any = {"n": 100, "method": "advi", "batch_size": 130, **QUIET}
    stop(2)
    with pytest.raises(Killed):
        taut.fit(
            model=line(), rows=taut.IterableRows(blocks, rows=len(X)), **how,
            checkpoint=tmp_path / "fit", every=20,
        )  # fmt: skip
    np.save(path, Y + 1.0)
    with pytest.raises(StorageError, match="have changed since it began"):
        taut.resume(tmp_path / "fit", model=line(), progressbar=False)


def test_a_refinement_goes_on(tmp_path: Path, stop: Callable[[int], None]) -> None:
    def fitted() -> taut.ADVI:
        inference = taut.ADVI(model=line(), random_seed=5)
        inference.fit(100, batch_size=128, progressbar=False)
        return inference

    whole = fitted().refine(200, progressbar=False)
    inference = fitted()
    stop(3)
    with pytest.raises(Killed):
        inference.refine(200, progressbar=False, checkpoint=tmp_path / "more", every=30)
    resumed = taut.resume(tmp_path / "more", model=line(), progressbar=False)
    assert len(resumed.hist) == 300
    assert_equal(resumed, whole)


@pytest.mark.parametrize("method", ["auto", "pathfinder", "dadvi"])
def test_fits_that_end_by_themselves_go_on(
    method: str, tmp_path: Path, stop: Callable[[int], None]
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        whole = taut.fit(method=method, model=schools(), **QUIET)
        stop(1)
        with pytest.raises(Killed):
            taut.fit(method=method, model=schools(), **QUIET, checkpoint=tmp_path / "fit")
        size = (tmp_path / "fit" / "results").stat().st_size
        for share in (1.0, 0.6):
            folder = tmp_path / f"{share}"
            shutil.copytree(tmp_path / "fit", folder)
            with open(folder / "results", "r+b") as file:
                file.truncate(int(share * size))
            resumed = taut.resume(folder, model=schools(), progressbar=False)
            assert_equal(resumed, whole)
            assert resumed.diagnose().trusted == whole.diagnose().trusted
            assert [path.name for path in folder.iterdir()] == ["checkpoint"]
            # Nothing was evaluated that was there.
            assert share < 1.0 or resumed.timing.compile == 0.0


def to_be_repaired() -> taut.Approximation:
    """A fit by a few steps, far from what it should be."""
    return taut.fit(60, "advi", model=schools(), **QUIET)


def test_a_repair_goes_on(tmp_path: Path, stop: Callable[[int], None]) -> None:
    approx = to_be_repaired()
    # Without a seed: the next of the approximation's own.
    whole = copy.copy(approx).repair(3)
    stop(1)
    with pytest.raises(Killed):
        approx.repair(3, checkpoint=tmp_path / "fit")
    size = (tmp_path / "fit" / "results").stat().st_size
    for share in (1.0, 0.5, 0.0):
        folder = tmp_path / f"{share}"
        shutil.copytree(tmp_path / "fit", folder)
        with open(folder / "results", "r+b") as file:
            file.truncate(int(share * size))
        resumed = taut.resume(folder, model=schools(), progressbar=False)
        assert_equal(resumed, whole)
        assert str(resumed.diagnose().verdict) == str(whole.diagnose().verdict)
        assert [path.name for path in folder.iterdir()] == ["checkpoint"]
        assert_equal(taut.resume(folder, model=schools()), whole)


def few_rows(path: Path, seen: float) -> taut.ParquetRows:
    """Every gradient of the chains reads them all."""
    pyarrow.parquet.write_table(pyarrow.table({"seen": np.full(40, seen)}), path)
    return taut.ParquetRows(path, {"seen": "seen"})


def place() -> pm.Model:
    with pm.Model() as model:
        seen = pm.Data("seen", np.zeros(40))
        pm.Normal("y", pm.Normal("at"), 1.0, observed=seen)
    return model


def test_a_repair_of_rows_in_batches_goes_on(
    tmp_path: Path, stop: Callable[[int], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packing, "IN_MEMORY_BYTES", 100)
    path = tmp_path / "rows.parquet"
    approx = taut.fit(20, "advi", model=place(), batch_size=20, rows=few_rows(path, 0.5), **QUIET)
    whole = copy.copy(approx).repair(1)
    stop(1)
    with pytest.raises(Killed):
        approx.repair(1, checkpoint=tmp_path / "fit")
    with open(tmp_path / "fit" / "results", "r+b") as file:
        file.truncate((tmp_path / "fit" / "results").stat().st_size // 2)
    few_rows(path, 0.6)
    with pytest.raises(RowsError, match="its values are other ones"):
        taut.resume(tmp_path / "fit", model=place(), progressbar=False)
    few_rows(path, 0.5)
    resumed = taut.resume(tmp_path / "fit", model=place(), progressbar=False)
    assert_equal(resumed, whole)


def test_a_repair_takes_the_arguments_of_a_fit_that_ends_by_itself(
    ended: Path, tmp_path: Path
) -> None:
    approx = to_be_repaired()
    with pytest.raises(ArgumentError, match="A repair ends by itself"):
        approx.repair(checkpoint=tmp_path / "fit", every=5)  # pyright: ignore[reportArgumentType]
    with pytest.raises(StorageError, match=r"taut\.resume"):
        approx.repair(checkpoint=ended)
    approx.save(tmp_path / "saved.fit")
    with pytest.raises(ArgumentError, match="loaded without its model"):
        taut.load(tmp_path / "saved.fit").repair(checkpoint=tmp_path / "fit")
    assert not (tmp_path / "fit").exists()


def test_an_interrupted_repair_is_resumed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    approx, calls, last, run = to_be_repaired(), [0], [0], Chains.run

    def pressed(*args: Any) -> Any:
        calls[0] += 1
        if calls[0] == last[0]:
            signal.raise_signal(signal.SIGINT)
        return run(*args)

    monkeypatch.setattr(Chains, "run", pressed)
    whole = copy.copy(approx).repair(4)
    calls[0], last[0] = 0, calls[0]
    some = approx.repair(4, checkpoint=tmp_path / "fit")
    assert str(some.stopped).startswith("interrupted")
    assert (tmp_path / "fit" / "results").exists()
    assert_equal(taut.resume(tmp_path / "fit", model=schools(), progressbar=False), whole)


def test_an_interrupted_fit_is_resumed(tmp_path: Path) -> None:
    def interrupt(approx: Any, losses: Any, i: int) -> None:
        if i == 150 and not (tmp_path / "seen").exists():
            (tmp_path / "seen").touch()
            raise KeyboardInterrupt

    folder, how = tmp_path / "fit", {"n": 300, "method": "advi", **QUIET}
    some = taut.fit(model=line(), **how, callbacks=[interrupt], checkpoint=folder)
    assert len(some.hist) == 150
    assert_equal(
        taut.resume(folder, model=line(), progressbar=False), taut.fit(model=line(), **how)
    )


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Keep a fit that has ended."""
    folder = tmp_path_factory.mktemp("kept") / "fit"
    taut.fit(20, "advi", model=line(), **QUIET, checkpoint=folder)
    return folder


def test_a_folder_is_not_taken_twice(ended: Path) -> None:
    before = (ended / "checkpoint").read_bytes()
    with pytest.raises(StorageError, match=r"taut\.resume"):
        taut.fit(20, "advi", model=line(), **QUIET, checkpoint=ended)
    assert (ended / "checkpoint").read_bytes() == before


def test_another_model_is_refused_and_other_data_are_warned_of(ended: Path) -> None:
    with pm.Model() as other:
        pm.Normal("at", shape=3)
    with pytest.raises(StorageError, match="at has shape"):
        taut.resume(ended, model=other)
    with pytest.warns(UserWarning, match="other data"):
        taut.resume(ended, model=line(Y + 1.0))


def test_a_damaged_checkpoint_says_so(ended: Path, tmp_path: Path) -> None:
    content = (ended / "checkpoint").read_bytes()
    path = tmp_path / "checkpoint"
    tmp_path.chmod(0o700)
    for place in (200, len(content) // 2):
        path.write_bytes(content[:place] + bytes([content[place] ^ 4]) + content[place + 1 :])
        with pytest.raises(StorageError, match=r"damaged|is no"):
            taut.resume(tmp_path, model=line())
    path.write_bytes(content[:1000])
    with pytest.raises(StorageError, match="not all of one"):
        taut.resume(tmp_path, model=line())
    path.unlink()
    with pytest.raises(StorageError, match="There is no fit"):
        taut.resume(tmp_path, model=line())


def test_a_folder_that_others_can_write_to_is_refused(ended: Path, tmp_path: Path) -> None:
    folder = tmp_path / "open"
    shutil.copytree(ended, folder)
    folder.chmod(0o777)
    for call in (
        lambda: taut.resume(folder, model=line()),
        lambda: taut.fit(20, "advi", model=line(), **QUIET, checkpoint=folder),
    ):
        with pytest.raises(StorageError, match="others can write"):
            call()


def test_a_full_disk_does_not_end_a_fit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written, write = [0], checkpoint.write_archive

    def full(*args: Any) -> None:
        written[0] += 1
        if written[0] > 1:
            raise OSError(28, "No space left on device")
        write(*args)

    monkeypatch.setattr(checkpoint, "write_archive", full)
    with pytest.warns(UserWarning, match="No space left"):
        approx = taut.fit(60, "advi", model=line(), **QUIET, checkpoint=tmp_path / "a", every=20)
    assert len(approx.hist) == 60
    assert written[0] == 5


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"every": 10}, "give checkpoint"),
        ({"checkpoint": 3}, "path of a folder"),
        ({"checkpoint": "x", "every": "often"}, "60s"),
        ({"checkpoint": "x", "every": 0}, "60s"),
        ({"checkpoint": "x", "every": 5, "method": "auto"}, "takes no steps"),
    ],
)
def test_arguments_that_make_no_sense_are_refused(given: dict[str, Any], words: str) -> None:
    with pytest.raises(ArgumentError, match=words):
        taut.fit(**{"method": "advi", **given}, model=line(), **QUIET)
    assert not Path("x").exists()


def test_what_can_not_be_pickled_is_named_at_once(tmp_path: Path) -> None:
    lock = threading.Lock()
    with pytest.raises(StorageError, match="callbacks"):
        taut.fit(
            9, "advi", model=line(), **QUIET, checkpoint=tmp_path / "fit",
            callbacks=[lambda approx, losses, i: lock.locked()],
        )  # fmt: skip
    assert not (tmp_path / "fit" / "checkpoint").exists()


def test_killed_fits_are_resumed() -> None:
    script = Path(__file__).parents[2] / "scripts" / "kill_test.py"
    command = [sys.executable, str(script), "--kills", "2", "--kinds", "steps"]
    found = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert "2 of 2 fits that were killed are equal" in found.stdout, found.stderr

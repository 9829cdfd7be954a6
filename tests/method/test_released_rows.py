"""A fit that reads rows leaves no thread behind, however it ends, and can go on all the same."""

import pickle
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import cloudpickle
import numpy as np
import pymc as pm
import pytest

import taut
from taut.errors import RowsError
from taut.progress import INTERRUPTED
from taut.rows import packing

ROWS = 5000
RNG = np.random.default_rng(5)
X = RNG.normal(size=ROWS)
Y = 0.5 * X + RNG.normal(size=ROWS)
HOW: dict[str, Any] = {"batch_size": 250, "progressbar": False}


@pytest.fixture(autouse=True)
def _on_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows are read anew in each epoch, as those that do not fit in memory."""
    monkeypatch.setattr(packing, "IN_MEMORY_BYTES", 0)


@pytest.fixture(scope="module")
def model() -> pm.Model:
    with pm.Model() as model:
        x, y = pm.Data("x", X[:20]), pm.Data("y_data", Y[:20])
        pm.Normal("y", pm.Normal("slope") * x, 1.0, observed=y)
    return model


def rows() -> taut.ArrayRows:
    return taut.ArrayRows({"x": X, "y": Y})


class At:
    """A callback that raises at one step."""

    def __init__(self, step: int, error: BaseException) -> None:
        self.every, self._error = step, error

    def __call__(self, approx: Any, losses: Any, i: int) -> None:
        raise self._error


ENDS: dict[str, BaseException | None] = {
    "by itself": None,
    "by Ctrl-C": KeyboardInterrupt(),
    "by a callback": StopIteration("enough"),
    "by an error": ValueError("wrong"),
}


@pytest.mark.parametrize("end", ENDS)
def test_no_thread_is_left(model: pm.Model, end: str) -> None:
    before, error = threading.active_count(), ENDS[end]
    callbacks = None if error is None else [At(30, error)]
    try:
        approx = taut.fit(60, "advi", model=model, rows=rows(), callbacks=callbacks, **HOW)
    except ValueError as raised:
        approx = raised.approx  # pyright: ignore[reportAttributeAccessIssue]
    # The result is still here.
    assert threading.active_count() == before
    assert len(approx.hist) == (60 if error is None else 30)


def test_no_thread_is_left_where_a_source_fails(model: pm.Model) -> None:
    def some() -> Any:
        yield {"x": X[:3000], "y": Y[:3000]}

    source, before = taut.IterableRows(some, rows=ROWS), threading.active_count()
    with pytest.raises(RowsError, match="3,000"):
        taut.fit(60, "advi", model=model, rows=source, **HOW)
    assert threading.active_count() == before


def test_no_thread_is_left_by_a_fit_of_all_rows(model: pm.Model) -> None:
    before = threading.active_count()
    approx = taut.fit(method="batch_match", model=model, rows=rows(), random_seed=1, **HOW)
    assert threading.active_count() == before
    np.testing.assert_allclose(approx.mean.eval(), X @ Y / (1.0 + X @ X), atol=1e-3)


def test_no_thread_is_left_by_a_load(model: pm.Model, tmp_path: Path) -> None:
    fitted = taut.fit(60, "advi", model=model, rows=rows(), random_seed=1, **HOW)
    fitted.save(tmp_path / "fit")
    before = threading.active_count()
    loaded = taut.load(tmp_path / "fit", model=model, rows=rows())
    copy = pickle.loads(cloudpickle.dumps(fitted))
    assert threading.active_count() == before
    np.testing.assert_array_equal(loaded.mean.eval(), copy.mean.eval())


def inference(model: pm.Model) -> taut.ADVI:
    return taut.ADVI(model=model, random_seed=1)


@pytest.fixture(scope="module")
def whole(model: pm.Model) -> np.ndarray:
    """Losses of 90 steps: four epochs and a half."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(packing, "IN_MEMORY_BYTES", 0)
        return taut.fit(90, "advi", model=model, rows=rows(), random_seed=1, **HOW).hist


def test_an_inference_goes_on_where_it_was_closed(model: pm.Model, whole: np.ndarray) -> None:
    before, advi = threading.active_count(), inference(model)
    advi.fit(47, rows=rows(), **HOW)
    assert threading.active_count() == before + 1
    advi.close()
    advi.close()
    assert threading.active_count() == before
    advi.refine(43, progressbar=False)
    np.testing.assert_array_equal(advi.hist, whole)
    advi.close()


def test_an_inference_goes_on_where_it_was_interrupted(model: pm.Model, whole: np.ndarray) -> None:
    before, advi = threading.active_count(), inference(model)
    interrupt = At(47, KeyboardInterrupt())
    approx = advi.fit(90, rows=rows(), callbacks=[interrupt], **HOW)
    assert approx.stopped == INTERRUPTED
    assert threading.active_count() == before
    interrupt.every = 1000
    advi.refine(43, progressbar=False)
    np.testing.assert_array_equal(advi.hist, whole)
    advi.close()


def test_an_inference_goes_on_elsewhere_where_it_ended(model: pm.Model, whole: np.ndarray) -> None:
    advi = inference(model)
    advi.fit(47, rows=rows(), **HOW)
    copy = pickle.loads(cloudpickle.dumps(advi))
    advi.close()
    copy.refine(43, progressbar=False)
    np.testing.assert_array_equal(copy.hist, whole)
    copy.close()


def test_fits_end_by_ctrl_c_at_random_moments() -> None:
    script = Path(__file__).parents[2] / "scripts" / "interrupt_test.py"
    command = [sys.executable, str(script), "--presses", "6", "--seconds", "60"]
    found = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert found.returncode == 0, found.stdout + found.stderr

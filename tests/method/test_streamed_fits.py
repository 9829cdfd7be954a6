"""Fits whose rows are read while they go on, and what can go wrong with these."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pymc as pm
import pytest
from scipy import stats

import taut
from taut.errors import ArgumentError, ModelError, RowsError
from taut.rows import packing

ROWS = 5000
RNG = np.random.default_rng(5)
X = RNG.normal(size=(ROWS, 2))
Y = X @ np.array([0.5, -1.0]) + RNG.normal(size=ROWS)


@pytest.fixture
def on_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows are read anew in each epoch, as those that do not fit in memory."""
    monkeypatch.setattr(packing, "IN_MEMORY_BYTES", 0)


@pytest.fixture(params=[0, packing.IN_MEMORY_BYTES], ids=["on disk", "in memory"])
def _limit(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packing, "IN_MEMORY_BYTES", request.param)


@pytest.fixture(scope="module")
def model() -> pm.Model:
    with pm.Model() as model:
        x, y = pm.Data("X", X[:20]), pm.Data("y_data", Y[:20])
        mu = pm.Normal("intercept") + x @ pm.Normal("slope", shape=2)
        pm.Normal("y", mu, 1.0, observed=y)
    return model


def write(path: Path, **columns: np.ndarray) -> Path:
    """Rows in groups of 500."""
    table = {"a": X[:, 0], "b": X[:, 1], "y": Y} | columns
    pq.write_table(pa.table(table), path, row_group_size=500)
    return path


def parquet(path: Path) -> taut.ParquetRows:
    return taut.ParquetRows(path, {"X": ["a", "b"], "y": "y"})


def fit(model: pm.Model, rows: Any, n: int = 5000, **arguments: Any) -> taut.Approximation:
    arguments = {"batch_size": 250, "method": "advi"} | arguments
    return taut.fit(n, model=model, rows=rows, random_seed=1, progressbar=False, **arguments)


@pytest.mark.usefixtures("_limit")
def test_data_can_be_named_as_the_observed_variable_or_as_itself(model: pm.Model) -> None:
    hists = [fit(model, taut.ArrayRows({"X": X, name: Y}), n=50).hist for name in ("y", "y_data")]
    np.testing.assert_array_equal(*hists)


@pytest.mark.usefixtures("_limit")
def test_rows_in_order_are_those_of_the_same_fit_in_memory(model: pm.Model) -> None:
    """The data of memory and of the source are the same, and so is the noise."""
    with pm.Model() as whole:
        mu = pm.Normal("intercept") + X @ pm.Normal("slope", shape=2)
        pm.Normal("y", mu, 1.0, observed=Y)
    source = taut.ArrayRows({"X": X, "y": Y})
    streamed = fit(model, source, n=60, shuffle=False, batch_size=300)
    in_memory = fit(whole, None, n=60, shuffle=False, batch_size=300)
    np.testing.assert_allclose(streamed.hist, in_memory.hist, rtol=1e-10)


@pytest.mark.usefixtures("on_disk")
def test_nan_in_a_block_names_its_place_and_what_was_fitted_is_kept(
    model: pm.Model, tmp_path: Path
) -> None:
    bad = X[:, 1].copy()
    bad[4321] = np.nan
    path = write(tmp_path / "rows.parquet", b=bad)
    with pytest.raises(RowsError, match=r"rows\.parquet.*row group 8.*'b'") as caught:
        fit(model, parquet(path), shuffle=False)
    approx = caught.value.approx
    # The whole row group is refused.
    assert len(approx.hist) == 4000 // 250
    assert np.isfinite(approx.mean.eval()).all()
    assert approx.stopped == str(caught.value).splitlines()[0]


@pytest.mark.usefixtures("on_disk")
def test_a_file_deleted_in_the_fit(model: pm.Model, tmp_path: Path) -> None:
    path = write(tmp_path / "rows.parquet")

    def delete(approx: Any, losses: Any, i: int) -> None:
        path.unlink(missing_ok=True)

    advi = taut.ADVI(model=model, random_seed=1)
    with pytest.raises(RowsError, match=r"rows\.parquet"):
        advi.fit(50_000, rows=parquet(path), batch_size=2500, callbacks=[delete], progressbar=False)
    assert len(advi.hist) > 0
    assert np.isfinite(advi.approx.mean.eval()).all()


@pytest.mark.usefixtures("on_disk")
def test_a_source_that_ends_early(model: pm.Model) -> None:
    def blocks() -> Iterator[dict[str, np.ndarray]]:
        for first in range(0, 3000, 500):
            yield {"X": X[first : first + 500], "y": Y[first : first + 500]}

    with pytest.raises(RowsError, match=r"3,?000.*5,?000|5,?000.*3,?000") as caught:
        fit(model, taut.IterableRows(blocks, rows=ROWS), shuffle=False)
    assert len(caught.value.approx.hist) == 3000 // 250


def test_a_column_of_text_and_a_missing_one(tmp_path: Path) -> None:
    path = write(tmp_path / "rows.parquet", name=np.array(["x"] * ROWS))
    with pytest.raises(RowsError, match=r"'name'.*string"):
        taut.ParquetRows(path, {"X": ["a", "name"], "y": "y"})
    with pytest.raises(RowsError, match=r"no column 'c'|'c'"):
        taut.ParquetRows(path, {"X": ["a", "c"], "y": "y"})


def test_rows_of_unequal_length() -> None:
    with pytest.raises(RowsError, match=r"'X' has 5,000, 'y' has 4,999"):
        taut.ArrayRows({"X": X, "y": Y[1:]})


@pytest.mark.usefixtures("_limit")
def test_a_batch_of_more_rows_than_the_source_has(model: pm.Model) -> None:
    with pytest.warns(UserWarning, match="batch_size=9000 is more than the 5000 rows"):
        approx = fit(model, taut.ArrayRows({"X": X, "y": Y}), n=5, batch_size=9000)
    assert float(approx.symbolic_normalizing_constant.eval()) == 1.0


WRONG = {
    "a name that is none of the model's": (
        {"X": X, "target": Y},
        r"rows names 'target', which is no data of the model",
    ),
    "rows of another shape": (
        {"X": np.c_[X, Y], "y": Y},
        r"A row of 'X' has shape \(3,\) in the source and \(2,\) in the model",
    ),
    "data that no density reads": (
        {"X": X, "y": Y, "unused": Y},
        r"The source has 'unused', which the density of 'y' does not read",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_a_source_that_does_not_fit_the_model(name: str) -> None:
    with pm.Model() as model:
        x, y = pm.Data("X", X[:20]), pm.Data("y_data", Y[:20])
        unused = pm.Data("unused", Y[:20])
        slope = pm.Normal("slope", unused.mean(), 1.0, shape=2)
        pm.Normal("y", x @ slope, 1.0, observed=y)
    arrays, message = WRONG[name]
    with pytest.raises(ArgumentError, match=message):
        fit(model, taut.ArrayRows(arrays), n=5)


def test_data_of_rows_that_the_source_lacks(model: pm.Model) -> None:
    with pytest.raises(ModelError, match=r"can not be evaluated on a part of the 20 rows"):
        fit(model, taut.ArrayRows({"y": Y}), n=5)


@pytest.mark.usefixtures("_limit")
def test_integers_of_a_file_index_groups(tmp_path: Path) -> None:
    """Stored as 32 bits, where the model has 64, and its floats the other way round."""
    group = RNG.integers(0, 4, size=ROWS)
    path = tmp_path / "groups.parquet"
    columns = {"group": group.astype("int32"), "y": (Y + group).astype("float32")}
    pq.write_table(pa.table(columns), path, row_group_size=700)
    with pm.Model() as model:
        index = pm.Data("group", group[:10])
        level = pm.Normal("level", 0.0, 5.0, shape=4)
        pm.Normal("y", level[index], 1.0, observed=pm.Data("y_data", Y[:10]))
    rows = taut.ParquetRows(path, {"group": "group", "y": "y"})
    approx = fit(model, rows, n=6000, obj_optimizer=taut.adam(learning_rate=0.01))
    exact = [np.mean((Y + group)[group == i]) for i in range(4)]
    # A posterior sd is 0.03.
    np.testing.assert_allclose(approx.mean.eval(), exact, atol=0.06)


@pytest.mark.usefixtures("_limit")
def test_svgd_and_full_rank_read_rows_too(model: pm.Model) -> None:
    for method in ("svgd", "fullrank_advi"):
        source = taut.ArrayRows({"X": X, "y": Y})
        approx = fit(
            model, source, n=3000, method=method, obj_optimizer=taut.adam(learning_rate=0.01)
        )
        np.testing.assert_allclose(approx.mean.eval()[1:], [0.5, -1.0], atol=0.08)


def test_few_rows_are_read_once(model: pm.Model) -> None:
    reads: list[int] = []

    def blocks() -> Iterator[dict[str, np.ndarray]]:
        reads.append(1)
        yield {"X": X, "y": Y}

    rows = taut.IterableRows(blocks, rows=ROWS)
    before = len(reads)
    fit(model, rows, n=200, batch_size=500)
    assert len(reads) - before <= 1


def test_what_is_wrong_with_few_rows_is_said_before_the_first_step(
    model: pm.Model, tmp_path: Path
) -> None:
    bad = np.where(np.arange(ROWS) == 4321, np.nan, X[:, 1])
    rows = parquet(write(tmp_path / "rows.parquet", b=bad))
    advi = taut.ADVI(model=model)
    with pytest.raises(RowsError, match="row group 8"):
        advi.fit(100, rows=rows, batch_size=250, progressbar=False)
    assert len(advi.hist) == 0


def test_importance_weights_read_all_rows(model: pm.Model) -> None:
    """The density of each draw chosen is that on all rows, not on the few the model holds."""
    source = taut.ArrayRows({"X": X, "y": Y})
    approx = fit(model, source, n=2000, obj_optimizer=taut.adam(learning_rate=0.02))
    draws = approx.sample(20, random_seed=1, importance="psis")
    posterior = draws["posterior"]
    intercept, slope = posterior["intercept"].values[0], posterior["slope"].values[0]
    prior = stats.norm.logpdf(intercept) + stats.norm.logpdf(slope).sum(1)
    means = intercept[:, None] + slope @ X.T
    exact = prior + stats.norm.logpdf(Y, means, 1.0).sum(1)
    np.testing.assert_allclose(draws["sample_stats"]["lp"][0], exact, rtol=1e-9)
    with pytest.raises(RowsError, match="linear_response needs all rows in memory"):
        approx.linear_response()

"""The automatic fit of rows in batches: a first look at a few of them, then all."""

from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pymc as pm
import pytest

import taut
from taut.batches import AbstractBatches
from taut.diagnose import Outcome
from taut.engine import Timing
from taut.errors import ArgumentError, ModelError, RowsError
from taut.family import FullRank, Mixture, Particles
from taut.gradients import Gradients
from taut.gradients.in_batches import BatchGradients
from taut.method import direct
from taut.rows import packing
from taut.target import Space

pytestmark = pytest.mark.statistical

ROWS = 30_000
RNG = np.random.default_rng(3)
X = RNG.normal(size=(ROWS, 3)) @ np.array([[1.0, 0.9, 0.0], [0.0, 0.4, 0.0], [0.0, 0.0, 10.0]])
Y = X @ np.array([1.0, -0.5, 0.2]) + RNG.normal(size=ROWS)


def posterior(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Compute mean and standard deviations."""
    cov = np.linalg.inv(x.T @ x + np.eye(3) / 100)
    return cov @ x.T @ y, np.sqrt(np.diag(cov))


MEAN, SD = posterior(X, Y)
# A source of which chains read all rows again and again.
FEW = 6000


def regression(x: Any, y: Any, **total_size: Any) -> pm.Model:
    with pm.Model() as model:
        slope = pm.Normal("slope", 0.0, 10.0, shape=3)
        pm.Normal("y", x @ slope, 1.0, observed=y, **total_size)
    return model


def few_rows() -> pm.Model:
    with pm.Model() as model:
        slope = pm.Normal("slope", 0.0, 10.0, shape=3)
        mean = pm.Data("X", X[:10]) @ slope
        pm.Normal("y", mean, 1.0, observed=pm.Data("target", Y[:10]))
    return model


def fit(model: pm.Model, **how: Any) -> taut.Approximation:
    return taut.fit(model=model, random_seed=1, progressbar=False, **how)


def stages(approx: taut.Approximation) -> list[str]:
    return [stage.name for stage in approx.journal.stages]


def is_right(approx: taut.Approximation) -> None:
    """The posterior is Gaussian: what batch and match ends at is 0.05 sd off at most."""
    assert isinstance(approx.family, FullRank)
    assert approx.journal.outcome is Outcome.EXACT
    with approx.target.precision():
        assert np.max(np.abs(approx.family.mean() - MEAN) / SD) < 0.05
        np.testing.assert_allclose(approx.family.std() / SD, 1.0, atol=0.05)


@pytest.fixture(params=["in memory", "on disk"])
def source(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> taut.ParquetRows:
    if request.param == "on disk":
        monkeypatch.setattr(packing, "IN_MEMORY_BYTES", 0)
    return written(tmp_path, ROWS)


@pytest.fixture
def few(source: taut.ParquetRows, tmp_path: Path) -> taut.ParquetRows:
    """The first rows, read as `source` is."""
    return written(tmp_path, FEW)


def written(folder: Path, count: int) -> taut.ParquetRows:
    """Write some rows to a file, and return it as a source."""
    table = {f"x{i}": X[:count, i] for i in range(3)} | {"y": Y[:count]}
    pq.write_table(pa.table(table), folder / f"{count}.parquet", row_group_size=1300)
    names = {"X": ["x0", "x1", "x2"], "target": "y"}
    return taut.ParquetRows(folder / f"{count}.parquet", names)


def test_a_batch_size_begins_with_a_draft() -> None:
    approx = fit(regression(X, Y), batch_size=500)
    is_right(approx)
    assert stages(approx) == ["draft on 2,000 rows", "batch and match"]
    # All rows are read for the Gaussian alone; the paths and the curvature are those of the draft.
    assert approx.journal.stages[1].gradients < 2000
    found, of = approx.journal.starts
    assert found == of >= 8
    assert approx.diagnose().trusted


def test_very_many_rows_begin_with_a_draft(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(direct, "_MANY_ROWS", ROWS)
    approx = fit(regression(X, Y))
    is_right(approx)
    assert stages(approx) == ["draft on 2,000 rows", "batch and match"]
    assert stages(fit(regression(X[:-1], Y[:-1])))[0] == "quasi-Newton paths"


def test_very_many_rows_may_become_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """A second fit drafts on the rows of `pm.set_data`, of which there may be more."""
    monkeypatch.setattr(direct, "_MANY_ROWS", 10_000)
    half = ROWS // 2
    with pm.Model() as model:
        slope = pm.Normal("slope", 0.0, 10.0, shape=3)
        mean = pm.Data("X", X[:half]) @ slope
        pm.Normal("y", mean, 1.0, observed=pm.Data("target", Y[:half]))
    fit(model)
    pm.set_data({"X": X, "target": Y}, model=model)
    is_right(fit(model))


def walk() -> pm.Model:
    """One draw, whose density does not factor over its rows."""
    with pm.Model() as model:
        sd, steps = pm.HalfNormal("sd", 1.0), 0.5 * RNG.normal(size=5000)
        start = pm.Normal.dist(0.0, 1.0)
        pm.GaussianRandomWalk("y", sigma=sd, init_dist=start, observed=np.cumsum(steps))
    return model


def potential() -> pm.Model:
    """Of whose sum nobody knows the terms."""
    with pm.Model() as model:
        x = pm.Normal("x", 0.0, 1.0)
        pm.Potential("y", -0.5 * ((Y[:5000] - x) ** 2).sum())
    return model


@pytest.mark.parametrize("model", [walk, potential])
@pytest.mark.filterwarnings("error")
def test_very_many_rows_that_are_not_told_apart_are_all_read(
    model: Callable[[], pm.Model], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody asked for batches, and hears of none."""
    monkeypatch.setattr(direct, "_MANY_ROWS", 5000)
    assert stages(fit(model()))[0] == "quasi-Newton paths"


def test_minibatches_of_pymc_are_fitted_on_all_rows() -> None:
    x, y = pm.Minibatch(X, Y, batch_size=100)
    approx = fit(regression(x, y, total_size=ROWS))
    is_right(approx)
    assert stages(approx)[0] == "draft on 2,000 rows"


def test_a_source_is_read_batch_by_batch(source: taut.ParquetRows) -> None:
    approx = fit(few_rows(), rows=source, batch_size=700)
    is_right(approx)
    assert approx.diagnose(200, random_seed=1).trusted
    exact = -0.5 * ROWS * np.log(2 * np.pi) - 0.5 * ((Y - X @ MEAN) ** 2).sum()
    assert exact - 40 < approx.elbo(100, random_seed=1).mean < exact


@pytest.mark.slow
def test_chains_check_and_repair_a_fit_of_a_source(few: taut.ParquetRows) -> None:
    """Mean field's standard deviations are too small where columns are correlated."""
    mean, sd = posterior(X[:FEW], Y[:FEW])
    advi = fit(few_rows(), rows=few, batch_size=700, method="advi", step_size="auto")
    report = advi.diagnose(random_seed=1)
    assert not report.trusted
    assert report.verdict.words == "short chains from its draws move it"
    repaired = advi.repair(random_seed=1)
    assert isinstance(repaired.family, Particles)
    with repaired.target.precision():
        assert np.max(np.abs(repaired.family.mean() - mean) / sd) < 0.1
        np.testing.assert_allclose(repaired.family.std() / sd, 1.0, atol=0.1)


@pytest.mark.parametrize("method", ["batch_match", "gsm", "pathfinder", "lowrank_batch_match"])
def test_methods_of_gradients_read_a_source(source: taut.ParquetRows, method: str) -> None:
    approx = fit(few_rows(), rows=source, batch_size=700, method=method)
    with approx.target.precision():
        assert np.max(np.abs(approx.family.mean() - MEAN) / SD) < 0.1


@pytest.mark.parametrize("kind", ["batch_size", "Minibatch"])
def test_two_sets_of_rows_have_a_scale_each(kind: str) -> None:
    """The second likelihood has a third of the rows, and a parameter that only it knows."""
    few = ROWS // 3
    w = RNG.normal(size=few) + 1.0
    x, y, z = X, Y, w
    if kind == "Minibatch":
        x, y = pm.Minibatch(X, Y, batch_size=300)
        z = pm.Minibatch(w, batch_size=100)
    sizes = [{"total_size": n} if kind == "Minibatch" else {} for n in (ROWS, few)]
    with pm.Model() as model:
        slope, shift = pm.Normal("slope", 0.0, 10.0, shape=3), pm.Normal("shift", 0.0, 10.0)
        pm.Normal("y", x @ slope, 1.0, observed=y, **sizes[0])
        pm.Normal("w", shift + slope[0], 1.0, observed=z, **sizes[1])
    approx = fit(model, **({} if kind == "Minibatch" else {"batch_size": 500}))
    assert stages(approx)[0].startswith("draft on 2,")
    rows = np.zeros((ROWS + few, 4))
    rows[:ROWS, :3], rows[ROWS:, [0, 3]] = X, 1.0
    cov = np.linalg.inv(rows.T @ rows + np.eye(4) / 100)
    mean, sd = cov @ rows.T @ np.concatenate([Y, w]), np.sqrt(np.diag(cov))
    with approx.target.precision():
        assert np.max(np.abs(approx.family.mean() - mean) / sd) < 0.05
        np.testing.assert_allclose(approx.family.std() / sd, 1.0, atol=0.05)


def test_an_interrupted_draft_keeps_what_it_has(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C while the first few batches are looked at."""
    calls: list[int] = []
    read = BatchGradients._evaluate

    def interrupted(self: BatchGradients, z: Any) -> Any:
        calls.append(len(z))
        if len(calls) == 4:
            raise KeyboardInterrupt
        return read(self, z)

    monkeypatch.setattr(BatchGradients, "_evaluate", interrupted)
    with pytest.warns(UserWarning, match="^not trusted: "):
        approx = fit(regression(X, Y), batch_size=500)
    assert approx.stopped == "interrupted"
    assert stages(approx) == ["draft on 2,000 rows"]
    assert np.isfinite(approx.family.std()).all()


def test_rows_that_can_not_be_read_leave_the_draft(tmp_path: Path) -> None:
    bad = np.where(np.arange(ROWS) == ROWS - 7, np.nan, Y)

    def blocks() -> Iterator[dict[str, np.ndarray]]:
        for first in range(0, ROWS, 500):
            yield {"X": X[first : first + 500], "target": bad[first : first + 500]}

    rows = taut.IterableRows(blocks, rows=ROWS)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(packing, "IN_MEMORY_BYTES", 0)
        with pytest.raises(RowsError, match="'target' has NaN") as caught:
            fit(few_rows(), rows=rows, batch_size=500, shuffle=False)
    approx = caught.value.approx
    assert approx.stopped == str(caught.value).splitlines()[0]
    with approx.target.precision():
        # One standard deviation of a posterior of 2 000 of the 30 000 rows is four of all of them.
        assert np.max(np.abs(approx.family.mean() - MEAN) / SD) < 16


def test_few_rows_need_no_draft() -> None:
    approx = fit(regression(X[:3000], Y[:3000]), batch_size=500)
    assert stages(approx)[0] == "quasi-Newton paths"


@pytest.mark.parametrize("batch_size", [100, 500])
def test_a_batch_of_all_rows_is_told_and_fitted(batch_size: int) -> None:
    with pytest.warns(UserWarning, match="each step uses all rows"):
        approx = fit(regression(X[:100], Y[:100]), batch_size=batch_size)
    assert approx.journal.outcome is Outcome.EXACT
    many = pytest.warns(UserWarning, match="is more than the 100 rows")
    with many if batch_size > 100 else nullcontext():
        source = taut.ArrayRows({"X": X[:100], "target": Y[:100]})
        streamed = fit(few_rows(), rows=source, batch_size=batch_size)
    assert streamed.journal.outcome is Outcome.EXACT


def test_a_draft_with_several_modes_is_left_aside() -> None:
    rng = np.random.default_rng(1)
    y = rng.choice([-3.0, 3.0], size=20_000) + rng.normal(size=20_000)
    with pm.Model() as model:
        place = pm.Normal("place", 0.0, 5.0)
        # Its sign is free.
        parts = [pm.Normal.dist(place, 1.0), pm.Normal.dist(-place, 1.0)]
        pm.Mixture("y", [0.5, 0.5], parts, observed=y)
    approx = fit(model, batch_size=500)
    assert approx.journal.stages[0].note == "it is left aside: several modes"
    assert isinstance(approx.family, Mixture)
    assert approx.journal.outcome is Outcome.MIXED


def test_what_is_not_gaussian_is_checked_on_all_rows() -> None:
    """A product of parameters, of which the data say little: a ridge."""
    with pm.Model() as model:
        a, b = pm.Normal("a", 1.0, 0.5), pm.Normal("b", 1.0, 0.5)
        pm.Normal("y", a * b, 30.0, observed=1.0 + 30.0 * RNG.normal(size=10_000))
    approx = fit(model, batch_size=500)
    assert stages(approx)[:2] == ["draft on 2,000 rows", "batch and match"]
    assert stages(approx)[2] in ("importance weights", "check by short chains")
    assert approx.journal.outcome in (Outcome.WEIGHED, Outcome.CHECKED, Outcome.REPAIRED)


@pytest.mark.parametrize("batches", [1, 3, 7])
@pytest.mark.parametrize("points", [1, 40])
def test_batches_of_an_epoch_add_up_to_all_rows(batches: int, points: int) -> None:
    """Batches of 3 000 rows whose last one is a row short, 40 points being more than a block."""
    rows = 20 * batches - (batches > 1)
    model, whole = few_rows(), regression(X[:rows], Y[:rows])
    source = taut.ArrayRows({"X": X[:rows], "target": Y[:rows]})
    advi = taut.ADVI(model=model)
    advi.fit(1, rows=source, batch_size=20, progressbar=False)
    assert advi.approx.stepping is not None
    streamed = advi.approx.stepping.streamed
    assert streamed is not None
    assert streamed.partition.batches == batches
    some = BatchGradients(streamed.target, Timing(), streamed.parts)
    all_ = Gradients(taut.as_target(whole), Timing())
    z = np.random.default_rng(0).normal(size=(points, 3))
    for one, other in zip(some(z), all_(z), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-10)
    assert some.count == all_.count == points
    assert 0 < some.seconds_each < np.inf


def test_a_pass_compiles_one_program() -> None:
    approx = fit(few_rows(), rows=taut.ArrayRows({"X": X, "target": Y}), batch_size=500)
    count = approx.target.programs.count
    fit(approx.model, rows=taut.ArrayRows({"X": X, "target": Y}), batch_size=500)
    assert approx.target.programs.count == count


def test_few_rows_are_put_on_the_device_once() -> None:
    reads: list[int] = []

    def blocks() -> Iterator[dict[str, np.ndarray]]:
        reads.append(1)
        yield {"X": X, "target": Y}

    rows = taut.IterableRows(blocks, rows=ROWS)
    before = len(reads)
    fit(few_rows(), rows=rows, batch_size=500)
    assert len(reads) - before <= 1


def test_a_target_that_knows_only_batches_is_fitted_by_steps() -> None:
    class Some(AbstractBatches):
        def draw(self, key: Any, step: Any = 0) -> Any:
            return (jnp.ones(2),)

    target = taut.Target(
        lambda z, data, batch: (-0.5 * jnp.sum(z**2), sum(0.0 * rows.sum() for rows in batch)),  # pyright: ignore[reportCallIssue]
        Space.of({"z": (2,)}),
        batches=Some(),
    )
    approx = taut.fit(model=target, random_seed=1, progressbar=False)
    assert approx.method == "ADVI"
    assert approx.stopped is not None
    assert "step size" in approx.stopped


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ({"method": "batch_match", "batch_size": 500}, "reads all rows in every step"),
        ({"batch_size": 0}, "positive integer"),
        ({"rows": {"X": 0}}, "say how many"),
    ],
)
def test_batches_that_make_no_sense(how: dict[str, Any], said: str) -> None:
    with pytest.raises(ArgumentError, match=said):
        fit(regression(X, Y), **how)


@pytest.mark.parametrize("method", ["laplace", "dadvi"])
def test_second_derivatives_are_not_read_from_a_source(method: str) -> None:
    rows = taut.ArrayRows({"X": X, "target": Y})
    with pytest.raises(ArgumentError, match="second derivatives"):
        fit(few_rows(), rows=rows, batch_size=500, method=method)


def test_a_minibatch_without_total_size_is_refused() -> None:
    x, y = pm.Minibatch(X, Y, batch_size=100)
    with pytest.warns(UserWarning, match="total_size not provided"):
        model = regression(x, y)
    with pytest.raises(ModelError, match="total_size"):
        fit(model)

"""Fits in batches of whole groups are those of all groups at once, from memory and from disk."""

import pickle
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pymc as pm
import pytest
import xarray as xr

import taut
from taut.diagnose import Outcome
from taut.errors import ArgumentError, ModelError, RowsError, StorageError
from taut.rows import AbstractRows, Column, packing

GROUPS, EACH, SAMPLE = 600, 6, 40
RANDOM = np.random.default_rng(0)
SIZES = RANDOM.integers(1, 2 * EACH, GROUPS)
G = RANDOM.permutation(np.repeat(np.arange(GROUPS), SIZES))
X = RANDOM.normal(size=len(G))
LATENT = RANDOM.normal(0.5, 0.8, GROUPS)
Y = RANDOM.normal(LATENT[G] + 0.4 * X, 1.0)
BINARY = RANDOM.binomial(1, 1 / (1 + np.exp(-LATENT[G] - 0.4 * X)))
# A key is not the number of its group.
KEYS = 10 * G + 3


def normal_rows(rows: np.ndarray | None = None) -> pm.Model:
    """A model of all rows, or of those of the first groups."""
    kept = G < SAMPLE if rows is None else rows
    with pm.Model(coords={"person": range(int(G[kept].max()) + 1)}) as model:
        mu, s = pm.Normal("mu", 0.0, 5.0), pm.HalfNormal("s", 2.0)
        a = pm.Normal("a", mu, s, dims="person")
        x, g = pm.Data("x", X[kept]), pm.Data("g", G[kept])
        pm.Normal("y", a[g] + pm.Normal("b", 0, 2) * x, 1.0, observed=Y[kept])
    return model


def binary_rows(rows: np.ndarray | None = None) -> pm.Model:
    """The same, not centred, with binary rows."""
    kept = G < SAMPLE if rows is None else rows
    with pm.Model(coords={"person": range(int(G[kept].max()) + 1)}) as model:
        mu, s = pm.Normal("mu", 0.0, 5.0), pm.HalfNormal("s", 2.0)
        z = pm.Normal("z", dims="person")
        a = pm.Deterministic("a", mu + s * z, dims="person")
        pm.Deterministic("all", a - a.mean())
        x, g = pm.Data("x", X[kept]), pm.Data("g", G[kept])
        pm.Bernoulli("y", logit_p=a[g] + pm.Normal("b", 0, 2) * x, observed=BINARY[kept])
    return model


ALL = np.ones(len(G), bool)
MODELS = {"normal": (normal_rows, Y), "binary": (binary_rows, BINARY)}


def fit(model: pm.Model, **how: Any) -> taut.Approximation:
    return taut.fit(model=model, random_seed=1, progressbar=False, **{"groups": "g", **how})


@cache
def at_once(kind: str) -> taut.Approximation:
    model = MODELS[kind][0](ALL)
    return taut.fit(model=model, method="marginal", random_seed=1, progressbar=False)


@cache
def in_memory(kind: str) -> taut.Approximation:
    return fit(MODELS[kind][0](ALL), batch_size=500)


def source_of(kind: str, folder: Path, files: int = 3) -> taut.ParquetRows:
    """Rows in files that cut the groups apart."""
    for i, rows in enumerate(np.array_split(np.arange(len(G)), files)):
        columns = {"key": KEYS[rows], "x": X[rows], "y": MODELS[kind][1][rows]}
        pq.write_table(pa.table(columns), folder / f"{i}.parquet", row_group_size=700)
    return taut.ParquetRows(folder, {"g": "key", "x": "x", "y": "y"})


@pytest.fixture
def on_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packing, "IN_MEMORY_BYTES", 0)


def globals_of(approx: taut.Approximation) -> tuple[np.ndarray, np.ndarray]:
    names = ("mu", "s_log__", "b")
    at = np.concatenate([np.arange(approx.ndim)[approx.target.space[n].slice] for n in names])
    return approx.mean.eval()[at], approx.std.eval()[at]


def assert_alike(one: taut.Approximation, other: taut.Approximation, within: float) -> None:
    (mean, std), (known, sd) = globals_of(one), globals_of(other)
    assert np.abs((mean - known) / sd).max() < within
    assert np.abs(np.log(std / sd)).max() < within


@pytest.mark.parametrize("kind", MODELS)
def test_globals_are_those_of_all_groups_at_once(kind: str) -> None:
    approx = in_memory(kind)
    assert approx.trusted
    assert approx.journal.outcome is Outcome.INTEGRATED
    assert set(approx.target.space.names) == {"mu", "s_log__", "b"}
    # 64 balanced draws know means to 0.02 sd, here and there.
    assert_alike(approx, at_once(kind), 0.06)


@pytest.mark.usefixtures("on_disk")
@pytest.mark.parametrize("kind", MODELS)
def test_rows_on_disk_and_a_sample_of_groups_give_the_same(kind: str, tmp_path: Path) -> None:
    rows = source_of(kind, tmp_path)
    approx = fit(MODELS[kind][0](), rows=rows, batch_size=700)
    assert approx.trusted
    assert f"{len(G):,d} rows of {GROUPS} groups" in str(approx.journal.stages[0])
    assert_alike(approx, in_memory(kind), 0.06)


def test_a_source_that_fits_in_memory_is_read_once(tmp_path: Path) -> None:
    rows = Counted(source_of("normal", tmp_path))
    approx = fit(normal_rows(), rows=rows)
    assert rows.passes == 1
    assert_alike(approx, in_memory("normal"), 0.06)


def test_marginal_takes_a_batch_size_and_finds_the_index() -> None:
    approx = taut.fit(
        model=normal_rows(ALL), method="marginal", batch_size=500, random_seed=1, progressbar=False
    )
    np.testing.assert_array_equal(globals_of(approx), globals_of(in_memory("normal")))


class Counted(AbstractRows):
    """Rows of another source, and how often they are read."""

    def __init__(self, source: AbstractRows) -> None:
        self._source, self.passes = source, 0

    @property
    def rows(self) -> int:
        return self._source.rows

    @property
    def columns(self) -> Mapping[str, Column]:
        return self._source.columns

    def blocks(self, random: Any) -> Iterator[Mapping[str, np.ndarray]]:
        self.passes += 1
        yield from self._source.blocks(random)


def sorted_rows() -> taut.ArrayRows:
    order = np.argsort(G, kind="stable")
    return taut.ArrayRows({"g": KEYS[order], "x": X[order], "y": Y[order]}, block_rows=500)


@pytest.mark.usefixtures("on_disk")
def test_rows_are_read_four_times_at_most(tmp_path: Path) -> None:
    apart = Counted(source_of("normal", tmp_path))
    approx = fit(normal_rows(), rows=apart, batch_size=700)
    assert apart.passes == 1
    assert approx.state.grouped is not None
    assert approx.state.grouped.passes == 3


@pytest.mark.usefixtures("on_disk")
def test_rows_that_are_together_stay_where_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise AssertionError("rows are brought together that are so already")

    monkeypatch.setattr("taut.marginal.grouped_rows.TogetherOnDisk", refuse)
    approx = fit(normal_rows(), rows=sorted_rows(), batch_size=700)
    assert approx.trusted
    assert approx.state.grouped is not None
    assert approx.state.grouped.passes <= 4
    assert_alike(approx, in_memory("normal"), 0.06)


@pytest.mark.usefixtures("on_disk")
def test_groups_whose_order_tells_of_them_are_put_in_another() -> None:
    """Latents fall from the oldest customers to the youngest: no batch is like the others."""
    latent = np.sort(LATENT)
    y = np.random.default_rng(4).normal(latent[G] + 0.4 * X, 1.0)
    order = np.argsort(G, kind="stable")
    rows = taut.ArrayRows({"g": G[order], "x": X[order], "y": y[order]})
    approx = fit(normal_rows(), rows=rows, batch_size=400)
    assert "groups in a random order" in str([stage.name for stage in approx.journal.stages])
    assert approx.trusted
    with pm.Model() as model:
        mu, s = pm.Normal("mu", 0.0, 5.0), pm.HalfNormal("s", 2.0)
        a = pm.Normal("a", mu, s, shape=GROUPS)
        pm.Normal("y", a[G] + pm.Normal("b", 0, 2) * X, 1.0, observed=y)
    whole = taut.fit(model=model, method="marginal", random_seed=1, progressbar=False)
    assert_alike(approx, whole, 0.06)


@pytest.mark.usefixtures("on_disk")
def test_an_iterator_is_read_once() -> None:
    rows = taut.IterableRows(iter([{"g": KEYS, "x": X, "y": Y}]), rows=len(G))
    assert fit(normal_rows(), rows=rows, batch_size=700).trusted


@pytest.mark.usefixtures("on_disk")
def test_programs_are_as_many_for_any_number_of_batches(tmp_path: Path) -> None:
    counts = []
    for size in (300, 2000):
        approx = fit(binary_rows(), rows=source_of("binary", tmp_path), batch_size=size)
        assert approx.state.grouped is not None
        programs = approx.state.grouped.target.programs
        counts.append((programs.count, len(programs.compiled)))
    assert counts[0] == counts[1]


@pytest.mark.usefixtures("on_disk")
def test_the_same_seed_gives_the_same_fit(tmp_path: Path) -> None:
    first, again = (
        fit(binary_rows(), rows=source_of("binary", tmp_path, files), batch_size=700)
        for files in (1, 3)
    )
    np.testing.assert_array_equal(first.mean.eval(), again.mean.eval())
    np.testing.assert_array_equal(first.std.eval(), again.std.eval())
    draws = [fit.sample(10, random_seed=1)["posterior"]["s"] for fit in (first, again)]
    np.testing.assert_array_equal(*draws)


def latents(approx: taut.Approximation, folder: Path) -> xr.Dataset:
    approx.write_latents(folder / "latents.zarr")
    found = xr.open_zarr(folder / "latents.zarr", consolidated=False).load()
    return found.isel(person=np.argsort(found["g"].values))


@pytest.mark.parametrize("kind", MODELS)
def test_latents_are_those_of_all_groups_at_once(kind: str, tmp_path: Path) -> None:
    found, whole = latents(in_memory(kind), tmp_path), at_once(kind)
    np.testing.assert_array_equal(found["g"], np.arange(GROUPS))
    draws = whole.sample(4000, random_seed=1)["posterior"]["a"].values[0]
    sd = draws.std(axis=0)
    # Of 4 000 draws and 600 groups: the largest of as many errors, of 1/63 each, is below 4.5.
    assert np.abs((found["a_mean"].values - draws.mean(axis=0)) / sd).max() < 4.5 / np.sqrt(4000)
    assert np.abs(np.log(found["a_sd"].values / sd)).max() < 4.5 / np.sqrt(8000) + 0.01


def test_latents_in_the_unconstrained_space_agree_to_more_digits(tmp_path: Path) -> None:
    found, whole = latents(in_memory("normal"), tmp_path), at_once("normal")
    at = whole.target.space["a"].slice
    mean, std = whole.mean.eval()[at], whole.std.eval()[at]
    assert np.abs((found["a_mean"].values - mean) / std).max() < 0.02
    assert np.abs(np.log(found["a_sd"].values / std)).max() < 0.02


@pytest.mark.usefixtures("on_disk")
def test_latents_of_rows_on_disk_have_the_keys_of_these(tmp_path: Path) -> None:
    approx = fit(binary_rows(), rows=source_of("binary", tmp_path), batch_size=700)
    found = latents(approx, tmp_path)
    np.testing.assert_array_equal(found["g"], np.unique(KEYS))
    known = latents(in_memory("binary"), tmp_path / "again")
    np.testing.assert_allclose(found["a_mean"], known["a_mean"], atol=0.02)
    assert {"z_mean", "z_sd", "a_mean", "a_sd", "g"} == set(found.variables)


def test_what_depends_on_all_groups_is_not_written(tmp_path: Path) -> None:
    assert "all_mean" not in latents(in_memory("binary"), tmp_path)


def test_several_axes_and_transforms_of_latents_are_written(tmp_path: Path) -> None:
    with pm.Model(coords={"person": range(GROUPS), "part": ["one", "two"]}) as model:
        s = pm.HalfNormal("s", 1, dims="part")
        a = pm.Gamma("a", 3.0, 1.0 / s[:, None], dims=("part", "person"))
        mean = a[:, pm.Data("g", G)].T
        pm.Normal("y", mean, 1.0, observed=np.stack([Y, Y**2], axis=1))
    approx = fit(model, batch_size=1500)
    found = latents(approx, tmp_path)
    assert found["a_mean"].dims == ("person", "part")
    whole = taut.fit(model=model, method="marginal", random_seed=1, progressbar=False)
    draws = whole.sample(2000, random_seed=1)["posterior"]["a"].values[0].transpose(0, 2, 1)
    away = (found["a_mean"].values - draws.mean(axis=0)) / draws.std(axis=0)
    # Draws of a fit are Gaussian in the unconstrained space, which moves means of what is skewed.
    assert np.abs(away).mean() < 0.05


def test_a_file_that_is_there_stays(tmp_path: Path) -> None:
    approx = in_memory("normal")
    approx.write_latents(tmp_path / "one")
    with pytest.raises(StorageError, match="There is something at"):
        approx.write_latents(tmp_path / "one")


def test_latents_are_of_fits_in_batches_of_groups(tmp_path: Path) -> None:
    with pytest.raises(ArgumentError, match="write_latents is of fits in batches of groups"):
        at_once("normal").write_latents(tmp_path / "one")


def test_a_saved_fit_is_the_same(tmp_path: Path) -> None:
    approx = in_memory("normal")
    approx.save(tmp_path / "fit")
    loaded, copied = taut.load(tmp_path / "fit"), pickle.loads(pickle.dumps(approx))
    for other in (loaded, copied, taut.load(tmp_path / "fit", model=normal_rows(ALL))):
        assert other.trusted
        expected = approx.sample(20, random_seed=1)["posterior"]["s"]
        np.testing.assert_allclose(other.sample(20, random_seed=1)["posterior"]["s"], expected)
        with pytest.raises(ArgumentError, match="of the process that has made them"):
            other.write_latents(tmp_path / "latents")


def test_what_users_ask_of_a_fit_works_or_says_why() -> None:
    approx = in_memory("normal")
    assert list(approx.summary(random_seed=1).index) == ["b", "mu", "s"]
    assert approx.diagnose().trusted
    assert "latents are integrated out" in str(approx.report)
    assert str(approx).count("mu") >= 1
    with pytest.raises(ArgumentError, match="integrated out, in batches of groups"):
        approx.log_likelihood(10)
    with pytest.raises(ArgumentError):
        approx.predict()


@pytest.mark.usefixtures("on_disk")
def test_a_group_larger_than_a_batch_is_named(tmp_path: Path) -> None:
    match = rf"key \d+3 has {SIZES.max()} rows.*batch_size=8.*batch_size=16"
    with pytest.raises(ArgumentError, match=match):
        fit(normal_rows(), rows=source_of("normal", tmp_path), batch_size=8)


def test_a_large_group_is_a_batch_where_no_size_is_given() -> None:
    g = np.concatenate([np.repeat(np.arange(30), 3), np.full(500, 30)])
    y = np.random.default_rng(1).normal(size=len(g))
    with pm.Model() as model:
        a = pm.Normal("a", pm.Normal("mu"), pm.HalfNormal("s"), shape=31)
        pm.Normal("y", a[pm.Data("g", g)], 1.0, observed=y)
    approx = fit(model)
    whole = taut.fit(model=model, method="marginal", random_seed=1, progressbar=False)
    assert not (approx.trusted and np.abs(approx.mean.eval()[0] - whole.mean.eval()[0]) > 0.05)


@pytest.mark.usefixtures("on_disk")
@pytest.mark.parametrize("keys", [[1.0, np.nan, 2.0], [1, None, 2]], ids=["NaN", "null"])
def test_rows_without_a_key_are_named(keys: list[Any], tmp_path: Path) -> None:
    table = pa.table({"key": pa.array(keys), "x": [0.0] * 3, "y": [0.0] * 3})
    pq.write_table(table, tmp_path / "rows.parquet")
    rows = taut.ParquetRows(tmp_path, {"g": "key", "x": "x", "y": "y"})
    with pytest.raises(RowsError, match=r"Column 'key' of .* is null or NaN in 1 of 3 rows"):
        fit(normal_rows(), rows=rows)


def test_rows_have_to_have_what_the_model_reads() -> None:
    arrays = {"g": KEYS, "x": X, "y": Y}
    for left_out, match in (("g", "The model reads 'g'"), ("x", "The model reads 'x'")):
        rows = taut.ArrayRows({n: a for n, a in arrays.items() if n != left_out})
        with pytest.raises((ArgumentError, ModelError), match=match):
            fit(normal_rows(), rows=rows)
    with pytest.raises(ArgumentError, match="'w', which is no data of the model"):
        fit(normal_rows(), rows=taut.ArrayRows(arrays | {"w": X}))
    with pytest.raises(ArgumentError, match=r"A row of 'x' has shape \(2,\) in rows, and \(\)"):
        fit(normal_rows(), rows=taut.ArrayRows(arrays | {"x": np.zeros((len(G), 2))}))
    with pytest.raises(ArgumentError, match="a row has one key"):
        fit(normal_rows(), rows=taut.ArrayRows(arrays | {"g": np.zeros((len(G), 2))}))


def test_a_model_without_latents_of_groups_says_so() -> None:
    with pm.Model() as model:
        mu = pm.Normal("mu") + pm.Normal("b") * pm.Data("x", X)
        pm.Normal("y", mu, 1.0, observed=Y)
    with pytest.raises(ModelError, match="Batches of groups are for latents with an element"):
        fit(model, groups=None, method="marginal", batch_size=100)


def test_arguments_of_other_fits_are_refused() -> None:
    model = normal_rows()
    for how, match in (
        ({"method": "advi"}, "ADVI reads batches of rows.*does not take groups"),
        ({"method": "laplace"}, "Laplace has no batches of groups"),
        ({"groups": 3}, "groups must be the name of the data"),
        ({"callbacks": []}, "does not take callbacks"),
        ({"checkpoint": "folder"}, "keeps no checkpoints"),
        ({"groups": "h"}, "groups names 'h', which is no data with rows"),
    ):
        with pytest.raises(ArgumentError, match=match):
            fit(model, **how)
    with pytest.raises(ArgumentError, match="hand has no data with names"):
        taut.fit(model=taut.as_target(model), groups="g", progressbar=False)


def test_several_modes_of_latents_are_not_trusted() -> None:
    """The square of a latent is seen, so that its mirror image is as good."""
    with pm.Model() as model:
        a = pm.Normal("a", pm.Normal("mu"), pm.HalfNormal("s"), shape=GROUPS)
        pm.Normal("y", a[pm.Data("g", G)] ** 2, 0.3, observed=np.abs(Y))
    with pytest.warns(UserWarning, match="latents from elsewhere, of the first batch"):
        approx = fit(model, batch_size=1000, start={"a": np.ones(GROUPS)})
    assert not approx.trusted


def test_nodes_are_doubled_where_that_moves_the_globals() -> None:
    """Latents that few rows cut off steeply: nine nodes are not enough."""
    random, g = np.random.default_rng(0), np.repeat(np.arange(GROUPS), 2)
    steep = random.binomial(1, 1 / (1 + np.exp(-3 * random.normal(size=GROUPS)[g])))
    with pm.Model() as model:
        a = pm.Normal("a", pm.Normal("mu", 0, 3), pm.HalfNormal("s", 5), shape=GROUPS)
        pm.Bernoulli("y", logit_p=8.0 * a[pm.Data("g", g)], observed=steep)
    approx = fit(model, batch_size=600)
    whole = taut.fit(model=model, method="marginal", random_seed=1, progressbar=False)
    assert "by 9 nodes" not in str(approx.journal.stages[1])
    means = (approx.mean.eval() - whole.mean.eval()[:2]) / whole.std.eval()[:2]
    assert not approx.trusted or np.abs(means).max() < 0.1


def test_a_limit_of_time_keeps_what_is_reached() -> None:
    with pytest.warns(UserWarning, match="there was no time to check it"):
        approx = fit(normal_rows(ALL), batch_size=500, max_seconds=1e-3)
    assert np.isfinite(approx.mean.eval()).all()

"""A regression with a known posterior, by every way to batch its rows."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import optax
import pyarrow as pa
import pyarrow.parquet as pq
import pymc as pm
import pytensor
import pytest
import zarr

import taut
from taut.errors import ArgumentError, ModelError
from taut.rows import packing

ROWS, BATCH, TRUTH = 1000, 50, np.array([1.0, -0.5, 2.0])
RNG = np.random.default_rng(0)
X = RNG.normal(size=(ROWS, 3))
Y = X @ TRUTH + RNG.normal(size=ROWS)
# sd 0.032; that of one batch alone is 0.14.
COV = np.linalg.inv(X.T @ X + np.eye(3) / 100)
MEAN, SD = COV @ X.T @ Y, np.sqrt(np.diag(COV))


def regression(x: Any, y: Any, **total_size: Any) -> pm.Model:
    """Enter the regression, on whatever has its rows, into the model on the context."""
    model = pm.modelcontext(None)
    slope = pm.Normal("slope", 0.0, 10.0, shape=3)
    pm.Normal("y", pm.Deterministic("mu", x @ slope), 1.0, observed=y, **total_size)
    return model


def all_rows() -> pm.Model:
    with pm.Model():
        return regression(X, Y)


def sample_of_rows() -> pm.Model:
    """A model that holds a few rows, to be fed others."""
    with pm.Model():
        return regression(pm.Data("X", X[:10]), pm.Data("target", Y[:10]))


def minibatches(draw: Callable[..., Any]) -> pm.Model:
    with pm.Model():
        x, y = draw(X, Y, batch_size=BATCH)
        return regression(x, y, total_size=ROWS)


def replaced() -> dict[str, Any]:
    """A model of shared data, which minibatches of the same data replace."""
    x, y = pytensor.shared(X), pytensor.shared(Y)
    with pm.Model() as model:
        regression(x, y, total_size=ROWS)
    x_batch, y_batch = taut.Minibatch(x, y, batch_size=BATCH)
    return {"model": model, "more_replacements": {x: x_batch, y: y_batch}}


def on_disk(folder: Path) -> dict[str, Any]:
    """The rows in each kind of file, by the source that reads it."""
    np.save(folder / "x.npy", X)
    table = {f"x{i}": X[:, i] for i in range(3)} | {"y": Y}
    pq.write_table(pa.table(table), folder / "rows.parquet", row_group_size=130)
    group = zarr.open_group(folder / "rows.zarr", mode="w")
    for name, array in {"X": X, "target": Y}.items():
        group.create_array(name, data=array, chunks=(170, *array.shape[1:]))
    return {
        "memory map": taut.ArrayRows({"X": np.load(folder / "x.npy", mmap_mode="r"), "target": Y}),
        "parquet": taut.ParquetRows(folder / "rows.parquet", {"X": ["x0", "x1", "x2"], "y": "y"}),
        "zarr": taut.ZarrRows(folder / "rows.zarr"),
        "iterable": taut.IterableRows(
            lambda: ({"X": X[i : i + 90], "y": Y[i : i + 90]} for i in range(0, ROWS, 90)),
            rows=ROWS,
        ),
    }


WAYS = {
    "all rows": lambda folder: {"model": all_rows()},
    "batch_size": lambda folder: {"model": all_rows(), "batch_size": BATCH},
    "batch_size, ragged": lambda folder: {"model": all_rows(), "batch_size": 70},
    "in order": lambda folder: {"model": all_rows(), "batch_size": BATCH, "shuffle": False},
    "replacement": lambda folder: {"model": all_rows(), "batch_size": BATCH, "replace": True},
    "taut.Minibatch": lambda folder: {"model": minibatches(taut.Minibatch)},
    "pm.Minibatch": lambda folder: {"model": minibatches(pm.Minibatch)},
    "more_replacements": lambda folder: replaced(),
    **{
        name: lambda folder, name=name: {
            "model": sample_of_rows(), "rows": on_disk(folder)[name], "batch_size": BATCH,
        }
        for name in ("memory map", "parquet", "zarr", "iterable")
    },
}  # fmt: skip


def fit(n: int = 20_000, **arguments: Any) -> taut.Approximation:
    """Fit with a rate that falls until its noise is no part of the result."""
    optimizer = optax.adam(optax.exponential_decay(0.02, n // 10, 0.5, transition_begin=n // 5))
    if not isinstance(arguments.get("method"), taut.Inference):
        arguments["random_seed"] = 1
    return taut.fit(n, obj_optimizer=optimizer, progressbar=False, **arguments)


@pytest.fixture(scope="module", autouse=True)
def _rows_stay_on_disk() -> Iterator[None]:
    """As those that do not fit in memory; else few rows are read once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(packing, "IN_MEMORY_BYTES", 0)
        yield


@pytest.fixture(scope="module", params=WAYS)
def fitted(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> taut.Approximation:
    return fit(**WAYS[request.param](tmp_path_factory.mktemp("rows")))


def test_mean_and_sd_are_the_posteriors(fitted: taut.Approximation) -> None:
    """The columns are all but uncorrelated, so that mean field has the right sd.

    What is left of the noise of batches after the rate has fallen is 0.1 sd in means, 8 % in sds.
    """
    np.testing.assert_allclose(fitted.mean.eval(), MEAN, atol=0.2 * 0.032)
    np.testing.assert_allclose(fitted.std.eval(), SD, rtol=0.15)


def test_the_history_has_the_scale_of_all_rows(fitted: taut.Approximation) -> None:
    """The mean of 5 000 losses, each with a sd of up to 95 nats, is within 1 % of 1 442."""
    assert fitted.hist[-5000:].mean() == pytest.approx(1442, rel=0.01)


def test_pymcs_scale_is_there_for_those_who_compare(fitted: taut.Approximation) -> None:
    scale = float(fitted.symbolic_normalizing_constant.eval())
    assert scale in (1.0, ROWS / BATCH, ROWS / 70)


def test_the_elbo_of_all_rows(fitted: taut.Approximation) -> None:
    """The exact posterior's is the log evidence; the fits are within a third of a nat of it."""
    cov = X @ X.T * 100 + np.eye(ROWS)
    _, log_det = np.linalg.slogdet(2 * np.pi * cov)
    evidence = -0.5 * (log_det + Y @ np.linalg.solve(cov, Y))
    elbo = fitted.elbo(2000, random_seed=1)
    assert elbo.mean < evidence + 4 * elbo.se
    assert elbo.mean == pytest.approx(evidence, abs=0.3)
    assert elbo.se < 0.05


def test_the_log_likelihood_has_every_row(fitted: taut.Approximation) -> None:
    tree = fitted.log_likelihood(20, random_seed=2)
    values = tree["log_likelihood"]["y"]
    assert values.shape == (1, 20, ROWS)
    slope = tree["posterior"]["slope"].values[0]
    expected = -0.5 * np.log(2 * np.pi) - 0.5 * (Y - slope @ X.T) ** 2
    np.testing.assert_allclose(values[0], expected, rtol=1e-6, atol=1e-8)


# Of PyTensor, about the wrapper that PyMC puts around a variable with total_size.
@pytest.mark.filterwarnings("ignore:Numba will use object mode")
@pytest.mark.parametrize("way", ["batch_size", "taut.Minibatch", "more_replacements"])
def test_draws_and_predictions_have_all_rows(way: str, tmp_path: Path) -> None:
    arguments = WAYS[way](tmp_path)
    approx = fit(50, **arguments)
    draws = approx.sample(7, random_seed=1)
    assert draws["posterior"]["mu"].shape == (1, 7, ROWS)
    assert draws["observed_data"]["y"].shape == (ROWS,)
    model = arguments["model"]
    assert approx.sample_node(model["mu"], size=3).eval().shape == (3, ROWS)
    if way != "taut.Minibatch":
        # PyMC evaluates the model as it is written, and this one is written on batches.
        predicted = pm.sample_posterior_predictive(draws, model=model, progressbar=False)
        assert predicted["posterior_predictive"]["y"].shape == (1, 7, ROWS)


def test_dims_and_coords_stay() -> None:
    rows, features = np.arange(100, 100 + ROWS), list("abc")
    with pm.Model(coords={"row": rows, "feature": features}) as model:
        x = pm.Data("X", X, dims=("row", "feature"))
        slope = pm.Normal("slope", 0.0, 10.0, dims="feature")
        pm.Deterministic("mu", x @ slope, dims="row")
        pm.Normal("y", x @ slope, 1.0, observed=Y, dims="row")
    tree = fit(50, model=model, batch_size=BATCH).log_likelihood(5)
    for group, name in (("posterior", "mu"), ("log_likelihood", "y")):
        np.testing.assert_array_equal(tree[group][name]["row"], rows)


def test_rows_of_a_source_have_no_density_in_the_draws(tmp_path: Path) -> None:
    """The model holds ten of them, whose density says nothing of the posterior."""
    approx = fit(50, **WAYS["parquet"](tmp_path))
    assert set(approx.sample(5)["sample_stats"].data_vars) == {"log_q"}


@pytest.mark.parametrize("method", ["fullrank_advi", "svgd", "asvgd"])
def test_every_method_takes_batches(method: str) -> None:
    """Within a half of a posterior sd after a short fit."""
    draws = {"obj_n_mc": 20} if method == "asvgd" else {}
    approx = fit(4000, method=method, model=all_rows(), batch_size=200, **draws)
    np.testing.assert_allclose(approx.mean.eval(), MEAN, atol=0.5 * 0.032)


def test_grouped_approximations_take_batches() -> None:
    model = all_rows()
    groups = [taut.Group([model["slope"]], vfam="fr")]
    approx = taut.Approximation(groups, model=model, random_seed=1)
    fit(4000, method=taut.KLqp(approx), batch_size=200)
    np.testing.assert_allclose(approx.mean.eval(), MEAN, atol=0.5 * 0.032)


@pytest.mark.parametrize("way", ["batch_size", "replacement", "memory map", "iterable"])
def test_going_on_is_the_same_as_not_stopping(way: str, tmp_path: Path) -> None:
    arguments = WAYS[way](tmp_path)
    model = arguments.pop("model")

    def fresh() -> taut.ADVI:
        return taut.ADVI(model=model, random_seed=3)

    parts, whole = fresh(), fresh()
    parts.fit(130, progressbar=False, **arguments)
    parts.refine(70, progressbar=False)
    whole.fit(200, progressbar=False, **arguments)
    np.testing.assert_array_equal(parts.hist, whole.hist)
    np.testing.assert_array_equal(parts.approx.mean.eval(), whole.approx.mean.eval())


def test_the_seed_decides_the_batches() -> None:
    def hist(seed: int) -> np.ndarray:
        arguments = {"model": all_rows(), "batch_size": BATCH, "progressbar": False}
        return taut.fit(40, random_seed=seed, **arguments).hist

    np.testing.assert_array_equal(hist(1), hist(1))
    assert not np.array_equal(hist(1), hist(2))


def test_a_second_fit_by_batches_compiles_nothing() -> None:
    model = all_rows()
    before = taut.fit(20, method="advi", model=model, batch_size=BATCH, progressbar=False)
    count = before.target.programs.count
    again = taut.fit(20, method="advi", model=model, batch_size=BATCH, progressbar=False)
    assert again.target.programs.count == count
    assert again.timing.compile == 0.0


def test_callbacks_look_on_at_every_step_of_a_batched_fit() -> None:
    seen: list[int] = []
    fit(30, model=all_rows(), batch_size=BATCH, callbacks=[lambda approx, hist, i: seen.append(i)])
    assert seen == list(range(1, 31))


def forgotten(draw: Callable[..., Any] = taut.Minibatch) -> pm.Model:
    with pm.Model(), pytest.warns(UserWarning, match="total_size not provided"):
        return regression(*draw(X, Y, batch_size=BATCH))


@pytest.mark.parametrize("draw", [taut.Minibatch, pm.Minibatch])
def test_a_forgotten_total_size_is_refused_with_the_line_to_write(draw: Any) -> None:
    message = (
        r"'y' is observed by a minibatch and has no total_size: the 50 rows.*"
        r"pm\.Normal\('y', \.\.\., observed=\.\.\., total_size=1000\)"
    )
    with pytest.raises(ModelError, match=f"(?s){message}"):
        fit(10, model=forgotten(draw))


def test_a_replacement_needs_total_size_too() -> None:
    y = pytensor.shared(Y)
    with pm.Model() as model:
        pm.Normal("y", pm.Normal("mu"), 1.0, observed=y)
    batch = taut.Minibatch(y, batch_size=BATCH)
    with pytest.raises(ModelError, match="total_size=1000"):
        fit(10, model=model, more_replacements={y: batch})


def test_the_refusal_can_be_switched_off() -> None:
    """The posterior is then that of fifty rows, as its user wants."""
    approx = fit(6000, model=forgotten(), require_total_size=False)
    assert approx.std.eval().mean() == pytest.approx(1 / np.sqrt(BATCH), rel=0.2)


def test_a_wrong_total_size_is_told() -> None:
    with pm.Model() as model:
        regression(*taut.Minibatch(X, Y, batch_size=BATCH), total_size=900)
    with pytest.warns(UserWarning, match=r"total_size=900, and the data .* have 1000 rows"):
        fit(10, model=model)


def test_arrays_of_a_minibatch_have_one_length() -> None:
    with pytest.raises(ArgumentError, match=r"same number of rows, got \[1000, 999\]"):
        taut.Minibatch(X, Y[1:], batch_size=10)
    with pytest.raises(ArgumentError, match="positive integer, got 0"):
        taut.Minibatch(X, batch_size=0)


def test_32_bits_are_enough_for_batches() -> None:
    with pytensor.config.change_flags(floatX="float32"):
        approx = fit(2000, model=all_rows(), batch_size=70)
        assert approx.mean.eval().dtype == np.float32
        np.testing.assert_allclose(approx.mean.eval(), MEAN, atol=0.5 * 0.032)


@pytest.mark.parametrize("batch", [50, 200])
@pytest.mark.parametrize("dims", [None, "row"])
def test_the_loss_of_a_minibatch_has_one_scale(batch: int, dims: str | None) -> None:
    """Where PyMC shows 72, 289 or 1 451, by the size of the batch and whether there are dims.

    The mean of 2 000 losses, each with a sd of up to 95 nats, is within 1 % of 1 442.
    """
    with pm.Model(coords={"row": range(ROWS)}) as model:
        x, y = pm.Minibatch(X, Y, batch_size=batch)
        slope = pm.Normal("slope", 0.0, 10.0, shape=3)
        pm.Normal("y", x @ slope, 1.0, observed=y, total_size=ROWS, dims=dims)
    assert fit(8000, model=model).hist[-2000:].mean() == pytest.approx(1442, rel=0.01)


def test_without_observed_variables_there_is_no_log_likelihood() -> None:
    with pm.Model() as model:
        pm.Normal("x")
    approx = taut.fit(20, method="advi", model=model, progressbar=False)
    with pytest.raises(ArgumentError, match="no observed variable"):
        approx.log_likelihood(5)


def test_the_elbo_is_that_of_all_rows_and_needs_a_density() -> None:
    approx = fit(20, model=all_rows(), batch_size=BATCH)
    with pytest.raises(ArgumentError, match=r'rows must be "all", got "?\'?batch'):
        approx.elbo(rows="batch")
    particles = fit(5, method="svgd", model=all_rows(), batch_size=BATCH)
    with pytest.raises(
        ArgumentError, match=r"Particles have no density.*loo\(approx.log_likelihood"
    ):
        particles.elbo(20)


def test_data_changed_in_place_are_taken_up() -> None:
    """As a fit of all rows takes them up, also while an approximation of the old ones lives."""
    y = np.zeros(ROWS)
    with pm.Model() as model:
        shared = pytensor.shared(y, name="y_data", borrow=True)
        pm.Normal("y", pm.Normal("mu", 0.0, 10.0), 1.0, observed=shared)
    arguments = {"model": model, "batch_size": np.int64(BATCH), "rows": {"y": np.int64(0)}}
    before = fit(3000, **arguments)
    y[:] = 3.0
    after = fit(3000, **arguments)
    assert float(before.mean.eval()[0]) == pytest.approx(0.0, abs=0.05)
    assert float(after.mean.eval()[0]) == pytest.approx(3.0, abs=0.05)

"""Rows of a model written for all data: found, batched, and refused where they do not factor."""

from typing import Any

import jax
import numpy as np
import pymc as pm
import pytensor
import pytensor.tensor as pt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import taut
from taut.errors import ArgumentError, ModelError

from .batched import mean_over_epoch, stepping, value_and_gradient
from .models import QUIET
from .zoo.minibatches import MINIBATCHES, as_they_are

pytestmark = QUIET
RNG = np.random.default_rng(7)
ROWS = 23
X, Y = RNG.normal(size=(ROWS, 3)), RNG.normal(size=ROWS)


def assert_epoch_is_whole(model: pm.Model, first: int = 0, **arguments: Any) -> None:
    """Fail unless value and gradient, averaged over an epoch, are those of all rows."""
    target = taut.as_target(model)
    z = np.random.default_rng(3).normal(0.0, 0.8, size=target.dim)
    mean = mean_over_epoch(stepping(model, **arguments), z, first)
    np.testing.assert_allclose(mean, value_and_gradient(target, z), rtol=1e-10, atol=1e-10)


def regression(**data: Any) -> pm.Model:
    """A regression on data of the model's own, with dims."""
    coords = {"obs": np.arange(ROWS), "feature": list("abc")}
    with pm.Model(coords=coords) as model:
        x = pm.Data("X", X, dims=("obs", "feature"))
        y = pm.Data("target", Y, dims="obs")
        slope = pm.Normal("slope", 0.0, 2.0, dims="feature")
        mu = pm.Deterministic("mu", x @ slope, dims="obs")
        pm.Normal("y", mu, pm.HalfNormal("sigma"), observed=y, dims="obs")
    return model


@pytest.mark.slow
@pytest.mark.parametrize("name", [n for n in MINIBATCHES if n != "potential_of_rows"])
def test_an_epoch_adds_up_to_all_rows_for_every_likelihood(name: str) -> None:
    assert_epoch_is_whole(MINIBATCHES[name](as_they_are), batch_size=7)


@pytest.mark.parametrize("batch_size", [1, 5, 22])
@pytest.mark.parametrize("shuffle", [True, False])
def test_an_epoch_adds_up_for_data_with_dims(batch_size: int, shuffle: bool) -> None:
    assert_epoch_is_whole(regression(), batch_size=batch_size, shuffle=shuffle)


def test_every_epoch_adds_up_also_later_ones() -> None:
    assert_epoch_is_whole(regression(), first=5 * 40, batch_size=5)


KINDS = ("normal", "poisson", "bernoulli", "vectors", "potential")


@st.composite
def described(draw: st.DrawFn) -> list[tuple[str, int, bool]]:
    """One to three observed variables, each with its kind, rows, and whether data are shared."""
    count = draw(st.integers(1, 3))
    rows = st.sampled_from([11, 17])
    return [(draw(st.sampled_from(KINDS)), draw(rows), draw(st.booleans())) for _ in range(count)]


def observe(name: str, kind: str, x: Any, slope: Any, rng: np.random.Generator) -> None:
    """Add one observed variable of a kind to the model."""
    rows, eta = x.shape[0].eval() if hasattr(x, "eval") else len(x), x @ slope
    if kind == "normal":
        pm.Normal(name, eta, 1.5, observed=rng.normal(size=rows))
    elif kind == "poisson":
        pm.Poisson(name, pm.math.exp(eta), observed=rng.poisson(2.0, size=rows))
    elif kind == "bernoulli":
        pm.Bernoulli(name, logit_p=eta, observed=rng.integers(0, 2, size=rows))
    elif kind == "vectors":
        mean = pt.stack([eta, -eta], axis=1)
        pm.MvNormal(name, mean, cov=np.eye(2) + 0.3, observed=rng.normal(size=(rows, 2)))
    else:
        pm.Normal(name, eta, 1.0, observed=rng.normal(size=rows))
        pm.Potential(f"{name} and more", -0.1 * pt.sum((eta - 1.0) ** 2))


@pytest.mark.slow
@settings(max_examples=12, deadline=None, derandomize=True)
@given(described(), st.integers(1, 20))
def test_average_gradient_over_an_epoch_is_the_full_gradient(
    parts: list[tuple[str, int, bool]], batch_size: int
) -> None:
    """For random models, sizes that divide the rows and sizes that do not."""
    if all(rows <= batch_size for _, rows, _ in parts):
        batch_size = 5
    rng = np.random.default_rng(0)
    with pm.Model() as model:
        slope = pm.Normal("slope", 0.0, 1.0, shape=2)
        for i, (kind, rows, shared) in enumerate(parts):
            x = rng.normal(size=(rows, 2))
            observe(f"y{i}", kind, pytensor.shared(x) if shared else x, slope, rng)
    target, z = taut.as_target(model), np.array([0.3, -0.4])
    mean = mean_over_epoch(stepping(model, batch_size=batch_size), z)
    np.testing.assert_allclose(mean, value_and_gradient(target, z), rtol=1e-8, atol=1e-8)


def test_rows_of_another_axis_are_found_by_dims() -> None:
    coords = {"obs": np.arange(ROWS), "feature": list("abc")}
    with pm.Model(coords=coords) as model:
        x = pm.Data("Xt", X.T, dims=("feature", "obs"))
        slope = pm.Normal("slope", dims="feature")
        pm.Normal("y", slope @ x, 1.0, observed=Y, dims="obs")
    assert_epoch_is_whole(model, batch_size=4)


def test_rows_of_another_axis_can_be_told() -> None:
    with pm.Model() as model:
        x = pm.Data("Xt", X.T)
        pm.Normal("y", pm.Normal("slope", shape=3) @ x, 1.0, observed=Y)
    assert_epoch_is_whole(model, batch_size=4, rows={"Xt": 1, "y": 0})


def ambiguous() -> pm.Model:
    """As many groups as rows: `scale` has one entry for each group, and `group` one for a row."""
    with pm.Model() as model:
        scale = pm.Data("scale", RNG.uniform(1.0, 2.0, size=ROWS))
        group = pm.Data("group", RNG.integers(0, ROWS, size=ROWS))
        level = pm.Normal("level", 0.0, 1.0, shape=3)
        pm.Normal("y", level[group % 3] * scale[group], 1.0, observed=Y)
    return model


def test_two_arrays_of_one_length_are_refused_and_can_be_told_apart() -> None:
    with pytest.raises(ModelError, match=r'rows=\{"group": 0, "scale": 0, "y": 0\}|scale'):
        stepping(ambiguous(), batch_size=4)
    assert_epoch_is_whole(ambiguous(), batch_size=4, rows={"group": 0, "y": 0})


def test_dims_tell_arrays_of_one_length_apart() -> None:
    with pm.Model(coords={"obs": np.arange(ROWS), "group": np.arange(ROWS)}) as model:
        scale = pm.Data("scale", RNG.uniform(1.0, 2.0, size=ROWS), dims="group")
        group = pm.Data("index", RNG.integers(0, ROWS, size=ROWS), dims="obs")
        level = pm.Normal("level", 0.0, 1.0, dims="group")
        pm.Normal("y", level[group] * scale[group], 1.0, observed=Y, dims="obs")
    assert_epoch_is_whole(model, batch_size=4)


def test_rows_of_a_potential_can_be_told() -> None:
    with pm.Model() as model:
        y = pm.Data("y", Y)
        each = pm.logp(pm.Normal.dist(pm.Normal("mu"), 1.0), y)
        pm.Potential("likelihood", each.sum())
    assert_epoch_is_whole(model, batch_size=6, rows={"y": 0})


def test_observed_variables_of_few_rows_stay_whole() -> None:
    with pm.Model() as model:
        mu = pm.Normal("mu")
        pm.Normal("few", mu, 1.0, observed=Y[:4])
        pm.Normal("many", mu, 1.0, observed=Y)
    [share] = stepping(model, batch_size=4).feed.at(0)[0].circles
    assert share.partition.rows == ROWS
    assert_epoch_is_whole(model, batch_size=4)


def test_a_scale_of_total_size_is_not_counted_twice() -> None:
    with pm.Model() as model:
        pm.Normal("y", pm.Normal("mu"), 1.0, observed=Y, total_size=ROWS)
    assert_epoch_is_whole(model, batch_size=4)


def test_new_data_are_batched_by_the_same_function() -> None:
    with pm.Model() as model:
        x, y = pm.Data("X", X), pm.Data("target", Y)
        pm.Normal("y", x @ pm.Normal("slope", shape=3), 1.0, observed=y)
    before = stepping(model, batch_size=5).target
    new = {"X": RNG.normal(size=(48, 3)), "target": RNG.normal(size=48)}
    pm.set_data(new, model=model)
    assert stepping(model, batch_size=5).target.terms == before.terms
    assert_epoch_is_whole(model, batch_size=5)


def test_rows_drawn_with_replacement_are_scaled_by_rows_over_batch_rows() -> None:
    steps = stepping(regression(), batch_size=5, replace=True)
    with steps.target.precision():
        [share] = steps.feed.at(0)[0].draw(jax.random.key(0))
        assert float(share.scale) == pytest.approx(ROWS / 5)
    assert all(len(array) == 5 for array in share.arrays)


def ar() -> None:
    pm.AR("y", [pm.Normal("rho")], sigma=1.0, init_dist=pm.Normal.dist(), observed=Y)


def joint_normal() -> None:
    distance = np.abs(np.subtract.outer(X[:, 0], X[:, 0]))
    pm.MvNormal("y", pm.Normal("mu"), cov=np.exp(-distance) + np.eye(ROWS), observed=Y)


def gp_marginal() -> None:
    gp = pm.gp.Marginal(cov_func=pm.gp.cov.ExpQuad(1, pm.HalfNormal("length")))
    gp.marginal_likelihood("y", X[:, :1], Y, sigma=1.0)


def latent_rows() -> None:
    pm.Normal("y", pm.Normal("each", 0.0, 1.0, shape=ROWS), 1.0, observed=Y)


def scaled_latent_rows() -> None:
    """One of them transformed, and one more that the rows do not read."""
    width = pm.HalfNormal("width", 1.0, shape=ROWS)
    pm.Normal("unread", 0.0, 1.0, shape=ROWS)
    pm.Normal("y", pm.Normal("each", 0.0, 1.0, shape=ROWS), width, observed=Y)


def latent_rows_by_dims() -> None:
    pm.modelcontext(None).add_coord("obs", np.arange(ROWS))
    each = pm.Normal("each", 0.0, 1.0, dims="obs")
    pm.Normal("y", each, 1.0, observed=Y, dims="obs")


def mean_over_rows() -> None:
    x = pm.Data("X", X)
    pm.Normal("y", (x - x.mean(axis=0)) @ pm.Normal("slope", shape=3), 1.0, observed=Y)


def squared_sum() -> None:
    y = pm.Data("rows", Y)
    pm.Normal("y", pm.Normal("mu"), 1.0, observed=y)
    pm.Potential("penalty", -(pt.sum(y - pm.Normal("nu")) ** 2))


def pairs_of_rows() -> None:
    """Which batches of rows in their own order would hide, each of an even number."""
    y = pm.Data("rows", np.r_[Y, Y[:17]])
    pm.Normal("y", pm.Normal("mu"), 1.0, observed=y)
    pm.Potential("pairs", -pt.sum((y.reshape((-1, 2)).sum(axis=1) - pm.Normal("nu")) ** 2))


REFUSED = {
    ar: "'y' can not be batched: its rows are one draw of AutoRegressive",
    joint_normal: "'y' can not be batched: its rows are one draw of MvNormal",
    gp_marginal: "'y' can not be batched: its rows are one draw of MvNormal",
    latent_rows: f"^Free variable 'each' has {ROWS} elements, as 'y' has rows",
    scaled_latent_rows: f"^Free variables 'width', 'each' have {ROWS} elements, as 'y' has rows",
    latent_rows_by_dims: r"Free variable 'each' has one element for each row of 'y' \(dim 'obs'\)",
    mean_over_rows: "does not factor over the rows, or what it reads of a row depends on others",
    squared_sum: "'penalty' can not be batched",
    pairs_of_rows: "'pairs' can not be batched",
}


@pytest.mark.parametrize("build", REFUSED, ids=lambda build: build.__name__)
def test_what_does_not_factor_is_refused_with_the_reason(build: Any) -> None:
    with pm.Model() as model:
        build()
    with pytest.raises(ModelError, match=REFUSED[build]):
        stepping(model, batch_size=5)


def test_a_model_with_its_own_batches_is_refused() -> None:
    with pm.Model() as model:
        y = pm.Minibatch(Y, batch_size=5)
        pm.Normal("y", pm.Normal("mu"), 1.0, observed=y, total_size=ROWS)
    with pytest.raises(ModelError, match=r"draws its own batches by pymc\.Minibatch"):
        stepping(model, batch_size=5)


WRONG = {
    "size of zero": ({"batch_size": 0}, "positive integer, got 0"),
    "negative size": ({"batch_size": -3}, "positive integer, got -3"),
    "size that is no integer": ({"batch_size": 2.5}, r"positive integer, got 2\.5"),
    "rows without a size": ({"rows": {"X": 0}}, "say how many: batch_size=500"),
    "no data": ({"batch_size": 5, "rows": {}}, "rows names no data"),
    "no rows": ({"batch_size": 5, "rows": 3}, r"rows must map names to axes.* got 3 \(int\)"),
    "unknown name": (
        {"batch_size": 5, "rows": {"targets": 0}},
        r"rows names 'targets', which is no data of the model \(did you mean 'target'\?\)",
    ),
    "axis that is not there": (
        {"batch_size": 5, "rows": {"X": 2, "y": 0}},
        r"rows\['X'\] must be an axis from 0 to 1, got 2",
    ),
    "another length": (
        {"batch_size": 2, "rows": {"X": 1, "y": 0}},
        "'X' has rows along axis 1, which is 3 long; the observed variable has 23 rows",
    ),
    "two ways at once": (
        {"batch_size": 5, "more_replacements": {X.size: Y}},
        "two ways to batch a model; give one",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_arguments_that_make_no_sense(name: str) -> None:
    arguments, message = WRONG[name]
    with pytest.raises(ArgumentError, match=message):
        stepping(regression(), **arguments)


def test_a_batch_of_more_rows_than_there_are_has_all_of_them() -> None:
    model = regression()
    with pytest.warns(UserWarning, match="batch_size=500 is not less than the rows.*all rows"):
        steps = stepping(model, batch_size=500)
    assert steps.target.terms == taut.as_target(model).terms
    assert steps.scale == 1.0


def test_a_target_written_by_hand_draws_its_own_batches() -> None:
    from taut.frontend import as_source
    from taut.target import Batching, Space

    target = taut.Target(lambda z, data, batch: (-(z @ z), 0.0), Space.of({"z": (2,)}))
    with pytest.raises(ArgumentError, match="written by hand draws its own batches"):
        as_source(target).stepping(target, Batching(batch_size=5), np.zeros(2), 0)

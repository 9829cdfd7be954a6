"""The density of globals by batches of groups is that of all groups at once."""

from collections.abc import Callable, Iterator

import numpy as np
import pymc as pm
import pytest

from taut.engine import Timing
from taut.errors import ArgumentError, ModelError
from taut.frontend.pymc.source import PyMCSource
from taut.marginal import BatchedMarginal, GroupedRows, Integrand, read_groups
from taut.rows import GroupBatch
from taut.structure import read_structure
from taut.target import Batching

GROUPS, ROWS = 30, 240
RANDOM = np.random.default_rng(0)
G = np.sort(RANDOM.integers(0, GROUPS, ROWS))
G[-GROUPS:] = np.arange(GROUPS)
X, Y, BINARY = RANDOM.normal(size=ROWS), RANDOM.normal(size=ROWS), RANDOM.integers(0, 2, ROWS)
COORDS = {"group": range(GROUPS), "row": range(ROWS)}


def centred() -> None:
    mu, s, g = pm.Normal("mu", 0, 2), pm.HalfNormal("s", 1), pm.Data("g", G, dims="row")
    a = pm.Normal("a", mu, s, dims="group")
    pm.Normal("y", a[g] + pm.Normal("b") * pm.Data("x", X, dims="row"), 1.0, observed=Y, dims="row")


def of_a_shape() -> None:
    mu, s, g = pm.Normal("mu", 0, 2), pm.HalfNormal("s", 1), pm.Data("g", G)
    pm.Bernoulli("y", logit_p=pm.Normal("a", mu, s, shape=GROUPS)[g], observed=BINARY)


def not_centred() -> None:
    mu, s, g = pm.Normal("mu", 0, 2), pm.HalfNormal("s", 1), pm.Data("g", G)
    a = pm.Deterministic("a", mu + s * pm.Normal("z", dims="group"), dims="group")
    pm.Bernoulli("y", logit_p=a[g], observed=BINARY)


def two_latents() -> None:
    mu, s, g, x = pm.Normal("mu", 0, 2), pm.HalfNormal("s", 1), pm.Data("g", G), pm.Data("x", X)
    a, b = pm.Normal("a", mu, s, dims="group"), pm.Normal("b", 0, 0.5, dims="group")
    pm.Bernoulli("y", logit_p=a[g] + b[g] * x, observed=BINARY)


def one_matrix() -> None:
    s, g, x = pm.HalfNormal("s", 1, shape=2), pm.Data("g", G), pm.Data("x", X)
    a = pm.Normal("a", 0, s[:, None], shape=(2, GROUPS))
    pm.Poisson("y", pm.math.exp(a[0][g] + a[1][g] * x), observed=BINARY)


def positive() -> None:
    s, g = pm.HalfNormal("s", 1), pm.Data("g", G)
    pm.Poisson("y", pm.Gamma("a", 2.0, s, dims="group")[g], observed=BINARY)


def with_heavy_tails() -> None:
    """Of groups that are not there nothing is left, though no nodes are exact for their prior."""
    s, g = pm.HalfNormal("s", 1), pm.Data("g", G)
    pm.Normal("y", pm.StudentT("a", nu=3, sigma=s, dims="group")[g], 1.0, observed=Y)


def with_rows_of_several() -> None:
    s, g = pm.HalfNormal("s", 1), pm.Data("g", G)
    a, k = pm.Normal("a", 0, s, dims="group"), pm.HalfNormal("k", 1, shape=3)
    pm.Normal("y", a[g][:, None] + k, 1.0, observed=np.stack([Y, -Y, Y**2], 1))


MODELS: tuple[Callable[[], None], ...] = (
    centred, of_a_shape, not_centred, two_latents, one_matrix, positive, with_heavy_tails,
    with_rows_of_several,
)  # fmt: skip


def build(write: Callable[[], None]) -> pm.Model:
    with pm.Model(coords=COORDS) as model:
        write()
    return model


def batched(model: pm.Model, size: int = 50, index: str | None = "g") -> BatchedMarginal:
    source, batching = PyMCSource(model), Batching(batch_size=size, groups=index)
    start, random = source.start(None, 0), np.random.default_rng(0)
    groups = read_groups(source, None, index, start, random)
    rows = GroupedRows(groups, batching)
    rows.prepare(random)
    return BatchedMarginal(groups, rows, source.target(), start, Timing())


def at_once(model: pm.Model) -> Integrand:
    source = PyMCSource(model)
    target, factors, start = source.target(), source.factors(), source.start(None, 0)
    structure = read_structure(target, factors, start, np.random.default_rng(0))
    return Integrand(target, factors, structure, start, None)


@pytest.mark.parametrize("write", MODELS)
def test_the_density_is_that_of_all_groups_at_once(write: Callable[[], None]) -> None:
    model = build(write)
    marginal, whole = batched(model), at_once(model)
    _, field = next(marginal.batches())
    marginal.look_at(field)
    points = 0.3 * np.random.default_rng(1).normal(size=(2, whole.structure.globals.size))
    values, slopes, _ = marginal.sums(points, np.array([True, True]))
    for theta, value, slope in zip(points, values, slopes, strict=True):
        expected = whole(theta)
        np.testing.assert_allclose(value, expected.value, rtol=1e-9)
        np.testing.assert_allclose(slope, expected.slope, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("size", [40, 100, ROWS])
def test_batches_of_any_size_have_one_density(size: int) -> None:
    points = np.array([[0.1, 0.2]])
    found = [batched(build(not_centred), n).sums(points, np.array([True])) for n in (size, 77)]
    for one, other in zip(*found, strict=True):
        # Searches for modes end within 1e-9 nats of these, some groups' a step later than others'.
        np.testing.assert_allclose(one, other, rtol=1e-8)


def test_the_index_is_found_where_it_is_not_named() -> None:
    marginal = batched(build(centred), index=None)
    assert marginal.model.factors.columns[marginal.model.index].name == "g"


def test_a_length_that_is_built_in_is_the_size_of_batches() -> None:
    """No product with a matrix of so many columns can be written for another number of groups."""

    def write() -> None:
        s, g = pm.HalfNormal("s", 1), pm.Data("g", G)
        a = pm.math.dot(np.eye(GROUPS), pm.Normal("z", 0, s, shape=GROUPS))
        pm.Normal("y", a[g], 1.0, observed=Y)

    model = build(write)
    marginal = batched(model)
    assert marginal.model.is_fixed
    assert all(len(batch.is_group) == GROUPS for batch, _ in marginal.batches())
    theta = np.array([0.3])
    value, _, _ = marginal.sums(theta[None], np.array([False]))
    np.testing.assert_allclose(value[0], at_once(model)(theta).value, rtol=1e-9)


def passes(marginal: BatchedMarginal) -> Iterator[GroupBatch]:
    return (batch for batch, _ in marginal.batches())


def test_each_row_is_in_one_batch_of_its_group() -> None:
    seen = [
        (batch.keys[batch.index][batch.weights > 0], batch.arrays["x"][batch.weights > 0])
        for batch in passes(batched(build(centred)))
    ]
    keys, x = (np.concatenate(part) for part in zip(*seen, strict=True))
    order = np.lexsort((x, keys))
    expected = np.lexsort((X, G))
    np.testing.assert_array_equal(keys[order], G[expected])
    np.testing.assert_array_equal(x[order], X[expected])


def test_values_of_groups_have_to_come_by_row() -> None:
    def write() -> None:
        s, g = pm.HalfNormal("s", 1), pm.Data("g", G)
        w = pm.Data("w", np.linspace(0, 1, GROUPS), dims="group")
        pm.Normal("y", pm.Normal("a", pm.Normal("b") * w, s, dims="group")[g], 1.0, observed=Y)

    with pytest.raises(ModelError, match="'a' groups differ by more than their rows"):
        batched(build(write))


def test_values_of_groups_in_the_likelihood_are_refused_too() -> None:
    def write() -> None:
        s, g = pm.HalfNormal("s", 1), pm.Data("g", G)
        w = pm.Data("w", np.linspace(0, 1, GROUPS), dims="group")
        a = pm.Normal("a", 0, s, dims="group")
        pm.Normal("y", (a + pm.Normal("b") * w)[g], 1.0, observed=Y)

    with pytest.raises(ModelError, match="groups differ by more than their rows"):
        batched(build(write))


def test_no_latents_of_groups_are_said_to_be_missing() -> None:
    def write() -> None:
        pm.Normal("y", pm.Normal("mu") + pm.Normal("b") * pm.Data("x", X), 1.0, observed=Y)

    with pytest.raises(ModelError, match="Batches of groups are for latents"):
        batched(build(write), index=None)


def test_a_chain_is_not_of_groups() -> None:
    def write() -> None:
        level = pm.GaussianRandomWalk(
            "level", 0, pm.HalfNormal("s"), init_dist=pm.Normal.dist(), shape=GROUPS
        )
        pm.Normal("y", level[pm.Data("g", G)], 1.0, observed=Y)

    with pytest.raises(ModelError, match="steps of level in a chain"):
        batched(build(write))


def test_another_column_than_the_index_is_refused() -> None:
    def write() -> None:
        h = pm.Data("h", G[::-1].copy())
        pm.Normal("y", pm.Normal("a", 0, pm.HalfNormal("s"), dims="group")[pm.Data("g", G)] + h,
                  1.0, observed=Y)  # fmt: skip

    with pytest.raises(ArgumentError, match=r"groups names 'h'.*those of 'g' are"):
        batched(build(write), index="h")
    with pytest.raises(ArgumentError, match=r"groups names 'gg'.*did you mean"):
        batched(build(write), index="gg")

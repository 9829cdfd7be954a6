"""Structure is found however a model is written."""

from collections.abc import Callable

import jax
import numpy as np
import pymc as pm
import pymc.dims
import pytensor.tensor as pt
import pytest
import scipy
from hypothesis import given, settings
from hypothesis import strategies as st
from pytensor.xtensor import as_xtensor

from taut.frontend.pymc.source import PyMCSource
from taut.structure import (
    Chain,
    Coloured,
    Field,
    Plates,
    Structure,
    field,
    read_structure,
    reader,
)

RANDOM = np.random.default_rng(0)
GROUPS, ROWS, FEW = 50, 300, 20
G, H = RANDOM.integers(0, GROUPS, ROWS), RANDOM.integers(0, FEW, ROWS)
G[:GROUPS], H[:FEW] = np.arange(GROUPS), np.arange(FEW)
X, Y = RANDOM.normal(size=(ROWS, 2)), RANDOM.integers(0, 2, ROWS)
TIMES = RANDOM.normal(size=60)


def read(model: pm.Model) -> Structure:
    source = PyMCSource(model)
    target, factors = source.target(), source.factors()
    return read_structure(target, factors, source.start(None, 0), np.random.default_rng(1))


def centred() -> None:
    a = pm.Normal("a", pm.Normal("mu"), pm.HalfNormal("s"), shape=GROUPS)
    pm.Bernoulli("y", logit_p=a[G], observed=Y)


def not_centred() -> None:
    a = pm.HalfNormal("s") * pm.Normal("a", shape=GROUPS)
    pm.Bernoulli("y", logit_p=pm.Normal("mu") + a[G], observed=Y)


def by_data() -> None:
    a = pm.Normal("a", 0, pm.HalfNormal("s"), shape=GROUPS)
    pm.Bernoulli("y", logit_p=pm.Data("x", X[:, 0]) + a[pm.Data("g", G)], observed=Y)


def by_indicators() -> None:
    z = np.zeros((ROWS, GROUPS))
    z[np.arange(ROWS), G] = 1
    a = pm.Normal("a", 0, pm.HalfNormal("s"), shape=GROUPS)
    pm.Bernoulli("y", logit_p=pt.as_tensor(z) @ a, observed=Y)


def by_dims() -> None:
    a = pm.Normal("a", 0, pm.HalfNormal("s"), dims="group")
    pm.Bernoulli("y", logit_p=a[G], observed=Y, dims="row")


def slopes() -> None:
    a = pm.Normal("a", 0, pm.HalfNormal("s", shape=2), shape=(GROUPS, 2))
    pm.Bernoulli("y", logit_p=(X * a[G]).sum(-1), observed=Y)


def slopes_along_the_second_axis() -> None:
    a = pm.Normal("a", 0, pm.HalfNormal("s", shape=(2, 1)), shape=(2, GROUPS))
    pm.Bernoulli("y", logit_p=a[0, G] + a[1, G] * X[:, 0], observed=Y)


def two_variables() -> None:
    a = pm.Normal("a", 0, pm.HalfNormal("s"), shape=GROUPS)
    b = pm.Normal("b", 0, pm.HalfNormal("r"), shape=GROUPS)
    pm.Bernoulli("y", logit_p=a[G] + b[G] * X[:, 0], observed=Y)


def correlated_slopes() -> None:
    chol, _, _ = pm.LKJCholeskyCov("chol", n=2, eta=2.0, sd_dist=pm.HalfNormal.dist(1.0))
    a = pm.Normal("a", shape=(GROUPS, 2)) @ chol.T
    pm.Bernoulli("y", logit_p=(X * a[G]).sum(-1), observed=Y)


def in_several_likelihoods() -> None:
    a = pm.Normal("a", 0, pm.HalfNormal("s"), shape=GROUPS)
    pm.Bernoulli("y", logit_p=a[G], observed=Y)
    pm.Poisson("n", pt.exp(a[H]), observed=Y)


def of_positive_variables() -> None:
    a = pm.Gamma("a", 2.0, pm.HalfNormal("s"), shape=GROUPS)
    pm.Poisson("y", a[G], observed=Y)


def with_a_potential() -> None:
    a = pm.Normal("a", 0, pm.HalfNormal("s"), shape=GROUPS)
    pm.Potential("p", pm.logp(pm.Bernoulli.dist(logit_p=a[G]), Y))


def one_row_each() -> None:
    a = pm.Normal("a", 0, pm.HalfNormal("s"), shape=ROWS)
    pm.Poisson("y", pt.exp(X @ pm.Normal("b", shape=2) + a), observed=Y)


def crossed() -> None:
    a = pm.Normal("a", 0, pm.HalfNormal("s"), shape=GROUPS)
    b = pm.Normal("b", 0, pm.HalfNormal("t"), shape=FEW)
    pm.Bernoulli("y", logit_p=a[G] + b[H], observed=Y)


def nested() -> None:
    of_group = np.arange(GROUPS) % FEW
    b = pm.Normal("b", 0, pm.HalfNormal("t"), shape=FEW)
    a = pm.Normal("a", b[of_group], pm.HalfNormal("s"), shape=GROUPS)
    pm.Bernoulli("y", logit_p=a[G], observed=Y)


def by_take() -> None:
    a = pm.Normal("a", 0, pm.HalfNormal("s"), shape=GROUPS)
    pm.Bernoulli("y", logit_p=pt.take(a, G), observed=Y)


def by_xtensors() -> None:
    a = pymc.dims.Normal("a", 0, pymc.dims.HalfNormal("s"), dims="group")
    effects = a.isel(group=pymc.dims.Data("g", G, dims="row"))
    pymc.dims.Bernoulli("y", logit_p=effects, observed=as_xtensor(Y, dims=("row",)), dims="row")


def heavy_tails() -> None:
    a = pm.StudentT("a", nu=4, mu=0, sigma=pm.HalfNormal("s"), shape=GROUPS)
    pm.Bernoulli("y", logit_p=a[G], observed=Y)


def means_by_covariates() -> None:
    mean = pt.as_tensor(RANDOM.normal(size=(GROUPS, 2))) @ pm.Normal("c", shape=2)
    a = pm.Normal("a", mean, pm.HalfNormal("s"), shape=GROUPS)
    pm.Bernoulli("y", logit_p=a[G], observed=Y)


def covariance_of_its_own() -> None:
    cholesky, _, _ = pm.LKJCholeskyCov("c", n=2, eta=2, sd_dist=pm.HalfNormal.dist(shape=2))
    a = pm.MvNormal("a", np.zeros(2), chol=cholesky, shape=(GROUPS, 2))
    pm.Bernoulli("y", logit_p=(a[G] * X).sum(-1), observed=Y)


def dispersions() -> None:
    a = pm.Normal("a", 0, pm.HalfNormal("s"), shape=GROUPS)
    r = pm.Gamma("r", 2, pm.HalfNormal("t"), shape=GROUPS)
    pm.NegativeBinomial("y", pt.exp(a[G]), r[G], observed=Y)


def shares() -> None:
    p = pm.Dirichlet("p", np.ones(3) * pm.HalfNormal("s"), shape=(GROUPS, 3))
    pm.Categorical("y", p=p[G], observed=np.arange(ROWS) % 3)


def proportions() -> None:
    p = pm.Beta("p", pm.HalfNormal("k"), 2, shape=GROUPS)
    pm.Binomial("y", 5, p[G], observed=Y)


def mixtures_within() -> None:
    a = pm.Normal("a", 0, pm.HalfNormal("s"), shape=GROUPS)
    mu = pt.stack([a[G], a[G] + 2], axis=-1)
    pm.NormalMixture("y", [0.3, 0.7], mu=mu, sigma=1.0, observed=X[:, 0])


def errors_of_measurement() -> None:
    x = pm.Normal("x", pm.Normal("m"), pm.HalfNormal("s"), shape=ROWS)
    pm.Normal("seen", x, 0.3, observed=X[:, 0])
    pm.Bernoulli("y", logit_p=pm.Normal("b") * x, observed=Y)


def missing_cells() -> None:
    cells = np.ma.masked_where(np.arange(ROWS) % 5 == 0, X[:, 0])
    with pytest.warns(UserWarning, match="imputed"):
        x = pm.Normal("x", pm.Normal("m"), pm.HalfNormal("s"), observed=cells)
    pm.Bernoulli("y", logit_p=pm.Normal("b") * x, observed=Y)


def item_response() -> None:
    skill = pm.Normal("skill", shape=GROUPS)
    hard, sharp = pm.Normal("hard", pm.Normal("m"), shape=FEW), pm.LogNormal("sharp", shape=FEW)
    pm.Bernoulli("y", logit_p=sharp[H] * (skill[G] - hard[H]), observed=Y)


def matrix_factors() -> None:
    u = pm.Normal("u", shape=(GROUPS, 2))
    v = pm.Normal("v", 0, pm.HalfNormal("s"), shape=(FEW, 2))
    pm.Normal("y", (u[G] * v[H]).sum(-1), pm.HalfNormal("r"), observed=X[:, 0])


def random_walk() -> None:
    level = pm.GaussianRandomWalk(
        "a", 0, pm.HalfNormal("s"), init_dist=pm.Normal.dist(), shape=len(TIMES)
    )
    pm.Normal("y", level, pm.HalfNormal("r"), observed=TIMES)


def sum_of_steps() -> None:
    steps = pm.Normal("a", shape=len(TIMES))
    pm.Normal("y", pt.cumsum(pm.HalfNormal("s") * steps), pm.HalfNormal("r"), observed=TIMES)


def autoregression() -> None:
    level = pm.AR(
        "a", [pm.Uniform("rho", -1, 1)], pm.HalfNormal("s"), init_dist=pm.Normal.dist(),
        shape=len(TIMES),
    )  # fmt: skip
    pm.Normal("y", 0, pt.exp(level / 2), observed=TIMES)


def differential_equation() -> None:
    parameters = pm.HalfNormal("t"), pm.HalfNormal("s")
    level = pm.EulerMaruyama(
        "a", dt=0.1, sde_fn=lambda x, t, s: (-t * x, s), sde_pars=parameters,
        init_dist=pm.Normal.dist(), initval=np.zeros(len(TIMES)), shape=len(TIMES),
    )  # fmt: skip
    pm.Normal("y", level, 0.3, observed=TIMES)


GROUPED: dict[str, tuple[Callable[[], None], int, int]] = {
    "centred": (centred, GROUPS, 1),
    "not centred": (not_centred, GROUPS, 1),
    "by data": (by_data, GROUPS, 1),
    "by indicators": (by_indicators, GROUPS, 1),
    "by dims": (by_dims, GROUPS, 1),
    "slopes": (slopes, GROUPS, 2),
    "slopes along the second axis": (slopes_along_the_second_axis, GROUPS, 2),
    "two variables": (two_variables, GROUPS, 2),
    "correlated slopes": (correlated_slopes, GROUPS, 2),
    "in several likelihoods": (in_several_likelihoods, GROUPS, 1),
    "of positive variables": (of_positive_variables, GROUPS, 1),
    "with a potential": (with_a_potential, GROUPS, 1),
    "one row each": (one_row_each, ROWS, 1),
    "crossed, few": (crossed, GROUPS, 1),
    "nested, few": (nested, GROUPS, 1),
    "by take": (by_take, GROUPS, 1),
    "by xtensors": (by_xtensors, GROUPS, 1),
    "heavy tails": (heavy_tails, GROUPS, 1),
    "means by covariates": (means_by_covariates, GROUPS, 1),
    "covariance of its own": (covariance_of_its_own, GROUPS, 2),
    "dispersions": (dispersions, GROUPS, 2),
    "shares": (shares, GROUPS, 2),
    "proportions": (proportions, GROUPS, 1),
    "mixtures within": (mixtures_within, GROUPS, 1),
    "errors of measurement": (errors_of_measurement, ROWS, 1),
    "missing cells": (missing_cells, ROWS // 5, 1),
}


@pytest.mark.parametrize("name", GROUPED)
def test_groups_are_found(name: str) -> None:
    write, levels, each = GROUPED[name]
    with pm.Model(coords={"group": range(GROUPS), "row": range(ROWS)}) as model:
        write()
    found = read(model)
    assert isinstance(found.latents, Plates)
    assert found.latents.main.places.shape == (levels, each)
    assert not found.latents.crossing
    rows = found.latents.main.of_factor
    assert set(range(levels)) <= set(rows.tolist())
    if name == "centred":
        np.testing.assert_array_equal(rows[-ROWS:], G)


@pytest.mark.parametrize("write", [crossed, item_response, matrix_factors])
def test_plates_that_cross_are_found(
    write: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With so many levels that they are no globals, which is what the limit stands for."""
    monkeypatch.setattr(reader, "_ALL_GLOBALS", 5)
    with pm.Model() as model:
        write()
    found = read(model)
    assert isinstance(found.latents, Plates)
    assert found.latents.main.levels == GROUPS
    assert [plate.levels for plate in found.latents.crossing] == [FEW]
    np.testing.assert_array_equal(found.latents.crossing[0].of_factor[-ROWS:], H)


@pytest.mark.parametrize(
    "write", [random_walk, sum_of_steps, autoregression, differential_equation]
)
def test_chains_are_found(write: Callable[[], None]) -> None:
    with pm.Model() as model:
        write()
    found = read(model)
    assert isinstance(found.latents, Chain)
    assert found.latents.is_summed == (write is sum_of_steps)
    assert len(found.latents.steps) >= len(TIMES) - 1


def dense() -> None:
    pm.Normal("y", X @ pm.Normal("b", shape=(2, 30)) @ np.ones(30), 1.0, observed=X[:, 0])


def zero_sum() -> None:
    a = pm.ZeroSumNormal("a", pm.HalfNormal("s"), shape=GROUPS)
    pm.Bernoulli("y", logit_p=a[G], observed=Y)


def correlated_groups() -> None:
    half = np.eye(GROUPS) + RANDOM.normal(size=(GROUPS, GROUPS))
    a = pm.MvNormal("a", np.zeros(GROUPS), half @ half.T, shape=GROUPS)
    pm.Bernoulli("y", logit_p=a[G], observed=Y)


@pytest.mark.parametrize("write", [dense, correlated_groups])
def test_none_is_made_up(write: Callable[[], None]) -> None:
    with pm.Model() as model:
        write()
    assert read(model).latents is None


SIDE = 8
AREAS = np.arange(SIDE * SIDE).reshape(SIDE, SIDE)
BORDERS = np.zeros((SIDE * SIDE, SIDE * SIDE))
for one, other in ((AREAS[1:], AREAS[:-1]), (AREAS[:, 1:], AREAS[:, :-1])):
    BORDERS[one.ravel(), other.ravel()] = BORDERS[other.ravel(), one.ravel()] = 1
# Areas, and borders between them.
MAP = SIDE * SIDE + int(BORDERS.sum()) // 2
CASES = RANDOM.poisson(3.0, size=SIDE * SIDE)


def map_with_a_sum() -> None:
    a = pm.ICAR("a", W=BORDERS, sigma=pm.HalfNormal("s"))
    pm.Poisson("y", pt.exp(pm.Normal("mu") + a), observed=CASES)


def map_and_noise() -> None:
    a, b = pm.ICAR("a", W=BORDERS), pm.Normal("b", shape=SIDE * SIDE)
    rate = pm.Normal("mu") + pm.HalfNormal("s") * a + pm.HalfNormal("t") * b
    pm.Poisson("y", pt.exp(rate), observed=CASES)


def map_by_car() -> None:
    a = pm.CAR("a", np.zeros(SIDE * SIDE), BORDERS, 0.9, 1 / pm.HalfNormal("s") ** 2)
    pm.Poisson("y", pt.exp(a), observed=CASES)


def second_differences() -> None:
    a = pm.Normal("a", 0, 5, shape=SIDE * SIDE)
    pm.Potential("smooth", pm.logp(pm.Normal.dist(0, pm.HalfNormal("s")), pt.diff(a, n=2)).sum())
    pm.Poisson("y", pt.exp(a), observed=CASES)


def wide_groups() -> None:
    a = pm.Normal("a", 0, pm.HalfNormal("s"), shape=(GROUPS, 7))
    design = RANDOM.normal(size=(ROWS, 7))
    pm.Bernoulli("y", logit_p=(design * a[G]).sum(-1), observed=Y)


def process() -> None:
    kernel = pm.gp.cov.Matern52(1, ls=pm.HalfNormal("l"))
    rate = pm.gp.Latent(cov_func=kernel).prior("f", X=np.linspace(0, 3, len(TIMES))[:, None])
    pm.Poisson("y", pt.exp(rate), observed=CASES[: len(TIMES)])


def several_walks() -> None:
    level = pm.GaussianRandomWalk(
        "a", 0, pm.HalfNormal("s"), init_dist=pm.Normal.dist(shape=2), shape=(2, len(TIMES))
    )
    pm.Normal("y", level, pm.HalfNormal("r"), observed=np.stack([TIMES, TIMES]))


def second_order() -> None:
    level = pm.AR(
        "a", pm.Normal("rho", 0, 0.3, shape=2), pm.HalfNormal("s"),
        init_dist=pm.Normal.dist(shape=2), shape=len(TIMES),
    )  # fmt: skip
    pm.Normal("y", 0, pt.exp(level / 2), observed=TIMES)


# What there is, how many latents, and pairs of them that touch, with each itself.
FIELDS: dict[str, tuple[Callable[[], None], int, int, int]] = {
    "map with a sum": (map_with_a_sum, SIDE**2, MAP, 1),
    "map and noise": (map_and_noise, 2 * SIDE**2, MAP + 2 * SIDE**2, 1),
    "map by CAR": (map_by_car, SIDE**2, MAP, 0),
    "second differences": (second_differences, SIDE**2, 3 * SIDE**2 - 3, 0),
    "wide groups": (wide_groups, 7 * GROUPS, 28 * GROUPS, 0),
    "Gaussian process": (process, len(TIMES), len(TIMES) * (len(TIMES) + 1) // 2, 0),
    "several walks": (several_walks, 2 * len(TIMES), 4 * len(TIMES) - 2, 0),
    "second order": (second_order, len(TIMES), 3 * len(TIMES) - 3, 0),
    "sum of zero": (zero_sum, GROUPS - 1, GROUPS * (GROUPS - 1) // 2, 0),
}


@pytest.mark.parametrize("name", FIELDS)
def test_fields_are_found(name: str) -> None:
    write, latents, pairs, sums = FIELDS[name]
    with pm.Model() as model:
        write()
    found = read(model)
    assert isinstance(found.latents, Field)
    coloured = found.latents.coloured
    assert (len(found.latents.order), len(coloured.row)) == (latents, pairs)
    assert coloured.members.shape[0] == sums
    far = np.abs(coloured.row - coloured.column).max()
    assert far <= found.latents.width <= latents
    if pairs < latents**2 / 4:
        assert coloured.colours < latents / 2


def test_a_sum_that_explains_no_pair_is_none() -> None:
    """Most elements of a column are alike at one point, and at the other none is: all touch."""
    with pm.Model() as model:
        a = pm.Normal("a", 0, pm.HalfNormal("s"), shape=60)
        pm.Potential("all", -pt.exp(a.sum() / 8) - 0.1 * (pt.outer(a, a) ** 2).sum() * (a[0] > 0))
    latents = read(model).latents
    assert isinstance(latents, Field)
    assert not len(latents.coloured.members)
    assert len(latents.coloured.row) == 60 * 61 // 2


def test_a_dense_model_with_many_rows_is_left_alone_after_a_look(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Hundreds of coefficients that all rows see are no field that could be afforded."""
    design = RANDOM.normal(size=(500, 400))
    with pm.Model() as model:
        b = pm.Normal("b", 0, pm.HalfNormal("s"), shape=400)
        pm.Bernoulli("y", logit_p=pt.as_tensor(design) @ b, observed=np.arange(500) % 2)
    monkeypatch.setattr(field, "_WORK", 1e7)
    monkeypatch.setattr(field, "_order_of", lambda *_: pytest.fail("all columns were read"))
    assert read(model).latents is None


def test_too_much_work_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(field, "_WORK", 1e4)
    with pm.Model() as model:
        process()
    assert read(model).latents is None


@settings(max_examples=10, deadline=None)
@given(dim=st.integers(2, 12), seed=st.integers(0, 2**31), has_sum=st.booleans())
def test_colours_tell_every_element(dim: int, seed: int, has_sum: bool) -> None:
    random = np.random.default_rng(seed)
    root = random.normal(size=(dim, dim)) * (random.random((dim, dim)) < 0.2)
    matrix = root + root.T + np.diag(1.0 + random.random(dim))
    members = np.ones((1, dim), bool)
    members[0, 0] = False
    # Two elements that touch by the sum alone have to be there.
    matrix[1, -1] = matrix[-1, 1] = 0.0
    members = members[: int(has_sum and dim > 2)]
    coloured = Coloured.of(scipy.sparse.csr_array(matrix != 0), members)
    whole = matrix + 0.7 * members.T.astype(float) @ members
    with jax.enable_x64(True):
        elements = coloured.read(coloured.directions(np.dtype(float)) @ whole)
        vector = random.normal(size=dim)
        np.testing.assert_allclose(coloured.times(elements, vector), whole @ vector, atol=1e-9)
        values = matrix[coloured.row, coloured.column]
        np.testing.assert_allclose(elements[0], values, atol=1e-9)


def test_it_is_said_in_words() -> None:
    with pm.Model() as model:
        centred()
    words = "2 global unknowns, and 50 groups of 1 (a), independent of each other"
    assert str(read(model)) == words

"""Models that differ in how their data reach the density."""

import numpy as np
import pymc as pm
import pymc.dims as pmd
import pytensor
import pytensor.sparse as sparse
import pytensor.tensor as pt
import scipy.sparse
import xarray as xr

from .registry import case, labelled

ROWS, GROUPS = 900, 85


@case
def no_data(rng):
    mu = pm.Normal("mu", 1.0, 2.0)
    pm.Normal("x", mu, 1.0, shape=(2, 3))


@labelled({"row": range(30), "column": ["a", "b"], "group": list("uvw")})
def named_dims(rng):
    intercept = pm.Normal("intercept")
    slope = pm.Normal("slope", dims="column")
    table = pm.Normal("table", dims=("group", "column"))
    x = rng.normal(size=(30, 2))
    mu = pm.Deterministic("mu", intercept + x @ (slope + table.sum(0)), dims="row")
    pm.Normal("y", mu, pm.HalfNormal("sigma"), observed=rng.normal(size=30), dims="row")


def hierarchy(rng, index):
    mu = pm.Normal("mu", 0.0, 5.0)
    tau = pm.HalfNormal("tau", 2.0)
    offset = pm.Normal("offset", shape=GROUPS)
    group = pm.Deterministic("group", mu + tau * offset)
    pm.Normal("y", group[index], pm.HalfNormal("sigma"), observed=rng.normal(size=ROWS))


@case
def index_constant(rng):
    hierarchy(rng, rng.integers(0, GROUPS, size=ROWS))


@case
def index_data(rng):
    hierarchy(rng, pm.Data("index", rng.integers(0, GROUPS, size=ROWS)))


@case
def data_x_and_y(rng):
    x = pm.Data("x", rng.normal(size=(70, 3)))
    y = pm.Data("y_data", rng.normal(size=70))
    beta = pm.Normal("beta", shape=3)
    pm.Normal("y", x @ beta, pm.HalfNormal("sigma"), observed=y, shape=x.shape[0])


@case
def mask_constant(rng):
    mask = rng.random(100) < 0.4
    effect = pm.Normal("effect", shape=100)
    pm.Normal("y", effect[mask], 1.0, observed=rng.normal(size=int(mask.sum())))


@case
def mask_data(rng):
    mask = rng.random(100) < 0.4
    effect = pm.Normal("effect", shape=100)
    pm.Normal("y", effect[pm.Data("mask", mask)], 1.0, observed=rng.normal(size=int(mask.sum())))


@case
def length_data(rng):
    n = pm.Data("n", 7)
    slope = pm.Normal("slope")
    pm.Normal("y", slope * pt.arange(n), 1.0, observed=rng.normal(size=7))


@case
def integer_data(rng):
    count = pm.Data("count", rng.integers(1, 5, size=80))
    pm.Poisson("y", count * pm.Gamma("rate", 2.0, 1.0), observed=rng.poisson(2.0, size=80))


@case
def repeats_data(rng):
    repeats = np.array([1, 2, 3, 1])
    effect = pm.Normal("effect", shape=4)
    pm.Normal(
        "y", pt.repeat(effect, pm.Data("repeats", repeats)), 1.0,
        observed=rng.normal(size=repeats.sum()),
    )  # fmt: skip


@case
def deterministic_of_data(rng):
    x = pm.Data("x", rng.normal(size=(90, 2)))
    beta = pm.Normal("beta", shape=2)
    pm.Deterministic("fit", x @ beta)
    pm.Deterministic("scaled", x * 2.0)
    pm.Deterministic("norm", pt.sqrt(pt.sum(beta**2)))
    pm.Bernoulli("y", logit_p=x @ beta, observed=rng.integers(0, 2, size=90))


@case
def shared_variable(rng):
    x = pytensor.shared(rng.normal(size=70), "x")
    pm.Normal("y", x * pm.Normal("slope"), 1.0, observed=rng.normal(size=70))


@case
def sparse_design(rng):
    matrix = scipy.sparse.random(40, 5, 0.3, format="csr", rng=rng)
    beta = pm.Normal("beta", shape=(5, 1))
    mu = sparse.structured_dot(sparse.as_sparse_variable(matrix), beta)[:, 0]
    pm.Normal("y", mu, 1.0, observed=rng.normal(size=40))


@case
def imputation(rng):
    y = rng.normal(size=12)
    y[[2, 7]] = np.nan
    pm.Normal("y", pm.Normal("mu"), 1.0, observed=y)


@case
def imputation_masked(rng):
    y = np.ma.masked_array(rng.normal(size=(6, 2)), rng.random((6, 2)) < 0.3)
    pm.Normal("y", pm.Normal("mu", shape=2), pm.HalfNormal("sigma"), observed=y)


@case
def wide_covariance(rng):
    root = rng.normal(size=(100, 100))
    x = pm.MvNormal("x", np.zeros(100), cov=root @ root.T / 100 + np.eye(100))
    pm.Normal("y", x, 1.0, observed=rng.normal(size=100))


@case
def potentials(rng):
    x = pm.Normal("x", shape=3)
    pm.Potential("scalar", -pt.sum(x**4))
    pm.Potential("vector", -pt.abs(x))
    pm.Normal("y", x[0], 1.0, observed=rng.normal(size=4))


@labelled({"row": range(70), "column": list("abc")})
def xarray_dims(rng):
    x = pmd.Data("x", rng.normal(size=(70, 3)), dims=("row", "column"))
    beta = pmd.Normal("beta", 0.0, 2.0, dims="column")
    sigma = pmd.HalfNormal("sigma", 1.0)
    mu = pmd.Deterministic("mu", x.dot(beta, dim="column"))
    observed = xr.DataArray(rng.normal(size=70), dims="row")
    pmd.Normal("y", mu, sigma, observed=observed)


@labelled({"group": range(4), "kind": list("abc")})
def xarray_transforms(rng):
    p = pmd.Dirichlet(
        "p", pmd.as_xtensor(np.ones(3), dims="kind"), core_dims="kind", dims=("group", "kind")
    )
    zero = pmd.ZeroSumNormal("zero", core_dims="kind", dims=("group", "kind"))
    pmd.Uniform("uniform", -1.0, 2.0, dims="group")
    pmd.Beta("beta", 2.0, 2.0)
    y = pmd.Data("y_data", rng.normal(size=(4, 3)), dims=("group", "kind"))
    pmd.Normal("y", p + zero, 1.0, observed=y)


def linear(rows: int) -> pm.Model:
    """A regression on data that can be set."""
    rng = np.random.default_rng(0)
    with pm.Model() as model:
        x = pm.Data("x", rng.normal(size=(rows, 2)))
        y = pm.Data("y_data", rng.normal(size=rows))
        beta = pm.Normal("beta", shape=2)
        pm.Normal("y", x @ beta, 1.0, observed=y)
    return model

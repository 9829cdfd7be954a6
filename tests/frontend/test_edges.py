"""At the edges of distributions value and gradient are PyTensor's, wherever these are finite."""

import functools
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pymc as pm
import pytensor
import pytensor.tensor as pt
import pytest
from jaxtyping import Array
from pymc.pytensorf import compile as compile_function
from pytensor.compile.mode import Mode
from pytensor.graph.basic import Constant
from pytensor.graph.traversal import graph_inputs

import taut
from taut.autodiff import guard_selects
from taut.frontend.pymc.lift.jaxify import jaxify, load_backend

from .models import QUIET
from .zoo.edges import EDGES, Edge

pytestmark = QUIET

# Outside any scope of a precision, which it would leave behind.
load_backend()
# PyTensor's own rewrites, without a compiler.
BY_PYTENSOR = Mode(linker="py", optimizer="fast_run").excluding("fusion", "inplace")


@dataclass(frozen=True)
class Found:
    """Values at the rows of a table, and gradients with a row for each."""

    values: np.ndarray
    gradients: np.ndarray


def graph(edge: Edge, shape: tuple[int, ...]) -> tuple[list[Any], list[Any], Any]:
    """Return the arguments that have derivatives, all in the table's order, and the log density."""
    arguments = [pt.tensor(f"a{i}", shape=shape) for i in range(edge.table.shape[1])]
    value = arguments[0].astype("int64") if edge.discrete else arguments[0]
    free = arguments[1:] if edge.discrete else arguments
    return free, arguments, edge.logp(value, *arguments[1:])


def by_pytensor(edge: Edge) -> Found:
    free, arguments, logp = graph(edge, edge.table.shape[:1])
    slopes: Any = pytensor.grad(logp.sum(), free, disconnected_inputs="ignore")
    function = compile_function(
        arguments, [logp, *slopes], mode=BY_PYTENSOR, on_unused_input="ignore"
    )
    with np.errstate(all="ignore"):
        values, *columns = function(*edge.table.T)
    return Found(values, np.stack(columns, axis=-1))


def density(edge: Edge, shape: tuple[int, ...]) -> Any:
    """Build ``(free arguments, others) -> log density``, each argument a row, as fits see it."""
    free, arguments, logp = graph(edge, shape)
    others = [one for one in arguments if one not in free]
    function = guard_selects(jaxify([*free, *others], [logp.sum()]), len(free))
    return lambda x, rest: function(*x, *rest)[0]


def columns(edge: Edge) -> tuple[Array, Array]:
    table = jnp.asarray(edge.table.T)
    return (table[1:], table[:1]) if edge.discrete else (table, table[:0])


def of_vectors(edge: Edge) -> Found:
    """All rows in one density; the values come from the scalars."""
    function = density(edge, edge.table.shape[:1])
    gradients = jax.jit(jax.grad(function))(*columns(edge))
    return Found(np.array(np.nan), np.asarray(gradients).T)


def of_scalars(edge: Edge) -> Found:
    function = jax.vmap(jax.value_and_grad(density(edge, ())), in_axes=1)
    values, gradients = jax.jit(function)(*columns(edge))
    return Found(np.asarray(values), np.asarray(gradients))


@functools.cache
def of_rows(name: str) -> tuple[Found, np.ndarray]:
    """What PyTensor says, and of which rows it is finite."""
    theirs = by_pytensor(EDGES[name])
    finite = np.isfinite(theirs.values) & np.isfinite(theirs.gradients).all(axis=1)
    return theirs, finite


def assert_same(ours: np.ndarray, theirs: np.ndarray) -> None:
    # Rounding of two implementations of the same special functions.
    np.testing.assert_allclose(ours, theirs, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("name", EDGES)
def test_scalars(name: str) -> None:
    theirs, finite = of_rows(name)
    with jax.enable_x64(True):
        ours = of_scalars(EDGES[name])
    assert_same(ours.values[finite], theirs.values[finite])
    assert_same(ours.gradients[finite], theirs.gradients[finite])


@pytest.mark.parametrize("name", EDGES)
def test_vectors(name: str) -> None:
    theirs, finite = of_rows(name)
    with jax.enable_x64(True):
        ours = of_vectors(EDGES[name])
    assert_same(ours.gradients[finite], theirs.gradients[finite])


@pytest.mark.parametrize("name", EDGES)
def test_most_edges_are_looked_at(name: str) -> None:
    """Or else the comparisons above would compare nothing."""
    assert of_rows(name)[1].any()


# Whole models.


def never_exposed() -> pm.Model:
    """Rates of events, of rows of which some were never at risk."""
    rng = np.random.default_rng(3)
    exposure = rng.uniform(0, 2, (40, 3)) * (rng.random((40, 3)) < 0.5)
    with pm.Model() as model:
        rate = pm.Gamma("rate", 2.0, 1.0, shape=3)
        pm.Poisson("y", exposure * rate, observed=rng.poisson(exposure))
    return model


def cutpoints_of_a_simplex() -> pm.Model:
    rng = np.random.default_rng(4)
    x, y = rng.normal(size=30), rng.integers(0, 5, 30)
    with pm.Model() as model:
        share = pm.Dirichlet("share", np.ones(3))
        cut = pt.concatenate([[0.0], pt.cumsum(share)])
        eta, sigma = pm.Normal("b") * x, pm.HalfNormal("sigma", 0.2)
        pm.OrderedProbit("y", eta=eta, cutpoints=cut, sigma=sigma, observed=y, compute_p=False)
    return model


def zero_probabilities() -> pm.Model:
    """Known zeros in a matrix of transitions, where nothing was counted."""
    counts = np.array([[3, 0, 1], [0, 5, 2]])
    with pm.Model() as model:
        p = pm.Beta("p", 1.0, 1.0, shape=2)
        rows = pt.stack([[p[0], 0.0, 1 - p[0]], [0.0, p[1], 1 - p[1]]])
        pm.Multinomial("y", n=counts.sum(1), p=rows, observed=counts)
    return model


def by_model(model: pm.Model, zs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    target = taut.as_target(model)
    function = model.compile_fn([model.logp(), model.dlogp()], mode=BY_PYTENSOR)
    with np.errstate(all="ignore"):
        values, slopes = zip(*(function(target.space.unravel(z)) for z in zs), strict=True)
    return np.array(values), np.array(slopes)


@pytest.mark.slow
@pytest.mark.parametrize("make", [never_exposed, cutpoints_of_a_simplex, zero_probabilities])
def test_models(make: Any) -> None:
    """Also far from the origin, where few cutpoints lie near the rows."""
    model = make()
    target = taut.as_target(model)
    zs = np.random.default_rng(0).normal(size=(40, target.dim)) * np.linspace(0.1, 3, 40)[:, None]
    values, slopes = by_model(model, zs)
    finite = np.isfinite(values) & np.isfinite(slopes).all(axis=1)
    assert finite.sum() > 20
    with target.precision():
        both = jax.jit(jax.vmap(jax.value_and_grad(lambda z: target.log_density(z))))(zs)
    np.testing.assert_allclose(both[0][finite], values[finite], rtol=1e-8)
    assert_same(np.asarray(both[1])[finite], slopes[finite])


@pytest.mark.parametrize("make", [never_exposed, zero_probabilities])
def test_second_derivatives_of_models(make: Any) -> None:
    """Compared with differences of PyTensor's gradient."""
    model = make()
    target = taut.as_target(model)
    z, step = np.linspace(-0.5, 0.5, target.dim), 1e-5
    with target.precision():
        hessian = jax.jit(jax.hessian(lambda z: target.log_density(z)))(z)
    moved = z + step * np.concatenate([np.eye(target.dim), -np.eye(target.dim)])
    up, down = np.split(by_model(model, moved)[1], 2)
    np.testing.assert_allclose(hessian, (up - down) / (2 * step), rtol=1e-6, atol=1e-6)


def test_a_fit_of_rows_that_were_never_exposed() -> None:
    model = never_exposed()
    approx = taut.fit(model=model, random_seed=1, progressbar=False)
    deaths = model.rvs_to_values[model["y"]].data
    data = [v.data for v in graph_inputs([model["y"]]) if isinstance(v, Constant)]
    [exposure] = [array for array in data if np.shape(array) == (40, 3)]
    shape, speed = 2.0 + deaths.sum(0), 1.0 + exposure.sum(0)
    drawn = approx.sample(4000, random_seed=1)["posterior"]["rate"].values[0]
    sd = np.sqrt(shape) / speed
    # Five standard errors of 4 000 draws, and what a Gaussian in log rate may be off.
    np.testing.assert_allclose(drawn.mean(0), shape / speed, atol=0.1 * sd.min())
    assert approx.diagnose(random_seed=1).trusted

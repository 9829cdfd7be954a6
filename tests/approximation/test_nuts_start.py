"""Start points and mass matrices for NUTS, against a posterior that is exactly Gaussian."""

from collections.abc import Callable
from typing import Any

import numpy as np
import nutpie
import pymc as pm
import pytest
from pymc.blocking import DictToArrayBijection
from pymc.initial_point import make_initial_point_fns_per_chain
from pymc.step_methods.hmc.quadpotential import QuadPotentialDiagAdapt

import cases
import taut
from taut import errors
from taut.family import AbstractFamily, Particles

pytestmark = pytest.mark.statistical

# Of a, log s and b below, as linear functions of independent standard normals.
_ROOT = np.array(
    [[1.0, 0.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0], [0.5, 0.0, 0.3, 0.0], [1.35, 1.0, 0.21, 0.5]]
)
_COV = _ROOT @ _ROOT.T
_FAMILIES: dict[str, Callable[[], AbstractFamily]] = {
    "mean field": lambda: cases.mean_field(4),
    "full rank": lambda: cases.full_rank(4),
    "low rank": lambda: cases.low_rank(4),
    "particles": lambda: Particles(np.random.default_rng(1).normal(size=(30, 4))),
    "mixture": lambda: cases.mixture(4),
    "flow": lambda: cases.flow(4),
}


def correlated() -> Any:
    """Make a model whose posterior is Gaussian with the log of the variable in the middle."""
    with pm.Model() as model:
        a = pm.Normal("a", 0.0, 1.0, shape=2)
        s = pm.LogNormal("s", 0.5 * a[0], 0.3)
        pm.Normal("b", a[0] + a[1] + 0.7 * pm.math.log(s), 0.5)
    return model


@pytest.fixture(scope="module")
def fitted() -> taut.Approximation:
    return taut.fit(model=correlated(), method="laplace", random_seed=1, progressbar=False)


@pytest.fixture(scope="module")
def log_density(fitted: taut.Approximation) -> Callable[..., Any]:
    return fitted.model.compile_logp()


def with_family(model: Any, family: AbstractFamily) -> taut.Approximation:
    """An approximation with parameters of its own, fitted to nothing."""
    approx = taut.Approximation([taut.Group(None, "mf")], model=model, random_seed=1)
    approx.show(family)
    return approx


def pymc_starts(model: Any, points: list[dict[str, np.ndarray]]) -> list[dict[str, np.ndarray]]:
    """Where `pm.sample` starts when it is given the points."""
    makers = make_initial_point_fns_per_chain(model=model, overrides=points, chains=len(points))
    return [make(0) for make in makers]


def gaps(draws: np.ndarray) -> tuple[float, float]:
    """Largest distance from the exact means, in standard deviations, and of log std."""
    scale = np.sqrt(np.diag(_COV))
    return (
        float(np.abs(draws.mean(0) / scale).max()),
        float(np.abs(np.log(draws.std(0) / scale)).max()),
    )


def flat_draws(trace: Any) -> np.ndarray:
    """Draws of a trace, chains joined, in the unconstrained space."""
    posterior = trace["posterior"]
    columns = [posterior["a"].values, np.log(posterior["s"].values), posterior["b"].values]
    return np.column_stack([np.reshape(c, (-1, c.shape[2] if c.ndim > 2 else 1)) for c in columns])


def test_the_covariance_is_exact_and_in_pymcs_order(fitted: taut.Approximation) -> None:
    start = fitted.nuts_start(2, random_seed=1)
    np.testing.assert_allclose(start.cov, _COV, rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(start.std, np.sqrt(np.diag(_COV)), rtol=1e-3)
    step = start.pymc()["step"]
    point = {name: np.full(np.shape(v), i) for i, (name, v) in
             enumerate(fitted.model.initial_point().items())}  # fmt: skip
    by_pymc = DictToArrayBijection.map({v.name: point[v.name] for v in step.vars}).data
    np.testing.assert_array_equal(by_pymc, start.space.ravel(point))
    along = np.array([0.0, 0.0, 1.0, 0.0])
    np.testing.assert_allclose(step.potential.velocity(along), _COV[2], rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("family", _FAMILIES)
def test_every_family_gives_points_of_finite_density(
    family: str, fitted: taut.Approximation, log_density: Callable[..., Any]
) -> None:
    approx = with_family(fitted.model, _FAMILIES[family]())
    start = approx.nuts_start(3, random_seed=1)
    assert len(start.points) == 3
    assert start.points[0].keys() == {"a", "s", "b"}
    starts = pymc_starts(fitted.model, start.points)
    assert np.isfinite([log_density(point) for point in starts]).all()
    # Moments are those of draws: 4000 here, whose standard deviations are within 2 %, and fewer
    # for a flow's own or for heavy tails: 15 % are allowed.
    z = approx.unconstrained_draws(4000, random_seed=2)
    np.testing.assert_allclose(start.std, z.std(0), rtol=0.15)
    expected = np.cov(z.T) if start.cov is not None else np.diag(np.cov(z.T))
    found = start.cov if start.cov is not None else start.std**2
    np.testing.assert_allclose(found, expected, atol=0.15 * np.abs(expected).max())


def test_points_that_are_rounded_to_a_bound_are_left_out() -> None:
    """Of draws with a scale of 60 a quarter are 1 in 64 bits, where PyMC can not start."""
    with pm.Model() as model:
        pm.Uniform("u", 0.0, 1.0)
    approx = with_family(model, cases.full_rank_of(np.zeros(1), np.full((1, 1), 3600.0)))
    constrained = approx.sample(100, random_seed=1)["posterior"]["u"].values
    assert (constrained == 1.0).mean() > 0.15
    start = approx.nuts_start(20, random_seed=1)
    starts = pymc_starts(model, start.points)
    assert np.isfinite([start["u_interval__"] for start in starts]).all()


def test_pymc_goes_on_from_a_fit(fitted: taut.Approximation) -> None:
    """Of 200 draws a mean has a standard error of 0.07, a log std one of 0.05, more as they are
    not independent; six are allowed."""
    start = fitted.nuts_start(2, random_seed=1)
    trace = pm.sample(
        tune=50, draws=100, **start.pymc(target_accept=0.9), cores=1, random_seed=1,
        progressbar=False, quiet=True,
    )  # fmt: skip
    mean, log_std = gaps(flat_draws(trace))
    assert mean < 0.4
    assert log_std < 0.3


def test_nutpie_goes_on_from_a_fit(fitted: taut.Approximation) -> None:
    """Chains start at different draws of q, and end near the exact posterior."""
    start = fitted.nuts_start(2, random_seed=1)
    compiled = nutpie.compile_pymc_model(fitted.model, **start.nutpie())
    trace = nutpie.sample(compiled, draws=200, tune=200, chains=2, seed=1, progress_bar=False)
    mean, log_std = gaps(flat_draws(trace))
    assert mean < 0.4
    assert log_std < 0.3


def test_nutpie_goes_on_in_coordinates_of_the_mass_matrix(fitted: taut.Approximation) -> None:
    """The posterior is standard there: 200 draws without much warm-up are as good as above."""
    model = fitted.nuts_start(2, random_seed=1).nutpie_model()
    trace = nutpie.sample(model, draws=200, tune=50, chains=2, seed=1, progress_bar=False)
    assert trace["posterior"]["a"].shape == (2, 200, 2)
    mean, log_std = gaps(flat_draws(trace))
    assert mean < 0.4
    assert log_std < 0.3
    # Trajectories are as short as those of a standard Gaussian; in z they have some 15 steps.
    assert float(trace["sample_stats"]["n_steps"].mean()) < 8


def test_the_model_for_nutpie_has_the_density_of_x(fitted: taut.Approximation) -> None:
    """By PyMC's own log density: in x there is a constant less, the determinant's logarithm."""
    start = fitted.nuts_start(1, random_seed=1)
    model = start.nutpie_model()
    density, log_p = model._make_logp_func(), fitted.model.compile_logp()
    for x in np.random.default_rng(1).normal(size=(3, 4)):
        value, slope = density(x)
        point = start.space.unravel(start.mean + np.linalg.cholesky(start.cov) @ x)
        assert value == pytest.approx(float(log_p(point)), abs=1e-9)
        np.testing.assert_allclose(slope, -x, atol=5e-3)


def test_draws_for_nutpie_have_the_models_names_and_dims() -> None:
    with pm.Model(coords={"side": ["left", "right"]}) as model:
        scale = pm.HalfNormal("scale", 1.0)
        x = pm.Normal("x", 0.0, scale, dims="side")
        pm.Deterministic("twice", 2.0 * x, dims="side")
        pm.Normal("y", x, 1.0, observed=np.zeros(2))
    approx = taut.fit(model=model, method="advi", n=500, random_seed=1, progressbar=False)
    compiled = approx.nuts_start(1, random_seed=1).nutpie_model()
    trace = nutpie.sample(compiled, draws=20, tune=20, chains=1, seed=1, progress_bar=False)
    posterior = trace["posterior"]
    assert set(posterior.data_vars) == {"scale", "x", "twice"}
    assert posterior["twice"].dims == ("chain", "draw", "side")
    assert posterior["twice"].sel(side="left").shape == (1, 20)
    np.testing.assert_allclose(posterior["twice"], 2.0 * posterior["x"])


def test_what_nutpie_is_given_is_one_draw_for_all_variables(fitted: taut.Approximation) -> None:
    start = fitted.nuts_start(2, random_seed=1)
    given = start.nutpie()
    assert given["jitter_rvs"] == set()
    (make,) = make_initial_point_fns_per_chain(
        model=fitted.model, overrides=given["initial_points"], chains=1
    )
    rows = [_row_of(make(seed), start.draws) for seed in range(5)]
    assert len(set(rows)) > 2


def _row_of(point: dict[str, np.ndarray], draws: Any) -> int:
    """Find the draw that a start point is."""
    (row,) = np.flatnonzero(np.isclose(draws["b"], point["b"], rtol=1e-12))
    np.testing.assert_allclose(point["a"], draws["a"][row])
    np.testing.assert_allclose(point["s_log__"], np.log(draws["s"][row]))
    return int(row)


def test_in_many_dimensions_the_matrix_is_diagonal() -> None:
    with pm.Model() as model:
        pm.Normal("x", 0.0, np.linspace(0.5, 2.0, 501))
    start = taut.Approximation([taut.Group(None, "fr")], model=model).nuts_start(1)
    assert start.cov is None
    potential = start.pymc()["step"].potential
    assert isinstance(potential, QuadPotentialDiagAdapt)
    np.testing.assert_allclose(potential.velocity(np.ones(501)), start.std**2)


@pytest.mark.parametrize(("particles", "std"), [(1, 1.0), (3, None)])
def test_few_particles_give_a_matrix_that_can_be_used(
    particles: int, std: float | None, fitted: taut.Approximation
) -> None:
    points = np.random.default_rng(1).normal(size=(particles, 4))
    start = with_family(fitted.model, Particles(points)).nuts_start(2)
    assert start.cov is None
    np.testing.assert_allclose(start.std, points.std(0) if std is None else std)


def test_it_prints_the_moments(fitted: taut.Approximation) -> None:
    start = fitted.nuts_start(1)
    assert repr(start) == "<NutsStart of 1 chain: dense mass matrix of 4 dimensions>"
    assert "s_log__" in str(start)
    assert "<td>s_log__</td>" in start._repr_html_()


def test_a_seed_gives_the_same_points(fitted: taut.Approximation) -> None:
    one, same, other = (fitted.nuts_start(1, random_seed=s).points[0]["b"] for s in (1, 1, 2))
    assert one == same != other


@pytest.mark.parametrize("chains", [0, 2.5, True])
def test_chains_must_be_a_number_of_them(chains: Any, fitted: taut.Approximation) -> None:
    with pytest.raises(errors.ArgumentError, match="chains must be a positive integer"):
        fitted.nuts_start(chains)


def test_a_target_written_by_hand_has_no_nuts() -> None:
    target = cases.regression(2).target()
    approx = taut.Approximation([taut.Group(None, "mf")], model=target)
    with pytest.raises(errors.ArgumentError, match="written by hand"):
        approx.nuts_start()


def test_densities_that_are_finite_nowhere_are_reported() -> None:
    with pm.Model() as model:
        x = pm.Normal("x")
        pm.Potential("never", pm.math.switch(x > 100.0, 0.0, -np.inf))
    approx = with_family(model, cases.full_rank_of(np.zeros(1), np.eye(1)))
    with pytest.raises(errors.NotFiniteError, match="Only 0 of 250 draws"):
        approx.nuts_start()


def test_batches_in_the_model_are_refused() -> None:
    with pm.Model() as model:
        mu = pm.Normal("mu")
        batch = pm.Minibatch(np.zeros(50), batch_size=10)
        pm.Normal("y", mu, 1.0, observed=batch, total_size=50)
    approx = taut.Approximation([taut.Group(None, "mf")], model=model)
    with pytest.raises(errors.RowsError, match="only batches"):
        approx.nuts_start()


def test_rows_of_a_source_are_refused_and_batches_of_all_rows_are_not() -> None:
    with pm.Model() as model:
        mu = pm.Normal("mu")
        pm.Normal("y", mu, 1.0, observed=np.linspace(-1.0, 1.0, 50))
    approx = taut.fit(20, model=model, batch_size=10, random_seed=1, progressbar=False)
    assert len(approx.nuts_start(2).points) == 2
    rows = taut.ArrayRows({"y": np.zeros(500)})
    approx = taut.fit(20, model=model, batch_size=10, rows=rows, random_seed=1, progressbar=False)
    with pytest.raises(errors.RowsError, match="only batches"):
        approx.nuts_start()

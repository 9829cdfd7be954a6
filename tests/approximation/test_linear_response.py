"""Linear response against posteriors whose covariance is known."""

import jax.numpy as jnp
import numpy as np
import pymc as pm
import pytest
from scipy import integrate

import cases
import taut
from taut import errors
from taut.target import Space

VFAMS = ["mf", "fr", "lr"]


def beside(target: taut.Target, vfam: str) -> taut.Approximation:
    """An approximation that was fitted to nothing yet."""
    return taut.Approximation([taut.Group(None, vfam)], model=target, random_seed=1)


@pytest.mark.parametrize("vfam", VFAMS)
def test_a_gaussian_posterior_has_its_exact_covariance(vfam: str) -> None:
    """From any start: Newton's method finds the optimum, where the response is exact."""
    model = cases.regression(5)
    response = beside(model.target(), vfam).linear_response(random_seed=1)
    np.testing.assert_allclose(response.cov(), model.posterior_cov, rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(response.mean, model.posterior_mean, atol=1e-3)


def test_a_scaled_low_rank_gaussian_has_it_too() -> None:
    """From a member that is wide along one direction and narrow along another."""
    model = cases.regression(5)
    approx = beside(model.target(), "mf")
    directions = np.linalg.qr(np.random.default_rng(1).normal(size=(5, 2)))[0]
    approx.show(
        taut.family.ScaledLowRank(np.zeros(5), -np.ones(5), directions, np.array([1.0, -0.5]))
    )
    response = approx.linear_response(random_seed=1)
    np.testing.assert_allclose(response.cov(), model.posterior_cov, rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(response.mean, model.posterior_mean, atol=1e-3)


def test_pathfinder_s_gaussian_is_taken_and_its_draws_are_not() -> None:
    model = cases.regression(5)
    one, several = (
        taut.Pathfinder(model=model.target(), random_seed=1, paths=paths).fit(progressbar=False)
        for paths in (1, 4)
    )
    np.testing.assert_allclose(
        one.linear_response().cov(), model.posterior_cov, rtol=1e-5, atol=1e-7
    )
    with pytest.raises(errors.ArgumentError, match="needs a Gaussian"):
        several.linear_response()


def test_groups_of_families_have_it_too() -> None:
    model = cases.regression(5)
    approx = beside(model.target(), "mf")
    approx.show(cases.product())
    np.testing.assert_allclose(
        approx.linear_response().cov(), model.posterior_cov, rtol=1e-5, atol=1e-7
    )


def test_standard_deviations_are_labelled_and_corrected_after_a_fit() -> None:
    cov = np.array([[1.0, 0.9, 0.0], [0.9, 1.0, 0.3], [0.0, 0.3, 2.0]])
    with pm.Model(coords={"side": ["left", "middle", "right"]}) as model:
        pm.MvNormal("x", np.zeros(3), cov, dims="side")
    approx = taut.fit(2000, method="advi", model=model, random_seed=1, progressbar=False)
    response = approx.linear_response()
    exact = np.sqrt(np.diag(cov))
    assert (approx.std_data["x"].values[:2] < 0.7 * exact[:2]).all()
    assert list(response.std["x"]["side"].values) == ["left", "middle", "right"]
    np.testing.assert_allclose(response.std["x"], exact, rtol=1e-6)
    np.testing.assert_allclose(response.std_of("x")["x"], exact, rtol=1e-6)


def test_the_corrected_approximation_is_sampled_from() -> None:
    """Of 4000 draws a variance has a standard error of 2.2 %, a mean one of 1.6 % of the scale."""
    model = cases.regression(5)
    corrected = beside(model.target(), "mf").linear_response().approximation
    z = corrected.sample(4000, random_seed=1)["posterior"]["z"].values[0]
    scale = np.sqrt(np.diag(model.posterior_cov))
    np.testing.assert_allclose(z.std(0), scale, rtol=0.06)
    np.testing.assert_allclose(z.mean(0), model.posterior_mean, atol=0.08 * scale.max())
    np.testing.assert_allclose(corrected.family.cov(), model.posterior_cov, rtol=1e-5, atol=1e-7)


def chain(dim: int) -> taut.Target:
    """A Gaussian autoregression: neighbours are correlated by 0.8, every variance is one."""

    def terms(z: jnp.ndarray, data: object, batch: object) -> tuple[jnp.ndarray, float]:
        steps = z[1:] - 0.8 * z[:-1]
        return -0.5 * (z[0] ** 2 + jnp.sum(steps**2) / 0.36), 0.0

    return taut.Target(terms, Space.of({"first": (1,), "rest": (dim - 1,)}))


def test_many_dimensions_are_solved_for_without_a_matrix() -> None:
    """In 900 dimensions: variance 1, and covariance 0.8^k with the k-th neighbour."""
    approx = beside(chain(900), "mf")
    response = approx.linear_response(draws=20, random_seed=1)
    unit = np.zeros(900)
    unit[450] = 1.0
    column = response.times(unit)
    np.testing.assert_allclose(column[450:460], 0.8 ** np.arange(10), rtol=1e-5)
    assert float(response.std_of("first")["first"][0]) == pytest.approx(1.0, rel=1e-5)
    assert approx.family.std()[450] != pytest.approx(1.0, rel=0.1)


def test_a_skewed_posterior_is_corrected_towards_quadrature() -> None:
    """Two counts with a common rate: no Gaussian, yet nearer to the truth than mean field."""

    def terms(z: jnp.ndarray, data: object, batch: object) -> tuple[jnp.ndarray, jnp.ndarray]:
        prior = -0.5 * jnp.sum(z**2)
        rate = z[0] + z[1]
        return prior, 6.0 * rate - 2.0 * jnp.exp(rate)

    def density(a: float, b: float) -> float:
        return float(np.exp(-0.5 * (a * a + b * b) + 6 * (a + b) - 2 * np.exp(a + b)))

    def expect(power: int) -> float:
        value, _ = integrate.dblquad(
            lambda b, a: density(a, b) * a**power, -6, 6, -6, 6, epsabs=1e-9
        )
        return value

    mass = expect(0)
    exact = np.sqrt(expect(2) / mass - (expect(1) / mass) ** 2)
    approx = beside(taut.Target(terms, Space.of({"z": (2,)})), "mf")
    response = approx.linear_response(draws=2000, random_seed=1)
    corrected = float(response.std["z"][0])
    # At mean field's optimum 6 - m - 2 E[exp] = 0, and its precision is 1 + 2 E[exp].
    narrow = (7.0 - response.mean[0]) ** -0.5
    assert abs(corrected / exact - 1) < 0.05
    assert abs(narrow / exact - 1) > 0.2


def test_one_program_makes_all_products() -> None:
    approx = beside(cases.regression(5).target(), "mf")
    response = approx.linear_response()
    response.times(np.ones(5))
    count = approx.target.programs.count
    response.cov()
    approx.linear_response(random_seed=3).cov()
    assert approx.target.programs.count == count


def test_particles_have_no_response() -> None:
    approx = beside(cases.regression(2).target(), "empirical")
    with pytest.raises(errors.ArgumentError, match=r"Gaussian approximation.*Particles"):
        approx.linear_response()


def test_a_density_without_a_maximum_is_told() -> None:
    """Along the second element the density grows for ever."""

    def terms(z: jnp.ndarray, data: object, batch: object) -> tuple[jnp.ndarray, float]:
        return -0.5 * z[0] ** 2 + 0.5 * z[1] ** 2, 0.0

    approx = beside(taut.Target(terms, Space.of({"z": (2,)})), "mf")
    with (
        pytest.warns(UserWarning, match="ended with a gradient"),
        pytest.raises(errors.NotFiniteError, match="positive curvature"),
    ):
        approx.linear_response().cov()


def test_a_name_that_is_none_is_told() -> None:
    response = beside(cases.regression(2).target(), "mf").linear_response()
    with pytest.raises(errors.ArgumentError, match=r"no variable 'y'.*There are: z"):
        response.std_of("y")


@pytest.mark.parametrize("dim", [1, 3])
def test_the_best_gaussian_of_one_path_has_it(dim: int) -> None:
    """Exactly, since the posterior is Gaussian, though the path stops before it knows all."""
    half = np.random.default_rng(dim).normal(size=(dim, dim))
    cov = half @ half.T + np.eye(dim)
    with pm.Model():
        pm.MvNormal("x", np.arange(dim) / 2.0, cov)
        approx = taut.Pathfinder(paths=1, random_seed=1).fit(progressbar=False)
    assert type(approx.family) is taut.family.ScaledLowRank
    found = approx.linear_response(random_seed=1)
    np.testing.assert_allclose(found.cov(), cov, rtol=1e-3, atol=1e-3 * cov.max())
    np.testing.assert_allclose(found.mean, np.arange(dim) / 2.0, atol=1e-3)


def test_the_old_name_of_a_family_warns() -> None:
    with pytest.warns(DeprecationWarning, match="ScaledLowRank"):
        assert taut.family.Stretched is taut.family.ScaledLowRank

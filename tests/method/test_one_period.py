"""Directions, wherever the seam of the circle lies."""

import numpy as np
import pymc as pm
import pytensor.tensor as pt
import pytest
from scipy.special import i0e, i1e

import taut
from taut.diagnose import Outcome
from taut.frontend import as_source

CIRCULAR = pm.distributions.transforms.circular
PLACES = [0.0, 2.0, np.pi, -np.pi + 0.01]


def fit(model: pm.Model, seed: int = 1) -> taut.Approximation:
    return taut.fit(model=model, random_seed=seed, progressbar=False)


def drawn(approx: taut.Approximation, name: str) -> np.ndarray:
    draws = approx.sample(4000, random_seed=1)["posterior"][name].to_numpy()[0]
    return np.asarray(draws)


@pytest.fixture(scope="module")
def one() -> pm.Model:
    """A von Mises density of any direction and concentration."""
    with pm.Model() as model:
        angle = pm.Uniform("angle", -np.pi, np.pi, transform=CIRCULAR)
        pull = pm.Data("pull", np.zeros(2))
        pm.Potential("p", pull[0] * pt.cos(angle) + pull[1] * pt.sin(angle))
    return model


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("concentration", [100.0, 4.0, 0.5])
def test_a_direction_is_right_wherever_the_seam_lies(
    one: pm.Model, place: float, concentration: float
) -> None:
    r"""The mean of exp(i angle) is I1/I0 of the concentration, times exp(i place).

    Draws of chains are worth 300 at least, each cosine has a spread of 0.7 at most: four standard
    errors are 0.16. A Gaussian of a narrow angle is known better.
    """
    pull = concentration * np.array([np.cos(place), np.sin(place)])
    pm.set_data({"pull": pull}, model=one)
    approx = fit(one)
    angle = drawn(approx, "angle")
    assert ((angle > -np.pi - 1e-9) & (angle <= np.pi + 1e-9)).all()
    length = i1e(concentration) / i0e(concentration)
    found = np.exp(1j * (angle - place)).mean()
    tolerance = 0.004 if concentration == 100.0 else 0.16
    assert abs(found - length) < tolerance
    assert approx.journal.modes == 1
    assert approx.diagnose().trusted


def test_an_angle_that_may_be_anything_is_uniform(one: pm.Model) -> None:
    pm.set_data({"pull": np.zeros(2)}, model=one)
    approx = fit(one)
    angle = drawn(approx, "angle")
    for times in (1, 2):
        assert abs(np.exp(1j * times * angle).mean()) < 0.16
    assert approx.diagnose().trusted


def test_starts_in_different_periods_are_one_mode(one: pm.Model) -> None:
    pm.set_data({"pull": np.array([-50.0, 0.1])}, model=one)
    approx = fit(one)
    found, of = approx.journal.starts
    assert found >= of - 1
    assert approx.journal.outcome is not Outcome.MIXED


def test_the_interval_that_pymc_puts_before_the_circle_is_left_out(one: pm.Model) -> None:
    """PyMC's own density has no directions beyond 2.88; here it is constant up to the seam."""
    pm.set_data({"pull": np.zeros(2)}, model=one)
    target = taut.as_target(one)
    assert target.circular == (0,)
    with target.precision():
        z = np.array([0.0, 3.0, 3.1, 9.5])
        values = [float(target.log_density(np.array([v]))) for v in z]
        np.testing.assert_allclose(values, -np.log(2 * np.pi), rtol=1e-9)
        for v in z:
            there = float(target.constrain(np.array([v]))["angle"])
            assert np.exp(1j * there) == pytest.approx(np.exp(1j * v))
    assert as_source(one).start({"angle": 3.1}, 1)[0] == pytest.approx(3.1)
    # The model is left as it was.
    [transform] = one.rvs_to_transforms.values()
    assert len(transform.transform_list) == 2


def test_what_is_no_whole_circle_keeps_pymc_s_transforms() -> None:
    with pm.Model() as model:
        pm.Uniform("half", 0.0, np.pi, transform=CIRCULAR)
    target = taut.as_target(model)
    expected = model.compile_logp()
    with target.precision():
        for z in (-2.0, 0.5, 2.0):
            name = model.value_vars[0].name
            value = float(target.log_density(np.array([z])))
            assert value == pytest.approx(float(expected({name: z})), rel=1e-6)


@pytest.mark.parametrize("place", [0.0, 2.9])
def test_latent_angles_have_the_right_direction_and_concentration(place: float) -> None:
    """One angle a row, of which a cosine and a sine are seen, against quadrature over both.

    Draws of chains are worth 300 at least: 0.06 standard deviations, three of which are allowed.
    """
    rng = np.random.default_rng(3)
    rows, noise = 20, 0.5
    true = rng.vonmises(place, 3.0, rows)
    y = np.stack([np.cos(true), np.sin(true)]) + noise * rng.normal(size=(2, rows))
    grid = np.linspace(-np.pi, np.pi, 257)[:-1]
    kappas = np.exp(np.linspace(np.log(0.02), np.log(40.0), 121))
    seen = np.exp((y[0][:, None] * np.cos(grid) + y[1][:, None] * np.sin(grid)) / noise**2)
    away = np.cos(grid[:, None] - grid) - 1.0
    log_p = np.array(
        [np.log(np.exp(k * away) / i0e(k) @ seen.T).sum(axis=1) - k / 5 + np.log(k) for k in kappas]
    )
    p = np.exp(log_p - log_p.max())
    p /= p.sum()
    mean = p.sum(axis=1) @ kappas
    std = np.sqrt(p.sum(axis=1) @ (kappas - mean) ** 2)
    direction = p.sum(axis=0) @ np.exp(1j * grid)
    with pm.Model() as model:
        mu = pm.Uniform("mu", -np.pi, np.pi, transform=CIRCULAR)
        kappa = pm.Exponential("kappa", 0.2)
        angle = pm.VonMises("angle", mu, kappa, shape=rows)
        pm.Normal("y", pt.stack([pt.cos(angle), pt.sin(angle)]), noise, observed=y)
    # With seed 1 and place 0 the spread is worth 138 draws in the end, where 150 are trusted.
    approx = fit(model, 2)
    found = drawn(approx, "kappa")
    assert (found.mean() - mean) / std == pytest.approx(0.0, abs=0.2)
    assert np.log(found.std() / std) == pytest.approx(0.0, abs=0.2)
    assert abs(np.exp(1j * drawn(approx, "mu")).mean() - direction) < 0.05
    assert approx.diagnose().trusted


def test_angles_seen_as_numbers_are_cut_where_these_are() -> None:
    """Rows on both sides of the seam, where the density of an angle jumps, by quadrature."""
    y, noise = np.array([3.3, -3.2, 3.0, 3.6]), 0.4
    with pm.Model() as model:
        angle = pm.VonMises("angle", 3.0, 1.0, shape=4)
        pm.Normal("y", angle, noise, observed=y)
    grid = np.linspace(-np.pi, np.pi, 20_001)
    log_p = np.cos(grid - 3.0) - 0.5 * ((y[:, None] - grid) / noise) ** 2
    p = np.exp(log_p - log_p.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    mean = p @ grid
    std = np.sqrt(p @ grid**2 - mean**2)
    angles = drawn(fit(model), "angle")
    # As above: four standard errors of 300 draws, of means and of spreads that are skewed.
    np.testing.assert_allclose((angles.mean(axis=0) - mean) / std, 0.0, atol=0.2)
    np.testing.assert_allclose(np.log(angles.std(axis=0) / std), 0.0, atol=0.25)


def test_a_fit_by_another_method_is_judged_and_repaired_in_one_period(one: pm.Model) -> None:
    pm.set_data({"pull": np.array([-4.0, 0.0])}, model=one)
    with one:
        approx = taut.ADVI(random_seed=1).fit(3000, progressbar=False)
    assert approx.diagnose().check is not None
    approx = approx.repair()
    found = np.exp(1j * (drawn(approx, "angle") - np.pi)).mean()
    assert abs(found - i1e(4.0) / i0e(4.0)) < 0.1

"""Circular elements in one period."""

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import taut
from taut.chains import OnePeriod, Periods, Room, periods_around
from taut.chains.angles import TURN, seam_jumps
from taut.engine import Timing
from taut.gaussian import DenseNormal
from taut.gradients import Gradients
from taut.target import Space

PERIODS = Periods(np.array([0, 2]), np.array([2.5, -40.0]))
ANGLES = st.floats(-50.0, 50.0)


def target_of(density, dim: int, circular: tuple[int, ...]) -> taut.Target:
    space = Space.of({"z": (dim,)})
    return taut.Target(lambda z, data, batch: (density(z), 0.0), space, circular=circular)


def angles(z):
    """Two angles that depend on each other, and an element that is none."""
    return 2.0 * jnp.cos(z[0] - 3.0) + jnp.cos(z[2] - z[0]) - 0.5 * z[1] ** 2


@given(ANGLES, ANGLES, ANGLES)
def test_a_point_goes_into_the_period_by_whole_turns(a: float, b: float, c: float) -> None:
    z = np.array([[a, b, c]])
    wrapped = PERIODS.wrap(z)
    assert (np.abs(wrapped[:, [0, 2]] - PERIODS.centre) <= np.pi + 1e-9).all()
    turns = (z - wrapped) / TURN
    np.testing.assert_allclose(turns, np.round(turns), atol=1e-9)
    assert wrapped[0, 1] == b
    back = PERIODS.push(PERIODS.whiten(z))[0]
    np.testing.assert_allclose(back, wrapped, atol=1e-6)


@given(ANGLES, st.integers(-5, 5))
def test_images_are_one_point(a: float, turns: int) -> None:
    """At the ends of the period, which are one too, rounding decides on the side."""
    z = np.array([[a, 0.0, 1.0]])
    moved = z + np.array([TURN * turns, 0.0, -TURN * turns])
    one, other = (PERIODS.push(PERIODS.whiten(points))[0] for points in (z, moved))
    np.testing.assert_allclose(np.exp(1j * one), np.exp(1j * other), atol=1e-6)


def test_gradients_and_volume_are_those_of_the_map() -> None:
    """By central differences of h = 1e-6, whose error is 1e-9."""
    gradients = OnePeriod(Gradients(target_of(angles, 3, (0, 2)), Timing()), PERIODS)
    x = np.random.default_rng(1).normal(size=(4, 3))
    values, slopes = gradients(x)
    for i in range(3):
        step = 1e-6 * np.eye(3)[i]
        along = (gradients(x + step)[0] - gradients(x - step)[0]) / 2e-6
        np.testing.assert_allclose(slopes[:, i], along, atol=1e-6)
    z, log_det = PERIODS.push(x)
    steps = 1e-6 * np.eye(3)
    for row in range(4):
        ahead, behind = (PERIODS.push(x[row] + s * steps)[0] for s in (1.0, -1.0))
        jacobian = (ahead - behind) / 2e-6
        assert np.linalg.slogdet(jacobian)[1] == pytest.approx(log_det[row], abs=1e-6)
    density = np.array([float(angles(jnp.asarray(point))) for point in z])
    np.testing.assert_allclose(values, density + log_det, atol=1e-5)


def test_a_gaussian_is_the_same_in_both_near_its_mean() -> None:
    normal = DenseNormal.of(np.array([2.6, 1.0, -39.5]), np.diag([1e-4, 4.0, 1e-4]))
    draws = normal.draw(np.random.default_rng(1), 4000)[0]
    inside = PERIODS.stretched(normal, draws)
    back = PERIODS.shrunk(inside)
    # The spread of 4 000 draws is known to 1.1 %.
    np.testing.assert_allclose(back.std / normal.std, 1.0, atol=0.05)
    np.testing.assert_allclose(back.mean, normal.mean, atol=1e-3)


def test_a_density_that_jumps_at_the_seam_is_told_from_one_that_goes_on() -> None:
    """A line over the constrained angle, whose ends do not meet, next to a circle."""

    def density(z):
        constrained = jnp.arctan2(jnp.sin(z), jnp.cos(z))
        return -0.5 * ((constrained[0] - 3.0) / 0.4) ** 2 + 500.0 * jnp.cos(z[1])

    gradients = Gradients(target_of(density, 2, (0, 1)), Timing())
    np.testing.assert_array_equal(seam_jumps(gradients, np.zeros(2)), [True, False])
    room = Room.of(gradients, DenseNormal.of(np.zeros(2), np.eye(2)), np.full((10, 2), [3.0, 6.0]))
    assert room.periods is not None
    np.testing.assert_allclose(room.periods.centre, [0.0, 0.0], atol=TURN / 16)


def test_a_period_is_cut_where_the_density_is_lowest() -> None:
    """Two modes opposite to each other are in one period, each of them whole."""
    gradients = Gradients(target_of(lambda z: 3.0 * jnp.cos(2.0 * z[0]), 1, (0,)), Timing())
    for mode in (0.0, np.pi, 1.0):
        centre = periods_around(gradients, np.array([mode])).centre[0]
        assert abs(np.sin(centre)) == pytest.approx(1.0, abs=0.1)


def test_without_circular_elements_there_is_nothing_to_do() -> None:
    gradients = Gradients(target_of(angles, 3, ()), Timing())
    normal, draws = DenseNormal.of(np.zeros(3), np.eye(3)), np.zeros((5, 3))
    room = Room.of(gradients, normal, draws)
    assert room.gradients is gradients
    assert room.normal is normal
    assert room.outside(draws) is draws

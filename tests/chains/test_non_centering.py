"""What is normal given others in a model: it is found, taken apart, and what data say is learnt."""

import numpy as np
import pymc as pm
import pytest

import taut
from taut.chains.non_centering import Conditioned, conditioned, rounded_away
from taut.engine import Timing
from taut.frontend.pymc.graph.conditionals import conditional_normals
from taut.gradients import Gradients
from taut.target import Target

pytestmark = pytest.mark.statistical

# Of eight groups: the standard error of each, and what was seen.
ERROR, SEEN = np.linspace(0.5, 3.0, 8), np.linspace(-2.0, 4.0, 8)
# Draws of the tests below.
DRAWS = 4000


def hierarchy() -> pm.Model:
    """Groups in regions, in a centred form; the regions have no data of their own."""
    with pm.Model() as model:
        top = pm.Normal("top", 0.0, 2.0)
        scale = pm.HalfNormal("scale", 1.5)
        region = pm.Normal("region", top, scale, shape=2)
        spread = pm.LogNormal("spread", 0.0, 0.5)
        group = pm.Normal("group", region[np.arange(8) % 2], spread, shape=8)
        pm.Normal("y", group, ERROR, observed=SEEN)
    return model


@pytest.fixture(scope="module")
def target() -> Target:
    return taut.as_target(hierarchy())


@pytest.fixture(scope="module")
def coordinates(target: Target) -> Conditioned:
    assert target.conditionals is not None
    mask = np.any(target.conditionals.masks(), axis=0)
    random = np.random.default_rng(1)
    return Conditioned(target, *(mask * random.uniform(0.0, 1.0, size=(2, target.dim))))


def points(dim: int, count: int = 5) -> np.ndarray:
    return np.random.default_rng(3).normal(size=(count, dim))


def test_variables_that_depend_on_others_are_found_with_their_levels() -> None:
    with hierarchy() as model:
        pm.StudentT("t", nu=3.0, mu=0.0, sigma=model["scale"])
        pm.Normal("above", model["region"][0], 1.0, transform=pm.distributions.transforms.log)
        pm.Normal("rows", model["top"] + pm.Minibatch(np.zeros(50), batch_size=5), 1.0)
    found = {one.name: one.level for one in conditional_normals(model)}
    assert found == {"region": 0, "group": 1}


def test_a_model_without_any_says_so() -> None:
    with pm.Model() as model:
        pm.Normal("x", 1.0, 2.0)
    target = taut.as_target(model)
    assert target.conditionals is None
    assert conditioned(Gradients(target, Timing()), np.zeros((4, 1))) is None


@pytest.mark.parametrize(("steps", "known"), [(16, True), (17, False)])
def test_a_long_chain_of_variables_is_left_alone(steps: int, *, known: bool) -> None:
    with pm.Model() as model:
        last = pm.Normal("x", 0.0, 1.0)
        for step in range(steps):
            last = pm.Normal(f"x{step}", last, 1.0)
    assert (taut.as_target(model).conditionals is not None) is known


def test_moments_are_those_of_the_prior(target: Target, coordinates: Conditioned) -> None:
    z = points(target.dim)
    mean, std = coordinates.prior(z)
    named, space = target.space.unravel(z), target.space
    np.testing.assert_allclose(mean[:, space["region"].slice], named["top"][:, None] + [0.0, 0.0])
    np.testing.assert_allclose(mean[:, space["group"].slice], named["region"][:, np.arange(8) % 2])
    spread = np.exp(named["spread_log__"])[:, None]
    np.testing.assert_allclose(std[:, space["group"].slice], np.tile(spread, 8), rtol=1e-12)
    left = ~coordinates.mask
    assert not mean[:, left].any()
    assert (std[:, left] == 1.0).all()


def test_they_are_inverted(target: Target, coordinates: Conditioned) -> None:
    x = points(target.dim, 70)
    np.testing.assert_allclose(coordinates.whiten(coordinates.push(x)[0]), x, atol=1e-10)


def test_determinant_and_pulled_gradients(target: Target, coordinates: Conditioned) -> None:
    """By central differences, whose error is of the order of 1e-8 here."""
    step, dim, factor = 1e-5, target.dim, np.arange(1.0, target.dim + 1)
    for x in points(dim, 3):
        around = x + step * np.concatenate([np.eye(dim), -np.eye(dim)])
        z, log_det = coordinates.push(around)
        jacobian = (z[:dim] - z[dim:]) / (2 * step)
        expected = np.linalg.slogdet(jacobian)[1]
        assert coordinates.push(x[None])[1][0] == pytest.approx(expected, abs=1e-6)
        values = np.sin(z) @ factor + log_det
        slopes = np.cos(coordinates.push(x[None])[0]) * factor
        np.testing.assert_allclose(
            coordinates.pull(x[None], slopes)[0],
            (values[:dim] - values[dim:]) / (2 * step),
            rtol=1e-5,
            atol=1e-5,
        )


def exact_draws(target: Target) -> tuple[np.ndarray, np.ndarray]:
    """Draw all from the prior, and the groups again from their posterior given the others.

    Returns
    -------
    tuple
        The draws, and the standard normals that the groups were made of.
    """
    random, space = np.random.default_rng(2), target.space
    top = 2.0 * random.normal(size=DRAWS)
    scale, spread = np.abs(1.5 * random.normal(size=DRAWS)), np.exp(0.5 * random.normal(size=DRAWS))
    region = top[:, None] + scale[:, None] * random.normal(size=(DRAWS, 2))
    noise = random.normal(size=(DRAWS, 8))
    precision = spread[:, None] ** -2 + ERROR**-2
    centre = (region[:, np.arange(8) % 2] * spread[:, None] ** -2 + SEEN / ERROR**2) / precision
    named = {"top": top[:, None], "scale_log__": np.log(scale)[:, None], "region": region,
             "spread_log__": np.log(spread)[:, None],
             "group": centre + noise / np.sqrt(precision)}  # fmt: skip
    return np.concatenate([named[slot.name] for slot in space], axis=1), noise


def test_what_normal_data_say_is_learnt_exactly(target: Target) -> None:
    """Least squares through points on a line: what is left is what the draws were made of."""
    z, noise = exact_draws(target)
    learnt = conditioned(Gradients(target, Timing()), z)
    assert learnt is not None
    np.testing.assert_allclose(learnt.whiten(z)[:, target.space["group"].slice], noise, atol=1e-6)


def test_scales_finer_than_numbers_draw_no_chain() -> None:
    """Where the spread of groups is below rounding, their squares are 0: exp(150) times too much.

    The logarithm of the spread has a tail exp(x) there, from data that show no spread.
    """
    groups = 300
    seen = np.random.default_rng(5).normal(size=(groups, 4))
    with pm.Model() as model:
        mu, tau = pm.Normal("mu", 0.0, 5.0), pm.HalfNormal("tau", 2.0)
        group = pm.Normal("group", mu, tau, shape=groups)
        pm.Normal("y", group[:, None], 1.0, observed=seen)
    gradients, random = Gradients(taut.as_target(model), Timing()), np.random.default_rng(1)
    target = gradients.target
    coordinates = Conditioned(
        target, np.repeat([0.0, 4.0], [2, groups]), np.append([0.0, 0.0], seen.sum(axis=1))
    )
    x = np.tile(random.normal(size=target.dim), (4, 1))
    x[:, 1] = [-10.0, -20.0, -40.0, -80.0]
    z, log_det = coordinates.push(x)
    values = gradients(z)[0] + log_det - rounded_away(coordinates, x, z)
    np.testing.assert_allclose(values - x[:, 1], values[-1] - x[-1, 1], atol=0.3)

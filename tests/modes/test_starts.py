"""Where paths begin, and which modes they come to."""

from collections.abc import Callable

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import taut
from cases import regression
from taut.engine import Timing
from taut.gradients import Gradients
from taut.modes import Search, Starts, ascend
from taut.modes.basins import End
from taut.target import Space


def never() -> bool:
    return False


def target_of(density: Callable, dim: int, data: object = ()) -> taut.Target:
    space = Space.of({"z": (dim,)})
    return taut.Target(lambda z, data, batch: (density(z, data), 0.0), space, data)


def searched(target: taut.Target, starts: Starts, seed: int) -> tuple[Search, Gradients]:
    gradients = Gradients(target, Timing())
    search = Search(gradients, starts, np.random.default_rng(seed))
    search.run(never)
    return search, gradients


def test_the_first_starts_are_near_and_far_and_the_rest_draws_of_the_prior() -> None:
    starts = Starts(np.full(3, 5.0), lambda count, seed: np.full((count, 3), 1e3 + seed % 2))
    random = np.random.default_rng(1)
    first = np.abs(starts.first(random) - 5.0).max(axis=1)
    assert first[0] == 0.0
    assert 0 < first[1] <= 1.0
    assert 2.0 < first[-1] <= 8.0
    more = starts.more(16, random)
    assert (more[:8] >= 1e3).all()
    assert ((more[8:12] > 500.0) & (more[8:12] < 510.0)).all()
    assert (np.abs(more[12:] - 5.0) <= 8.0).all()


def test_what_has_no_prior_begins_around_the_start() -> None:
    """An improper element, which is NaN, and a model without any draws."""
    one_improper = Starts(np.zeros(2), lambda count, seed: np.full((count, 2), [np.nan, 100.0]))
    more = one_improper.more(8, np.random.default_rng(1))
    assert np.isfinite(more).all()
    assert (np.abs(more[:, 0]) <= 8.0).all()
    assert (more[:4, 1] == 100.0).all()
    without = Starts(np.zeros(2)).more(8, np.random.default_rng(1))
    assert 4.0 < np.abs(without).max() <= 8.0


def test_where_a_user_says_where_to_look_all_begin_near() -> None:
    starts = Starts(np.zeros(2), lambda count, seed: np.full((count, 2), 1e3), is_given=True)
    random = np.random.default_rng(1)
    assert np.abs(starts.first(random)).max() <= 2.0
    assert np.abs(starts.more(32, random)).max() <= 2.0


def test_in_many_dimensions_starts_are_no_farther_out_than_in_few() -> None:
    first = Starts(np.zeros(500)).first(np.random.default_rng(1))
    assert np.abs(first).max() <= 2.0


@pytest.mark.parametrize("seed", range(5))
def test_starts_are_sought_where_the_density_is_none_at_the_first(seed: int) -> None:
    """A Gaussian within a disk that 3 % of the prior's draws hit, and no point near the start."""

    def density(z: jax.Array, data: object) -> jax.Array:
        away = ((z - 30.0) ** 2).sum()
        return jnp.where(away < 9.0, -0.5 * away, -jnp.inf)

    def prior(count: int, seed: int) -> np.ndarray:
        return np.random.default_rng(seed).normal(30.0, 12.0, (count, 2))

    search, _ = searched(target_of(density, 2), Starts(np.zeros(2), prior), seed)
    assert not search.is_empty
    np.testing.assert_allclose(search.basins[0].top.position, 30.0, atol=0.01)


@pytest.mark.parametrize(("dim", "paths"), [(5, 24), (50, 8)])
def test_starts_that_agree_are_few(dim: int, paths: int) -> None:
    """Where paths are short some look farther out, which eight Gaussians less pay for."""
    search, gradients = searched(regression(dim).target(), Starts(np.zeros(dim), _refused), 1)
    assert search.paths == paths
    assert [basin.found for basin in search.basins] == [paths]
    assert gradients.count < 2_000


def _refused(count: int, seed: int) -> None:
    raise AssertionError("the prior is drawn only where the first starts do not agree")


def test_a_path_that_rises_without_an_end_has_no_peak() -> None:
    """The neck of a funnel, and a line; next to them a peak."""

    def funnel(z, data):
        return -0.5 * (z[0] / 3) ** 2 - 0.5 * jnp.sum(z[1:] ** 2) * jnp.exp(-z[0]) - 4.5 * z[0]

    for density, is_peak in (
        (funnel, False),
        (lambda z, data: jnp.sum(z), False),
        (lambda z, data: -0.5 * jnp.sum(z**2), True),
    ):
        start = np.random.default_rng(1).normal(size=(1, 10))
        path = ascend(Gradients(target_of(density, 10), Timing()), start)[0]
        assert End.of(path).is_peak is is_peak


def two(z, data):
    """A Gaussian of scale 3 at 0, and one of a tenth of that, so many nats higher."""
    place, higher = data
    broad = -0.5 * jnp.sum((z / 3.0) ** 2)
    narrow = higher - 0.5 * jnp.sum(((z - place) / 0.3) ** 2)
    return jnp.logaddexp(broad, narrow)


@pytest.fixture(scope="module")
def two_modes() -> taut.Target:
    return target_of(two, 1, (np.array(6.0), np.array(10.0)))


@pytest.mark.parametrize("better", [10.0, 30.0, 100.0])
def test_the_better_of_two_modes_is_found_by_three(two_modes: taut.Target, better: float) -> None:
    """Ten times narrower, and so many nats better, in 20 seeds each.

    Its basin is 3 to 8 wide; the first eight starts miss the narrowest in every second seed.
    """
    higher = better + np.log(10.0)
    target = eqx.tree_at(lambda t: t.data, two_modes, (np.array(6.0), np.array(higher)))

    def prior(count: int, seed: int) -> np.ndarray:
        return np.random.default_rng(seed).normal(0.0, 5.0, (count, 1))

    found = []
    for seed in range(20):
        search, gradients = searched(target, Starts(np.zeros(1), prior), seed)
        best = search.basins[0]
        assert best.top.position[0] == pytest.approx(6.0, abs=0.01)
        assert best.found >= 3 or search.paths == 64
        assert gradients.count < 6_000
        found.append(best.found)
    assert sum(count >= 3 for count in found) >= 18


def test_one_mode_inside_of_the_range_of_another_is_told_by_its_height(
    two_modes: taut.Target,
) -> None:
    """Three standard deviations from the lesser, as its Gaussian has them."""
    target = eqx.tree_at(lambda t: t.data, two_modes, (np.array(9.0), np.array(30.0)))
    search, _ = searched(target, Starts(np.zeros(1)), 1)
    tops = sorted(float(basin.top.position[0]) for basin in search.basins if basin.is_peak)
    np.testing.assert_allclose(tops, [0.0, 9.0], atol=0.01)


def test_mirror_images_are_modes_of_their_own() -> None:
    target = target_of(lambda z, data: -0.5 * jnp.sum((jnp.abs(z) - 6.0) ** 2), 2)
    search, _ = searched(target, Starts(np.zeros(2)), 1)
    assert len(search.basins) == 4
    # One path may begin at the kink between them.
    assert sum(basin.found for basin in search.basins) >= search.paths - 1
    assert search.basins[0].found >= 3


def hidden_markov(z, y):
    """Two ordered states: means, scales and how long each lasts, marginalised forward."""
    means = jnp.stack([z[0], z[0] + jnp.exp(z[1])])
    stay, leave = -jnp.logaddexp(0.0, -z[4:6]), -jnp.logaddexp(0.0, z[4:6])
    prior = -0.5 * jnp.sum((means / 5.0) ** 2) + z[1] + 2.0 * jnp.sum(stay + leave)
    prior += jnp.sum(z[2:4]) - 0.5 * jnp.sum((jnp.exp(z[2:4]) / 5.0) ** 2)
    moves = jnp.array([[stay[0], leave[0]], [leave[1], stay[1]]])
    emitted = -0.5 * ((y[:, None] - means) * jnp.exp(-z[2:4])) ** 2 - z[2:4]

    def forward(alpha, here):
        return here + jax.nn.logsumexp(alpha[:, None] + moves, axis=0), None

    alpha, _ = jax.lax.scan(forward, emitted[0] - jnp.log(2.0), emitted[1:])
    return prior + jax.nn.logsumexp(alpha)


def states(means: tuple[float, float], steps: int = 200) -> np.ndarray:
    """Simulate a chain that stays with probability 0.9, with unit noise."""
    random, state, y = np.random.default_rng(1), 0, []
    for _ in range(steps):
        state = state if random.random() < 0.9 else 1 - state
        y.append(random.normal(means[state], 1.0))
    return np.array(y)


def prior_of_markov(count: int, seed: int) -> np.ndarray:
    random = np.random.default_rng(seed)
    means = np.sort(random.normal(0.0, 5.0, (count, 2)), axis=1)
    scales, stay = np.abs(random.normal(0.0, 5.0, (count, 2))), random.beta(2, 2, (count, 2))
    apart = np.log(means[:, 1] - means[:, 0])
    return np.column_stack([means[:, 0], apart, np.log(scales), np.log(stay / (1.0 - stay))])


@pytest.fixture(scope="module")
def markov() -> taut.Target:
    return target_of(hidden_markov, 6, states((20.0, 23.0)))


@pytest.mark.parametrize("prior", [prior_of_markov, None], ids=["prior", "around the start"])
def test_the_better_mode_of_a_hidden_markov_model_is_never_missed(
    markov: taut.Target, prior: Callable | None
) -> None:
    """A tenth to a half of the starts find it; it is 60 nats better than that of one state."""
    target = markov
    start = np.array([-1.0, np.log(2.0), 0.0, 0.0, 0.0, 0.0])
    starts = Starts(start) if prior is None else Starts(start, prior)
    tops, lesser = [], []
    for seed in range(10):
        search, gradients = searched(target, starts, seed)
        assert search.basins[0].found >= 3
        assert gradients.count < 20_000
        tops.append(search.basins[0].top.value)
        lesser += [basin.top.value for basin in search.basins[1:] if basin.is_peak]
    assert np.ptp(tops) < 0.5
    assert min(lesser) < tops[0] - 60.0


def test_the_same_seed_has_the_same_starts(markov: taut.Target) -> None:
    runs = [searched(markov, Starts(np.zeros(6), prior_of_markov), 3)[0] for _ in range(2)]
    assert runs[0].paths == runs[1].paths
    for one, other in zip(runs[0].basins, runs[1].basins, strict=True):
        np.testing.assert_array_equal(one.top.position, other.top.position)


def test_a_fit_goes_on_from_the_better_mode_and_says_how_many_found_it(
    markov: taut.Target,
) -> None:
    for seed in range(3):
        approx = taut.fit(model=markov, random_seed=seed, progressbar=False)
        z = approx.unconstrained_draws(200, random_seed=1)
        # The two means, of which the lesser mode has both between.
        assert np.abs(z[:, 0] - 20.0).mean() < 0.5
        assert np.abs(z[:, 0] + np.exp(z[:, 1]) - 23.0).mean() < 0.5
        found, of = approx.journal.starts
        assert 3 <= found < of <= 64
        assert f"{found} of {of} came to the result" in str(approx.diagnose())

"""Proposals of globals, alone and pooled."""

import numpy as np
import pytest

from taut.gaussian import DenseNormal
from taut.marginal import Value
from taut.method.marginal_draws import Pool, Round
from taut.method.marginal_proposals import Defensive, Kernels, Proposal, Student

NORMAL = DenseNormal.of(np.array([1.0, -1.0]), np.array([[1.0, 0.6], [0.6, 2.0]]))


def bent(size: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Draws along a parabola, with weights and log densities."""
    random = np.random.default_rng(0)
    x = random.normal(size=size)
    theta = np.stack([x, x**2 + 0.3 * random.normal(size=size)], axis=1)
    weights = random.gamma(2.0, size=size)
    return theta, weights / weights.sum(), -0.5 * x**2


PROPOSALS = {
    "student": Student(NORMAL),
    "kernels": Kernels.of(*bent(200)),
    "defensive": Defensive.of(*bent(200)),
}


@pytest.mark.parametrize("proposal", PROPOSALS.values(), ids=PROPOSALS)
def test_densities_integrate_to_one(proposal: Proposal) -> None:
    grid = np.linspace(-60.0, 60.0, 1201)
    points = np.stack(np.meshgrid(grid, grid), axis=-1).reshape(-1, 2)
    blocks = np.array_split(points, 50)
    total = sum(np.exp(proposal.log_prob(block)).sum() for block in blocks) * 0.1**2
    # Student's tails of 5 degrees beyond 60, and the grid's error.
    assert total == pytest.approx(1.0, abs=1e-3)


@pytest.mark.parametrize("proposal", PROPOSALS.values(), ids=PROPOSALS)
def test_draws_are_those_of_the_density(proposal: Proposal) -> None:
    """Of a box: the share of draws in it is the density's sum over it."""
    random = np.random.default_rng(1)
    x = random.normal(size=(40_000, 2)) / np.sqrt(random.chisquare(5.0, (40_000, 1)) / 5.0)
    theta = proposal.push(x, random)
    inside = ((theta > [0.0, -1.0]) & (theta < [2.0, 2.0])).all(axis=1).mean()
    first, second = np.linspace(0.0, 2.0, 201), np.linspace(-1.0, 2.0, 301)
    middles = np.stack(np.meshgrid(first[:-1] + 0.005, second[:-1] + 0.005), axis=-1)
    mass = np.exp(proposal.log_prob(middles.reshape(-1, 2))).sum() * 0.01**2
    # Four standard errors of a share of so many draws.
    assert inside == pytest.approx(mass, abs=4 * 0.5 / np.sqrt(len(theta)))


def test_kernels_are_wider_where_draws_are_rare() -> None:
    theta, shares, log_p = bent(200)
    widths = Kernels.of(theta, shares, log_p).widths
    assert np.corrcoef(widths, -log_p)[0, 1] > 0.9
    assert shares @ np.log(widths) == pytest.approx(0.0, abs=0.1)


def drawn(proposal: Proposal, draws: int) -> Round:
    theta = np.random.default_rng(draws).normal(size=(draws, 2))
    found = [Value(float(i), np.zeros(2), np.zeros(3)) for i in range(draws)]
    return Round.of(proposal, theta, found)


def test_a_pool_is_the_mixture_of_what_it_was_drawn_from() -> None:
    pool = Pool().add(drawn(PROPOSALS["student"], 4)).add(drawn(PROPOSALS["kernels"], 12))
    theta = pool.theta
    each = [np.exp(PROPOSALS[name].log_prob(theta)) for name in ("student", "kernels")]
    known = np.log(0.25 * each[0] + 0.75 * each[1])
    np.testing.assert_allclose(pool.log_proposal(theta), known)


def test_pairs_stay_pairs() -> None:
    rounds = drawn(PROPOSALS["student"], 4), drawn(PROPOSALS["student"], 6)
    pool = Pool().add(rounds[0]).add(rounds[1])
    values = np.array([one.value for one in pool.found])
    np.testing.assert_array_equal(values, [0, 1, 0, 1, 2, 2, 3, 3, 4, 5])
    np.testing.assert_array_equal(pool.theta[[0, 5]], rounds[0].theta[[0, 2]])
    np.testing.assert_array_equal(pool.theta[[2, 7]], rounds[1].theta[[0, 3]])


def test_latents_of_the_first_rounds_go_where_memory_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("taut.method.marginal_draws._MOST", 3 * 10)
    first, second = drawn(PROPOSALS["student"], 4), drawn(PROPOSALS["student"], 8)
    pool = Pool().add(first).add(second)
    assert pool.size == 12
    assert pool.held.rounds == (second,)
    np.testing.assert_array_equal(pool.log_p, Pool((first, second)).log_p)
    # The last is held whatever it takes.
    assert pool.add(drawn(PROPOSALS["student"], 20)).held.size == 20


def test_parts_of_a_round_are_of_one_proposal() -> None:
    student, theta = PROPOSALS["student"], drawn(PROPOSALS["student"], 6).theta
    parts = Pool().add(drawn(student, 4)).add(drawn(student, 2))
    np.testing.assert_array_equal(parts.log_proposal(theta), student.log_prob(theta))

"""A program of transitions does what those around Python do, and serves all coordinates."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pymc as pm
import pytest

import taut
from cases import regression
from taut.chains import Chains, Room, adapted, starting_from
from taut.chains.compiled_kernel import CompiledKernel, is_worth_compiling
from taut.chains.coordinates import Composed, Coordinates, Coupled, Linear
from taut.chains.heavy_tails import Tailed
from taut.chains.kernel import HostKernel, Record, Tuning
from taut.chains.padding import padded
from taut.chains.transition import ChainState, Noise
from taut.gaussian import Dense, Structured
from taut.gradients import AbstractGradients, Gradients

CHAINS, TRANSITIONS = 16, 21


def hierarchy() -> pm.Model:
    """Eight groups in a centred form, which the program takes apart."""
    with pm.Model() as model:
        mu, tau = pm.Normal("mu", 0.0, 2.0), pm.HalfNormal("tau", 1.0)
        groups = pm.Normal("groups", mu, tau, shape=8)
        pm.Normal("y", groups, np.linspace(0.5, 2.0, 8), observed=np.linspace(-2.0, 4.0, 8))
    return model


def angle() -> pm.Model:
    with pm.Model() as model:
        direction = pm.VonMises("direction", 3.0, 2.0)
        pm.Normal("y", direction, pm.HalfNormal("sigma", 1.0), observed=[2.8, 3.1])
    return model


def in_one_period(gradients: Gradients) -> AbstractGradients:
    draws = np.random.default_rng(1).normal(size=(40, gradients.target.dim))
    normal = Structured.diagonal(np.zeros(draws.shape[1]), np.ones(draws.shape[1]))
    return Room.of(gradients, normal, draws).gradients


def learnt(gradients: AbstractGradients) -> Coordinates:
    """Coordinates with everything there is, of numbers that suit no posterior."""
    random, dim = np.random.default_rng(2), gradients.target.dim
    half = random.normal(size=(dim, dim)) / dim
    normal = Dense.of(0.1 * random.normal(size=dim), half @ half.T + 0.3 * np.eye(dim))
    slope, curve = np.zeros((1, dim)), np.zeros((1, dim))
    slope[:, 1:], curve[:, 1:] = 0.2, 0.1
    coupled = Coupled(np.array([0]), np.full(dim, 0.1), slope, curve)
    tailed = Tailed(np.full(dim, 0.1), np.full(dim, 0.9), np.full(dim, 0.5))
    directions = np.linalg.qr(random.normal(size=(dim, 1)))[0]
    last = Structured(np.full(dim, 0.05), np.full(dim, 0.9), directions, np.array([1.2]))
    begin = starting_from(gradients, normal, random.normal(size=(100, dim)))
    return Composed((begin, coupled, tailed, Linear(last)))


@dataclass(frozen=True)
class Case:
    """A density, and the coordinates in which chains move."""

    gradients: Callable[[], AbstractGradients]
    coordinates: Callable[[AbstractGradients], Coordinates] = learnt


def plain(gradients: AbstractGradients) -> Coordinates:
    dim = gradients.target.dim
    return Linear(Structured.diagonal(np.zeros(dim), np.full(dim, 0.5)))


CASES = {
    "regression": Case(lambda: Gradients(regression(5).target())),
    "plain": Case(lambda: Gradients(regression(5).target()), plain),
    "many directions": Case(lambda: Gradients(regression(20).target()), plain),
    "hierarchy": Case(lambda: Gradients(taut.as_target(hierarchy()))),
    "angle": Case(lambda: in_one_period(Gradients(taut.as_target(angle())))),
}


def begin(gradients: AbstractGradients, coordinates: Coordinates) -> ChainState:
    x = 0.5 * np.random.default_rng(3).normal(size=(CHAINS, gradients.target.dim))
    z, log_det = coordinates.push(x)
    values, slopes = gradients(z)
    return ChainState(x, z, values + log_det, coordinates.pull(x, slopes))


def noise(dim: int, count: int) -> list[Noise]:
    random = np.random.default_rng(4)
    return [
        Noise(random.normal(size=(CHAINS, dim)), random.uniform(0.4, 1.2, CHAINS),
              random.random(CHAINS))
        for _ in range(count)
    ]  # fmt: skip


def both(case: Case) -> tuple[tuple[Tuning, Record], tuple[Tuning, Record], tuple[int, int]]:
    """Make the same transitions around Python, and by programs of at most 16."""
    gradients = case.gradients()
    coordinates = case.coordinates(gradients)
    tuning, state = Tuning(np.log(0.3), 1.6, 0.8), begin(gradients, coordinates)
    host = HostKernel(gradients, coordinates)
    compiled = CompiledKernel(gradients, coordinates, CHAINS)
    draws = noise(gradients.target.dim, TRANSITIONS)[: compiled.together]
    before = gradients.count
    by_host = host.advance(state, tuning, draws)
    between = gradients.count
    by_program = compiled.advance(state, tuning, draws)
    return by_host, by_program, (between - before, gradients.count - between)


@pytest.mark.parametrize("name", CASES)
def test_a_program_moves_chains_as_python_does(name: str) -> None:
    """All that differs is rounding, which grows along trajectories: a hundred leapfrog steps."""
    (tuning, record), (by_program, compiled), (count, points) = both(CASES[name])
    assert by_program.log_step == pytest.approx(tuning.log_step, rel=1e-6)
    assert count == points
    for ours, theirs in zip(record.state, compiled.state, strict=True):
        np.testing.assert_allclose(theirs, ours, rtol=1e-4, atol=1e-6)
    for ours, theirs in zip(record.end, compiled.end, strict=True):
        np.testing.assert_allclose(theirs, ours, rtol=1e-4, atol=1e-6)
    assert (record.end.probability > 0).any()
    assert len(np.unique(record.state.z[:, 0, 0])) > 3


@pytest.mark.parametrize("name", CASES)
def test_room_changes_no_map(name: str) -> None:
    case = CASES[name]
    gradients = case.gradients()
    coordinates, dim = case.coordinates(gradients), gradients.target.dim
    x, slopes = np.random.default_rng(5).normal(size=(2, 7, dim))
    roomy = padded(coordinates, dim)
    np.testing.assert_allclose(roomy.push(x)[0], coordinates.push(x)[0], rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(roomy.push(x)[1], coordinates.push(x)[1], rtol=1e-9, atol=1e-9)
    pulled = coordinates.pull(x, slopes)
    np.testing.assert_allclose(roomy.pull(x, slopes), pulled, rtol=1e-9, atol=1e-9)


def test_one_program_serves_what_chains_learn_round_after_round() -> None:
    gradients = Gradients(taut.as_target(hierarchy()))
    random, dim = np.random.default_rng(6), gradients.target.dim
    normal = Structured.diagonal(np.zeros(dim), np.ones(dim))
    chains = Chains(gradients, Linear(normal), random.normal(size=(CHAINS, dim)), random)
    window = chains.run(10)
    chains.compile()
    counts = []
    for _ in range(4):
        start = starting_from(gradients, normal, window.pooled)
        chains.precondition(adapted(start, window.draws))
        window = chains.run(25)
        counts.append(gradients.target.programs.count)
    assert len(set(counts)) == 1


def test_chains_of_a_program_come_to_the_posterior() -> None:
    """64 chains of 80 transitions: the noise of a mean is under 0.02 sd; five of them."""
    model = regression(5)
    std = np.sqrt(np.diag(model.posterior_cov))
    normal = Structured.diagonal(model.posterior_mean + 2 * std, std)
    random = np.random.default_rng(7)
    starts = normal.draw(random, 64)[0]
    chains = Chains(Gradients(model.target()), Linear(normal), starts, random)
    chains.compile()
    chains.precondition(Linear(normal))
    chains.run(40)
    pooled = chains.run(80).pooled
    np.testing.assert_allclose((pooled.mean(axis=0) - model.posterior_mean) / std, 0.0, atol=0.1)
    np.testing.assert_allclose(pooled.std(axis=0) / std, 1.0, atol=0.1)


def test_a_program_is_not_compiled_for_dear_gradients() -> None:
    cheap, dear = Gradients(regression(5).target()), Gradients(regression(5).target())
    for gradients in (cheap, dear):
        gradients(np.zeros((1, 5)))
    dear.operations = 1e6
    assert is_worth_compiling(cheap)
    assert not is_worth_compiling(dear)

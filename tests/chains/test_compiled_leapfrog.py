"""A program of trajectories does what Python does around gradients, and serves all coordinates."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pymc as pm
import pytensor.sparse
import pytest
import scipy.sparse

import taut
from cases import regression
from frontend.zoo.cube import cube
from taut.chains import Chains, Room, adapted, hmc, starting_from
from taut.chains.compiled_leapfrog import CompiledIntegrator, can_compile
from taut.chains.coordinates import Composed, Coordinates, Coupled, Linear
from taut.chains.fixed_shape import is_bent, of_fixed_shape
from taut.chains.heavy_tails import Tailed
from taut.chains.leapfrog import ChainState, HostIntegrator, Trajectory
from taut.gaussian import DenseNormal, ScaledLowRankNormal
from taut.gradients import AbstractGradients, Gradients

# More than one block of chains, the last of which is not full.
CHAINS, LEAPS = 70, 5


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


def with_an_op_of_python() -> pm.Model:
    """A model that PyTensor evaluates in part, from inside the program."""
    with pm.Model() as model:
        a, b = pm.Normal("a"), pm.Normal("b")
        pm.Normal("y", a + cube(b) * np.array([0.5, 1.0, 2.0]), 1.0, observed=[0.2, 0.9, 1.7])
    return model


def sparse() -> pm.Model:
    rows = scipy.sparse.csr_matrix([[1.0, 0.0, 2.0], [0.0, 3.0, 0.0], [0.0, 0.5, 1.0]])
    with pm.Model() as model:
        w = pm.Normal("w", shape=3)
        product: Any = pytensor.sparse.structured_dot(rows, w[:, None])
        pm.Normal("y", product[:, 0], 1.0, observed=[0.3, 1.0, -0.5])
    return model


def with_python() -> Gradients:
    with pytest.warns(UserWarning, match="PyTensor evaluates it"):
        return Gradients(taut.as_target(with_an_op_of_python()))


def in_one_period(gradients: Gradients) -> AbstractGradients:
    draws = np.random.default_rng(1).normal(size=(40, gradients.target.dim))
    normal = ScaledLowRankNormal.diagonal(np.zeros(draws.shape[1]), np.ones(draws.shape[1]))
    return Room.of(gradients, normal, draws).gradients


def directions(dim: int, rank: int = 1) -> ScaledLowRankNormal:
    random = np.random.default_rng(8)
    along = np.linalg.qr(random.normal(size=(dim, rank)))[0]
    return ScaledLowRankNormal(np.full(dim, 0.05), np.full(dim, 0.9), along, np.full(rank, 1.2))


def all_tailed(dim: int) -> Tailed:
    """Tails on either side by turns, as of logarithms of scales and of a Student t."""
    weight = np.stack([np.resize(row, dim) for row in ([0.3, 0.0], [0.2, 0.0], [1e-6, 0.5])])
    return Tailed.of(dim, np.arange(dim), np.full(dim, 0.1), np.full(dim, 0.9), weight)


def bent(gradients: AbstractGradients) -> Coordinates:
    """Everything there is, with numbers that suit no posterior."""
    random, dim = np.random.default_rng(2), gradients.target.dim
    half = random.normal(size=(dim, dim)) / dim
    normal = DenseNormal.of(0.1 * random.normal(size=dim), half @ half.T + 0.3 * np.eye(dim))
    slope, curve = np.zeros((1, dim)), np.zeros((1, dim))
    slope[:, 1:], curve[:, 1:] = 0.2, 0.1
    coupled = Coupled(np.array([0]), np.full(dim, 0.1), slope, curve)
    tailed = all_tailed(dim)
    begin = starting_from(gradients, normal, normal.draw(random, 2_000)[0])
    scales = Linear(ScaledLowRankNormal.diagonal(np.full(dim, 0.1), np.full(dim, 1.1)))
    return Composed((begin, scales, tailed, coupled, Linear(directions(dim))))


def tailed(gradients: AbstractGradients) -> Coordinates:
    dim = gradients.target.dim
    tails = all_tailed(dim)
    return Composed((Linear(directions(dim)), tails, Linear(directions(dim))))


def plain(gradients: AbstractGradients) -> Coordinates:
    dim = gradients.target.dim
    return Linear(ScaledLowRankNormal.diagonal(np.zeros(dim), np.full(dim, 0.5)))


def low_rank(gradients: AbstractGradients) -> Coordinates:
    """Directions after directions, in too many dimensions for a matrix."""
    dim = gradients.target.dim
    scales = Linear(ScaledLowRankNormal.diagonal(np.full(dim, 0.1), np.full(dim, 0.4)))
    return Composed((scales, Linear(directions(dim, 2)), scales, Linear(directions(dim, 3))))


@dataclass(frozen=True)
class Case:
    """A density, and the coordinates in which chains move."""

    gradients: Callable[[], AbstractGradients]
    coordinates: Callable[[AbstractGradients], Coordinates]


CASES = {
    "plain": Case(lambda: Gradients(regression(5).target()), plain),
    "bent": Case(lambda: Gradients(regression(5).target()), bent),
    "tailed": Case(lambda: Gradients(regression(5).target()), tailed),
    "low rank": Case(lambda: Gradients(regression(70).target()), low_rank),
    "hierarchy": Case(lambda: Gradients(taut.as_target(hierarchy())), bent),
    "hierarchy as it is": Case(lambda: Gradients(taut.as_target(hierarchy())), plain),
    "op of Python": Case(with_python, plain),
    "sparse design": Case(lambda: Gradients(taut.as_target(sparse())), bent),
    "angle": Case(lambda: in_one_period(Gradients(taut.as_target(angle()))), bent),
}
each_case = pytest.mark.parametrize("name", CASES)


def trajectories(name: str) -> tuple[Trajectory, Trajectory, tuple[int, int]]:
    """Follow the same ones around Python and by the program; gradients are counted."""
    gradients = CASES[name].gradients()
    coordinates, dim = CASES[name].coordinates(gradients), gradients.target.dim
    random = np.random.default_rng(3)
    x = 0.5 * random.normal(size=(CHAINS, dim))
    z, log_det = coordinates.push(x)
    values, slopes = gradients(z)
    state = ChainState(x, z, values + log_det, coordinates.pull(x, slopes))
    momentum, steps = random.normal(size=(CHAINS, dim)), random.uniform(0.05, 0.2, (CHAINS, 1))
    before = gradients.count
    ours = HostIntegrator(gradients, coordinates)(state, momentum, steps, LEAPS)
    between = gradients.count
    theirs = CompiledIntegrator(gradients, coordinates)(state, momentum, steps, LEAPS)
    return ours, theirs, (between - before, gradients.count - between)


@each_case
def test_a_program_follows_the_gradient_as_python_does(name: str) -> None:
    """All that differs is rounding, which five steps do not blow up much."""
    ours, theirs, (count, points) = trajectories(name)
    assert count == points == CHAINS * LEAPS
    for one, other in zip(ours.state, theirs.state, strict=True):
        np.testing.assert_allclose(other, one, rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(theirs.momentum, ours.momentum, rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(theirs.last, ours.last, rtol=1e-6, atol=1e-8)


@each_case
def test_a_fixed_shape_changes_no_map(name: str) -> None:
    gradients = CASES[name].gradients()
    coordinates, target = CASES[name].coordinates(gradients), gradients.target
    x, slopes = np.random.default_rng(5).normal(size=(2, 7, target.dim))
    fixed = of_fixed_shape(coordinates, target)
    for ours, theirs in zip(coordinates.push(x), fixed.push(x), strict=True):
        np.testing.assert_allclose(theirs, ours, rtol=1e-9, atol=1e-9)
    pulled = coordinates.pull(x, slopes)
    np.testing.assert_allclose(fixed.pull(x, slopes), pulled, rtol=1e-9, atol=1e-9)


def test_in_32_bits() -> None:
    """Half of the digits, over some hundred operations."""
    wide, narrow = regression(5).target(), regression(5).target("float32")
    gradients = Gradients(narrow)
    x = np.zeros((4, 5))
    values, slopes = gradients(x)
    state = ChainState(x, x, values, slopes)
    arguments = state, np.ones((4, 5)), np.full((4, 1), 0.01), LEAPS
    made = CompiledIntegrator(gradients, plain(gradients))(*arguments)
    exact = CompiledIntegrator(Gradients(wide), plain(gradients))(*arguments)
    assert made.state.x.dtype == float
    np.testing.assert_allclose(made.state.x, exact.state.x, rtol=1e-3)


def test_one_program_serves_what_chains_learn_round_after_round(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Their first steps are around Python. Coordinates with couplings are another program."""
    monkeypatch.setattr(hmc, "_FEW", 1000)
    gradients = Gradients(taut.as_target(hierarchy()))
    random, dim = np.random.default_rng(6), gradients.target.dim
    normal = ScaledLowRankNormal.diagonal(np.zeros(dim), np.ones(dim))
    chains = Chains(gradients, Linear(normal), random.normal(size=(64, dim)), random)
    window, programs, kinds = chains.run(20), list[int](), set[bool]()
    for _ in range(4):
        start = starting_from(gradients, normal, window.pooled)
        chains.precondition(adapted(start, window.draws))
        window = chains.run(60)
        kinds.add(is_bent(chains.coordinates))
        programs.append(gradients.target.programs.count)
    assert 1 <= programs[-1] - programs[0] <= len(kinds)


def test_chains_of_a_program_come_to_the_posterior(monkeypatch: pytest.MonkeyPatch) -> None:
    """64 chains of 80 transitions: the noise of a mean is under 0.02 sd; five of them."""
    monkeypatch.setattr(hmc, "_FEW", 1000)
    model = regression(5)
    std = np.sqrt(np.diag(model.posterior_cov))
    normal = ScaledLowRankNormal.diagonal(model.posterior_mean + 2 * std, std)
    random = np.random.default_rng(7)
    starts = normal.draw(random, 64)[0]
    gradients = Gradients(model.target())
    chains = Chains(gradients, Linear(normal), starts, random)
    chains.run(40)
    before = gradients.target.programs.count
    pooled = chains.run(80).pooled
    assert gradients.target.programs.count == before + 1
    np.testing.assert_allclose((pooled.mean(axis=0) - model.posterior_mean) / std, 0.0, atol=0.1)
    np.testing.assert_allclose(pooled.std(axis=0) / std, 1.0, atol=0.1)


def test_no_program_is_compiled_where_gradients_are_dear() -> None:
    cheap, dear = Gradients(regression(5).target()), Gradients(regression(5).target())
    for gradients in (cheap, dear):
        gradients(np.zeros((1, 5)))
    dear.operations = 1e6
    assert can_compile(cheap)
    assert not can_compile(dear)

"""Laws of every model of the zoo, each built, lifted and compiled once for all of them."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

import numpy as np
import pymc as pm
import pytensor
import pytest
from pytensor.tensor import as_tensor

import taut
from frontend.compared import Values, assert_close, by_pymc, by_taut, points
from frontend.models import FEW, MODELS, QUIET
from taut.frontend.pymc import Blame
from taut.frontend.pymc.graph import read_model
from taut.frontend.pymc.lift import interpreted, interpreted_function
from taut.frontend.pymc.start import default_point
from taut.method import direct
from taut.target import Batching

pytestmark = QUIET

every_model = pytest.mark.parametrize("name", MODELS)


@dataclass(frozen=True)
class Case:
    """A model, and what taut and PyMC say of it at the same points."""

    model: pm.Model
    target: taut.Target
    points: np.ndarray
    taut: list[Values]
    pymc: list[Values]


@cache
def case_of(name: str) -> Case:
    model = MODELS[name]()
    target = taut.as_target(model)
    zs = points(target.dim)
    return Case(model, target, zs, by_taut(target, zs), by_pymc(model, target, zs))


@pytest.fixture(scope="module", autouse=True)
def _forgotten_afterwards() -> Iterator[None]:
    yield
    case_of.cache_clear()


@every_model
def test_prior(name: str) -> None:
    for ours, theirs in zip(case_of(name).taut, case_of(name).pymc, strict=True):
        assert_close(ours.prior, theirs.prior)


@every_model
def test_likelihood(name: str) -> None:
    for ours, theirs in zip(case_of(name).taut, case_of(name).pymc, strict=True):
        assert_close(ours.likelihood, theirs.likelihood)


@every_model
def test_gradient(name: str) -> None:
    for ours, theirs in zip(case_of(name).taut, case_of(name).pymc, strict=True):
        assert_close(ours.gradient, theirs.gradient)


@every_model
def test_constrained_variables(name: str) -> None:
    for ours, theirs in zip(case_of(name).taut, case_of(name).pymc, strict=True):
        assert set(ours.constrained) == set(theirs.constrained)
        for variable, value in theirs.constrained.items():
            assert_close(ours.constrained[variable], value)


@every_model
def test_points_are_inside_of_the_support(name: str) -> None:
    """Or else the comparisons above would compare infinities."""
    if name == "sum_to_1":
        pytest.skip("PyMC's sum_to_1 leaves its points bounded: random ones are outside of it")
    assert all(np.isfinite(v.prior) and np.isfinite(v.likelihood) for v in case_of(name).pymc)


@every_model
def test_dtype(name: str) -> None:
    assert case_of(name).target.dtype == "float64"
    for ours in case_of(name).taut:
        found = {np.asarray(v).dtype.name for v in (ours.prior, ours.likelihood, ours.gradient)}
        assert found == {"float64"}


@every_model
def test_terms_as_they_are_written_are_those_of_rewrites(name: str) -> None:
    model = case_of(name).model
    graph, point = read_model(model, {}), default_point(model)(0)
    found = Blame(graph.factors).factors(model, point)
    tensors = [as_tensor(one, allow_xtensor_conversion=True) for one in graph.factors]
    with model, interpreted():
        rewritten = interpreted_function(model.value_vars, tensors)(*point.values())
    for one, other in zip(found, rewritten, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-10)


@every_model
def test_a_model_is_batched_or_left_as_it_is(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Batches that a fit of very many rows prepares unasked: no model is refused for them."""
    monkeypatch.setattr(direct, "_BATCH_ROWS", 3)
    auto = taut.Auto(model=case_of(name).model, random_seed=1)
    with auto.approx.target.precision():
        start = np.asarray(auto.approx.family.mean(), float)
        stepping = auto._unasked(Batching(), start)
    assert stepping is None or stepping.scale >= 1.0


@pytest.mark.parametrize("name", FEW)
def test_in_32_bits(name: str) -> None:
    case = case_of(name)
    with pytensor.config.change_flags(floatX="float32"):
        target = taut.as_target(MODELS[name]())
        [half] = by_taut(target, case.points[:1])
    full = case.taut[0]
    assert target.dtype == "float32"
    assert half.prior.dtype == half.likelihood.dtype == half.gradient.dtype == np.float32
    assert_close(half.prior, full.prior, 1e-4)
    assert_close(half.likelihood, full.likelihood, 1e-4)
    assert_close(half.gradient, full.gradient, 1e-3)

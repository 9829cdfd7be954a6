"""Groups and approximations, called as in PyMC."""

import cloudpickle
import numpy as np
import pymc
import pytest

import taut
from taut.errors import GroupError
from taut.pymc.variational import approximations, opvi


@pytest.fixture(scope="module")
def model() -> pymc.Model:
    with pymc.Model() as model:
        pymc.HalfNormal("one", size=(10, 2))
        pymc.Normal("two", size=(10,))
        pymc.Normal("three", size=(10, 1, 2))
    return model


def test_an_approximation_takes_the_model_of_its_groups(model: pymc.Model) -> None:
    groups = [
        opvi.Group([model["one"]], "mf", model=model),
        approximations.FullRankGroup(["two"], model=model),
        approximations.EmpiricalGroup(size=7),
    ]
    approx = opvi.Approximation(groups)
    assert approx.model is model
    assert approx.ndim == 50
    assert {"rho_0", "L_tril_1", "histogram_2"} <= set(approx.parameters)


def test_groups_of_two_models_are_refused(model: pymc.Model) -> None:
    with pymc.Model() as other:
        pymc.Normal("x")
    with pytest.raises(TypeError, match="of one model"):
        taut.Approximation([taut.Group(None, "mf", model=model)], model=other)


@pytest.mark.parametrize(
    "names", [[["one", "two"]], [["one"], ["two", "one"], ["three"]]], ids=["left out", "twice"]
)
def test_groups_that_do_not_add_up_raise_pymcs_type(
    model: pymc.Model, names: list[list[str]]
) -> None:
    groups = [taut.Group(of_group, "mf", model=model) for of_group in names]
    with pytest.raises(TypeError) as told:
        taut.Approximation(groups)
    assert isinstance(told.value, GroupError)


def test_a_seed_of_a_group_decides_its_scatter(model: pymc.Model) -> None:
    def histogram(seed: int, of_group: int | None) -> np.ndarray:
        group = taut.Group(None, "empirical", size=3, model=model, random_seed=of_group)
        return taut.Approximation([group], random_seed=seed).parameters["histogram"]

    assert np.array_equal(histogram(1, 5), histogram(2, 5))
    assert not np.array_equal(histogram(1, 5), histogram(1, 6))
    assert not np.array_equal(histogram(1, None), histogram(2, None))


def test_an_empirical_shows_its_histogram(model: pymc.Model) -> None:
    approx = taut.Empirical(size=4, model=model)
    assert tuple(approx.histogram.shape.eval()) == (4, 50)
    approx.histogram.set_value(np.ones((4, 50)))
    np.testing.assert_array_equal(approx.mean.eval(), np.ones(50))
    with pytest.raises(AttributeError, match="MeanField has no histogram"):
        _ = taut.MeanField(model=model).histogram


def test_draws_as_a_multi_trace_have_all_variables(model: pymc.Model) -> None:
    trace = taut.MeanField(model=model).sample(10, return_inferencedata=False)
    assert set(trace.varnames) == {"one", "one_log__", "two", "three"}
    assert len(trace) == 10
    assert trace[0]["three"].shape == (10, 1, 2)


def test_groups_go_through_cloudpickle(model: pymc.Model) -> None:
    groups = [taut.Group(["one"], "mf"), taut.Group(None, "empirical", size=5)]
    approx = taut.Approximation(groups, model=model)
    again = cloudpickle.loads(cloudpickle.dumps(approx))
    assert again.sample(1)["posterior"].sizes["draw"] == 1


@pytest.mark.parametrize("size", [1, 2])
@pytest.mark.parametrize("vfam", ["mf", "fr"])
def test_log_q_is_a_scalar_of_any_number_of_draws(model: pymc.Model, vfam: str, size: int) -> None:
    approx = taut.Approximation([taut.Group(None, vfam)], model=model)
    log_q = approx.set_size_and_deterministic(approx.logq, size, 0).eval()
    assert log_q.shape == ()
    assert np.isfinite(log_q)

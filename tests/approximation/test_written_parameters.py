"""Parameters that a user writes, as in PyMC, are those of all that is read afterwards."""

from collections.abc import Callable
from typing import Any

import jax
import numpy as np
import pymc as pm
import pytensor
import pytest

import taut
from taut import family as families
from taut.errors import ArgumentError

PYTHON = {"mode": "FAST_COMPILE"}
DIM = 3
ZEROS, ONES = np.zeros(DIM), np.ones(DIM)

FAMILIES: dict[str, Callable[[], families.AbstractFamily]] = {
    "mean field": lambda: families.MeanField.at(ZEROS, ONES),
    "full rank": lambda: families.FullRank.at(ZEROS, ONES),
    "low rank": lambda: families.LowRank.at(ZEROS, ONES, 2),
    "scaled low rank": lambda: families.ScaledLowRank(ZEROS, ZEROS, np.eye(DIM, 1), np.ones(1)),
    "student": lambda: families.StudentT.at(ZEROS, ONES),
    "student of full rank": lambda: families.StudentT.around(families.FullRank.at(ZEROS, ONES)),
    "flow": lambda: families.Flow.around(families.FullRank.at(ZEROS, ONES)),
    "flow with tails": lambda: families.Flow.around(families.MeanField.at(ZEROS, ONES), nu=5.0),
    "particles": lambda: families.Particles(np.arange(12.0).reshape(4, 3)),
    "mixture": lambda: families.Mixture.of(
        [families.MeanField.at(ZEROS, ONES), families.FullRank.at(ZEROS + 1, ONES)]
    ),
    "product": lambda: families.Product(
        (families.MeanField.at(ZEROS[:1], ONES[:1]), families.FullRank.at(ZEROS[:2], ONES[:2])),
        ((1,), (0, 2)),
    ),
}


@pytest.fixture(scope="module")
def model() -> pm.Model:
    with pm.Model() as model:
        pm.Normal("x", shape=DIM)
    return model


def approximation(model: pm.Model, name: str) -> taut.Approximation:
    approx = taut.MeanField(model=model, random_seed=1)
    approx.show(FAMILIES[name]())
    return approx


@pytest.mark.parametrize("name", FAMILIES)
def test_every_parameter_of_every_family_can_be_written(model: pm.Model, name: str) -> None:
    """What is read then is what a family built with it gives."""
    approx = approximation(model, name)
    for parameter, view in approx.shared_params.items():
        before = approx.parameters
        value = before[parameter] + 0.25
        view.set_value(value)
        np.testing.assert_array_equal(view.get_value(), value)
        after = approx.parameters
        assert after.keys() == before.keys()
        for other in after:
            expected = value if other == parameter else before[other]
            np.testing.assert_array_equal(after[other], expected, err_msg=other)
    with approx.target.precision():
        np.testing.assert_allclose(approx.mean.eval(**PYTHON), np.asarray(approx.family.mean()))
        np.testing.assert_allclose(approx.std.eval(**PYTHON), np.asarray(approx.family.std()))


@pytest.mark.parametrize("name", [name for name in FAMILIES if name != "particles"])
def test_draws_moments_and_densities_are_those_of_the_new_parameters(
    model: pm.Model, name: str
) -> None:
    """The same as of an approximation that was given the family; a shift of nine moves draws."""
    approx, other = approximation(model, name), approximation(model, name)
    for parameter, view in approx.shared_params.items():
        if parameter.startswith("mu"):
            view.set_value(view.get_value() + 9.0)
    other.show(approx.family)
    draws = approx.sample(50, random_seed=1)["posterior"]["x"].values
    np.testing.assert_array_equal(draws, other.sample(50, random_seed=1)["posterior"]["x"].values)
    before = approximation(model, name).sample(50, random_seed=1)["posterior"]["x"].values
    np.testing.assert_allclose(draws, before + 9.0, atol=1e-6)
    assert float(approx.elbo(200, random_seed=1)) == float(other.elbo(200, random_seed=1))
    np.testing.assert_array_equal(approx.mean_data["x"], other.mean_data["x"])
    x = model["x"]
    # Two programs, which may round the last bit differently.
    evaluated = approx.evaluate(x, 9, random_seed=1).values[0]
    np.testing.assert_allclose(evaluated, draws[0, :9], rtol=1e-14)
    node = approx.sample_node(x, size=2000)
    assert node.eval(**PYTHON).mean() == pytest.approx(draws.mean(), abs=0.3)


def test_particles_are_those_that_were_written(model: pm.Model) -> None:
    approx = approximation(model, "particles")
    node = approx.sample_node(model["x"], size=50)
    approx.shared_params["histogram"].set_value(np.full((4, DIM), 7.0))
    assert (approx.sample(20)["posterior"]["x"] == 7.0).all()
    assert (node.eval(**PYTHON) == 7.0).all()
    assert (approx.evaluate_over_trace(model["x"]) == 7.0).all()


def test_groups(model: pm.Model) -> None:
    with pm.Model() as two:
        pm.Normal("a", shape=2)
        b = pm.Normal("b")
    groups = [taut.Group([b], vfam="fr"), taut.Group(None, vfam="mf")]
    approx = taut.Approximation(groups, model=two, random_seed=1)
    approx.shared_params["mu_0"].set_value([5.0])
    approx.shared_params["mu_1"].set_value([-5.0, 0.0])
    mean = approx.sample(4000, random_seed=1)["posterior"].mean()
    assert float(mean["b"]) == pytest.approx(5.0, abs=0.1)
    assert float(mean["a"]) == pytest.approx(-2.5, abs=0.1)


def test_pymc_s_way_to_write_gives_pymc_s_moments(model: pm.Model) -> None:
    values = {"mu": np.array([1.0, 2.0, 3.0]), "rho": np.array([0.5, -1.0, 3.0])}
    theirs, ours = pm.MeanField(model=model), taut.MeanField(model=model)
    for name, value in values.items():
        theirs.shared_params[name].set_value(value)
        ours.shared_params[name].set_value(value)
    for moment in ("mean", "std", "cov"):
        np.testing.assert_allclose(
            getattr(ours, moment).eval(**PYTHON), getattr(theirs, moment).eval(**PYTHON)
        )


def test_updates_of_a_pytensor_function_are_taken_up(model: pm.Model) -> None:
    approx = taut.MeanField(model=model)
    mu = approx.shared_params["mu"]
    step = pytensor.function([], [], updates={mu: mu + 1.0}, **PYTHON)
    for _ in range(3):
        step()
    np.testing.assert_array_equal(approx.parameters["mu"], 3 * ONES)
    mu.get_value(borrow=True)[:] = 8.0
    np.testing.assert_array_equal(np.asarray(approx.family.mean()), 8 * ONES)


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("mu", np.zeros(4), r"mu has shape \(3,\), and what is written to it has \(4,\)"),
        ("mu", 1.0, r"mu has shape \(3,\)"),
        ("rho", [0.0, np.nan, np.inf], "rho must be finite: 2 numbers are not"),
        ("rho", "wide", "rho must be an array of numbers, got 'wide'"),
    ],
)
def test_what_does_not_fit_is_refused_and_changes_nothing(
    model: pm.Model, name: str, value: Any, message: str
) -> None:
    approx = taut.MeanField(model=model)
    before = approx.parameters[name]
    with pytest.raises(ArgumentError, match=message):
        approx.shared_params[name].set_value(value)
    np.testing.assert_array_equal(approx.shared_params[name].get_value(), before)
    np.testing.assert_array_equal(approx.parameters[name], before)


@pytest.mark.parametrize("moment", ["mean", "std", "cov"])
def test_moments_are_no_parameters(model: pm.Model, moment: str) -> None:
    approx = taut.MeanField(model=model)
    view = getattr(approx, moment)
    with pytest.raises(ArgumentError, match=rf"{moment} is computed .*shared_params\['mu'\]"):
        view.set_value(view.get_value() + 1.0)


def test_updates_that_do_not_fit_are_refused_when_they_are_read(model: pm.Model) -> None:
    approx = taut.MeanField(model=model)
    mu = approx.shared_params["mu"]
    pytensor.function([], [], updates={mu: mu * np.nan}, **PYTHON)()
    with pytest.raises(ArgumentError, match="mu must be finite"):
        approx.sample(5)
    np.testing.assert_array_equal(mu.get_value(), ZEROS)
    approx.sample(5)


def test_a_direction_without_width_is_refused(model: pm.Model) -> None:
    approx = approximation(model, "scaled low rank")
    with pytest.raises(ArgumentError, match="stretch must be > -1"):
        approx.shared_params["stretch"].set_value([-1.0])


class OfOtherNames(families.AbstractFamily):
    """A family whose parameters are shown under names that its fields have not."""

    base: families.MeanField

    dim = property(lambda self: self.base.dim)

    def parameters(self) -> Any:
        return {"place": self.base.mu}

    def noise(self, key: Any) -> Any:
        return self.base.noise(key)

    def push(self, noise: Any) -> Any:
        return self.base.push(noise)

    def log_prob(self, z: Any) -> Any:
        return self.base.log_prob(z)

    def mean(self) -> Any:
        return self.base.mean()

    def std(self) -> Any:
        return self.base.std()

    def cov(self) -> Any:
        return self.base.cov()


def test_a_family_of_ones_own_says_what_it_needs(model: pm.Model) -> None:
    approx = taut.MeanField(model=model)
    approx.show(OfOtherNames(families.MeanField.at(ZEROS, ONES)))
    with pytest.raises(ArgumentError, match=r"its fields have other names. Call approx.show"):
        approx.shared_params["place"].set_value(ONES)


def test_a_verdict_is_not_one_of_other_parameters() -> None:
    with pm.Model():
        pm.Normal("x", 3.0, 0.1)
        approx = taut.fit(random_seed=1, progressbar=False)
    assert approx.diagnose(random_seed=1).trusted
    approx.shared_params["mu"].set_value([30.0])
    assert "written by hand" in repr(approx)
    assert not approx.diagnose(random_seed=1).trusted


def fitted(model: pm.Model, **how: Any) -> taut.ADVI:
    inference = taut.ADVI(model=model, random_seed=1)
    inference.fit(50, progressbar=False, **how)
    return inference


@pytest.mark.filterwarnings("ignore:The fit reached the cap")
@pytest.mark.parametrize("step_size", [None, "auto"])
def test_a_fit_goes_on_from_what_was_written(model: pm.Model, step_size: Any) -> None:
    """A few steps move parameters by far less than nine."""
    inference = fitted(model, step_size=step_size)
    approx = inference.approx
    approx.shared_params["mu"].set_value(9 * ONES)
    inference.refine(3, progressbar=False)
    assert np.abs(approx.parameters["mu"] - 9.0).max() < 1.0
    assert not np.array_equal(approx.parameters["mu"], 9 * ONES)
    count = approx.target.programs.count
    approx.shared_params["mu"].set_value(9 * ONES)
    inference.refine(3, progressbar=False)
    assert approx.target.programs.count == count


def test_writing_what_is_there_changes_nothing(model: pm.Model) -> None:
    plain, written = fitted(model), fitted(model)
    mu = written.approx.shared_params["mu"]
    mu.set_value(mu.get_value())
    for inference in (plain, written):
        inference.refine(20, progressbar=False)
    for one, other in zip(
        jax.tree.leaves(plain.approx.family), jax.tree.leaves(written.approx.family), strict=True
    ):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("ends", [False, True])
def test_a_callback_may_write(model: pm.Model, ends: bool) -> None:
    def jump(approx: taut.Approximation, losses: Any, i: int) -> None:
        if i == 30:
            approx.shared_params["mu"].set_value(9 * ONES)
            if ends:
                raise StopIteration("far enough")

    approx = fitted(model, callbacks=[jump]).approx
    assert np.abs(approx.parameters["mu"] - 9.0).max() < 2.0
    assert np.array_equal(approx.parameters["mu"], 9 * ONES) == ends

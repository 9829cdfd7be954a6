"""Expressions over an approximation, in PyTensor and on JAX."""

import jax
import numpy as np
import pymc as pm
import pytensor
import pytensor.tensor as pt
import pytest

import taut
from taut import errors
from taut.frontend.pymc.expressions.draws_op import symbolic_draws

PYTHON = {"mode": "FAST_COMPILE"}
VFAMS = ["mf", "fr", "lr", "empirical"]


@pytest.fixture(scope="module")
def model() -> pm.Model:
    with pm.Model(coords={"side": ["left", "right"]}) as model:
        x = pm.Data("x", np.array([1.0, 2.0, 3.0]))
        slope = pm.Normal("slope", 1.0, 0.5, dims="side")
        scale = pm.HalfNormal("scale", 1.0)
        pm.Deterministic("line", slope[:, None] * x)
        pm.Normal("y", slope[0] * x, scale, observed=np.array([1.0, 2.5, 2.0]))
    return model


def approximation(model: pm.Model, vfam: str) -> taut.Approximation:
    return taut.Approximation([taut.Group(None, vfam=vfam)], model=model, random_seed=1)


@pytest.mark.parametrize("vfam", VFAMS)
def test_sampled_nodes_have_the_moments_of_q(model: pm.Model, vfam: str) -> None:
    """Means of 4000 draws are within five standard errors; spreads within eight percent."""
    approx = approximation(model, vfam)
    draws = approx.sample_node(model["slope"], size=4000).eval(**PYTHON)
    mean, std = approx.mean.eval(**PYTHON)[:2], approx.std.eval(**PYTHON)[:2]
    assert draws.shape == (4000, 2)
    assert (np.abs(draws.mean(0) - mean) < 5 * std / np.sqrt(4000)).all()
    np.testing.assert_allclose(draws.std(0), std, rtol=0.08)


def test_a_family_without_a_pytensor_version_goes_through_its_sampler(model: pm.Model) -> None:
    """The general way agrees with the plain one in its moments."""
    approx = approximation(model, "fr")
    general = symbolic_draws.dispatch(object)
    draws = general(approx.family, approx.symbolic.view, pt.as_tensor(4000), 7).eval(**PYTHON)
    std = approx.std.eval(**PYTHON)
    assert draws.dtype == np.float64
    assert (np.abs(draws.mean(0) - approx.mean.eval(**PYTHON)) < 5 * std / np.sqrt(4000)).all()
    np.testing.assert_allclose(draws.std(0), std, rtol=0.08)


def test_nodes_of_a_list_share_their_draws(model: pm.Model) -> None:
    approx = approximation(model, "mf")
    slope, line = approx.sample_node([model["slope"], model["line"]], size=5)
    f = pytensor.function([], [slope, line], **PYTHON)
    slopes, lines = f()
    np.testing.assert_allclose(lines, slopes[:, :, None] * np.array([1.0, 2.0, 3.0]))


def test_nodes_built_later_and_constrained_variables_work(model: pm.Model) -> None:
    approx = approximation(model, "mf")
    later = pt.log(model["scale"]) * 2
    draws = approx.sample_node(later, size=100).eval(**PYTHON)
    assert np.isfinite(draws).all()


def test_the_mean_takes_the_place_of_draws(model: pm.Model) -> None:
    approx = approximation(model, "mf")
    mean = approx.mean.eval(**PYTHON)[:2]
    single = approx.sample_node(model["slope"], deterministic=True)
    np.testing.assert_allclose(single.eval(**PYTHON), mean)
    several = approx.sample_node(model["slope"], size=3, deterministic=True).eval(**PYTHON)
    np.testing.assert_allclose(several, np.tile(mean, (3, 1)))
    switch = pt.bscalar("switch")
    symbolic = approx.sample_node(model["slope"], deterministic=switch)
    np.testing.assert_allclose(symbolic.eval({switch: 1}, **PYTHON), mean)
    assert not np.allclose(symbolic.eval({switch: 0}, **PYTHON), mean)


def test_replacements_may_have_another_length(model: pm.Model) -> None:
    approx = approximation(model, "mf")
    longer = np.arange(5.0)
    for value in (longer, pytensor.shared(longer), pt.as_tensor(longer)):
        replaced = approx.sample_node(model["line"], size=4, more_replacements={model["x"]: value})
        assert replaced.eval(**PYTHON).shape == (4, 2, 5)


def test_evaluate_is_labelled_and_agrees_with_the_draws(model: pm.Model) -> None:
    approx = approximation(model, "mf")
    draws = approx.sample(30, random_seed=4)["posterior"]
    squares, line = approx.evaluate([model["slope"] ** 2, model["line"]], 30, random_seed=4)
    np.testing.assert_allclose(squares.values, draws["slope"].values ** 2)
    np.testing.assert_allclose(line.values, draws["line"].values)
    slope = approx.evaluate(model["slope"], draws=3)
    assert slope.dims == ("chain", "draw", "side")
    assert list(slope["side"].values) == ["left", "right"]


def test_evaluate_compiles_once_for_an_expression_and_its_shapes(model: pm.Model) -> None:
    approx = approximation(model, "mf")
    node, x = model["slope"].sum() * model["x"], model["x"]
    approx.evaluate(node)
    count = approx.target.programs.count
    approx.evaluate(node, draws=77)
    assert approx.target.programs.count == count
    first = approx.evaluate(node, more_replacements={x: np.ones(4)}, random_seed=1)
    count = approx.target.programs.count
    second = approx.evaluate(node, more_replacements={x: 2 * np.ones(4)}, random_seed=1)
    assert approx.target.programs.count == count
    np.testing.assert_allclose(second, 2 * first)


def test_evaluate_reads_the_data_of_the_moment(model: pm.Model) -> None:
    approx = approximation(model, "mf")
    node = model["x"] * model["slope"][0]
    before = approx.evaluate(node, random_seed=1)
    with model:
        pm.set_data({"x": np.array([2.0, 4.0, 6.0])})
        after = approx.evaluate(node, random_seed=1)
        pm.set_data({"x": np.array([1.0, 2.0, 3.0])})
    np.testing.assert_allclose(after, 2 * before)


@pytest.mark.parametrize("vfam", ["mf", "fr", "lr"])
def test_symbolic_densities_are_those_of_the_draws(model: pm.Model, vfam: str) -> None:
    """At the mean, deterministic, each is the value of one evaluation."""
    approx = approximation(model, vfam)
    z = approx.mean.eval(**PYTHON)
    at_mean = [
        approx.set_size_and_deterministic(term, 3, True)
        for term in (approx.logp, approx.varlogp, approx.datalogp, approx.logq)
    ]
    logp, varlogp, datalogp, logq = pytensor.function([], at_mean, **PYTHON)()
    point = approx.target.space.unravel(z)
    assert logp == pytest.approx(model.compile_logp(**PYTHON)(point))
    assert varlogp + datalogp == pytest.approx(logp)
    with approx.target.precision():
        assert logq == pytest.approx(float(approx.family.log_prob(jax.numpy.asarray(z))))


def test_symbolic_draws_of_one_variable(model: pm.Model) -> None:
    approx = approximation(model, "mf")
    assert approx.rslice("slope").eval(**PYTHON).shape == (1, 2)
    more = approx.set_size_and_deterministic(approx.rslice("scale_log__"), 6, False)
    assert more.eval(**PYTHON).shape == (6,)
    assert approx.symbolic_random.eval(**PYTHON).shape == (1, 3)
    assert approx.ordering["scale_log__"] == ("scale_log__", slice(2, 3), (), "float64")
    assert approx.ndim == approx.ddim == 3
    raw = approx.sample_dict_fn(9, random_seed=1)
    assert {name: value.shape for name, value in raw.items()} == {
        "slope": (9, 2),
        "scale_log__": (9,),
    }


def test_minibatch_expressions_see_all_rows() -> None:
    X = np.random.default_rng(0).normal(size=(100, 2))
    with pm.Model() as model:
        batch, target = pm.Minibatch(X, X[:, 0], batch_size=10)
        slope = pm.Normal("slope", shape=2)
        line = batch @ slope
        pm.Normal("y", line, 1.0, observed=target, total_size=100)
    approx = approximation(model, "mf")
    assert approx.sample_node(line, size=3).eval(**PYTHON).shape == (3, 100)
    assert approx.evaluate(line, draws=3).shape == (1, 3, 100)


def test_an_expression_without_random_variables_is_allowed_and_said(model: pm.Model) -> None:
    approx = approximation(model, "mf")
    with pytest.warns(UserWarning, match="no random variable of the model"):
        node = approx.sample_node(model["x"] * 2, size=4)
    np.testing.assert_array_equal(node.eval(**PYTHON), np.tile([2.0, 4.0, 6.0], (4, 1)))


def test_a_node_of_another_model_is_refused(model: pm.Model) -> None:
    with pm.Model():
        stranger = pm.Normal("stranger")
    with pytest.raises(errors.ArgumentError, match="not of this model: stranger"):
        approximation(model, "mf").sample_node(stranger * model["scale"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"size": np.array([2, 3])}, "size must be None, an integer"),
        ({"size": 2.5}, "size must be None, an integer"),
        ({"size": 0}, "size must be at least 1"),
        ({"more_replacements": {"x": np.ones(3)}}, "no PyTensor variable"),
        ({"more_replacements": {"rank": np.ones((3, 3))}}, "array of 2 axes; it has 1"),
        ({"more_replacements": {"type": np.ones(3, complex)}}, "can not be cast"),
    ],
)
def test_bad_sizes_and_replacements_are_refused(
    model: pm.Model, arguments: dict, message: str
) -> None:
    replacements = arguments.get("more_replacements", {})
    if "rank" in replacements or "type" in replacements:
        arguments = {"more_replacements": {model["x"]: next(iter(replacements.values()))}}
    with pytest.raises(errors.ArgumentError, match=message):
        approximation(model, "mf").sample_node(model["line"], **arguments)


def test_what_is_no_expression_is_refused(model: pm.Model) -> None:
    with pytest.raises(errors.ArgumentError, match="no PyTensor expression"):
        approximation(model, "mf").sample_node("slope")


def test_data_and_replacements_keep_their_digits() -> None:
    """Also where JAX computes in 32 bits outside of taut."""
    exact = np.array([1.0 + 1e-12, 2.0])
    with pm.Model() as model:
        data = pm.Data("data", exact)
        x = pm.Normal("x")
    approx = taut.MeanField(model=model, random_seed=1)
    for given in ({}, {data: exact + 1.0}):
        values = approx.evaluate(data + 0.0 * x, draws=2, more_replacements=given)
        assert values.dtype == np.float64
        np.testing.assert_array_equal(values[0, 0], given.get(data, exact))

"""What holds for every family of approximations."""

import io
import pickle
from functools import cache
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pymc as pm
import pytensor
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st
from jax.test_util import check_grads

from cases import DENSE, FAMILIES, GAUSSIAN, full_rank, low_rank, mean_field
from taut.errors import ArgumentError
from taut.family import (
    AbstractFamily,
    AbstractLocationScale,
    ByName,
    Flow,
    FullRank,
    Layers,
    LowRank,
    MeanField,
    Mixture,
    Start,
    StudentT,
    with_parameters,
)

# Estimates are compared at five standard errors: by chance one number in 1.7 million is farther
# off. A test looks at 21 numbers at most, so 1 seed in 80 000 fails; the seeds are fixed.
ERRORS = 5.0
DRAWS = 40_000

each_family = pytest.mark.parametrize("name", FAMILIES)
each_density = pytest.mark.parametrize("name", DENSE)
each_gaussian = pytest.mark.parametrize("name", GAUSSIAN)
# Draws behind moments that are estimates; the others are exact.
MOMENT_DRAWS = {name: 2048 for name in DENSE if name.startswith("flow")}
# How near a class comes to the moments it is asked for.
BUILT: dict[Any, float] = {MeanField: 1e-12, FullRank: 1e-12, LowRank: 1e-3, StudentT: 1e-12}
# The parameters of each row by name, with their shapes.
PARAMETERS: dict[str, dict[str, tuple[int, ...]]] = {
    "mean field, 1-d": {"mu": (1,), "rho": (1,)},
    "mean field, 5-d": {"mu": (5,), "rho": (5,)},
    "full rank, 1-d": {"mu": (1,), "L_tril": (1,)},
    "full rank, 5-d": {"mu": (5,), "L_tril": (15,)},
    "scaled low rank, 1-d": {"mu": (1,), "rho": (1,), "directions": (1, 2), "stretch": (2,)},
    "scaled low rank, 5-d": {"mu": (5,), "rho": (5,), "directions": (5, 2), "stretch": (2,)},
    "low rank, 1-d": {"mu": (1,), "rho": (1,), "factor": (1, 2)},
    "low rank, 5-d": {"mu": (5,), "rho": (5,), "factor": (5, 2)},
    "product, 5-d": {"mu_0": (2,), "rho_0": (2,), "mu_1": (3,), "L_tril_1": (6,)},
    "particles, 5-d": {"histogram": (9, 5)},
    "mixture, 1-d": {
        "logits": (3,), "mu_0": (1,), "rho_0": (1,), "mu_1": (1,), "L_tril_1": (1,),
        "mu_2": (1,), "rho_2": (1,), "factor_2": (1, 2),
    },
    "mixture, 5-d": {
        "logits": (3,), "mu_0": (5,), "rho_0": (5,), "mu_1": (5,), "L_tril_1": (15,),
        "mu_2": (5,), "rho_2": (5,), "factor_2": (5, 2),
    },
    "student, 1-d": {"mu": (1,), "rho": (1,), "rho_nu": ()},
    "student, 5-d": {"mu": (5,), "L_tril": (15,), "rho_nu": ()},
    "student, low rank, 5-d": {"mu": (5,), "rho": (5,), "factor": (5, 2), "rho_nu": ()},
    "flow, 1-d": {"mu": (1,), "L_tril": (1,)},
    "flow, 5-d": {
        "mu": (5,), "L_tril": (15,), "weights_0": (2, 4, 2), "weights_1": (2, 4),
        "weights_2": (2, 6, 4), "weights_3": (2, 6),
    },
    "flow, spline, student, 5-d": {
        "mu": (5,), "L_tril": (15,), "weights_0": (2, 4, 2), "weights_1": (2, 4),
        "weights_2": (2, 84, 4), "weights_3": (2, 84), "rho_nu": (),
    },
    "flow, autoregressive, 5-d": {
        "mu": (5,), "L_tril": (15,), "weights_0": (2, 4, 5), "weights_1": (2, 4),
        "weights_2": (2, 10, 4), "weights_3": (2, 10),
    },
}  # fmt: skip


def keys_of_draws() -> jax.Array:
    return jax.random.split(jax.random.key(3), DRAWS)


def named_kinds() -> list[type[ByName]]:
    """The families that a group can name."""
    kinds = {type(row()) for row in FAMILIES.values()}
    return sorted((k for k in kinds if issubclass(k, ByName)), key=lambda kind: kind.__name__)


@cache
def drawn(name: str) -> tuple[np.ndarray, np.ndarray]:
    """Many draws and their log densities, by one program for all laws about them."""
    z, log_q = jax.jit(jax.vmap(FAMILIES[name]().sample_and_log_prob))(keys_of_draws())
    return np.asarray(z), np.asarray(log_q)


def draws(name: str) -> np.ndarray:
    return drawn(name)[0]


def cast(family: AbstractFamily, dtype: str) -> AbstractFamily:
    """Return the same member with parameters of another dtype."""
    to = lambda leaf: np.asarray(leaf, dtype) if eqx.is_inexact_array_like(leaf) else leaf  # noqa: E731
    return jax.tree.map(to, family)


def _inverse_draws(name: str) -> float:
    """Variance of the difference of two means, in units of that of one draw."""
    return 1 / DRAWS + (1 / MOMENT_DRAWS[name] if name in MOMENT_DRAWS else 0.0)


@jax.jit
def _log_prob(q: AbstractFamily, z: Any) -> jax.Array:
    return jax.vmap(q.log_prob)(z)


def log_prob(q: AbstractFamily, z: Any) -> np.ndarray:
    """The log density at many points, by one program for all members of a shape."""
    return np.asarray(_log_prob(q, z))


def means(dim: int) -> st.SearchStrategy[list[float]]:
    """Means of any size."""
    return st.lists(st.floats(-1e4, 1e4), min_size=dim, max_size=dim)


def scales(dim: int) -> st.SearchStrategy[list[float]]:
    """Standard deviations from 1e-8 to 1e4, evenly by their order of magnitude."""
    one = st.floats(-8.0, 4.0).map(lambda exponent: 10.0**exponent)
    return st.lists(one, min_size=dim, max_size=dim)


@pytest.mark.parametrize("name", [name for name in DENSE if "1-d" in name])
def test_density_integrates_to_one_on_a_line(name: str) -> None:
    """The trapezoidal rule is exact to rounding for a smooth density with thin tails.

    Of t with 20 degrees of freedom 1e-13 lies beyond 28 standard deviations.
    """
    q = FAMILIES[name]()
    mean, std = float(q.mean()[0]), float(q.std()[0])
    z = np.linspace(mean - 28 * std, mean + 28 * std, 8001)
    density = np.exp(log_prob(q, z[:, None]))
    assert np.trapezoid(density, z) == pytest.approx(1.0, abs=1e-12)


@each_density
def test_density_integrates_to_one_over_draws_of_a_wider_one(name: str) -> None:
    """The mean of q/p over draws of p is the integral of q, whatever p is.

    The other is a multivariate t, whose tails are heavier than those of all families: so the
    ratio has a variance, with a standard deviation around 1 in 5 dimensions.
    """
    q = FAMILIES[name]()
    wider = scipy.stats.multivariate_t(np.asarray(q.mean()), np.asarray(q.cov()), df=3)
    z = wider.rvs(DRAWS, random_state=4).reshape(DRAWS, q.dim)
    ratio = np.exp(log_prob(q, z) - wider.logpdf(z))
    assert abs(ratio.mean() - 1.0) < ERRORS * ratio.std() / np.sqrt(DRAWS)


@each_gaussian
def test_density_is_the_one_of_scipy(name: str) -> None:
    q = FAMILIES[name]()
    z = draws(name)[:100]
    theirs = scipy.stats.multivariate_normal(np.asarray(q.mean()), np.asarray(q.cov())).logpdf(z)
    np.testing.assert_allclose(log_prob(q, z), theirs, rtol=1e-10)


@each_density
def test_push_gives_the_density_at_its_draw(name: str) -> None:
    z, log_q = (of_draws[:100] for of_draws in drawn(name))
    np.testing.assert_allclose(log_q, log_prob(FAMILIES[name](), z), rtol=0, atol=1e-10)


@each_family
def test_sample_is_noise_pushed_forward(name: str) -> None:
    q, key = FAMILIES[name](), jax.random.key(5)
    z, log_q = q.push(q.noise(key))
    with_density = q.sample_and_log_prob(key)
    np.testing.assert_array_equal(q.sample(key), z)
    np.testing.assert_array_equal(with_density[0], z)
    np.testing.assert_array_equal(with_density[1], log_q)


@each_family
def test_draws_have_the_mean(name: str) -> None:
    q, z = FAMILIES[name](), draws(name)
    error = np.asarray(q.std()) * np.sqrt(_inverse_draws(name))
    assert np.all(np.abs(z.mean(axis=0) - q.mean()) < ERRORS * error)


@each_family
def test_draws_have_the_covariance(name: str) -> None:
    """And its standard error is known from the draws themselves, whatever their shape."""
    q, z = FAMILIES[name](), draws(name)
    away = z - np.asarray(q.mean())
    products = away[:, :, None] * away[:, None, :]
    error = products.std(axis=0) * np.sqrt(_inverse_draws(name))
    assert np.all(np.abs(products.mean(axis=0) - q.cov()) < ERRORS * error)


@each_family
def test_standard_deviations_are_those_of_the_covariance(name: str) -> None:
    q = FAMILIES[name]()
    np.testing.assert_allclose(q.std(), np.sqrt(np.diag(q.cov())), rtol=1e-14)


@each_family
def test_shapes_are_those_of_one_event(name: str) -> None:
    q = FAMILIES[name]()
    z, log_q = q.sample_and_log_prob(jax.random.key(0))
    shapes = [np.shape(x) for x in (z, log_q, q.log_prob(z), q.mean(), q.std(), q.cov())]
    assert shapes == [(q.dim,), (), (), (q.dim,), (q.dim,), (q.dim, q.dim)]


@each_family
@pytest.mark.parametrize(
    ("dtype", "x64"), [("float32", False), ("float32", True), ("float64", True)]
)
def test_dtype_is_kept(name: str, dtype: str, x64: bool) -> None:
    def everything(q: AbstractFamily, key: Any) -> Any:
        noise = q.noise(key)
        z, log_q = q.push(noise)
        gradient = eqx.filter_grad(lambda q: q.log_prob(z))(q)
        moments = q.mean(), q.std(), q.cov()
        return noise, z, log_q, q.log_prob(z), moments, gradient, q.parameters()

    with jax.enable_x64(x64):
        found = jax.eval_shape(everything, cast(FAMILIES[name](), dtype), jax.random.key(0))
    numbers = [x for x in jax.tree.leaves(found) if x.dtype.kind == "f"]
    assert {str(x.dtype) for x in numbers} == {dtype}


@each_family
def test_noise_does_not_depend_on_the_parameters(name: str) -> None:
    q, key = FAMILIES[name](), jax.random.key(6)
    other = jax.tree.map(lambda leaf: 2 * leaf + 1 if eqx.is_inexact_array_like(leaf) else leaf, q)
    assert eqx.tree_equal(q.noise(key), other.noise(key))


@each_family
def test_a_compiled_program_gives_the_same(name: str) -> None:
    q, key = FAMILIES[name](), jax.random.key(7)
    z, log_q = q.sample_and_log_prob(key)
    compiled = jax.jit(lambda q, key: q.sample_and_log_prob(key))(q, key)
    np.testing.assert_allclose(compiled[0], z, rtol=1e-12)
    np.testing.assert_allclose(compiled[1], log_q, rtol=1e-12)
    np.testing.assert_allclose(jax.jit(lambda q, z: q.log_prob(z))(q, z), log_q, rtol=1e-10)


@each_family
def test_many_at_once_are_the_same_as_one_by_one(name: str) -> None:
    q, together = FAMILIES[name](), drawn(name)
    for i, key in enumerate(keys_of_draws()[:4]):
        z, log_q = q.sample_and_log_prob(key)
        np.testing.assert_allclose(together[0][i], z, rtol=1e-12)
        np.testing.assert_allclose(together[1][i], log_q, rtol=1e-12)


@each_density
def test_gradients_agree_with_finite_differences(name: str) -> None:
    q = FAMILIES[name]()
    noise, z = q.noise(jax.random.key(9)), q.sample(jax.random.key(10))
    # Central differences over 1e-5 are off by some 1e-10 of the values' size.
    how: dict[str, Any] = {"order": 1, "modes": ["rev"], "eps": 1e-5, "rtol": 1e-6, "atol": 1e-6}
    trainable, rest = eqx.partition(q, eqx.is_inexact_array_like)
    check_grads(lambda q: eqx.combine(q, rest).push(noise), (trainable,), **how)
    check_grads(lambda q, z: eqx.combine(q, rest).log_prob(z), (trainable, z), **how)


@each_family
def test_a_saved_member_comes_back_from_a_file(name: str) -> None:
    q, file = FAMILIES[name](), io.BytesIO()
    eqx.tree_serialise_leaves(file, q)
    file.seek(0)
    back = eqx.tree_deserialise_leaves(file, jax.tree.map(np.zeros_like, q))
    assert eqx.tree_equal(back, q)


@pytest.mark.parametrize("family", BUILT)
@given(data=st.data())
@settings(max_examples=50, deadline=None)
def test_a_member_is_built_at_any_mean_and_scale(family: Any, data: st.DataObject) -> None:
    dim = data.draw(st.integers(1, 3))
    mean, std = np.array(data.draw(means(dim))), np.array(data.draw(scales(dim)))
    with jax.enable_x64(True):
        q = family.at(mean, std)
        np.testing.assert_array_equal(q.mean(), mean)
        np.testing.assert_allclose(q.std(), std, rtol=BUILT[family])
        np.testing.assert_allclose(np.diag(q.cov()), std**2, rtol=2 * BUILT[family])


@pytest.mark.parametrize("family", [MeanField, FullRank])
def test_a_member_built_at_a_scale_is_uncorrelated(family: Any) -> None:
    cov = np.asarray(family.at(np.zeros(3), np.array([1e-8, 1.0, 1e4])).cov())
    np.testing.assert_array_equal(cov, np.diag(np.diag(cov)))


@pytest.mark.parametrize("family", BUILT)
@pytest.mark.parametrize("std", [1e-8, 1e-3, 1.0, 1e4])
def test_a_member_is_built_in_single_precision_too(family: Any, std: float) -> None:
    scale = np.array([std], np.float32)
    q = family.at(np.zeros(1, np.float32), scale)
    assert q.std().dtype == np.float32
    # Rounding of rho, which is up to 18 in size, is all that is lost.
    np.testing.assert_allclose(q.std(), scale, rtol=5e-6 + BUILT[family])


@pytest.mark.parametrize("name", PARAMETERS)
def test_parameters_have_their_names_and_shapes(name: str) -> None:
    """For those that PyMC has too they are PyMC's."""
    parameters = FAMILIES[name]().parameters()
    assert {key: value.shape for key, value in parameters.items()} == PARAMETERS[name]


@each_family
def test_parameters_make_the_same_member_again(name: str) -> None:
    """Also where they have another form than the fields."""
    q = FAMILIES[name]()
    given = {key: np.asarray(value) for key, value in q.parameters().items()}
    back, key = with_parameters(q, given), jax.random.key(12)
    assert eqx.tree_equal(back.parameters(), q.parameters())
    np.testing.assert_array_equal(back.sample(key), q.sample(key))


@pytest.mark.parametrize("name", FAMILIES)
def test_a_family_that_has_a_name_is_restored_from_its_parameters(name: str) -> None:
    q = FAMILIES[name]()
    if isinstance(q, ByName) and q.keys == q.parameters().keys():
        given = {key: np.asarray(value) for key, value in q.parameters().items()}
        back = type(q).restore(given, q.dim)
        assert eqx.tree_equal(back.parameters(), q.parameters())


@pytest.mark.parametrize("kind", named_kinds(), ids=lambda kind: kind.__name__)
def test_names_and_parameters_tell_families_apart(kind: type[ByName]) -> None:
    others = [other for other in named_kinds() if other is not kind]
    assert not any(other.keys == kind.keys for other in others)
    assert not any(set(other.names) & set(kind.names) for other in others)
    assert kind.names == tuple(name.lower() for name in kind.names)


@pytest.mark.parametrize("kind", named_kinds(), ids=lambda kind: kind.__name__)
def test_a_family_that_has_a_name_begins_where_it_is_told(kind: type[ByName]) -> None:
    mean, std = np.array([1.0, -2.0]), np.array([0.5, 2.0])
    q = kind.begin(Start(mean, std, seed=1, size=4000, jitter=0.0))
    np.testing.assert_allclose(q.mean(), mean, rtol=1e-12)
    assert kind.scale > 0
    assert q.parameters().keys() == kind.keys


def test_a_packed_triangle_goes_row_by_row() -> None:
    factor = np.arange(9.0).reshape(3, 3)
    packed = FullRank(np.zeros(3), factor).parameters()["L_tril"]
    np.testing.assert_array_equal(packed, [0, 3, 4, 6, 7, 8])
    np.testing.assert_array_equal(packed, factor[np.tril_indices(3)])


def test_what_stands_above_the_diagonal_means_nothing() -> None:
    q = FAMILIES["full rank, 5-d"]()
    assert isinstance(q, FullRank)
    cut = FullRank(q.mu, jnp.tril(q.factor))
    assert eqx.tree_equal(q.cov(), cut.cov())
    assert float(q.log_prob(np.ones(5))) == float(cut.log_prob(np.ones(5)))


@pytest.mark.parametrize("name", ["mean field, 5-d", "full rank, 5-d"])
def test_parameters_mean_the_same_in_pymc(name: str) -> None:
    """PyMC's own approximation, given our numbers by name, has our moments."""
    q = FAMILIES[name]()
    with pm.Model():
        pm.Normal("z", shape=5)
        theirs = pm.MeanField() if isinstance(q, MeanField) else pm.FullRank()
    for key, value in q.parameters().items():
        theirs.shared_params[key].set_value(np.asarray(value))
    evaluate = pytensor.function([], [theirs.mean, theirs.cov], mode="FAST_COMPILE")
    mean, cov = evaluate()
    np.testing.assert_allclose(mean, q.mean(), rtol=1e-12)
    np.testing.assert_allclose(cov, q.cov(), rtol=1e-12)


def test_density_of_a_mixture_is_the_weighted_sum() -> None:
    q, z = FAMILIES["mixture, 5-d"](), draws("mixture, 5-d")[:100]
    parts = mean_field(5), full_rank(5), low_rank(5)
    theirs = sum(
        weight * scipy.stats.multivariate_normal(np.asarray(p.mean()), np.asarray(p.cov())).pdf(z)
        for weight, p in zip([1 / 6, 2 / 6, 3 / 6], parts, strict=True)
    )
    np.testing.assert_allclose(np.exp(log_prob(q, z)), theirs, rtol=1e-10)


def test_draws_come_from_the_components_by_their_weights() -> None:
    """Three components far apart; shares are compared at five standard errors."""
    weights = np.array([0.1, 0.6, 0.3])
    parts = [MeanField.at(np.array([m]), np.ones(1)) for m in (-100.0, 0.0, 100.0)]
    keys = jax.random.split(jax.random.key(11), DRAWS)
    z = np.asarray(jax.vmap(Mixture.of(parts, weights).sample)(keys))[:, 0]
    shares = np.array([np.mean(z < -50), np.mean(np.abs(z) < 50), np.mean(z > 50)])
    assert np.all(np.abs(shares - weights) < ERRORS * np.sqrt(weights * (1 - weights) / DRAWS))


@pytest.mark.parametrize(
    ("parts", "weights", "says"),
    [
        ((1, 2), [1.0, 1.0], "one dimension"),
        ((), [], "one dimension"),
        ((1, 1), [1.0], "as many weights"),
        ((1, 1), [1.0, 0.0], "> 0"),
        ((1, 1), [1.0, np.nan], "> 0"),
    ],
)
def test_a_mixture_that_makes_no_sense_is_refused(
    parts: tuple[int, ...], weights: list[float], says: str
) -> None:
    with pytest.raises(ArgumentError, match=says):
        Mixture.of([mean_field(dim) for dim in parts], np.array(weights))


@pytest.mark.parametrize("base", ["mean field, 5-d", "full rank, 5-d", "low rank, 5-d"])
def test_coloring_is_a_root_of_the_covariance_and_whitening_its_inverse(base: str) -> None:
    q = FAMILIES[base]()
    assert isinstance(q, AbstractLocationScale)
    root = np.asarray(jax.jacobian(q.color)(jnp.zeros(5)))
    np.testing.assert_allclose(root @ root.T, q.cov(), rtol=1e-10, atol=1e-10)
    np.testing.assert_allclose(q.color(jnp.zeros(5)), q.mean(), rtol=1e-12)
    assert float(q.log_det()) == pytest.approx(np.linalg.slogdet(root)[1], rel=1e-12)
    noise = np.random.default_rng(1).normal(size=5)
    np.testing.assert_allclose(q.whiten(q.color(noise)), noise, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("nu", [2.5, 5.0, 100.0])
def test_density_of_student_is_the_one_of_scipy(nu: float) -> None:
    q = StudentT.around(mean_field(3), nu)
    z = q.mean() + np.random.default_rng(0).standard_t(3.0, (100, 3))
    scale = jax.nn.softplus(mean_field(3).rho)
    theirs = scipy.stats.t(nu, np.asarray(q.mean()), np.asarray(scale)).logpdf(z).sum(axis=1)
    np.testing.assert_allclose(log_prob(q, z), theirs, rtol=1e-10)
    np.testing.assert_allclose(q.std(), scipy.stats.t(nu).std() * scale, rtol=1e-10)


@pytest.mark.parametrize("nu", [2.5, 5.0, 100.0])
def test_draws_of_student_have_its_distribution_function(nu: float) -> None:
    """The largest distance of 40 000 draws is under 0.0133 but for one seed in a million."""
    q = StudentT.around(MeanField.at(np.zeros(1), np.ones(1)), nu)
    z = np.asarray(jax.vmap(q.sample)(jax.random.split(jax.random.key(12), DRAWS)))[:, 0]
    assert scipy.stats.kstest(z, scipy.stats.t(nu).cdf).statistic < 0.0133


def test_fixed_degrees_of_freedom_have_no_gradient() -> None:
    noise = StudentT.around(mean_field(2)).noise(jax.random.key(0))
    for fixed in (False, True):
        q = StudentT.around(mean_field(2), 5.0, fixed=fixed)
        gradient = jax.grad(lambda q: jnp.sum(q.push(noise)[0]) + q.push(noise)[1])(q)
        assert (float(gradient.rho_nu) == 0.0) is fixed


@pytest.mark.parametrize("nu", [2.0, -1.0, np.inf, np.nan])
def test_degrees_of_freedom_without_a_variance_are_refused(nu: float) -> None:
    with pytest.raises(ArgumentError, match="> 2"):
        StudentT.around(mean_field(2), nu)


BEGINNINGS: list[tuple[str, dict[str, Any]]] = [
    ("mean field, 5-d", {}),
    ("low rank, 5-d", {"depth": 2}),
    ("full rank, 5-d", {"transformer": "spline"}),
    ("full rank, 5-d", {"architecture": "autoregressive"}),
]


@pytest.mark.parametrize(("base", "shape"), BEGINNINGS, ids=str)
def test_a_flow_begins_at_its_base(base: str, shape: dict[str, Any]) -> None:
    """Constants of splines are kept in single precision, at the cost of 1e-7."""
    gaussian: Any = FAMILIES[base]()
    q, z = Flow.around(gaussian, Layers(layers=2, width=4, **shape)), draws(base)[:20]
    np.testing.assert_allclose(log_prob(q, z), log_prob(gaussian, z), rtol=1e-6)
    np.testing.assert_allclose(q.mean(), gaussian.mean(), rtol=1e-5, atol=1e-6)
    # Of the noise's correlations some are left in the fixed draws.
    np.testing.assert_allclose(q.std(), gaussian.std(), rtol=0.1)


@pytest.mark.parametrize("name", ["flow, 1-d", "flow, 5-d", "flow, autoregressive, 5-d"])
def test_log_determinant_of_a_flow_is_that_of_its_jacobian(name: str) -> None:
    q: Any = FAMILIES[name]()
    for key in jax.random.split(jax.random.key(13), 5):
        noise = q.noise(key)
        jacobian, log_q = jax.jit(jax.jacobian(q.push, has_aux=True))(noise)
        normal = scipy.stats.norm.logpdf(noise).sum()
        assert float(log_q) == pytest.approx(normal - np.linalg.slogdet(jacobian)[1], rel=1e-9)


def test_every_element_of_a_flow_can_be_bent() -> None:
    """Also where layers and dimensions are few: the halves change places."""
    for dim in (2, 5):
        q = Flow.around(MeanField.at(np.zeros(dim), np.ones(dim)), Layers(layers=2, width=4))
        bent = Flow(q.base, tuple(w + 0.5 for w in q.weights), None, q.skeleton)
        jacobian = np.asarray(jax.jit(jax.jacobian(lambda n, q=bent: q.push(n)[0]))(jnp.ones(dim)))
        # An element that no layer moved would be one of the noise, with a row of one 1.
        moved = ~np.any(np.isclose(jacobian, 1.0) & (np.abs(jacobian).sum(1) < 1.01)[:, None], 1)
        assert np.all(moved)


def test_a_flow_survives_a_copy_and_a_pickle_into_the_same_program() -> None:
    q = FAMILIES["flow, 5-d"]()
    back = pickle.loads(pickle.dumps(q))
    assert jax.tree.structure(back) == jax.tree.structure(q)
    assert eqx.tree_equal(back, q)


@pytest.mark.parametrize(
    ("shape", "says"),
    [
        ({"layers": 0}, "layers"),
        ({"width": 1.5}, "width"),
        ({"depth": True}, "depth"),
        ({"transformer": "rqs"}, '"affine" or "spline"'),
        ({"architecture": "maf"}, '"coupling" or "autoregressive"'),
    ],
)
def test_layers_that_make_no_sense_are_refused(shape: dict[str, Any], says: str) -> None:
    with pytest.raises(ArgumentError, match=says):
        Layers(**shape)

"""Groups, user parameters, and one approximation of several families."""

import numpy as np
import pymc as pm
import pytensor
import pytest

import taut
from taut import errors
from taut.family import FullRank, LowRank, MeanField, Particles, Product, StudentT

COV = np.array([[1.0, 0.9, 0.0], [0.9, 1.0, 0.0], [0.0, 0.0, 4.0]])


@pytest.fixture(scope="module")
def model() -> pm.Model:
    """A pair that is correlated, and one that is not, between two variables of its own."""
    with pm.Model() as model:
        pm.Normal("first", 1.0, 2.0)
        pm.MvNormal("pair", np.zeros(2), cov=COV[:2, :2])
        pm.HalfNormal("last", 1.0)
    return model


def test_groups_are_fitted_together(model: pm.Model) -> None:
    groups = [taut.Group([model["pair"]], vfam="fr"), taut.Group(None, vfam="mf")]
    approx = taut.Approximation(groups, model=model, random_seed=1)
    assert isinstance(approx.family, Product)
    taut.KLqp(approx, gradient="path").fit(
        4000, obj_optimizer=taut.adam(learning_rate=0.02), progressbar=False
    )
    cov = approx.cov.eval()
    # The path gradient of a Gaussian target has no noise at the optimum.
    np.testing.assert_allclose(cov[1:3, 1:3], COV[:2, :2], atol=0.05)
    assert approx.mean.eval()[0] == pytest.approx(1.0, abs=0.05)
    assert approx.std.eval()[0] == pytest.approx(2.0, rel=0.05)
    np.testing.assert_array_equal(cov[0, 1:], 0.0)
    draws = approx.sample(2000, random_seed=1)["posterior"]["pair"].values[0]
    assert np.corrcoef(draws.T)[0, 1] == pytest.approx(0.9, abs=0.05)


@pytest.mark.parametrize(
    ("vfam", "family"),
    [("mf", MeanField), ("MEAN_FIELD", MeanField), ("fr", FullRank), ("full_rank", FullRank),
     ("lr", LowRank), ("low_rank", LowRank), ("st", StudentT),
     ("student", StudentT), ("empirical", Particles)],
)  # fmt: skip
def test_families_go_by_pymcs_names(model: pm.Model, vfam: str, family: type) -> None:
    approx = taut.Approximation([taut.Group(None, vfam=vfam)], model=model)
    assert isinstance(approx.family, family)


def test_sampled_nodes_of_groups_keep_their_places(model: pm.Model) -> None:
    start = {"first": 10.0, "pair": np.array([20.0, 30.0]), "last": 5.0}
    groups = [
        taut.Group(["pair"], vfam="lr", start=start, start_sigma={"pair": 1e-6}),
        taut.Group(["last"], vfam="fr", start=start, start_sigma={"last": 1e-6}),
        taut.Group(None, vfam="mf", start=start, start_sigma={"first": 1e-6}),
    ]
    approx = taut.Approximation(groups, model=model)
    nodes = [model["first"], model["pair"], model["last"]]
    first, pair, last = approx.sample_node(nodes)
    assert first.eval() == pytest.approx(10.0, abs=1e-3)
    assert pair.eval() == pytest.approx([20.0, 30.0], abs=1.0)
    assert last.eval() == pytest.approx(5.0, abs=1e-3)


@pytest.mark.parametrize("wrap", [np.asarray, lambda value: pytensor.shared(np.asarray(value))])
def test_user_parameters_decide_family_and_start(model: pm.Model, wrap: object) -> None:
    mean_field = {"mu": wrap(np.arange(4.0)), "rho": wrap(np.zeros(4))}
    approx = taut.Approximation([taut.Group(None, params=mean_field)], model=model)
    np.testing.assert_array_equal(approx.parameters["mu"], np.arange(4.0))
    packed = {"mu": wrap(np.zeros(4)), "L_tril": wrap(np.arange(10.0))}
    approx = taut.Approximation([taut.Group(None, params=packed)], model=model)
    np.testing.assert_array_equal(approx.parameters["L_tril"], np.arange(10.0))
    tails = {"mu": wrap(np.zeros(4)), "rho": wrap(np.ones(4)), "rho_nu": wrap(np.asarray(3.0))}
    approx = taut.Approximation([taut.Group(None, params=tails)], model=model)
    assert approx.parameters["rho_nu"] == 3.0
    points = {"histogram": wrap(np.ones((7, 4)))}
    approx = taut.Approximation([taut.Group(None, params=points)], model=model)
    assert approx.parameters["histogram"].shape == (7, 4)


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        ([], "has to be a list of taut.Group"),
        (["mf"], "has to be a list of taut.Group"),
        ([{"group": ["first"], "vfam": "mf"}], "No group has pair, last_log__"),
        ([{"group": ["first", "first"], "vfam": "mf"}, {"vfam": "mf"}], "overlap: first"),
        ([{"vfam": "mf"}, {"vfam": "fr"}], "Only one group can be None"),
        ([{"group": ["first", "pair", "last"], "vfam": "mf"}, {"vfam": "fr"}], "every variable"),
        ([{"group": ["frist"], "vfam": "mf"}, {"vfam": "mf"}], "did you mean 'first'"),
        ([{"vfam": "fullrank"}], "did you mean 'full_rank'"),
        ([{}], "either vfam or params"),
        ([{"vfam": "mf", "params": {"mu": 0}}], "either vfam or params"),
        ([{"params": {"mu": np.zeros(4)}}], "a family has one of"),
        ([{"params": {"mu": np.zeros(3), "rho": np.zeros(3)}}], r"expected \(4,\)"),
        ([{"group": [], "vfam": "mf"}], "at least one variable"),
    ],
)
def test_groups_that_make_no_approximation_are_refused(
    model: pm.Model, groups: list, message: str
) -> None:
    with pytest.raises(errors.GroupError, match=message):
        taut.Approximation(
            [taut.Group(**g) if isinstance(g, dict) else g for g in groups], model=model
        )


def test_klqp_refuses_particles(model: pm.Model) -> None:
    with pytest.raises(errors.ArgumentError, match="particles have none"):
        taut.KLqp(taut.Empirical(size=10, model=model))

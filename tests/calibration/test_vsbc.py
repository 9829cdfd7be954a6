"""Calibration by simulated data, of fits that are right and of fits that are wrong."""

import numpy as np
import pymc as pm
import pytest
from scipy import stats

import taut
from taut import errors
from taut.calibration.probabilities import Calibration, symmetry_p_value
from taut.frontend import as_source
from taut.target import Labels, Space, with_data


def independent() -> pm.Model:
    """Two normal means with one posterior each, which mean field is."""
    with pm.Model(coords={"side": ["left", "right"]}) as model:
        mu = pm.Normal("mu", 1.0, 2.0, dims="side")
        pm.Normal("y", mu, 1.0, observed=np.zeros((3, 2)))
    return model


def test_exact_fits_pass_and_are_those_of_the_closed_form() -> None:
    """Probabilities follow from truths and data; the path gradient leaves no noise at the end."""
    model = independent()
    calibration = taut.vsbc(model, 100, steps=1000, random_seed=1)
    assert calibration.passed
    p = calibration.probabilities["mu"]
    assert p.dims == ("dataset", "side")
    assert list(p["side"].values) == ["left", "right"]
    assert p.shape == (100, 2)
    simulated = as_source(model).simulations(
        100, int(taut.seed.key_words(taut.seed.entropy(1), taut.seed.DATASETS)[0])
    )
    (y,) = simulated.arrays
    precision = 1 / 4 + 3
    mean = (1 / 4 + y.sum(1)) / precision
    exact = stats.norm.cdf((simulated.truths - mean) * np.sqrt(precision))
    np.testing.assert_allclose(p, exact, atol=0.02)


def test_mean_field_of_a_correlated_posterior_is_too_narrow() -> None:
    """Only the sum is told by the data: the conditional scale is 0.4 of the marginal one."""
    with pm.Model() as model:
        a, b = pm.Normal("a", 0.0, 1.0), pm.Normal("b", 0.0, 1.0)
        pm.Normal("y", a + b, 0.5, observed=np.zeros(1))
    narrow = taut.vsbc(model, 200, steps=600, random_seed=1)
    assert not narrow.passed
    for name in ("a", "b"):
        assert not narrow.spread[name].passed
        assert narrow.spread[name].direction == "too narrow"
        assert narrow.bias[name].passed
    assert "too narrow" in str(narrow)
    assert "<table>" in narrow._repr_html_()
    assert taut.vsbc(model, 200, vfam="full_rank", steps=1500, random_seed=1).passed


def test_too_few_steps_leave_a_bias_towards_the_start() -> None:
    """The prior lies above the start at zero, which so few steps can not leave."""
    with pm.Model() as model:
        mu = pm.Normal("mu", 5.0, 1.0, initval=0.0)
        pm.Normal("y", mu, 1.0, observed=np.zeros(4))
    biased = taut.vsbc(model, 60, steps=20, random_seed=1).bias["mu"]
    assert not biased.passed
    assert biased.direction == "too low"


def test_one_program_fits_all_data_sets_and_those_of_the_next_call() -> None:
    model = independent()
    first = taut.vsbc(model, 20, steps=50, random_seed=1)
    programs = taut.as_target(model).programs
    assert programs.count == 1
    second = taut.vsbc(model, 20, steps=50, random_seed=2)
    assert programs.count == 1
    assert not np.allclose(first.probabilities["mu"], second.probabilities["mu"])


def test_scalars_counts_and_transforms_are_simulated() -> None:
    """A conjugate pair: the truths are draws of the prior on the logit scale."""
    with pm.Model() as model:
        share = pm.Beta("share", 4.0, 4.0)
        pm.Binomial("y", 20, share, observed=7)
    simulated = as_source(model).simulations(400, 3)
    shares = 1 / (1 + np.exp(-simulated.truths[:, 0]))
    (y,) = simulated.arrays
    assert stats.kstest(shares, stats.beta(4, 4).cdf).pvalue > 1e-3
    assert np.corrcoef(shares, y[:, 0])[0, 1] > 0.7
    target = simulated.target
    with target.precision():
        own = with_data(target, simulated.places, (y[5],))
        found = float(own.log_likelihood(simulated.truths[5]))
    assert found == pytest.approx(stats.binom(20, shares[5]).logpmf(y[5, 0]))
    assert taut.vsbc(model, 100, steps=600, random_seed=2).bias["share_logodds__"].passed


def test_the_test_of_symmetry_has_its_level() -> None:
    """2000 uniform samples of 60: a p-value below 0.05 has a chance of at most 0.05 (and, as the
    distance is discrete, not much less); its standard error is 0.005. SciPy's rejects twice as
    often."""
    random = np.random.default_rng(1)
    samples = random.random((2000, 60))
    rejected = np.mean([symmetry_p_value(p) < 0.05 for p in samples])
    assert 0.02 < rejected < 0.05 + 3 * 0.005
    p = random.random(60)
    distance = stats.ks_2samp(p, 1 - p).statistic
    walk = np.sign(p - 0.5)[np.argsort(-np.abs(p - 0.5))].cumsum()
    assert np.abs(walk).max() / 60 == pytest.approx(distance)


def test_bias_and_spread_are_told_apart() -> None:
    random = np.random.default_rng(2)
    low, narrow, wide = random.beta(2, 1, 200), random.beta(0.5, 0.5, 200), random.beta(2, 2, 200)
    values = np.stack([low, narrow, wide], axis=1)
    found = Calibration(values, Space.of({"z": (3,)}), Labels())
    assert not found.bias["z[0]"].passed
    assert found.bias["z[0]"].direction == "too low"
    assert found.bias["z[1]"].passed
    assert found.spread["z[1]"].direction == "too narrow"
    assert not found.spread["z[1]"].passed
    assert found.spread["z[2]"].direction == "too wide"
    assert not found.spread["z[2]"].passed


def test_it_is_plotted_by_arviz() -> None:
    values = np.random.default_rng(1).random((50, 1))
    found = Calibration(values, Space.of({"z": ()}), Labels())
    assert found.plot(backend="none") is not None


def test_what_can_not_be_simulated_is_told() -> None:
    with pm.Model() as with_potential:
        x = pm.Normal("x")
        pm.Normal("y", x, 1.0, observed=0.0)
        pm.Potential("extra", -(x**2))
    with pytest.raises(errors.ModelError, match=r"Potential has no random draws \(extra\)"):
        taut.vsbc(with_potential)
    with pm.Model() as unobserved:
        pm.Normal("x")
    with pytest.raises(errors.ModelError, match="no observed variable"):
        taut.vsbc(unobserved)
    with pytest.raises(errors.ArgumentError, match="draws no data"):
        taut.vsbc(taut.as_target(unobserved))
    with pytest.raises(errors.ArgumentError, match="at least 10"):
        taut.vsbc(unobserved, 3)


def grouped(centred: bool) -> pm.Model:
    """Counts of twelve groups, whose effects have a scale."""
    with pm.Model() as model:
        level, scale = pm.Normal("level", 0.0, 1.0), pm.HalfNormal("scale", 1.0)
        if centred:
            effect = pm.Normal("effect", level, scale, shape=12)
        else:
            effect = level + scale * pm.Normal("unit", shape=12)
        pm.Poisson("y", pm.math.exp(effect[np.arange(36) // 3]), observed=np.zeros(36, int))
    return model


@pytest.mark.slow
@pytest.mark.parametrize("centred", [True, False])
def test_latents_that_are_integrated_out_are_calibrated(centred: bool) -> None:
    """By chance one of twenty such seeds fails.

    Twelve groups leave scales long tails, where weights alone do not judge all fits.
    """
    model = grouped(centred)
    found = taut.vsbc(model, 60, method="marginal", random_seed=1)
    assert found.trusted is not None
    assert found.trusted.mean() > 0.5
    assert found.passed
    assert "fits trusted" in repr(found)


def test_a_method_that_is_wrong_is_found_out() -> None:
    """Only the sum is told by the data, as above."""
    with pm.Model() as model:
        a, b = pm.Normal("a", 0.0, 1.0), pm.Normal("b", 0.0, 1.0)
        pm.Normal("y", a + b, 0.5, observed=np.zeros(1))
    narrow = taut.vsbc(model, 100, method="dadvi", random_seed=1)
    assert not narrow.spread["a"].passed
    right = taut.vsbc(model, 100, method="laplace", random_seed=1)
    assert right.passed
    with pytest.raises(errors.ArgumentError, match="none was given"):
        taut.vsbc(model, 100, n=1500)


def test_a_fit_by_steps_can_be_checked() -> None:
    found = taut.vsbc(independent(), 20, method="advi", n=300, random_seed=1)
    assert found.trusted is not None
    assert not found.trusted.any()


def test_a_method_is_shown_the_same_data_sets() -> None:
    """Draws of exact fits against the closed form of the fits of all at once."""
    model = independent()
    together = taut.vsbc(model, 30, steps=1000, random_seed=1).probabilities["mu"]
    alone = taut.vsbc(model, 30, method="laplace", random_seed=1).probabilities["mu"]
    # A thousand draws know a probability to .016.
    np.testing.assert_allclose(alone, together, atol=0.08)


def test_ctrl_c_ends_all_fits() -> None:
    seen: list[int] = []

    def press(_: object, losses: object, i: int) -> None:
        seen.append(i)
        if len(seen) == 30:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        taut.vsbc(independent(), 20, method="advi", n=20, callbacks=[press], random_seed=1)
    assert len(seen) == 30

"""The automatic fit: right without settings, or it says that it is not."""

import itertools
import warnings

import jax.numpy as jnp
import numpy as np
import pymc as pm
import pytest
from scipy.special import digamma, polygamma

import taut
from cases import regression
from taut.diagnose import Journal, Outcome
from taut.engine import Timing
from taut.errors import NotFiniteError
from taut.family import FullRank, Mixture, Particles
from taut.gaussian import DenseNormal
from taut.gradients import Gradients
from taut.method.gaussian_stages import DENSE, GaussianStages, is_flat
from taut.modes import Modes, is_apart
from taut.progress import INTERRUPTED
from taut.target import Space

pytestmark = pytest.mark.statistical


def auto(model: object, seed: int = 1, **how: object) -> taut.Approximation:
    return taut.fit(model=model, random_seed=seed, progressbar=False, **how)  # pyright: ignore[reportArgumentType]


def target_of(density: object, dim: int) -> taut.Target:
    return taut.Target(lambda z, data, batch: (density(z), 0.0), Space.of({"z": (dim,)}))  # pyright: ignore[reportCallIssue]


def distrusted(model: object, **how: object) -> taut.Approximation:
    """Fit what is not to be trusted, which is said at once."""
    with pytest.warns(UserWarning, match="^not trusted: "):
        return auto(model, **how)  # pyright: ignore[reportArgumentType]


def outcome(approx: taut.Approximation) -> Outcome | None:
    return approx.journal.outcome


def test_the_model_on_which_the_usual_default_fails() -> None:
    """Five observations around 8 with unit noise, and a flat prior: 8.0 ± 0.447."""
    with pm.Model() as model:
        mu = pm.Flat("mu")
        pm.Normal("y", mu, 1.0, observed=8.0 + np.array([-1.0, -0.5, 0.0, 0.5, 1.0]))
    approx = auto(model)
    sd = 5**-0.5
    assert float(approx.mean.eval()[0]) == pytest.approx(8.0, abs=0.05 * sd)
    assert float(approx.std.eval()[0]) == pytest.approx(sd, rel=0.05)
    assert approx.diagnose().trusted


@pytest.mark.parametrize("dim", [1, 30, 300])
def test_gaussians_are_found_exactly(dim: int) -> None:
    model = regression(dim, rows=2 * dim)
    approx = auto(model.target())
    assert isinstance(approx.family, FullRank)
    assert outcome(approx) is Outcome.EXACT
    std = np.sqrt(np.diag(model.posterior_cov))
    with approx.target.precision():
        assert np.max(np.abs(approx.family.mean() - model.posterior_mean) / std) < 1e-3
        np.testing.assert_allclose(approx.family.std() / std, 1.0, atol=1e-3)


@pytest.mark.parametrize("shape", [2.0, 4.0])
def test_a_skewed_posterior_gets_its_mean(shape: float) -> None:
    """The logarithm of a gamma variable; the Gaussian nearest to it is off by 0.1 sd in some fits.

    What is left is the noise of 1 000 draws, less what their gradients show: 0.01.
    """
    with pm.Model() as model:
        rate = pm.Gamma("rate", shape, 1.0)
        pm.Poisson("y", rate, observed=0)
    mean, std = digamma(shape) - np.log(2.0), np.sqrt(polygamma(1, shape))
    for seed in range(3):
        approx = auto(model, seed)
        assert outcome(approx) in (Outcome.CHECKED, Outcome.REPAIRED)
        assert float(approx.mean.eval()[0]) == pytest.approx(mean, abs=0.04 * std)


def test_many_skewed_unknowns_are_moved_to_their_means() -> None:
    """400 logarithms of gamma variables; their modes are 0.1 to 0.2 sd from their means.

    A dense Gaussian is not matched: that takes 10 000 gradients, moments two for each draw.
    """
    shapes = np.linspace(6.0, 30.0, 400)
    approx = auto(target_of(lambda z: jnp.sum(shapes * z - jnp.exp(z)), 400))
    assert outcome(approx) is Outcome.CHECKED
    assert not any(stage.name == "batch and match" for stage in approx.journal.stages)
    std = np.sqrt(polygamma(1, shapes))
    with approx.target.precision():
        away = (approx.family.mean() - digamma(shapes)) / std
        assert np.abs(away).max() < 0.1
        np.testing.assert_allclose(approx.family.std() / std, 1.0, atol=0.1)


def test_two_modes_get_their_masses() -> None:
    """0.8 and 0.2, six standard deviations apart and more."""

    def density(z):
        left = jnp.log(0.8) - 0.5 * jnp.sum((z + 4) ** 2)
        right = jnp.log(0.2) - 0.5 * jnp.sum((z - 4) ** 2)
        return jnp.logaddexp(left, right)

    # One start of eight is enough to see the lesser mode; over the seeds it may be missed.
    target = target_of(density, 2)
    found = [auto(target, seed) for seed in range(3)]
    both = [approx for approx in found if isinstance(approx.family, Mixture)]
    assert len(both) >= 1
    for approx in both:
        assert outcome(approx) is Outcome.MIXED
        assert approx.journal.modes == 2
        z = approx.unconstrained_draws(4000, random_seed=1)
        assert (z[:, 0] < 0).mean() == pytest.approx(0.8, abs=0.03)


def test_a_skewed_posterior_is_repaired_by_chains() -> None:
    """Log of a gamma variable of shape 1: mean -0.5772, variance pi²/6, far from Gaussian.

    Its draws are worth 300 at least: a mean is known to 0.074, a standard deviation to 6 %.
    """
    approx = auto(target_of(lambda z: jnp.sum(z - jnp.exp(z)), 3))
    assert isinstance(approx.family, Particles)
    assert outcome(approx) is Outcome.REPAIRED
    with approx.target.precision():
        np.testing.assert_allclose(approx.family.mean(), -np.euler_gamma, atol=0.15)
        np.testing.assert_allclose(approx.family.std(), np.pi / np.sqrt(6), rtol=0.12)
        # The three are alike: their averages are known better.
        assert float(approx.family.mean().mean()) == pytest.approx(-np.euler_gamma, abs=0.06)
        assert float(approx.family.std().mean()) == pytest.approx(np.pi / np.sqrt(6), rel=0.05)


@pytest.mark.parametrize("seed", [1, 2])
@pytest.mark.parametrize(("scale", "noise"), [(1.0, 0.5), (0.5, 1.0)])
def test_a_centred_hierarchy_is_right_and_trusted(scale: float, noise: float, seed: int) -> None:
    """The effects integrate out, so that quadrature knows their scale.

    Where the data say little of it there is a neck, which chains enter as if the model were written
    non-centred. Draws are worth 300 at least: a mean has a standard error of 0.06 standard
    deviations, four of which are allowed.
    """
    y = np.random.default_rng(2).normal(0.0, np.hypot(scale, noise), 20)
    with pm.Model() as model:
        tau = pm.HalfNormal("tau", 1.0)
        theta = pm.Normal("theta", 0.0, tau, shape=20)
        pm.Normal("y", theta, noise, observed=y)
    log_tau = np.linspace(-12.0, 2.0, 20_001)
    variance = noise**2 + np.exp(2.0 * log_tau)
    log_p = log_tau - 0.5 * (20 * np.log(variance) + (y @ y) / variance + np.exp(2.0 * log_tau))
    p = np.exp(log_p - log_p.max())
    mean = np.average(log_tau, weights=p)
    std = np.sqrt(np.average((log_tau - mean) ** 2, weights=p))
    approx = auto(model, seed)
    drawn = np.log(approx.sample(4000, random_seed=1)["posterior"]["tau"].to_numpy())
    assert approx.diagnose().trusted
    assert (drawn.mean() - mean) / std == pytest.approx(0.0, abs=0.25)
    assert np.log(drawn.std() / std) == pytest.approx(0.0, abs=0.25)


def test_a_curved_posterior_is_straightened() -> None:
    """A banana, exact by its construction; 600 effective draws as above, four standard errors."""

    def density(z):
        return -0.5 * (z[0] ** 2 + (z[1] - z[0] ** 2) ** 2 / 0.1)

    approx = auto(target_of(density, 2))
    assert outcome(approx) is Outcome.REPAIRED
    drawn = np.asarray(approx.family.histogram)  # pyright: ignore[reportAttributeAccessIssue]
    assert drawn[:, 0].mean() == pytest.approx(0.0, abs=0.16)
    assert drawn[:, 0].std() == pytest.approx(1.0, abs=0.12)
    assert drawn[:, 1].mean() == pytest.approx(1.0, abs=0.25)
    assert (drawn[:, 1] - drawn[:, 0] ** 2).std() == pytest.approx(np.sqrt(0.1), rel=0.12)


@pytest.mark.parametrize(
    ("elbos", "dim", "flat"),
    [
        ([-900.0, -589.3, -589.2, -589.0, -588.8, -588.7, -588.6, -588.7], 500, True),
        ([-900.0, -600.0, -590.0, -589.0, -580.0, -570.0, -565.0, -560.0], 500, False),
        # Falling is not flat.
        ([-600.0] * 4 + [-900.0] * 4, 500, False),
        # Too few to say, and too few dimensions.
        ([-600.0] * 7, 500, False),
        ([-600.0] * 8, 50, False),
    ],
)
def test_a_stage_is_enough_where_batches_gain_nothing(
    elbos: list[float], dim: int, *, flat: bool
) -> None:
    assert is_flat(elbos, dim) is flat


def test_a_funnel_is_right_or_not_trusted() -> None:
    """The neck has scale 3: exact chains would need far longer."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        approx = auto(target_of(funnel_density, 10))
    with approx.target.precision():
        mean, std = float(approx.family.mean()[0]), float(approx.family.std()[0])
    right = abs(mean) < 0.9 and abs(np.log(std / 3)) < 0.3
    report = approx.diagnose()
    assert right or not report.trusted
    assert report.trusted or report.verdict.advice


def funnel_density(z):
    """Neal's funnel: the first element has scale 3, the others exp of half of it."""
    return -0.5 * (z[0] / 3) ** 2 - 0.5 * jnp.sum(z[1:] ** 2) * jnp.exp(-z[0]) - 4.5 * z[0]


def along_the_funnel(v: float, dim: int = 10) -> DenseNormal:
    """A Gaussian that fits where the first element is near v."""
    mean, variances = np.zeros(dim), np.full(dim, np.exp(v))
    mean[0], variances[0] = v, 0.25
    return DenseNormal.of(mean, np.diag(variances))


def gradients_of(density: object, dim: int) -> Gradients:
    return Gradients(target_of(density, dim), Timing())


def test_gaussians_along_a_funnel_are_no_modes() -> None:
    """The density rises all the way into the neck."""
    places = along_the_funnel(-1.0), along_the_funnel(-4.0), along_the_funnel(-8.0)
    gradients = gradients_of(funnel_density, 10)
    assert is_apart(places[0], places[2])
    assert Modes(places, (0.0, 0.0, 0.0)).separate(gradients) == 1
    assert gradients.count <= 3 * 32


def test_modes_are_told_from_places_on_one_slope() -> None:
    """Two funnels side by side, in one of which two Gaussians were found, in any order."""

    def density(z):
        return jnp.logaddexp(funnel_density(z), funnel_density(z.at[1].add(-40.0)))

    beside = along_the_funnel(-4.0)
    beside = DenseNormal(beside.mean + 40.0 * np.eye(10)[1], beside.root)
    places = along_the_funnel(-4.0), beside, along_the_funnel(-8.0)
    for order in itertools.permutations(places):
        found = Modes(order, (0.0, 0.0, 0.0))
        assert found.separate(gradients_of(density, 10)) == 2


def test_where_the_density_is_not_finite_between_two_gaussians_they_are_modes() -> None:
    def density(z):
        return jnp.where(jnp.abs(z[0]) < 1.0, -jnp.inf, -0.5 * (jnp.abs(z[0]) - 5.0) ** 2)

    sides = tuple(DenseNormal.of(np.array([mean]), np.eye(1)) for mean in (-5.0, 5.0))
    assert Modes(sides, (0.0, 0.0)).separate(gradients_of(density, 1)) == 2


def test_a_funnel_of_which_two_parts_were_found_is_not_said_to_have_modes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Chains from both have not settled within the budget: it is not trusted, and says why."""
    parts = Modes((along_the_funnel(-1.0), along_the_funnel(-8.0)), (0.0, 0.0))
    monkeypatch.setattr(GaussianStages, "modes", lambda _: parts)
    approx = distrusted(target_of(funnel_density, 10))
    assert outcome(approx) is Outcome.UNEVEN
    text = str(approx.diagnose())
    assert text.startswith("not trusted: it has parts of very different scale")
    assert "nuts_start" in text
    assert "modes" not in text


def test_a_wide_gaussian_of_few_directions_is_found_exactly() -> None:
    """1 200 dimensions, two directions: a diagonal is off by less than half a nat for each."""
    rng = np.random.default_rng(0)
    scale, factor = np.exp(0.5 * rng.normal(size=1200)), rng.normal(size=(1200, 2))
    along = factor / scale[:, None]
    inner = np.linalg.inv(np.eye(2) + along.T @ along)

    def density(z):
        x = z / scale
        y = x @ along
        return -0.5 * (x @ x - y @ inner @ y)

    approx = auto(target_of(density, 1200))
    assert outcome(approx) is Outcome.EXACT
    with approx.target.precision():
        std = np.asarray(approx.family.std())
    np.testing.assert_allclose(std, np.sqrt(scale**2 + (factor**2).sum(axis=1)), rtol=1e-3)


def test_large_models_never_write_a_covariance_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """Above the limit all is linear in the dimension."""
    dim = DENSE + 200
    scale = np.exp(np.random.default_rng(0).normal(size=dim))
    approx = auto(target_of(lambda z: -0.5 * jnp.sum((z / scale) ** 2), dim), n=3000)
    assert not isinstance(approx.family, FullRank)
    with approx.target.precision():
        np.testing.assert_allclose(np.asarray(approx.family.std()) / scale, 1.0, atol=0.15)


class TestFaults:
    """The best so far, with a verdict that says what happened."""

    def test_a_density_that_is_nan_in_half_the_space(self) -> None:
        """The half normal: chains stay in their half, and no Gaussian does."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            approx = auto(target_of(lambda z: jnp.sum(-0.5 * z**2 + 0 * jnp.log(z)), 1))
        z = approx.unconstrained_draws(500, random_seed=1)
        report = approx.diagnose()
        assert (z > 0).mean() > 0.95 or not report.trusted
        assert np.isfinite(z).all()

    def test_a_flat_direction_is_not_trusted(self) -> None:
        approx = distrusted(target_of(lambda z: -0.5 * z[0] ** 2, 2), n=2000)
        assert not approx.diagnose().trusted

    def test_an_improper_posterior_is_not_trusted(self) -> None:
        with pm.Model() as model:
            x = pm.Flat("x")
            pm.Potential("rises", 2.0 * x)
        approx = distrusted(model, n=2000)
        assert not approx.diagnose().trusted

    def test_a_start_without_a_density_is_left_behind(self) -> None:
        """The density is zero around the start; other starts find the rest.

        It ends 2.5 standard deviations from the mode. Chains that run into that edge diverge, so
        that the fit is not trusted though it is right.
        """

        def density(z):
            return jnp.where(z[0] > 0.5, -0.5 * (z[0] - 3.0) ** 2, -jnp.inf)

        approx = distrusted(target_of(density, 1))
        with approx.target.precision():
            assert float(approx.family.mean()[0]) == pytest.approx(3.0, abs=0.1)

    def test_no_density_anywhere_is_an_error_that_says_so(self) -> None:
        with pytest.raises(NotFiniteError, match="start"):
            auto(target_of(lambda z: jnp.sum(z) * jnp.nan, 2))

    def test_no_rows_leave_the_prior(self) -> None:
        with pm.Model() as model:
            mu = pm.Normal("mu", 1.0, 2.0)
            pm.Normal("y", mu, 1.0, observed=np.empty(0))
        approx = auto(model)
        assert float(approx.mean.eval()[0]) == pytest.approx(1.0, abs=1e-3)
        assert float(approx.std.eval()[0]) == pytest.approx(2.0, abs=1e-3)

    def test_an_interrupt_between_stages_keeps_the_best_gaussian(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """Ctrl-C in the chains: batch and match is done, and its Gaussian is what is left."""

        def interrupted(*_: object) -> None:
            raise KeyboardInterrupt

        monkeypatch.setattr(Journal, "judge", interrupted)
        approx = distrusted(target_of(lambda z: jnp.sum(z - jnp.exp(z)), 3))
        assert isinstance(approx.family, FullRank)
        assert approx.stopped == INTERRUPTED
        assert [stage.name for stage in approx.journal.stages][-1] == "importance weights"
        assert outcome(approx) is Outcome.INTERRUPTED
        report = str(approx.diagnose(chains=False))
        assert "interrupted before it was checked" in report
        assert "interrupted, with the best of its stages" in report
        assert "nothing was fitted" not in report
        monkeypatch.undo()
        assert approx.diagnose(random_seed=1).check is not None

    def test_an_interrupt_of_a_repair_says_what_the_check_had_found(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def interrupted(*_: object) -> None:
            raise KeyboardInterrupt

        monkeypatch.setattr(Journal, "repair", interrupted)
        approx = distrusted(target_of(lambda z: jnp.sum(z - jnp.exp(z)), 3))
        assert approx.stopped == INTERRUPTED
        assert outcome(approx) is Outcome.MOVED
        assert "short chains from its draws move it; chains move a" in str(approx.diagnose())

    def test_no_time_leaves_what_there_is_and_says_so(self) -> None:
        """Less time than compilation takes: one stage is run to its end."""
        target = target_of(lambda z: jnp.sum(z - jnp.exp(z)), 3)
        approx = distrusted(target, max_seconds=1e-3)
        assert isinstance(approx.family, FullRank)
        assert approx.stopped is not None
        assert "s have passed" in approx.stopped
        report = approx.diagnose(chains=False)
        assert not report.trusted
        assert "diagnose" in report.verdict.advice


@pytest.mark.parametrize("seed", [1, 2])
def test_a_jump_is_right_and_said(seed: int) -> None:
    """A standard normal that is lower by 5 nats below 0: a half normal, nearly.

    Its draws are worth 300 at least: four standard errors are 0.23.
    """
    with pm.Model() as model:
        x = pm.Normal("x")
        pm.Potential("p", pm.math.switch(x > 0, 0.0, -5.0))
    right = 1 / (1 + np.exp(-5.0))
    mean = (2 * right - 1) * np.sqrt(2 / np.pi)
    approx = auto(model, seed)
    drawn = approx.sample(4000, random_seed=1)["posterior"]["x"].to_numpy()
    assert (drawn.mean() - mean) / np.sqrt(1 - mean**2) == pytest.approx(0.0, abs=0.23)
    assert np.log(drawn.std() / np.sqrt(1 - mean**2)) == pytest.approx(0.0, abs=0.16)
    report = approx.diagnose()
    assert report.trusted
    assert "jumps" in str(report)
    assert "switch" in str(report)


def test_one_program_serves_all_stages_and_one_the_trajectories_of_a_long_repair() -> None:
    target = target_of(lambda z: jnp.sum(z - jnp.exp(z)), 3)
    distrusted(target, n=3)
    assert target.programs.count == 1
    auto(target)
    assert target.programs.count == 2


def test_every_stage_is_written_down_with_its_cost() -> None:
    approx = auto(target_of(lambda z: jnp.sum(z - jnp.exp(z)), 3))
    names = [stage.name for stage in approx.journal.stages]
    assert names[:3] == ["quasi-Newton paths", "curvature at the mode", "batch and match"]
    assert names[3:5] == ["importance weights", "check by short chains"]
    assert all(stage.gradients > 0 and stage.seconds > 0 for stage in approx.journal.stages)
    assert approx.journal.starts[0] >= 6


def test_stages_compete_on_their_elbo() -> None:
    """The history never gets worse but for the noise of 512 draws."""
    hist = auto(regression(30, rows=60).target()).hist
    assert np.all(np.diff(hist) < 0.5)


def test_a_check_for_which_there_is_no_time_is_not_begun(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of rows on disk it would take long, and it does not look at the clock meanwhile."""
    monkeypatch.setattr("taut.method.verification.CHECK", 10**12)
    monkeypatch.setattr("taut.method.verification._PROMISING", 0.0)
    approx = distrusted(target_of(lambda z: jnp.sum(z - jnp.exp(z)), 3), max_seconds=60.0)
    assert outcome(approx) is Outcome.UNCHECKED
    assert isinstance(approx.family, FullRank)
    assert approx.journal.stages[-1].name == "batch and match"


def test_arguments_of_steps_make_it_advi() -> None:
    target = regression(2).target()
    stepping = taut.fit(30, model=target, obj_optimizer=taut.adam(), progressbar=False)
    assert stepping.method == "ADVI"
    assert len(stepping.hist) == 30


def test_a_model_that_draws_rows_is_fitted_on_all_of_them() -> None:
    model = regression(2, batch_rows=4)
    approx = auto(model.target())
    assert outcome(approx) is Outcome.EXACT
    with approx.target.precision():
        np.testing.assert_allclose(approx.family.mean(), model.posterior_mean, atol=1e-4)

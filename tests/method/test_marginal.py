"""Fits whose latents are integrated out are right, and everything a user does works on them."""

import numpy as np
import nutpie
import pymc as pm
import pytest
import scipy

import taut
from taut.diagnose import Outcome, Shifted, psis
from taut.errors import ModelError, NotFiniteError
from taut.method.marginal_weights import are_enough, latents_stay
from taut.structure import reader

GROUPS, EACH = 400, 5
RANDOM = np.random.default_rng(0)
G = np.repeat(np.arange(GROUPS), EACH)
Y = RANDOM.normal(1.0 + RANDOM.normal(0.0, 0.8, GROUPS)[G], 1.0)
BINARY = RANDOM.binomial(1, 1 / (1 + np.exp(-(RANDOM.normal(0.0, 1.0, GROUPS)[G] - 0.3))))


def normal_rows(*, centred: bool = True) -> pm.Model:
    with pm.Model(coords={"group": range(GROUPS)}) as model:
        mu, s = pm.Normal("mu", 0.0, 5.0), pm.HalfNormal("s", 2.0)
        if centred:
            a = pm.Normal("a", mu, s, dims="group")
        else:
            a = mu + s * pm.Normal("z", dims="group")
        pm.Normal("y", a[pm.Data("g", G)], 1.0, observed=Y)
    return model


def exact() -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Mean and sd of mu and log s, and of the groups' means, by the closed form on a grid."""
    by_group = Y.reshape(GROUPS, EACH).mean(1)
    mu, log_s = np.meshgrid(np.linspace(0.5, 1.6, 201), np.linspace(-0.8, 0.3, 201), indexing="ij")
    s = np.exp(log_s)
    spread = np.sqrt(s**2 + 1 / EACH)[..., None]
    log_p = scipy.stats.norm.logpdf(by_group, mu[..., None], spread).sum(-1)
    log_p += scipy.stats.norm.logpdf(mu, 0, 5) - 0.5 * (s / 2) ** 2 + log_s
    w = np.exp(log_p - log_p.max())
    w /= w.sum()
    both = np.stack([mu, log_s])
    mean = (w * both).sum((1, 2))
    sd = np.sqrt((w * both**2).sum((1, 2)) - mean**2)
    pull = (s**2 / (s**2 + 1 / EACH))[..., None]
    of_group = mu[..., None] + pull * (by_group - mu[..., None])
    first = (w[..., None] * of_group).sum((0, 1))
    second = (w[..., None] * (of_group**2 + pull / EACH)).sum((0, 1))
    return mean, sd, first, np.sqrt(second - first**2)


@pytest.fixture(scope="module")
def approx() -> taut.Approximation:
    return taut.fit(method="marginal", model=normal_rows(), random_seed=1, progressbar=False)


def test_all_moments_are_those_of_the_closed_form(approx: taut.Approximation) -> None:
    mean, sd, of_group, sd_of_group = exact()
    found, spread = approx.mean.eval(), approx.std.eval()
    # 64 balanced draws know means to 0.02 sd; verdicts need 0.1.
    assert np.abs((found[:2] - mean) / sd).max() < 0.05
    assert np.abs(np.log(spread[:2] / sd)).max() < 0.05
    assert np.abs((found[2:] - of_group) / sd_of_group).max() < 0.05
    assert np.abs(np.log(spread[2:] / sd_of_group)).max() < 0.05


def test_it_is_trusted_and_says_why(approx: taut.Approximation) -> None:
    report = approx.diagnose()
    assert report.trusted
    assert approx.journal.outcome is Outcome.INTEGRATED
    assert "400 groups of 1 (a), independent of each other" in str(report)


def test_a_model_that_is_not_centred_comes_out_the_same(approx: taut.Approximation) -> None:
    other = taut.fit(
        method="marginal", model=normal_rows(centred=False), random_seed=1, progressbar=False
    )
    np.testing.assert_allclose(other.mean.eval()[:2], approx.mean.eval()[:2], atol=2e-3)
    np.testing.assert_allclose(other.std.eval()[:2], approx.std.eval()[:2], rtol=0.05)


def test_the_same_seed_gives_the_same_fit(approx: taut.Approximation) -> None:
    again = taut.fit(method="marginal", model=normal_rows(), random_seed=1, progressbar=False)
    np.testing.assert_array_equal(again.mean.eval(), approx.mean.eval())
    one, other = (fit.sample(10, random_seed=1)["posterior"] for fit in (approx, again))
    np.testing.assert_array_equal(one["a"], other["a"])


def test_draws_have_the_moments_and_the_dims(approx: taut.Approximation) -> None:
    posterior = approx.sample(4000, random_seed=1)["posterior"]
    assert posterior["a"].dims == ("chain", "draw", "group")
    draws = posterior["a"].values[0]
    std = approx.std.eval()[2:]
    # Of 4 000 draws and 400 groups: the largest of as many errors, of 1/63 each, is below 4.5.
    assert np.abs((draws.mean(0) - approx.mean.eval()[2:]) / std).max() < 4.5 / np.sqrt(4000)
    assert np.abs(np.log(draws.std(0) / std)).max() < 4.5 / np.sqrt(8000)


def test_expressions_and_log_likelihoods_work(approx: taut.Approximation) -> None:
    a = approx.model["a"]
    assert approx.sample_node(a[0] - a[1], 50).eval().shape == (50,)
    likelihood = approx.log_likelihood(20, random_seed=1)["log_likelihood"]["y"]
    assert likelihood.shape == (1, 20, GROUPS * EACH)


def test_binary_rows_are_those_of_long_chains_in_other_coordinates() -> None:
    """Against the automatic method's chains on the globals, with latents summed out on a grid."""
    with pm.Model() as model:
        mu, s = pm.Normal("mu", 0.0, 2.0), pm.HalfNormal("s", 1.0)
        a = pm.Normal("a", 0.0, s, shape=GROUPS)
        pm.Bernoulli("y", logit_p=mu + a[G], observed=BINARY)
    approx = taut.fit(model=model, random_seed=1, progressbar=False)
    assert approx.journal.outcome is Outcome.INTEGRATED
    mean, sd = _binary_exact()
    draws = approx.sample(8000, random_seed=1)["posterior"]
    found = np.stack([draws["mu"].values[0], np.log(draws["s"].values[0])])
    # 8 000 draws know a mean to 0.011 sd, and 64 balanced ones the fit's to 0.02.
    assert np.abs((found.mean(1) - mean) / sd).max() < 0.07
    assert np.abs(np.log(found.std(1) / sd)).max() < 0.07


def _binary_exact() -> tuple[np.ndarray, np.ndarray]:
    """Mean and sd of mu and log s: successes of each group are summed over a grid of latents."""
    successes = np.bincount(BINARY.reshape(GROUPS, EACH).sum(1), minlength=EACH + 1)
    x = np.linspace(-8, 8, 321)
    weight = scipy.stats.norm.pdf(x) * (x[1] - x[0])
    mu, log_s = np.meshgrid(np.linspace(-1, 0.5, 121), np.linspace(-1.0, 0.8, 121), indexing="ij")
    p = scipy.special.expit(mu[..., None] + np.exp(log_s)[..., None] * x)
    log_p = scipy.stats.norm.logpdf(mu, 0, 2) - 0.5 * np.exp(2 * log_s) + log_s
    for k, groups in enumerate(successes):
        log_p += groups * np.log((p**k * (1 - p) ** (EACH - k)) @ weight)
    w = np.exp(log_p - log_p.max())
    w /= w.sum()
    both = np.stack([mu, log_s])
    mean = (w * both).sum((1, 2))
    return mean, np.sqrt((w * both**2).sum((1, 2)) - mean**2)


def test_a_model_without_structure_is_refused_in_words() -> None:
    with pm.Model() as model:
        pm.Normal("x", shape=3)
    with pytest.raises(ModelError, match="no groups, no chain and no field were found"):
        taut.fit(method="marginal", model=model, progressbar=False)


def counts_of_a_random_walk() -> tuple[pm.Model, np.ndarray]:
    steps, random = 60, np.random.default_rng(0)
    y = random.poisson(np.exp(np.cumsum(0.4 * random.normal(size=steps)) - 1.5))
    with pm.Model() as model:
        s = pm.HalfNormal("s", 1.0)
        walk = pm.GaussianRandomWalk("x", 0.0, s, init_dist=pm.Normal.dist(0.0, 2.0), shape=steps)
        pm.Poisson("y", pm.math.exp(walk), observed=y)
    return model, y


@pytest.mark.parametrize("is_chain", [True, False])
def test_counts_of_a_random_walk_are_those_of_a_filter(
    is_chain: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Latents that are not normal, read as a chain or as a field of any pattern."""
    if not is_chain:
        monkeypatch.setattr(reader, "find_chain", lambda *_: None)
    model, y = counts_of_a_random_walk()
    approx = taut.fit(method="marginal", model=model, random_seed=1, progressbar=False)
    assert approx.journal.outcome is Outcome.INTEGRATED
    mean, sd, last, sd_of_last = _filtered(y)
    draws = approx.sample(8000, random_seed=1)["posterior"]
    log_s, end = np.log(draws["s"].values[0]), draws["x"].values[0, :, -1]
    # 300 effective draws of the weights know a mean to 0.06 sd, and a log sd to 0.04.
    assert abs(log_s.mean() - mean) / sd < 0.15
    assert abs(np.log(log_s.std() / sd)) < 0.15
    assert abs(end.mean() - last) / sd_of_last < 0.15
    assert abs(np.log(end.std() / sd_of_last)) < 0.15


def test_latents_that_were_not_looked_at_are_not_trusted() -> None:
    """Weights of the globals say nothing of what latents have that no Gaussian has."""
    nothing, noise, std = np.zeros(2), np.full(2, 0.01), np.ones(2)
    random = np.random.default_rng(0)
    weights, theta = psis(0.3 * random.normal(size=2000)), random.normal(size=(2000, 1))
    assert are_enough(weights, theta)
    assert latents_stay(Shifted(nothing, noise, nothing, noise, std))
    unknown = np.array([0.01, np.inf])
    assert not latents_stay(Shifted(nothing, unknown, nothing, noise, std))
    assert not latents_stay(Shifted(nothing, noise, nothing, unknown, std))


def test_cumulants_that_are_not_enough_are_not_trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    """So few latents are far from normal, and the series by far too short, if it is taken."""
    monkeypatch.setattr("taut.marginal.importance._EVEN", 0.0)
    model, _ = counts_of_a_random_walk()
    with pytest.warns(UserWarning, match="the next term of the series for the latents moves a"):
        approx = taut.fit(method="marginal", model=model, random_seed=1, progressbar=False)
    assert approx.journal.outcome is Outcome.NOT_CONFIRMED


def _filtered(y: np.ndarray) -> tuple[float, float, float, float]:
    """Mean and sd of log s and of the last step, by a filter on a grid of levels."""
    x = np.linspace(-9.0, 7.0, 533)
    log_s = np.linspace(-7.0, 0.8, 99)
    rows = scipy.stats.poisson.pmf(y[:, None], np.exp(x))
    evidence, ends = np.empty(len(log_s)), np.empty((len(log_s), len(x)))
    for i, s in enumerate(np.exp(log_s)):
        moves = scipy.stats.norm.pdf(x[:, None], x, s)
        moves /= moves.sum(axis=0)
        state = scipy.stats.norm.pdf(x, 0.0, 2.0) * rows[0]
        log_evidence = 0.0
        for row in rows[1:]:
            log_evidence += np.log(state.sum())
            state = (moves @ (state / state.sum())) * row
        evidence[i] = log_evidence + np.log(state.sum()) - 0.5 * s**2 + log_s[i]
        ends[i] = state / state.sum()
    w = np.exp(evidence - evidence.max())
    w /= w.sum()
    mean, of_last = w @ log_s, w @ ends
    last = of_last @ x
    spread = np.sqrt(w @ (log_s - mean) ** 2), np.sqrt(of_last @ (x - last) ** 2)
    return float(mean), float(spread[0]), float(last), float(spread[1])


def test_binary_rows_of_crossed_factors_are_judged_by_points() -> None:
    """Their latents are not normal; another way of writing the model has to come out the same."""
    groups, few, random = 150, 45, np.random.default_rng(0)
    g, h = np.repeat(np.arange(groups), EACH), np.arange(groups * EACH) % few
    effects = random.normal(size=groups)[g] + random.normal(size=few)[h]
    y = random.binomial(1, 1 / (1 + np.exp(-effects)))
    found = []
    for centred in (True, False):
        with pm.Model() as model:
            s, t = pm.HalfNormal("s"), pm.HalfNormal("t")
            a = pm.Normal("a", 0.0, s if centred else 1.0, shape=groups)
            b = pm.Normal("b", 0.0, t if centred else 1.0, shape=few)
            eta = a[g] + b[h] if centred else s * a[g] + t * b[h]
            pm.Bernoulli("y", logit_p=eta, observed=y)
        approx = taut.fit(method="marginal", model=model, random_seed=1, progressbar=False)
        assert approx.journal.outcome is Outcome.INTEGRATED
        draws = approx.sample(4000, random_seed=1)["posterior"]
        found.append(np.log([draws[name].values[0] for name in ("s", "t")]))
    one, other = found
    sd = one.std(axis=1)
    # Each knows a mean to 0.06 sd.
    assert np.abs((one.mean(axis=1) - other.mean(axis=1)) / sd).max() < 0.25
    assert np.abs(np.log(other.std(axis=1) / sd)).max() < 0.2


def test_one_global_unknown_is_enough() -> None:
    with pm.Model() as model:
        a = pm.Normal("a", 0.0, pm.HalfNormal("s", 2.0), shape=GROUPS)
        pm.Normal("y", a[G], 1.0, observed=Y)
    approx = taut.fit(method="marginal", model=model, random_seed=1, progressbar=False)
    assert approx.diagnose().trusted


@pytest.mark.filterwarnings("ignore:not trusted")
def test_latents_of_two_modes_are_not_trusted() -> None:
    """Their squares are seen: each group's latent may as well be negative."""
    rows = RANDOM.normal(RANDOM.normal(3.0, 0.5, GROUPS)[G] ** 2, 1.0)
    with pm.Model() as model:
        a = pm.Normal("a", 0.0, pm.HalfNormal("s", 3.0), shape=GROUPS)
        pm.Normal("y", a[G] ** 2, pm.HalfNormal("r", 1.0), observed=rows)
    start = {"a": np.full(GROUPS, 2.0)}
    approx = taut.fit(method="marginal", model=model, start=start, random_seed=1, progressbar=False)
    assert approx.journal.outcome is Outcome.NOT_CONFIRMED
    assert "from elsewhere" in str(approx.journal.verdict)


@pytest.mark.filterwarnings("ignore:not trusted")
def test_globals_of_two_modes_are_not_trusted() -> None:
    """The sign of the slope of the latents' mean is not known."""
    x = RANDOM.normal(size=GROUPS)
    rows = RANDOM.normal((2.0 * x + RANDOM.normal(size=GROUPS))[G], 1.0)
    with pm.Model() as model:
        w = pm.Normal("w", 0.0, 3.0)
        a = pm.Normal("a", w**2 * x, pm.HalfNormal("s", 1.0), shape=GROUPS)
        pm.Normal("y", a[G], 1.0, observed=rows)
    approx = taut.fit(
        method="marginal", model=model, start={"w": 1.0}, random_seed=3, progressbar=False
    )
    assert approx.journal.outcome is Outcome.NOT_CONFIRMED
    assert "another mode of the globals" in str(approx.journal.verdict)


def test_the_other_stages_draw_what_they_drew_where_there_is_no_structure(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    random = np.random.default_rng(0)
    x, y = random.normal(size=(40, 301)), random.normal(size=40)
    with pm.Model() as model:
        pm.Normal("y", x @ pm.Normal("b", 0.0, 0.1, shape=301), 1.0, observed=y)
    fits = []
    for above in (300, 1000):
        monkeypatch.setattr("taut.method.auto._STRUCTURED", above)
        fits.append(taut.fit(model=model, random_seed=1, progressbar=False))
    np.testing.assert_array_equal(fits[0].mean.eval(), fits[1].mean.eval())


@pytest.mark.filterwarnings("ignore:not trusted")
def test_no_time_leaves_something() -> None:
    approx = taut.fit(
        method="marginal", model=normal_rows(), max_seconds=1e-3, random_seed=1, progressbar=False
    )
    assert "have passed" in str(approx.stopped)
    assert approx.sample(5)["posterior"].sizes["draw"] == 5


def test_what_else_a_user_does_works(approx: taut.Approximation, tmp_path: object) -> None:
    assert np.isfinite(float(approx.elbo(50, random_seed=1)))
    weighed = approx.sample(20, importance="psis", random_seed=1)
    assert weighed["posterior"].sizes["draw"] == 20
    start = approx.nuts_start(2, random_seed=1)
    assert len(start.points) == 2
    assert "latents given globals" in repr(start)
    file = tmp_path / "kept.fit"
    approx.save(file)
    again = taut.load(file, model=normal_rows())
    assert again.diagnose().trusted
    one, other = (fit.sample(10, random_seed=1)["posterior"] for fit in (approx, again))
    np.testing.assert_array_equal(one["a"], other["a"])


def test_nutpie_goes_on_with_latents_given_globals(approx: taut.Approximation) -> None:
    """600 draws know a mean to 0.06 sd and a spread to 0.04; some three times that are allowed."""
    compiled = approx.nuts_start(2, random_seed=1).nutpie_model()
    trace = nutpie.sample(compiled, draws=300, tune=200, chains=2, seed=1, progress_bar=False)
    posterior = trace["posterior"]
    mean, sd, of_group, sd_of_group = exact()
    for x, m, s in zip((posterior["mu"], np.log(posterior["s"])), mean, sd, strict=True):
        assert abs(float(x.mean()) - m) < 0.2 * s
        assert float(x.std()) == pytest.approx(s, rel=0.15)
    groups = posterior["a"].values.reshape(-1, GROUPS)
    np.testing.assert_allclose(groups.mean(axis=0), of_group, atol=0.25 * sd_of_group.max())
    np.testing.assert_allclose(groups.std(axis=0), sd_of_group, rtol=0.2)
    assert posterior["a"].dims == ("chain", "draw", "group")


def test_models_with_angles_are_refused_in_words() -> None:
    with pm.Model() as model:
        a = pm.Normal("a", pm.VonMises("angle", 0.0, 2.0), pm.HalfNormal("s"), shape=GROUPS)
        pm.Normal("y", a[G], 1.0, observed=Y)
    with pytest.raises(ModelError, match="angles"):
        taut.fit(method="marginal", model=model, progressbar=False)


def test_the_automatic_fit_goes_on_where_the_marginal_density_is_not_finite(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*_: object) -> None:
        raise NotFiniteError("It is not finite.")

    monkeypatch.setattr("taut.method.marginal_stages.climb", refuse)
    approx = taut.fit(model=normal_rows(centred=False), random_seed=1, progressbar=False)
    assert approx.journal.outcome is not Outcome.INTEGRATED
    assert approx.diagnose().trusted


def test_products_of_latents_are_left_to_chains_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Item response: no Gaussian is near abilities times slopes, which one look tells."""
    persons, items, random = 250, 25, np.random.default_rng(1)
    skill, slope = random.normal(size=persons), np.exp(0.3 * random.normal(size=items))
    hard, shape = random.normal(size=items), (persons, items)
    right = random.binomial(1, 1 / (1 + np.exp(-slope * (skill[:, None] - hard))))
    who, what = (one.ravel() for one in np.indices(shape))
    with pm.Model() as model:
        theta = pm.Normal("theta", 0.0, 1.0, shape=persons)
        b = pm.Normal("b", 0.0, pm.HalfNormal("sb", 2.0), shape=items)
        a = pm.LogNormal("a", 0.0, pm.HalfNormal("sa", 1.0), shape=items)
        pm.Bernoulli("y", logit_p=a[what] * (theta[who] - b[what]), observed=right.ravel())

    def refuse(*_: object) -> None:
        pytest.fail("the marginal density was climbed")

    monkeypatch.setattr("taut.method.marginal_stages.climb", refuse)
    approx = taut.fit(model=model, random_seed=1, progressbar=False)
    assert approx.journal.outcome is not Outcome.INTEGRATED
    assert not any("integrated out" in stage.name for stage in approx.journal.stages)

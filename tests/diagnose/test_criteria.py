"""Each number that decides trust: what lies just inside of it passes, what lies just outside not.

Every test names what the user is told: the criterion, its figure, its bound, and the variable.
"""

import dataclasses

import numpy as np
import pytest

from taut.diagnose import ChainCheck, Criteria, Finding, Moments, Outcome, failed, is_enough, weigh
from taut.diagnose.repair import outcome_of
from taut.diagnose.shift import of_chains, shift_of
from taut.gaussian import Weights
from taut.method.gaussian_stages import is_exact
from taut.method.verification import is_mixed
from taut.target import Space

from .windows import ONE, drawn, window

ZERO = np.zeros(1)
# Operations of a gradient.
CHEAP, DEAR = 1e3, 1e6


def moved(
    mean: float = 0.0, log_sd: float = 0.0, noise: float = 0.0, log_noise: float = 0.0
) -> ChainCheck:
    figures = (np.array([figure]) for figure in (mean, log_sd, noise, log_noise))
    return ChainCheck(*figures, window())


def wrong(findings: tuple[Finding, ...]) -> list[str]:
    return [finding.criterion for finding in failed(findings)]


@pytest.mark.parametrize("sign", [-1.0, 1.0])
@pytest.mark.parametrize(
    ("shifts", "criterion"),
    [({"mean": 0.095}, None), ({"mean": 0.105}, "mean_shift"),
     ({"log_sd": 0.095}, None), ({"log_sd": 0.105}, "log_sd_shift")],
)  # fmt: skip
def test_a_shift_of_a_tenth_is_too_much(
    shifts: dict[str, float], criterion: str | None, sign: float
) -> None:
    found = moved(**{name: sign * shift for name, shift in shifts.items()}).of_approximation(ONE)
    assert wrong(found) == ([] if criterion is None else [criterion])
    if criterion is not None:
        [words] = [str(finding) for finding in failed(found)]
        assert words.startswith("chains move a ")
        assert words.endswith(
            "by 0.10 sd (bound 0.10), x" if "mean" in shifts else "by 0.10 (bound 0.10), x"
        )


@pytest.mark.parametrize(("errors", "passed"), [(3.3, True), (3.7, False)])
@pytest.mark.parametrize("which", ["mean", "log_sd"])
def test_a_shift_of_three_and_a_half_standard_errors_is_noise(
    which: str, errors: float, *, passed: bool
) -> None:
    noise = {"mean": "noise", "log_sd": "log_noise"}[which]
    found = moved(**{which: 0.05 * errors, noise: 0.05})
    assert (not failed(found.moves(ONE))) is passed
    assert found.may_be_noise(ONE) is passed


def test_no_noise_excuses_a_large_shift() -> None:
    assert failed(moved(0.31, noise=1.0).moves(ONE))
    assert moved(0.31, noise=1.0).may_be_noise(ONE)


def rounds(mean: float = 0.0, log_sd: float = 0.0, **how: float) -> ChainCheck:
    figures = (np.array([figure]) for figure in (mean, log_sd, 0.0, 0.0))
    return ChainCheck(*figures, window(**how))  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize(
    ("shifts", "passed"),
    [
        ({"mean": 0.19}, True),
        ({"mean": 0.21}, False),
        ({"log_sd": -0.19}, True),
        ({"log_sd": -0.21}, False),
    ],
)
def test_rounds_of_a_repair_may_differ_by_a_fifth(
    shifts: dict[str, float], *, passed: bool
) -> None:
    assert wrong(rounds(**shifts).of_repair(ONE)) == ([] if passed else ["settled_shift"])


@pytest.mark.parametrize(("moves", "passed"), [(0.19, True), (0.21, False)])
def test_gradients_may_move_draws_that_do_not_fit_by_a_fifth(moves: float, *, passed: bool) -> None:
    """They do not fit where chains creep. Of a density that is known to jump they say nothing."""
    creeping = window(moves=moves)
    assert wrong(of_chains(creeping, ONE, may_jump=False)) == ([] if passed else ["settled_shift"])
    assert wrong(of_chains(creeping, ONE, may_jump=True)) == []


_WORTH = "each chain is worth 2.2 independent draws (bound 2.3), x"
_DIVERGE = "0.21% of transitions diverge (bound 0.2%), near x small"
_STUCK = "{}% of chains accept less than 5% of proposals (bound 5%)"


@pytest.mark.parametrize(
    ("how", "criterion", "words"),
    [
        ({"draws_each": 2.4}, None, ""),
        ({"draws_each": 2.2}, "draws_each", _WORTH),
        ({"divergent": 0.0019}, None, ""),
        ({"divergent": 0.0021}, "divergent", _DIVERGE),
        ({"stuck": 0.047, "acceptance": 0.04}, None, ""),
        ({"stuck": 0.0626, "acceptance": 0.04}, "stuck", _STUCK.format(6)),
        ({"stuck": 0.0626, "acceptance": 0.06}, None, ""),
        ({"stuck": 0.5, "acceptance": 0.026}, "stuck", _STUCK.format(50)),
    ],
)
def test_chains_have_to_agree(how: dict[str, float], criterion: str | None, words: str) -> None:
    found = of_chains(window(**how), ONE, may_jump=False)  # pyright: ignore[reportArgumentType]
    assert wrong(found) == ([] if criterion is None else [criterion])
    assert [str(finding) for finding in failed(found)] == ([] if criterion is None else [words])


def test_transitions_that_leave_a_support_with_an_edge_do_not_diverge() -> None:
    """Of a density that is not known to have one they may have met an overflow."""
    leaving = window(left=0.1, divergent=0.001)
    assert wrong(of_chains(leaving, ONE, may_jump=False)) == ["divergent"]
    assert wrong(of_chains(leaving, ONE, may_jump=True)) == []
    assert wrong(of_chains(window(divergent=0.003), ONE, may_jump=True)) == ["divergent"]


@pytest.mark.parametrize(("effective", "passed"), [(310.0, True), (290.0, False)])
def test_draws_of_a_repair_are_worth_three_hundred(effective: float, *, passed: bool) -> None:
    found = rounds(effective=effective)
    assert wrong(found.of_repair(ONE)) == ([] if passed else ["effective"])
    outcome, _ = outcome_of(found, window(), ONE)
    assert outcome is (Outcome.REPAIRED if passed else Outcome.UNSETTLED)


@pytest.mark.parametrize(("effective", "passed"), [(155.0, True), (145.0, False)])
def test_their_spread_is_worth_that_of_a_hundred_and_fifty(
    effective: float, *, passed: bool
) -> None:
    found = rounds(effective_spread=effective)
    assert wrong(found.of_repair(ONE)) == ([] if passed else ["effective_spread"])


@pytest.mark.parametrize(("effective", "enough"), [(1250.0, True), (1150.0, False)])
def test_tails_are_heavy_only_after_four_times_as_many_draws(
    effective: float, *, enough: bool
) -> None:
    tailed = np.random.default_rng(1).standard_t(2.0, size=drawn().shape)
    heavy = window(tailed, effective=effective, effective_spread=100.0)
    assert is_enough(Outcome.HEAVY, heavy, DEAR) is enough
    assert not is_enough(Outcome.HEAVY, window(effective=effective), DEAR)
    assert is_enough(Outcome.REPAIRED, window(effective=effective), DEAR)
    assert not is_enough(Outcome.UNSETTLED, window(effective=effective), DEAR)


def test_tails_are_not_said_to_be_heavy_where_chains_are_slow() -> None:
    """As many independent draws of a Gaussian would tell its spread well."""
    assert not is_enough(Outcome.HEAVY, window(effective=5_000.0, effective_spread=100.0), DEAR)


def test_the_fourth_moment_says_what_independent_draws_would_tell_of_a_spread() -> None:
    """The variance of a log standard deviation is (kurtosis - 1) / 4n: 6 is that of Laplace's."""
    random = np.random.default_rng(1)
    normal, laplace = random.normal(size=(400, 64, 1)), random.laplace(size=(400, 64, 1))
    for draws, share in ((normal, 1.0), (laplace, 2.0 / 5.0)):
        found = window(draws, effective=500.0)
        np.testing.assert_allclose(found.spread_of_independent, 500.0 * share, rtol=0.1)


def test_a_repair_goes_on_for_precision_where_gradients_are_cheap() -> None:
    """3 840 independent draws tell a mean to 0.016 sd, 640 to 0.04."""
    few = window(drawn()[:10])
    assert is_enough(Outcome.REPAIRED, window(), CHEAP)
    assert not is_enough(Outcome.REPAIRED, few, CHEAP)
    assert is_enough(Outcome.REPAIRED, few, DEAR)
    # 1 920 draws tell a mean to 0.023 sd, but of tails too little.
    assert not is_enough(Outcome.REPAIRED, window(drawn()[:30]), CHEAP)
    assert not is_enough(Outcome.REPAIRED, window(effective=500.0), CHEAP)
    assert is_enough(Outcome.REPAIRED, window(effective=500.0), DEAR)
    assert not is_enough(Outcome.REPAIRED, window(effective=350.0), DEAR)


def weights_of(divergence: float) -> Weights:
    """Log weights that are normal: the divergence is half their variance."""
    logs = np.sqrt(2.0 * divergence) * np.random.default_rng(1).normal(size=100_000)
    return Weights(logs - logs.mean())


@pytest.mark.parametrize(("divergence", "exact"), [(0.0045, True), (0.0055, False)])
def test_a_gaussian_is_exact_within_five_thousandths_of_a_nat(
    divergence: float, *, exact: bool
) -> None:
    assert is_exact(weights_of(divergence)) is exact


@pytest.mark.parametrize(("divergence", "mixed"), [(0.018, True), (0.022, False)])
def test_a_mixture_has_the_shape_within_two_hundredths_of_a_nat(
    divergence: float, *, mixed: bool
) -> None:
    assert is_mixed(weights_of(divergence)) is mixed


def weighed(log_ratios: np.ndarray, z: np.ndarray | None = None):
    z = np.random.default_rng(2).normal(size=(len(log_ratios), 1)) if z is None else z
    return weigh(z, log_ratios, Moments.known(ZERO, np.ones(1)))


@pytest.mark.parametrize(("shape", "reliable"), [(0.42, True), (0.58, False)])
def test_weights_judge_where_k_hat_is_under_a_half(shape: float, *, reliable: bool) -> None:
    """Weights with a tail of this shape: 40 000 of them tell it to 0.04. Most are effective."""
    uniform = np.random.default_rng(3).random(40_000)
    found = weighed(np.log(10.0 + uniform**-shape))
    assert found is not None
    assert found.weights.ess > 0.6 * 40_000
    assert found.is_reliable is reliable


@pytest.mark.parametrize(("share", "reliable"), [(0.55, True), (0.45, False)])
def test_weights_judge_where_half_of_the_draws_are_effective(
    share: float, *, reliable: bool
) -> None:
    """Some draws have no density, the others all the same: k-hat says nothing."""
    logs = np.where(np.arange(40_000) < share * 40_000, 0.0, -50.0)
    found = weighed(logs)
    assert found is not None
    assert found.weights.khat < 0.5
    assert found.is_reliable is reliable


@pytest.mark.parametrize(("draws", "reliable"), [(2000, True), (500, False)])
def test_weights_judge_where_they_are_many_enough(draws: int, *, reliable: bool) -> None:
    """With 500 draws three and a half standard errors of a mean are 0.16."""
    found = weighed(np.zeros(draws))
    assert found is not None
    assert found.is_reliable is reliable


@pytest.mark.parametrize(
    ("mean", "sd", "criterion"),
    [
        (0.09, 1.0, None),
        (0.11, 1.0, "mean_shift"),
        (0.0, np.exp(-0.09), None),
        (0.0, np.exp(-0.11), "log_sd_shift"),
    ],
)
def test_weights_that_move_a_marginal_by_a_tenth_move_too_much(
    mean: float, sd: float, criterion: str | None
) -> None:
    """400 000 draws of a standard Gaussian, weighed for another: an error of 0.002."""
    z = np.random.default_rng(4).normal(size=(400_000, 1))
    found = weighed(0.5 * z[:, 0] ** 2 - 0.5 * ((z[:, 0] - mean) / sd) ** 2, z)
    assert found is not None
    assert found.is_reliable
    assert wrong(found.findings(Space.of({"x": ()}))) == ([] if criterion is None else [criterion])


def test_no_weights_can_be_made_where_no_density_is_finite() -> None:
    assert weighed(np.full(2000, -np.inf)) is None
    assert weighed(np.full(2000, np.nan)) is None


def test_the_noise_of_draws_is_no_shift() -> None:
    """Moments of 500 draws: a mean of 0.12 is three of their standard errors."""
    few, exact = Moments.of(drawn(3).reshape(-1, 1)[:500]), Moments.known(ZERO, np.ones(1))
    assert few.noise[0] == pytest.approx(500**-0.5, rel=0.1)
    assert few.log_std_noise[0] == pytest.approx(1000**-0.5, rel=0.2)
    after = window(drawn(4) + 0.12 + few.mean - few.mean[0])
    beside = Moments(few.mean, np.ones(1), few.noise, few.log_std_noise)
    after = window(drawn(4) + few.mean[0] + 0.12)
    assert not failed(shift_of(beside, after).moves(ONE))
    assert failed(shift_of(exact, window(drawn(4) + 0.12)).moves(ONE))


def test_the_page_prints_what_the_class_says() -> None:
    """Every field is documented, and can not be changed by accident."""
    documented = Criteria.__doc__ or ""
    for field in dataclasses.fields(Criteria):
        assert field.name in documented
    with pytest.raises(dataclasses.FrozenInstanceError):
        Criteria().divergent = 1.0  # pyright: ignore[reportAttributeAccessIssue]

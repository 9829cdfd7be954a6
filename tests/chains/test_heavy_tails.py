"""Heavy tails are found where they are, and lighter in the coordinates that are learnt of them."""

import numpy as np
import pytest

from taut.chains import Chains, Linear
from taut.chains.heavy_tails import lighten
from taut.gaussian import ScaledLowRankNormal

from .plain import Plain

pytestmark = pytest.mark.statistical

DRAWS, CHAINS = 40, 64


@pytest.mark.parametrize("seed", range(5))
def test_a_gaussian_has_none(seed: int) -> None:
    x = np.random.default_rng(seed).normal(size=(DRAWS * CHAINS, 60))
    assert lighten(x, np.full(60, float(len(x)))) is None


def test_few_draws_do_not_show_what_many_do() -> None:
    """With 8 degrees of freedom kurtosis is 1.5 above a Gaussian's; noise of 100 draws is 0.5."""
    x = np.random.default_rng(1).standard_t(8.0, size=(DRAWS * CHAINS, 1))
    assert lighten(x, np.array([float(len(x))])) is not None
    assert lighten(x, np.array([100.0])) is None


def test_those_of_a_t_distribution_become_nearly_a_gaussians() -> None:
    """The kurtosis of one with 3 degrees of freedom is infinite, a Gaussian's 3."""
    random = np.random.default_rng(1)
    x = np.column_stack([random.standard_t(3.0, 20_000), random.normal(size=20_000)])
    lighter = lighten(x, np.full(2, 20_000.0))
    assert lighter is not None
    white = lighter.whiten(x)
    np.testing.assert_allclose(white[:, 1], x[:, 1], rtol=1e-6)
    quantiles = np.quantile(white[:, 0], [0.025, 0.25, 0.5, 0.75, 0.975])
    np.testing.assert_allclose(quantiles, [-1.96, -0.674, 0.0, 0.674, 1.96], atol=0.06)
    assert (white[:, 0] ** 4).mean() / (white[:, 0] ** 2).mean() ** 2 < 4.5


def test_the_tail_of_a_scales_logarithm_becomes_nearly_a_gaussians() -> None:
    """It is on one side: the logarithm of a half-normal scale falls like its exponential there."""
    x = np.log(np.abs(np.random.default_rng(1).normal(size=(20_000, 1))))
    lighter = lighten(x, np.array([20_000.0]))
    assert lighter is not None
    left, right, both = lighter.weight[:, 0]
    assert left > 0.3
    assert right == 0.0
    assert both < 1e-3
    white = lighter.whiten(x)[:, 0]
    quantiles = np.quantile(white, [0.0001, 0.025, 0.25, 0.5])
    np.testing.assert_allclose(quantiles, [-3.72, -1.96, -0.674, 0.0], atol=0.35)


def test_tails_are_sought_on_one_side_where_that_is_asked() -> None:
    x = np.log(np.abs(np.random.default_rng(1).normal(size=(5_000, 2))))
    x[:, 1] *= -1.0
    left = lighten(x, np.full(2, 5_000.0), toward=np.array([-1.0, -1.0]))
    assert left is not None
    np.testing.assert_array_equal(left.which, [0])
    assert lighten(x[:, :1], np.full(1, 5_000.0), toward=np.array([1.0])) is None


def test_chains_see_more_of_heavy_tails_in_them() -> None:
    """The spread of the draws' 97.5 per cent quantile over repetitions, in ten independent t3."""

    def log_density(z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return -2.0 * np.log1p(z**2 / 3.0).sum(axis=1), -4.0 * z / (3.0 + z**2)

    random = np.random.default_rng(1)
    starts = random.standard_t(3.0, size=(CHAINS, 10))
    lighter = lighten(random.standard_t(3.0, size=(DRAWS * CHAINS, 10)), np.full(10, 2560.0))
    assert lighter is not None
    plain = Linear(ScaledLowRankNormal.diagonal(np.zeros(10), np.full(10, np.sqrt(3.0))))
    effective = [
        Chains(Plain(log_density), coordinates, starts, random).run(80).effective.min()  # type: ignore[arg-type]
        for coordinates in (plain, lighter)
    ]
    assert effective[1] > 1.5 * effective[0]

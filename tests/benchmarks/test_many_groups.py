"""The hierarchies that are timed are one posterior, written in two ways."""

import numpy as np

from benchmarks import many_groups


def test_two_ways_of_writing_are_fitted_alike() -> None:
    """Two sets of a thousand draws differ by 0.045 sd; the largest of 17 under four times that."""
    fits, draws = zip(
        *(many_groups.measure(500, 10, centred=centred) for centred in (False, True)), strict=True
    )
    assert [fit.way for fit in fits] == ["non-centred", "centred"]
    assert all(fit.trusted and fit.gradients > 0 and fit.again > 0 for fit in fits)
    mean, log_sd = many_groups.apart(*draws)
    assert mean < 0.18
    assert log_sd < 0.15


def test_draws_of_one_posterior_are_told_from_others() -> None:
    draws = np.random.default_rng(1).normal(size=(1000, 2))
    mean, log_sd = many_groups.apart(draws, 2.0 * draws + [0.0, 1.0])
    np.testing.assert_allclose(mean, 1.0, atol=0.1)
    np.testing.assert_allclose(log_sd, np.log(2.0))

"""The fits that are timed as rows grow are measured against an answer that is right."""

import numpy as np

from benchmarks import many_rows


def test_newton_ends_where_the_gradient_vanishes() -> None:
    x, y = many_rows.simulate(2000)
    mode, sd = many_rows.newton(x, y)
    chance = 1.0 / (1.0 + np.exp(-x @ mode))
    np.testing.assert_allclose(x.T @ (y - chance), mode / 25.0, atol=1e-8)
    assert ((sd > 0.04) & (sd < 0.1)).all()


def test_a_fit_is_measured() -> None:
    """A thousand draws know a mean to 0.03 sd; the largest of ten errors is under 0.12."""
    grown = many_rows.measure(5000, None)
    assert grown.mean_error < 0.12
    assert grown.log_sd_error < 0.1
    assert grown.trusted
    assert grown.gradients > 0

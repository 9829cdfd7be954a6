"""What earlier rows leave out of their quadratics, just inside and just outside of the bounds."""

import numpy as np
import pytest

from taut.diagnose import Criteria, of_earlier_rows
from taut.target import Space

SPACE = Space.of({"mu": (), "theta": (2,)})
BOUNDS = Criteria()
INSIDE = {"shift": 0.0, "widened": 0.0, "effective": 1.0}


@pytest.mark.parametrize(
    ("name", "criterion", "inside", "outside"),
    [
        ("shift", "mean_shift", 0.99 * BOUNDS.mean_shift, 1.01 * BOUNDS.mean_shift),
        ("widened", "log_sd_shift", 0.99 * BOUNDS.log_sd_shift, 1.01 * BOUNDS.log_sd_shift),
        ("effective", "effective_share", 1.01 * BOUNDS.effective_share, BOUNDS.effective_share),
    ],
)
def test_each_criterion_holds_just_inside_alone(
    name: str, criterion: str, inside: float, outside: float
) -> None:
    for value, failing in ((inside, []), (outside, [criterion])):
        given = INSIDE | {name: value}
        shift = np.array([0.0, 0.0, given["shift"]])
        found = of_earlier_rows(shift, given["widened"], given["effective"], SPACE)
        assert [one.criterion for one in found if not one.holds] == failing


def test_the_worst_element_is_named() -> None:
    words = str(of_earlier_rows(np.array([0.0, 0.3, 0.1]), 0.0, 1.0, SPACE)[0])
    assert words == "earlier rows would move a mean by 0.30 sd (bound 0.10), theta[0]"

"""What a repair costs is told of the gradients that it took."""

import taut
from benchmarks.repairs import hierarchy, repaired, table
from taut.gradients import Gradients


def test_rounds_of_a_repair_are_counted_and_timed() -> None:
    """The check before them is not: 64 chains move 60 times at least in a round."""
    gradients = Gradients(taut.as_target(hierarchy(6)))
    seconds, count = repaired(gradients, 1)
    assert 60 * 64 < count < gradients.count
    assert seconds > 0.0


def test_a_line_has_microseconds_and_their_ratio() -> None:
    one = {"dim": 1000, "gradients": 20, "alone": 2e-6, "in_repair": 3e-6, "megabytes": 530.2}
    assert table([one]).splitlines()[-1] == "| 1,000 | 20 | 2.00 | 3.00 | 1.50 | 530 |"

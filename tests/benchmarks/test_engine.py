"""The contestants of the engine benchmark solve the same problem."""

import time

import jax
import numpy as np
import pytest

from benchmarks.engine.command import Pace, measure, step_seconds, table
from benchmarks.engine.problems import Problem, location_scale, means, regression
from taut.frontend import as_target

SMALL = pytest.mark.parametrize(
    "problem", [means(3), location_scale(20), regression(30)], ids=lambda problem: problem.name
)


@SMALL
def test_the_density_by_hand_is_the_model_s_up_to_a_constant(problem: Problem) -> None:
    target = as_target(problem.model())
    assert target.dim == problem.dim
    with target.precision():
        z = np.random.default_rng(0).normal(size=(5, problem.dim))
        by_hand = jax.vmap(lambda one: problem.log_density(one, problem.data))(z)
        constant = np.asarray(jax.vmap(lambda one: target.log_density(one))(z) - by_hand)
    np.testing.assert_allclose(constant, constant[0], rtol=1e-9)


def test_taut_and_the_loop_by_hand_are_timed() -> None:
    with jax.enable_x64(True):
        paces = measure(means(2), ["taut", "by hand"], seconds=0.01, repetitions=2)
    assert [pace.contestant for pace in paces] == ["taut", "by hand"]
    assert all(pace.microseconds >= pace.fastest > 0 < pace.compile_seconds for pace in paces)


def test_a_step_s_time_is_of_the_steps_that_were_taken() -> None:
    class Chunked:
        """Takes a thousand steps, however many are asked for."""

        compile_seconds = 0.0

        def run(self, steps: int) -> int:
            time.sleep(0.05)
            return 1000

    assert step_seconds(Chunked(), 16) == pytest.approx(5e-5, rel=0.5)


def test_the_table_marks_what_is_too_slow() -> None:
    paces = [Pace("p", 2, 2, name, 1.0, us, us) for name, us in {"taut": 5, "by hand": 2}.items()]
    assert "**2.5**" in table(paces)

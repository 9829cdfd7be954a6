"""A report is computed once for a state, and again for another."""

import numpy as np
import pytest

import taut
from cases import regression
from taut.approximation import trust
from taut.approximation.state import State


@pytest.fixture
def evaluated(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Count the draws at which densities are evaluated, by the call."""
    calls: list[int] = []
    plain = trust.log_densities

    def counted(state: State, z: np.ndarray) -> np.ndarray:
        calls.append(len(z))
        return plain(state, z)

    monkeypatch.setattr(trust, "log_densities", counted)
    return calls


def fitted(method: str = "auto") -> taut.Approximation:
    return taut.fit(
        model=regression(2).target(), method=method, random_seed=1, progressbar=False,
        **({"n": 300} if method == "advi" else {}),
    )  # fmt: skip


def test_another_call_evaluates_nothing(evaluated: list[int]) -> None:
    approx = fitted()
    report = approx.diagnose()
    assert approx.diagnose() is report
    assert approx.diagnose(chains=False) is report
    assert evaluated == [2000]


def test_a_number_of_draws_or_a_seed_makes_another(evaluated: list[int]) -> None:
    approx = fitted()
    report = approx.diagnose()
    assert approx.diagnose(random_seed=7) is not report
    assert approx.diagnose(100) is not report
    assert evaluated == [2000, 2000, 100]
    # One of few draws is not what a call without a number asks for.
    assert approx.diagnose().weights is not None
    assert len(approx.diagnose().weights.log_weights) == 2000  # pyright: ignore[reportOptionalMemberAccess]


def test_what_was_not_judged_is_judged_when_chains_may_run(evaluated: list[int]) -> None:
    approx = fitted("advi")
    without = approx.diagnose(chains=False)
    assert not without.is_judged
    judged = approx.diagnose()
    assert judged.is_judged
    assert approx.diagnose() is judged
    assert evaluated == [2000, 2000]


def test_other_parameters_are_judged_anew(evaluated: list[int]) -> None:
    approx = fitted()
    report = approx.diagnose()
    approx.show(taut.family.MeanField.at(np.zeros(2), np.ones(2)))
    assert approx.diagnose() is not report
    assert evaluated == [2000, 2000]

"""A context in which PyMC's `sample` gives draws of a fit."""

import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import pymc
import pytest

import taut
from taut.errors import ArgumentError
from taut.pymc import sampling as room
from taut.pymc import sampling_by_fit


@pytest.fixture
def model() -> Iterator[pymc.Model]:
    with pymc.Model() as model:
        x = pymc.Normal("x", 3.0, 0.1)
        pymc.Deterministic("twice", 2.0 * x)
        yield model


def test_a_call_of_pymc_is_answered_by_a_fit(model: pymc.Model) -> None:
    with sampling_by_fit(progressbar=False) as fits:
        tree = pymc.sample(draws=400, tune=100, chains=4, target_accept=0.9, random_seed=1)
    assert [type(one) for one in fits] == [taut.Approximation]
    assert tree["posterior"].sizes == {"chain": 1, "draw": 400}
    assert float(tree["posterior"]["twice"].mean()) == pytest.approx(6.0, abs=0.05)
    assert tree["posterior"].attrs["verdict"] == str(fits[0].report.verdict)
    again = taut.fit(model=model, random_seed=1, progressbar=False).sample(400, random_seed=1)
    np.testing.assert_array_equal(again["posterior"]["x"], tree["posterior"]["x"])


def test_variables_are_those_that_are_asked_for_and_the_block_says_how_to_fit(
    model: pymc.Model,
) -> None:
    with sampling_by_fit(method="laplace") as fits:
        tree = pymc.sample(20, model=model, var_names=["twice"], progressbar=False)
    assert list(tree["posterior"].data_vars) == ["twice"]
    assert fits[0].method == "Laplace"


def test_blocks_within_blocks_and_errors_leave_pymcs_own_behind() -> None:
    before = pymc.sample
    with sampling_by_fit():
        with pytest.raises(ZeroDivisionError), sampling_by_fit():
            raise ZeroDivisionError
        assert pymc.sample is not before
    assert pymc.sample is before


def test_other_threads_sample_as_before(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []
    monkeypatch.setattr(pymc, "sample", pymc.sample)  # is put back, whatever the block leaves
    monkeypatch.setattr(room, "_OWN", lambda *args, **given: seen.append((args, given)))
    with sampling_by_fit():
        thread = threading.Thread(target=lambda: pymc.sample(7, tune=3))
        thread.start()
        thread.join()
    assert seen == [((7,), {"tune": 3})]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"return_inferencedata": False}, "no MultiTrace"),
        ({"idata_kwargs": {"log_likelihood": True}}, "compute_log_likelihood"),
    ],
)
def test_what_a_fit_does_not_give_is_refused(given: dict[str, Any], words: str) -> None:
    with sampling_by_fit(), pytest.raises(ArgumentError, match=words):
        pymc.sample(20, **given)


def test_more_than_the_number_of_draws_goes_by_name() -> None:
    with sampling_by_fit(), pytest.raises(ArgumentError, match="number of draws by place"):
        pymc.sample(20, 30)

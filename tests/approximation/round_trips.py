"""Every way in which an approximation outlives its process, and what has to come back."""

import copy
import pickle
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cloudpickle
import numpy as np

import taut

Way = Callable[[taut.Approximation, Any], taut.Approximation]


def through_a_file(approx: taut.Approximation, model: Any) -> taut.Approximation:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "saved.fit")
        approx.save(path)
        return taut.load(path, model=model)


WAYS: dict[str, Way] = {
    "save": through_a_file,
    "cloudpickle": lambda approx, model: pickle.loads(cloudpickle.dumps(approx)),
    "deepcopy": lambda approx, model: copy.deepcopy(approx),
}


def is_the_same(one: taut.Approximation, other: taut.Approximation) -> bool:
    """Compare all that can be read off an approximation, to the last bit."""
    assert type(one.family) is type(other.family)
    assert repr(one) == repr(other)
    assert str(one) == str(other)
    assert one.timing == other.timing
    assert (one.method, one.stopped, one.skipped) == (other.method, other.stopped, other.skipped)
    assert str(one.journal.verdict) == str(other.journal.verdict)
    assert list(map(str, one.journal.stages)) == list(map(str, other.journal.stages))
    np.testing.assert_array_equal(one.hist, other.hist)
    for name, value in one.parameters.items():
        np.testing.assert_array_equal(value, other.parameters[name], strict=True)
    # With a seed of their own, and with the next of the fit's.
    for seed in (3, None):
        draws, others = (fit.sample(20, random_seed=seed) for fit in (one, other))
        assert draws.groups == others.groups
        for group in draws.groups:
            assert draws[group].to_dataset().equals(others[group].to_dataset())
    return True

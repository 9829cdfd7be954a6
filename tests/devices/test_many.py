"""Fits of many data sets that are spread over devices are those of one."""

from typing import Any

import numpy as np
import pytest

from devices.many import SETS
from devices.on_four import found_on_four
from taut.errors import ArgumentError


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return found_on_four("many", tmp_path_factory.mktemp("found"))


def test_each_fit_is_the_same_on_two_and_four(found: dict[str, Any]) -> None:
    assert len(found["2"]) == SETS
    for key, draws in found["2"].items():
        np.testing.assert_array_equal(found["4"][key], draws)


def test_each_fit_is_that_of_one_device_but_for_what_chains_make_of_rounding(
    found: dict[str, Any],
) -> None:
    assert found["None"].keys() == found["2"].keys()
    for key, draws in found["None"].items():
        away = (found["2"][key].mean(axis=0) - draws.mean(axis=0)) / draws.std(axis=0)
        # Six times the noise of a difference of two means of 1 000 draws.
        assert np.abs(away).max() < 6 * np.sqrt(2 / 1000)


def test_fits_one_by_one_are_not_spread(found: dict[str, Any]) -> None:
    with pytest.raises(ArgumentError, match="fitted one by one: devices has no effect"):
        raise found["one by one"]

"""Fits on several devices are those of one."""

from typing import Any

import numpy as np
import pytest

from devices.fits import COUNTS, DIRECT, GROUPS_OUT, STEPS
from devices.on_four import found_on_four

Fit = dict[str, np.ndarray]


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return found_on_four("fits", tmp_path_factory.mktemp("found"))


def assert_near(one: Fit, other: Fit) -> None:
    """Compare losses and draws; rounding is some 1e-14, and a draw may be near zero."""
    assert one.keys() == other.keys()
    for name, values in one.items():
        size = np.abs(values).max(axis=0)
        assert (np.abs(values - other[name]) <= 1e-8 * size).all()


@pytest.mark.parametrize("name", STEPS | DIRECT | GROUPS_OUT)
@pytest.mark.parametrize("count", COUNTS[1:])
def test_a_fit_is_that_of_one_device(found: dict[str, Any], name: str, count: int) -> None:
    fits = found[name]
    assert_near(fits[None], fits[count])


@pytest.mark.parametrize("name", [*DIRECT, "chains"])
def test_what_follows_gradients_is_the_same_on_two_and_four(
    found: dict[str, Any], name: str
) -> None:
    fits = found[name]
    for part, values in fits[2].items():
        np.testing.assert_array_equal(values, fits[4][part])


def test_devices_can_be_said_in_several_ways(found: dict[str, Any]) -> None:
    first, *others = found["ways to say two"]
    for other in others:
        for part, values in first.items():
            np.testing.assert_array_equal(values, other[part])


def test_the_first_device_need_not_be_among_them(found: dict[str, Any]) -> None:
    assert_near(found["advi in batches"][2], found["elsewhere"])


def test_rows_of_a_source_are_spread_for_steps(found: dict[str, Any]) -> None:
    assert_near(*found["from a source"])


def test_a_fit_is_judged_on_its_devices(found: dict[str, Any]) -> None:
    one, three = found["judged"]
    np.testing.assert_allclose(one, three, rtol=1e-8)

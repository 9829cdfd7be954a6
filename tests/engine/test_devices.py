"""The argument `devices`, where there is one device."""

import pickle
from typing import Any

import jax
import numpy as np
import pytest
from jax.sharding import Mesh

import taut
from taut.engine import Devices, as_devices

ONE = jax.devices()[0]


@pytest.mark.parametrize("devices", [None, "all", 1, np.int64(1), [ONE], Mesh([ONE], ("rows",))])
def test_the_default_device_is_no_choice(devices: Any) -> None:
    assert as_devices(devices) is None


@pytest.mark.parametrize(
    ("devices", "words"),
    [
        (0, "a number of devices.*got 0. There are 1 devices"),
        (-1, "got -1"),
        (True, "got True"),
        (2.0, "got 2.0"),
        ("both", "got 'both'"),
        ({}, r"got \{\} \(dict\)"),
        ([], "got an empty sequence"),
        (["cpu"], "got 'cpu' among them. There are: "),
        ([ONE, ONE], "twice; list each device once"),
        (2, "devices=2, but there is only one device: .*jax_num_cpu_devices"),
        (Mesh(np.array([[ONE]]), ("a", "b")), "a mesh of one axis.*'a' of 1, 'b' of 1"),
    ],
)
def test_what_is_no_choice_of_devices_is_refused(devices: Any, words: str) -> None:
    with pytest.raises(taut.errors.ArgumentError, match=words):
        as_devices(devices)


def test_devices_come_back_as_so_many_of_those_there_are() -> None:
    devices = Devices((ONE,))
    assert pickle.loads(pickle.dumps(devices)) == devices

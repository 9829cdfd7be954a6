"""Values come back as they were, of known classes and of no others."""

import json
from dataclasses import dataclass
from enum import Enum
from typing import Any

import numpy as np
import pytest

from taut.errors import StorageError
from taut.storage import Codec


@dataclass
class Point:
    x: Any
    y: Any = 0


class Colour(Enum):
    RED = 1


class Hidden:
    """Says itself how it is stored."""

    def __init__(self, whole: int) -> None:
        self.half = whole / 2

    def stored(self) -> dict[str, Any]:
        return {"half": self.half}

    @classmethod
    def restored(cls, half: float) -> "Hidden":
        return cls(int(2 * half))


CLASSES = {cls.__name__: cls for cls in (Point, Colour, Hidden)}
NAMES = {cls: name for name, cls in CLASSES.items()}
CODEC = Codec(NAMES.get, CLASSES.get)

VALUES: dict[str, Any] = {
    "nothing": None,
    "flag": True,
    "number": 0.1,
    "large": 2**64 - 1,
    "infinite": -np.inf,
    "words": "größer",
    "single": np.float32(0.1),
    "list": [1, (2, [3.5])],
    "mapping": {"tuple": 1, "array": (2,)},
    "colour": Colour.RED,
    "nested": Point(Point(1, (np.inf, None)), [Colour.RED]),
}


def back(value: Any) -> Any:
    text, arrays = CODEC.encode({"value": value})
    return CODEC.decode(json.loads(json.dumps(text, allow_nan=False)), arrays)["value"]


@pytest.mark.parametrize("name", VALUES)
def test_a_value_comes_back(name: str) -> None:
    found = back(VALUES[name])
    assert found == VALUES[name]
    assert type(found) is type(VALUES[name])


def test_a_value_that_is_no_number_comes_back() -> None:
    assert np.isnan(back(np.nan))
    assert np.isnan(back(np.float32(np.nan)))


@pytest.mark.parametrize("dtype", [float, "float32", int, bool, "<U3", "datetime64[D]"])
def test_an_array_comes_back(dtype: Any) -> None:
    array = np.array([[1, 0], [3, 4]]).astype(dtype)
    np.testing.assert_array_equal(back(Point(array)).x, array, strict=True)


def test_a_class_says_itself_how_it_is_stored() -> None:
    assert back(Hidden(7)).half == 3.5


def test_members_have_plain_names_of_their_own() -> None:
    text, arrays = CODEC.encode({"a": {"x/../y": np.ones(1), "x y": np.ones(2), "x_y": np.ones(3)}})
    assert sorted(arrays) == ["a/x/_/y.npy", "a/x_y-2.npy", "a/x_y.npy"]
    assert len(CODEC.decode(text, arrays)["a"]["x_y"]) == 3


def test_an_unknown_class_is_not_written() -> None:
    with pytest.raises(StorageError, match=r"A complex \(a/x\)"):
        CODEC.encode({"a": Point(1j)})


def test_python_objects_are_not_written() -> None:
    with pytest.raises(StorageError, match="Python objects"):
        CODEC.encode({"a": np.array([None])})


@pytest.mark.parametrize("name", ["os.system", "Codec", 3])
def test_an_unknown_class_is_not_made(name: Any) -> None:
    with pytest.raises(StorageError, match="does not know"):
        CODEC.decode({"a": {"class": name, "fields": {}}}, {})


def test_other_fields_are_refused() -> None:
    with pytest.raises(StorageError, match=r"Point \(a\) that is none"):
        CODEC.decode({"a": {"class": "Point", "fields": {"z": 1}}}, {})


def test_a_missing_array_is_named() -> None:
    with pytest.raises(StorageError, match=r"no member 'a\.npy'"):
        CODEC.decode({"a": {"array": "a.npy"}}, {})

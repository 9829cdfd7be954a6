"""Values of known classes as JSON with arrays beside it, and back."""

import dataclasses
import re
from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any, final

import numpy as np

from taut.errors import StorageError

_NOT_FINITE = {"inf": float("inf"), "-inf": float("-inf"), "nan": float("nan")}


def stored_fields(value: Any) -> dict[str, Any]:
    """Return the fields that a value is made of again.

    A class says so itself by ``stored()``, with ``restored(**fields)`` for the way back; a
    dataclass that says nothing is made of its fields.
    """
    if hasattr(value, "stored"):
        return value.stored()
    return {f.name: getattr(value, f.name) for f in dataclasses.fields(value) if f.init}


@final
class Codec:
    """Turns values into JSON with arrays beside it, and back.

    Only classes that it was given are made, by name; a file can not name any other.

    Parameters
    ----------
    names
        Gives the name of a class; `None` for one that can not be stored.
    classes
        Gives the class of a name; `None` for one that is not known.
    is_device
        Checks whether an array is on the device.
    to_device
        Puts an array there.

    Examples
    --------
    >>> from dataclasses import dataclass
    >>> import numpy as np
    >>> from taut.storage import Codec
    >>> @dataclass
    ... class Point:
    ...     x: float
    >>> codec = Codec({Point: "Point"}.get, {"Point": Point}.get)
    >>> text, arrays = codec.encode({"at": Point(float("inf")), "values": np.ones(2)})
    >>> text["at"], sorted(arrays)
    ({'class': 'Point', 'fields': {'x': {'number': 'inf'}}}, ['values.npy'])
    >>> codec.decode(text, arrays)["at"]
    Point(x=inf)
    """

    def __init__(
        self,
        names: Callable[[type], str | None],
        classes: Callable[[str], type | None],
        is_device: Callable[[Any], bool] = lambda _: False,
        to_device: Callable[[np.ndarray], Any] = lambda array: array,
    ) -> None:
        self._names, self._classes = names, classes
        self._is_device, self._to_device = is_device, to_device

    def encode(self, fields: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
        """Return JSON, and arrays by the names of members.

        Raises
        ------
        StorageError
            A value is of a class that is not known, or no array of numbers.
        """
        arrays: dict[str, np.ndarray] = {}
        return self._encode_all(fields, "", arrays), arrays

    def decode(self, text: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> dict[str, Any]:
        """Return the values.

        Raises
        ------
        StorageError
            A class is not known, an array is missing, or a value is none.
        """
        return self._decode_all(text, "", arrays)

    def _encode(self, value: Any, place: str, arrays: dict[str, np.ndarray]) -> Any:
        if isinstance(value, Enum):
            return {"class": self._name(type(value), place), "member": value.name}
        if isinstance(value, np.generic):
            return {"number": _number(value.item()), "dtype": value.dtype.str}
        if value is None or isinstance(value, bool | int | str):
            return value
        if isinstance(value, float):
            number = _number(value)
            return number if isinstance(number, float) else {"number": number}
        if self._is_device(value):
            return _added(np.asarray(value), place, arrays) | {"device": True}
        if isinstance(value, np.ndarray):
            return _added(value, place, arrays)
        return self._encode_parts(value, place, arrays)

    def _encode_parts(self, value: Any, place: str, arrays: dict[str, np.ndarray]) -> Any:
        if type(value) in (list, tuple):
            parts = [self._encode(one, f"{place}/{i}", arrays) for i, one in enumerate(value)]
            return parts if isinstance(value, list) else {"tuple": parts}
        if isinstance(value, Mapping):
            return {"mapping": self._encode_all(value, place, arrays)}
        name = self._name(type(value), place)
        return {"class": name, "fields": self._encode_all(stored_fields(value), place, arrays)}

    def _encode_all(
        self, values: Mapping[str, Any], place: str, arrays: dict[str, np.ndarray]
    ) -> dict[str, Any]:
        return {
            name: self._encode(value, f"{place}/{name}" if place else name, arrays)
            for name, value in values.items()
        }

    def _name(self, cls: type, place: str) -> str:
        name = self._names(cls)
        if name is None:
            raise StorageError(
                f"A {cls.__name__} ({place}) can not be saved: taut does not know how. Pickle the "
                "approximation with cloudpickle, or save its draws."
            )
        return name

    def _decode(self, value: Any, place: str, arrays: Mapping[str, np.ndarray]) -> Any:
        if isinstance(value, list):
            return [self._decode(one, f"{place}/{i}", arrays) for i, one in enumerate(value)]
        if not isinstance(value, dict):
            return value
        if "array" in value:
            found = _found(value["array"], arrays)
            return self._to_device(found) if value.get("device") else found
        if "number" in value:
            number = _NOT_FINITE.get(value["number"], value["number"])
            return number if "dtype" not in value else np.dtype(value["dtype"]).type(number)
        if "tuple" in value:
            return tuple(self._decode(value["tuple"], place, arrays))
        if "mapping" in value:
            return self._decode_all(value["mapping"], place, arrays)
        return self._made(value, place, arrays)

    def _decode_all(
        self, values: Mapping[str, Any], place: str, arrays: Mapping[str, np.ndarray]
    ) -> dict[str, Any]:
        return {
            name: self._decode(value, f"{place}/{name}" if place else name, arrays)
            for name, value in values.items()
        }

    def _made(self, value: Mapping[str, Any], place: str, arrays: Mapping[str, np.ndarray]) -> Any:
        name = value.get("class")
        cls: Any = self._classes(name) if isinstance(name, str) else None
        if cls is None:
            raise StorageError(
                f"The file holds a {name!r} ({place}), which this version of taut does not know. "
                "If the class is your own, import the module that defines it first; else read the "
                "file with the version of taut that wrote it, or a later one."
            )
        if "member" in value:
            return cls[value["member"]]
        fields = self._decode_all(value["fields"], place, arrays)
        try:
            return cls.restored(**fields) if hasattr(cls, "restored") else cls(**fields)
        except TypeError as error:
            raise StorageError(
                f"The file holds a {name} ({place}) that is none: {error}."
            ) from error


def _number(value: Any) -> Any:
    """Return a number, or what JSON has no number for as a word."""
    if isinstance(value, float) and not np.isfinite(value):
        return "nan" if np.isnan(value) else "inf" if value > 0 else "-inf"
    return value


def _added(array: np.ndarray, place: str, arrays: dict[str, np.ndarray]) -> dict[str, Any]:
    if array.dtype.hasobject:
        raise StorageError(f"{place} is an array of Python objects, which can not be saved.")
    plain = re.sub(r"[^A-Za-z0-9_/-]+", "_", place)
    name, number = f"{plain}.npy", 1
    while name in arrays:
        number += 1
        name = f"{plain}-{number}.npy"
    arrays[name] = array
    return {"array": name}


def _found(name: Any, arrays: Mapping[str, np.ndarray]) -> np.ndarray:
    if name not in arrays:
        raise StorageError(f"The file is damaged: it has no member {name!r}, which its text names.")
    return arrays[name]

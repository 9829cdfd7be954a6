"""Static structure that is compared by identity."""

from typing import Any, final


@final
class Identity:
    """Holds an object that may not be hashable; equal only where it is the same object.

    The static part of a pytree is a key of jax's cache of compiled programs, so
    it must be hashable; schedules and optax transformations need not be. The
    reference held here keeps the identity from being taken by another object.

    Parameters
    ----------
    value
        The object.

    Examples
    --------
    >>> schedule = [1, 2]
    >>> Identity(schedule) == Identity(schedule), Identity(schedule) == Identity([1, 2])
    (True, False)
    """

    __slots__ = ("value",)

    def __init__(self, value: Any) -> None:
        self.value = value

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Identity) and self.value is other.value

    def __hash__(self) -> int:
        return id(self.value)

    def __repr__(self) -> str:
        return getattr(self.value, "__qualname__", type(self.value).__name__)

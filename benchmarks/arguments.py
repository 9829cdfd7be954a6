"""What the command lines share."""

import argparse
from collections.abc import Callable, Iterable


def some_of(known: Iterable[str]) -> Callable[[str], list[str]]:
    """Take names, with commas between."""
    choice = list(known)

    def parse(text: str) -> list[str]:
        names = [name.strip() for name in text.split(",") if name.strip()]
        unknown = [name for name in names if name not in choice]
        if unknown or not names:
            raise argparse.ArgumentTypeError(f"{text!r}; choose from {', '.join(choice)}")
        return names

    return parse


def positive(text: str) -> int:
    """Take an integer of at least 1."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text!r}; must be at least 1")
    return value

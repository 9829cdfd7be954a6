"""Guess what a misspelt name was meant to be."""

import difflib
from collections.abc import Iterable


def nearest(name: str, names: Iterable[str]) -> str:
    """Suggest the nearest of some names, as the end of a sentence; empty if none is near."""
    found = difflib.get_close_matches(name.lower(), list(names), n=1)
    return f" (did you mean {found[0]!r}?)" if found else ""

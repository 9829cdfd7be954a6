"""The rooms of taut, as the page on architecture shows them."""

import re

from architecture.source import ROOT

PAGE = ROOT.parents[1] / "docs" / "develop" / "architecture.md"


def floors(page: str) -> list[list[str]]:
    """Read the picture of the page: the rooms of each floor, the lowest first."""
    lines = re.findall(r"^ {4}(?:floor|basement) \d+ +(.+)$", page, flags=re.MULTILINE)
    return [line.split() for line in reversed(lines)]


RANKS = {room: rank for rank, rooms in enumerate(floors(PAGE.read_text())) for room in rooms}


def room_of(name: str) -> str:
    """Name the folder or module right below `taut` that a module lies in or is."""
    return name.removeprefix("taut.").partition(".")[0]

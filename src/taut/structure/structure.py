"""What was found of a model's structure."""

from dataclasses import dataclass
from typing import final

import numpy as np
from jaxtyping import Int

from taut.structure.axis import Places
from taut.structure.coloured import Coloured

Numbers = Int[np.ndarray, " factors"]


@final
@dataclass(frozen=True, eq=False)
class Plate:
    """Variables with elements for each of many groups, which touch no other group's.

    Parameters
    ----------
    names
        Of the variables.
    places
        Where each group's elements are in the flat vector.
    of_factor
        The group that each factor of the density depends on; -1 for none.
    """

    names: tuple[str, ...]
    places: Places
    of_factor: Numbers

    @property
    def levels(self) -> int:
        """How many groups there are."""
        return len(self.places)


@final
@dataclass(frozen=True, eq=False)
class Plates:
    """A plate, and others that cross it.

    Parameters
    ----------
    main
        The largest: groups that do not touch each other.
    crossing
        Others, whose elements touch those of several groups.
    """

    main: Plate
    crossing: tuple[Plate, ...] = ()

    @property
    def places(self) -> Int[np.ndarray, " latents"]:
        """Where all latents are in the flat vector."""
        return np.concatenate([plate.places.ravel() for plate in (self.main, *self.crossing)])

    def __str__(self) -> str:
        words = [_plate_in_words(self.main, "independent of each other")]
        words += [_plate_in_words(plate, "which cross these") for plate in self.crossing]
        return "; ".join(words)


@final
@dataclass(frozen=True, eq=False)
class Chain:
    """Variables in an order, each of which touches the one before and the one after.

    Parameters
    ----------
    names
        Of the variables.
    steps
        Where the elements of each step are in the flat vector.
    is_summed
        Whether the chain is in the running sums of the variables, not in themselves.
    """

    names: tuple[str, ...]
    steps: Places
    is_summed: bool

    @property
    def places(self) -> Int[np.ndarray, " latents"]:
        """Where all latents are in the flat vector."""
        return self.steps.ravel()

    def __str__(self) -> str:
        names = ", ".join(self.names)
        summed = ", in their running sums," if self.is_summed else ""
        return f"{len(self.steps):,d} steps of {names}{summed} in a chain"


@final
@dataclass(frozen=True, eq=False)
class Field:
    """Variables of which each element touches its neighbours, as on a map, or all others.

    Parameters
    ----------
    names
        Of the variables.
    order
        Where the elements are in the flat vector, in an order in which neighbours are near.
    width
        Rows of a block, which touches the one before and the one after.
    coloured
        Which elements touch each other.
    """

    names: tuple[str, ...]
    order: Int[np.ndarray, " latents"]
    width: int
    coloured: Coloured

    @property
    def places(self) -> Int[np.ndarray, " latents"]:
        """Where all latents are in the flat vector."""
        return self.order

    def __str__(self) -> str:
        touched = 2 * (len(self.coloured.row) / len(self.order) - 1)
        words = f"{len(self.order):,d} latents ({', '.join(self.names)}) in a field, of which each"
        summed = ", and all by their sums" if len(self.coloured.first) else ""
        return f"{words} touches {touched:.0f} others{summed}"


@final
@dataclass(frozen=True, eq=False)
class Structure:
    """Which unknowns are global, and how the others touch each other.

    Parameters
    ----------
    globals
        Where the global unknowns are in the flat vector.
    latents
        The others; `None` where no structure was found.
    words
        Why none was found, if none was.
    """

    globals: Int[np.ndarray, " globals"]
    latents: Plates | Chain | Field | None
    words: str = ""

    def __str__(self) -> str:
        if self.latents is None:
            return f"no structure: {self.words}"
        return f"{len(self.globals)} global unknowns, and {self.latents}"


def _plate_in_words(plate: Plate, how: str) -> str:
    each = plate.places.shape[1]
    return f"{plate.levels:,d} groups of {each} ({', '.join(plate.names)}), {how}"

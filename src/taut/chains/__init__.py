"""Short Hamiltonian chains, and the coordinates in which they move."""

from taut.chains.angles import OnePeriod as OnePeriod
from taut.chains.angles import Periods as Periods
from taut.chains.angles import Room as Room
from taut.chains.angles import periods_around as periods_around
from taut.chains.coordinates import Coordinates as Coordinates
from taut.chains.coordinates import Linear as Linear
from taut.chains.hmc import Chains as Chains
from taut.chains.preconditioning import adapted as adapted
from taut.chains.preconditioning import starting_from as starting_from
from taut.chains.window import Window as Window

__all__ = [
    "Chains",
    "Coordinates",
    "Linear",
    "OnePeriod",
    "Periods",
    "Room",
    "Window",
    "adapted",
    "periods_around",
    "starting_from",
]

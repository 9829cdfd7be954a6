"""Short Hamiltonian chains, and the coordinates in which they move."""

from taut.chains.angles import OnePeriod as OnePeriod
from taut.chains.angles import Periods as Periods
from taut.chains.angles import Room as Room
from taut.chains.angles import periods_around as periods_around
from taut.chains.control_variates import Tally as Tally
from taut.chains.coordinates import Coordinates as Coordinates
from taut.chains.coordinates import Linear as Linear
from taut.chains.fixed_shape import of_fixed_shape as of_fixed_shape
from taut.chains.hmc import Chains as Chains
from taut.chains.preconditioning import adapted as adapted
from taut.chains.preconditioning import starting_from as starting_from
from taut.chains.round import FIRST_STEP as FIRST_STEP
from taut.chains.round import RATE as RATE
from taut.chains.round import Place as Place
from taut.chains.round import Round as Round
from taut.chains.round import a_round as a_round
from taut.chains.round import a_round_in as a_round_in
from taut.chains.round import coordinates_of as coordinates_of
from taut.chains.round import first_place as first_place
from taut.chains.round import leaps_of as leaps_of
from taut.chains.round import whitened as whitened
from taut.chains.window import Window as Window

__all__ = [
    "FIRST_STEP",
    "RATE",
    "Chains",
    "Coordinates",
    "Linear",
    "OnePeriod",
    "Periods",
    "Place",
    "Room",
    "Round",
    "Tally",
    "Window",
    "a_round",
    "a_round_in",
    "adapted",
    "coordinates_of",
    "first_place",
    "leaps_of",
    "of_fixed_shape",
    "periods_around",
    "starting_from",
    "whitened",
]

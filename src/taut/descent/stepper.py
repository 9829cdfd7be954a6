"""How steps are taken; the loop drives it and knows no more than this."""

from abc import abstractmethod

import equinox as eqx
from jaxtyping import PRNGKeyArray, PyTree, Scalar

from taut.family import AbstractFamily
from taut.target import Target


class AbstractStepper(eqx.Module):
    """How one step of a fit is taken."""

    @abstractmethod
    def init(self, family: AbstractFamily) -> PyTree:
        """Return the state in which a fit of `family` begins."""

    @abstractmethod
    def step(
        self, state: PyTree, target: Target, batch: PyTree, key: PRNGKeyArray
    ) -> tuple[PyTree, Scalar]:
        """Take one step on a batch of rows; return the new state and the loss before it."""

    @abstractmethod
    def moved(self, state: PyTree, family: AbstractFamily) -> PyTree:
        """Go on from other parameters, which a user has set."""

    @abstractmethod
    def family(self, state: PyTree) -> AbstractFamily:
        """Read the approximation off a state."""

"""What an objective does."""

from abc import abstractmethod

import equinox as eqx
from jaxtyping import PRNGKeyArray, PyTree, Scalar

from taut.family import AbstractFamily
from taut.target import Target


class AbstractObjective(eqx.Module):
    """A loss of a family at a target, estimated from draws; always minimised."""

    @abstractmethod
    def with_draws(self, n_mc: int | None) -> "AbstractObjective":
        """Return the same objective, estimated from so many draws; by default its own number."""

    @abstractmethod
    def noise(self, family: AbstractFamily, key: PRNGKeyArray) -> PyTree:
        """Draw all the noise one evaluation needs."""

    @abstractmethod
    def loss(self, family: AbstractFamily, target: Target, batch: PyTree, noise: PyTree) -> Scalar:
        """Estimate the loss; its gradient in the family is the gradient estimate."""

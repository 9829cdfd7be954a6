"""Modes apart from one another, which no single Gaussian holds."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float

from taut.family import AbstractFamily
from taut.gaussian import Normal, NormalMixture, Weights
from taut.gradients import AbstractGradients

# How far apart two Gaussians have to be, in standard deviations of the one and by the root of the
# dimension, and how much less evidence the lesser may have, in nats.
_APART, _LESS = 4.0, 5.0
# Points between two means, and by how many nats the density has to fall between modes. Two equal
# Gaussians as far apart as above have a dip of two nats for each dimension.
_BETWEEN, _DIP = 32, 1.0


def is_apart(one: Normal, other: Normal) -> bool:
    """Whether the mean of each of two Gaussians is far out in the other one."""
    return is_far_out(one, other.mean) and is_far_out(other, one.mean)


def is_far_out(normal: Normal, point: Float[np.ndarray, " dim"]) -> bool:
    """Whether a point is where a Gaussian has next to no mass."""
    distance = float(np.linalg.norm(normal.whiten(point[None])))
    return distance > _APART * np.sqrt(len(point))


def counts(elbo: float, best: float) -> bool:
    """Whether a mode has mass enough to matter beside the best."""
    return elbo > best - _LESS


def is_parted(gradients: AbstractGradients, one: Normal, other: Normal) -> bool:
    """Whether the density falls between the means of two Gaussians, below that at both.

    Where it does not, they are apart along one slope, as in the neck of a funnel, and no two
    modes. Along a bend the straight way falls too: then they are taken for modes.
    """
    way = np.linspace(0.0, 1.0, _BETWEEN)[:, None]
    values, _ = gradients(one.mean + way * (other.mean - one.mean))
    return not values.min() > min(values[0], values[-1]) - _DIP


@dataclass(frozen=True)
class Modes:
    """A mixture of Gaussians far from one another, weighted by their evidence.

    Parameters
    ----------
    normals
        One a mode.
    elbos
        Of each, in nats: the mass of a mode is about its exponential.
    """

    normals: tuple[Normal, ...]
    elbos: tuple[float, ...]

    @cached_property
    def mixture(self) -> NormalMixture:
        """The mixture."""
        masses = np.exp(np.array(self.elbos) - max(self.elbos))
        return NormalMixture(self.normals, masses / masses.sum())

    def separate(self, gradients: AbstractGradients) -> int:
        """Count them, those as one between which the density does not fall."""
        groups: list[list[Normal]] = []
        for normal in self.normals:
            own, others = [normal], []
            for group in groups:
                if all(is_parted(gradients, normal, other) for other in group):
                    others.append(group)
                else:
                    own += group
            groups = [*others, own]
        return len(groups)

    def family(self, dtype: str) -> AbstractFamily:
        """Return the mixture as a family."""
        return self.mixture.family(dtype)

    def draw(self, random: np.random.Generator, draws: int) -> Float[np.ndarray, "draws dim"]:
        """Draw from the mixture, in a random order."""
        return self.mixture.draw(random, draws)

    def weigh(self, gradients: AbstractGradients, z: Float[np.ndarray, "draws dim"]) -> Weights:
        """Find the importance weights of draws of the mixture."""
        return Weights(gradients(z)[0] - self.mixture.log_prob(z))

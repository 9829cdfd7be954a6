"""A mixture of Gaussians on the host."""

from dataclasses import dataclass
from typing import Any, final

import numpy as np
from jaxtyping import Float

from taut.family import Mixture
from taut.gaussian.base import Normal, Values, Vectors


@final
@dataclass(frozen=True)
class NormalMixture:
    """Some Gaussians of one dimension, with weights.

    Parameters
    ----------
    normals
        The Gaussians.
    weights
        Of each; they sum to one.
    """

    normals: tuple[Normal, ...]
    weights: Float[np.ndarray, " normals"]

    def family(self, dtype: Any) -> Mixture:
        """Return the same as a family."""
        return Mixture.of([normal.family(dtype) for normal in self.normals], self.weights)

    def draw(self, random: np.random.Generator, size: int) -> Vectors:
        """Draw points, in a random order."""
        sizes = random.multinomial(size, self.weights)
        drawn = [n.draw(random, own)[0] for n, own in zip(self.normals, sizes, strict=True)]
        return random.permutation(np.concatenate(drawn))

    def log_prob(self, z: Vectors) -> Values:
        """Evaluate the log density at points."""
        each = np.stack([normal.log_prob(z) for normal in self.normals])
        return np.logaddexp.reduce(each + np.log(self.weights)[:, None], axis=0)

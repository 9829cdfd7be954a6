"""Elements of the unconstrained vector that are normal given others, as a model's prior says."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Array, Bool, Float, PyTree

from taut.target.space import Space

Vector = Float[Array, " dim"]


@dataclass(frozen=True)
class Conditionals:
    r"""The elements with a prior :math:`z_i \mid z \sim N(\mu_i(z), \sigma_i(z)^2)`.

    Parameters
    ----------
    moments
        ``moments(z, data, batch) -> (mu, sigma)``, of all elements: 0 and 1 where there is nothing
        to say.
    space
        The variables in `z`.
    levels
        Names of the variables that are meant. Those of one level depend on others of the levels
        before alone.
    """

    moments: Callable[[Vector, PyTree, PyTree], tuple[Vector, Vector]]
    space: Space
    levels: tuple[tuple[str, ...], ...]

    def masks(self) -> list[Bool[np.ndarray, " dim"]]:
        """Return which elements are meant, level by level."""
        masks = [np.zeros(self.space.dim, bool) for _ in self.levels]
        for mask, names in zip(masks, self.levels, strict=True):
            for name in names:
                mask[self.space[name].slice] = True
        return masks

"""What a person can see of a model's structure."""

from dataclasses import dataclass, field
from typing import Any, final

import numpy as np
import scipy

from taut.frontend import as_source
from taut.seed import entropy
from taut.structure import Plates, Structure, order_of, pattern_of, read_structure
from taut.target import Space

# Pixels of a drawn pattern along each side, at most.
_PIXELS = 400


@final
@dataclass(frozen=True, eq=False)
class ModelStructure:
    """Which unknowns of a model are global, and how the others touch each other.

    Print it, or draw it with `plot`.

    Parameters
    ----------
    structure
        What was found.
    space
        The model's unknowns.
    """

    structure: Structure = field(repr=False)
    space: Space = field(repr=False)

    @property
    def globals(self) -> tuple[str, ...]:
        """Names of the variables that touch everything, in the unconstrained space."""
        at = set(self.structure.globals.tolist())
        return tuple(slot.name for slot in self.space if slot.start in at)

    @property
    def is_found(self) -> bool:
        """Whether there are latents that can be integrated out."""
        return self.structure.latents is not None

    def pattern(self) -> scipy.sparse.csr_array:
        """Return where the Hessian of the log density is not zero; latents come first."""
        return pattern_of(self.structure)

    def names(self) -> np.ndarray:
        """Return the variable of each row of `pattern`."""
        slots = list(self.space)
        starts = np.array([slot.start for slot in slots])
        which = np.searchsorted(starts, order_of(self.structure), side="right") - 1
        return np.array([slots[i].name for i in which])

    def plot(self, ax: Any = None) -> Any:
        """Draw the pattern of the Hessian on Matplotlib's axes, and return these.

        Parameters
        ----------
        ax
            Axes to draw on; new ones by default.
        """
        if ax is None:
            import matplotlib.pyplot as plt

            ax = plt.subplots(figsize=(4.5, 4.5))[1]
        dim = self.space.dim
        ax.imshow(_image(self.pattern()), cmap="Blues", extent=(0, dim, dim, 0))
        labels, sizes = zip(*self._parts(), strict=True)
        ends = np.cumsum(sizes)
        ax.set_yticks(ends - np.array(sizes) / 2, labels)
        ax.set_xticks([0, *ends[:-1]], [f"{end:,d}" for end in (0, *ends[:-1])], rotation=45)
        return ax

    def _parts(self) -> list[tuple[str, int]]:
        """Name what comes one after the other in the pattern, with its size."""
        latents, few = self.structure.latents, len(self.structure.globals)
        parts: list[tuple[str, int]] = []
        if isinstance(latents, Plates):
            plates = (latents.main, *latents.crossing)
            parts = [(", ".join(one.names), one.places.size) for one in plates]
        elif latents is not None:
            parts = [(", ".join(latents.names), latents.places.size)]
        return [*parts, ("globals", few)] if few else parts

    def __str__(self) -> str:
        if self.structure.latents is None:
            return str(self.structure)
        names, count = ", ".join(self.globals), len(self.structure.globals)
        each = str(self.structure.latents).split("; ")
        return "\n".join([f"{count} global unknowns ({names})", *each])

    __repr__ = __str__


def structure(model: Any = None, random_seed: Any = None) -> ModelStructure:
    """Read the structure of a model off its log density.

    Unknowns of groups that do not touch each other, of factors that cross them, of a chain in time,
    or of a field, whose elements touch their neighbours or all others, can be integrated out by
    `taut.Marginal`. What is said was checked by numbers at two points.

    Parameters
    ----------
    model
        A `pymc.Model` or a `taut.Target`, by default the model on the context.
    random_seed
        Draws the points and directions.

    Raises
    ------
    ModelError
        The model can not be fitted as it is written.

    Examples
    --------
    >>> import numpy as np, pymc as pm, taut
    >>> group = np.repeat(np.arange(50), 4)
    >>> with pm.Model() as model:
    ...     mu, s = pm.Normal("mu"), pm.HalfNormal("s")
    ...     a = pm.Normal("a", mu, s, shape=50)
    ...     y = pm.Normal("y", a[group], 1, observed=np.zeros(200))
    >>> print(taut.structure(model))
    2 global unknowns (mu, s_log__)
    50 groups of 1 (a), independent of each other
    """
    source = as_source(model)
    target = source.target()
    random = np.random.default_rng(entropy(random_seed))
    start = source.start(None, int(random.integers(2**31)))
    found = read_structure(target, source.factors(), start, random)
    return ModelStructure(found, target.space)


def _image(pattern: scipy.sparse.csr_array) -> np.ndarray:
    """Return an image of a pattern: by pixel, whether something in it is not zero."""
    dim = pattern.shape[0]
    size = min(dim, _PIXELS)
    at = pattern.tocoo()
    image = np.zeros((size, size))
    image[at.coords[0] * size // dim, at.coords[1] * size // dim] = 1.0
    return image

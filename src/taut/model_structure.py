"""What a person can see of a model's structure."""

from dataclasses import dataclass, field
from typing import Any, final

import numpy as np
import scipy

from taut.frontend import as_source
from taut.plot import plot_structure
from taut.seed import entropy
from taut.structure import Plates, Structure, order_of, pattern_of, read_structure
from taut.target import Space


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

    def pattern(self, sums: bool = True) -> scipy.sparse.csr_array:
        """Return where the Hessian of the log density is not zero; latents come first.

        Parameters
        ----------
        sums
            Whether latents that touch by their sum alone, as those that are held to a sum of zero,
            are among them.
        """
        return pattern_of(self.structure, sums)

    def names(self) -> np.ndarray:
        """Return the variable of each row of `pattern`."""
        slots = list(self.space)
        starts = np.array([slot.start for slot in slots])
        which = np.searchsorted(starts, order_of(self.structure), side="right") - 1
        return np.array([slots[i].name for i in which])

    @property
    def parts(self) -> tuple[tuple[str, int], ...]:
        """What comes one after the other in `pattern`, with its size."""
        latents, few = self.structure.latents, len(self.structure.globals)
        parts: list[tuple[str, int]] = []
        if isinstance(latents, Plates):
            plates = (latents.main, *latents.crossing)
            parts = [(", ".join(one.names), one.places.size) for one in plates]
        elif latents is not None:
            parts = [(", ".join(latents.names), latents.places.size)]
        return (*parts, ("globals", few)) if few else tuple(parts)

    def plot(self, backend: str | None = None) -> Any:
        """Draw the pattern, as `taut.plot.plot_structure` does, and return its picture.

        Parameters
        ----------
        backend
            As in `taut.plot.plot_loss`.
        """
        return plot_structure(self, backend=backend)

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

"""PyMC's own names, replaced for a while by those of taut."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pymc

import taut
from taut.pymc.variational import updates

# What packages call of PyMC to fit, and what they give to that call.
_FITS = (
    "ADVI", "ASVGD", "SVGD", "Empirical", "FullRank", "FullRankADVI", "Group", "MeanField", "fit",
    "sample_approx",
)  # fmt: skip


@contextmanager
def patched() -> Iterator[None]:
    """Let packages that call ``pymc.fit`` and its like fit by taut, inside of a ``with`` block.

    Names of ``pymc`` are replaced for all threads, and put back at the end, whatever happens; what
    a package has imported by ``from pymc import fit`` stays PyMC's.

    Examples
    --------
    >>> import pymc as pm, taut
    >>> from taut.pymc import patched
    >>> with patched(), pm.Model():
    ...     x = pm.Normal("x")
    ...     approx = pm.fit(random_seed=1, progressbar=False)
    >>> isinstance(approx, taut.Approximation), pm.fit is taut.fit
    (True, False)
    """
    ours: dict[str, Any] = {name: getattr(taut, name) for name in _FITS}
    ours |= {name: getattr(updates, name) for name in updates.__all__}
    before = {name: getattr(pymc, name) for name in ours}
    try:
        for name, thing in ours.items():
            setattr(pymc, name, thing)
        yield
    finally:
        for name, thing in before.items():
            setattr(pymc, name, thing)

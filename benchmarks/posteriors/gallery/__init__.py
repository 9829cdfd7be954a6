"""Models as public galleries have them, of 20 to 250 unknowns: most need chains.

They are a group of their own, so that figures of the proving ground stay those of its own models.
"""

from benchmarks.posteriors.base import Posterior
from benchmarks.posteriors.gallery import hierarchies, latent, regressions

POSTERIORS: tuple[Posterior, ...] = (
    *hierarchies.POSTERIORS,
    *latent.POSTERIORS,
    *regressions.POSTERIORS,
)

__all__ = ["POSTERIORS"]

"""A model's density on batches, scaled to all rows."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import jax.numpy as jnp
from jaxtyping import Array, Float, PyTree, Scalar

from taut.batches import Share
from taut.frontend.pymc.lift import LiftedModel
from taut.target import Space


@dataclass(frozen=True)
class BatchTerms:
    r"""``(z, data, batch) -> (log_prior, log_likelihood)``, with a `Share` for each group of rows.

    .. math:: \log p(y \mid z) \approx \ell_0 + \sum_g s_g \sum_{i \in b_g} \log p(y_i \mid z)

    with :math:`\ell_0` of what has no batches, and :math:`s_g` the scale of a group.

    Parameters
    ----------
    lifted
        Gives the log prior, :math:`\ell_0`, and the log likelihood of each group.
    space
        The value variables.
    ragged
        For each group whether some batches lack the last row.
    """

    lifted: LiftedModel
    space: Space
    ragged: tuple[bool, ...]

    def __call__(
        self, z: Float[Array, " dim"], data: PyTree, batch: Sequence[Share]
    ) -> tuple[Scalar, Scalar]:
        prior, likelihood, groups = self.apart(z, data, batch)
        for share, total in zip(batch, groups, strict=True):
            likelihood = likelihood + jnp.asarray(share.scale) * total
        return prior, likelihood

    def apart(
        self, z: Float[Array, " dim"], data: PyTree, batch: Sequence[Share]
    ) -> tuple[Scalar, Scalar, list[Scalar]]:
        """Evaluate log prior, what has no batches, and each group, which is not scaled."""
        values = [*self.space.unravel(jnp.asarray(z)).values(), *data]

        def terms(part: Callable[[Array], Array]) -> Sequence[Array]:
            pairs = zip(batch, self.ragged, strict=True)
            rows = [
                part(jnp.asarray(a)) if ragged else a
                for share, ragged in pairs
                for a in share.arrays
            ]
            return self.lifted.terms(*values, *rows)

        # The last row counts apart, and only where it is a part of the batch. What the two calls
        # have in common, XLA computes once.
        prior, likelihood, *groups = terms(lambda rows: rows[:-1])
        last = terms(lambda rows: rows[-1:])[2:] if any(self.ragged) else groups
        parts = zip(batch, self.ragged, groups, last, strict=True)
        totals = [
            most + jnp.where(share.is_short, 0.0, one) if ragged else most
            for share, ragged, most, one in parts
        ]
        return prior, likelihood, totals

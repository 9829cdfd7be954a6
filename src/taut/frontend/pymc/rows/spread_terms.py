"""A model's density on rows that are spread over devices."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import final

import jax
from jaxtyping import Array, Float, PyTree, Scalar

from taut.batches import Share
from taut.engine import AXIS, Devices
from taut.errors import ArgumentError, ModelError
from taut.frontend.pymc.lift import LiftedModel
from taut.frontend.pymc.rows.batch_terms import BatchTerms
from taut.rows import Partition
from taut.target import Space


@final
@dataclass(frozen=True)
class SpreadTerms:
    """``(z, data, batch) -> (log_prior, log_likelihood)``, of rows that devices have in turn.

    Each device adds up its rows, and then all devices their sums: one number for a value, and as
    many as there are unknowns for a gradient. What has no rows each of them computes itself.

    Parameters
    ----------
    terms
        Of the rows of one device.
    devices
        The devices.
    """

    terms: BatchTerms
    devices: Devices

    @classmethod
    def of(
        cls, lifted: LiftedModel, space: Space, partitions: Sequence[Partition], devices: Devices
    ) -> "SpreadTerms":
        """Make them for batches of so many rows.

        Parameters
        ----------
        lifted, space
            As of `BatchTerms`.
        partitions
            For each group how an epoch is cut.
        devices
            The devices.
        """
        is_even = [one.width % devices.count == 0 and not one.is_ragged for one in partitions]
        return cls(BatchTerms(lifted, space, tuple(not one for one in is_even)), devices)

    def __call__(
        self, z: Float[Array, " dim"], data: PyTree, batch: Sequence[Share]
    ) -> tuple[Scalar, Scalar]:
        rows = [(share.arrays, share.is_short) for share in batch]
        added = self.devices.each(self._added, (False, False, True, False), False)
        return added(z, data, rows, [share.scale for share in batch])

    def _added(
        self, z: Float[Array, " dim"], data: PyTree, rows: PyTree, scales: Sequence[Array]
    ) -> tuple[Scalar, Scalar]:
        """Evaluate this device's rows, and add to them those of the others."""
        own = [
            Share(arrays, is_short[0], scale)
            for (arrays, is_short), scale in zip(rows, scales, strict=True)
        ]
        prior, rest, groups = self.terms.apart(z, data, own)
        total = sum(scale * group for scale, group in zip(scales, groups, strict=True))
        return prior, rest + jax.lax.psum(total, AXIS)


def check_spread(lifted: LiftedModel, partitions: Sequence[Partition], devices: Devices) -> None:
    """Refuse what can not be spread over devices.

    Raises
    ------
    ModelError
        JAX can not evaluate the density.
    ArgumentError
        There are fewer rows than devices.
    """
    if not lifted.reads_inputs:
        raise ModelError(
            "Rows can be spread over devices only where JAX evaluates the model, and PyTensor "
            "evaluates this one on the host. Leave devices out."
        )
    least = min(partition.rows // partition.batches for partition in partitions)
    if least < devices.count:
        raise ArgumentError(
            f"devices spreads the rows of a step over {devices.count} devices, and there are "
            f"{least} of them. Take fewer devices, or batches of more rows."
        )

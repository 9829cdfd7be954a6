"""The target of an approximation: an unnormalised log density on a flat unconstrained vector."""

from collections.abc import Callable, Mapping
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PyTree, Scalar

from taut.batches import AbstractBatches, AllRows
from taut.engine import Devices, Programs
from taut.target.conditionals import Conditionals
from taut.target.factors import Factors
from taut.target.space import Labels, Space

Terms = Callable[[Float[Array, " dim"], PyTree, PyTree], tuple[Scalar, Scalar]]
Constrain = Callable[[Float[Array, " dim"], PyTree, PyTree], dict[str, Array]]


class Target(eqx.Module):
    r"""A log density :math:`\log p(y, z)` with its data as leaves.

    .. math:: \log p(y, z) = \log p(z) + \sum_i \log p(y_i \mid z)

    The vector :math:`z` is unconstrained, and the log Jacobian of the map to the constrained
    space belongs to the prior term. With a batch of rows the likelihood is scaled by
    rows/batch rows, so that its mean over batches is the likelihood of all rows.

    Parameters
    ----------
    terms
        ``terms(z, data, batch) -> (log_prior, log_likelihood)``.
    space
        The variables in `z`.
    data
        Arrays the terms read. New values of the same shapes compile nothing.
    batches
        Where batches of rows come from; by default all rows are used in every step.
    constrain_terms
        ``constrain_terms(z, data, batch) -> {name: array}``, the variables in their own space.
    labels
        Dims and coordinates of the constrained variables.
    dtype
        Of `z` and the density; decides whether JAX computes in 64 bits.
    programs
        What is compiled for it.
    whole
        The batch of all rows, which is read where no other is given.
    factors_matrices
        Whether the density takes Cholesky factors, inverses or the like.
    conditionals
        Elements of `z` that are normal given others. Chains move in what is left of them.
    circular
        Elements of `z` that are angles in radians: the density has a period of a turn in each.
    factors
        The terms that the log density sums, for a target that was written by hand; what is said of
        structure is read off them.
    devices
        Over which the rows of a batch are spread; `None` where they are not.

    Examples
    --------
    >>> import jax.numpy as jnp
    >>> from taut.target import Space
    >>> from taut.target import Target
    >>> normal = Target(lambda z, data, batch: (-0.5 * jnp.sum(z**2), 0.0), Space.of({"x": (2,)}))
    >>> with normal.precision():
    ...     print(normal.log_density(jnp.ones(2)))
    -1.0
    """

    terms: Terms = eqx.field(static=True)
    space: Space = eqx.field(static=True)
    data: PyTree = ()
    batches: AbstractBatches = AllRows()
    constrain_terms: Constrain | None = eqx.field(static=True, default=None)
    labels: Labels = eqx.field(static=True, default=Labels())
    dtype: Any = eqx.field(static=True, default="float64")
    programs: Programs = eqx.field(static=True, default_factory=Programs)
    whole: PyTree = ()
    factors_matrices: bool = eqx.field(static=True, default=False)
    conditionals: Conditionals | None = eqx.field(static=True, default=None)
    circular: tuple[int, ...] = eqx.field(static=True, default=())
    factors: Factors | None = None
    devices: Devices | None = eqx.field(static=True, default=None)

    def __post_init__(self) -> None:
        # Programs are of one precision, that of their target.
        in_64_bits = np.dtype(self.dtype).itemsize == 8
        if self.programs.in_64_bits != in_64_bits:
            self.programs = Programs(in_64_bits)

    @property
    def largest_matrix(self) -> int:
        """Rows of the largest square matrix there may be, of the density or of a Gaussian."""
        return max(self.dim, self.rows_of(self.whole) if self.factors_matrices else 0)

    @property
    def dim(self) -> int:
        """Elements of the flat vector."""
        return self.space.dim

    def rows_of(self, batch: PyTree) -> int:
        """Return the longest leading axis among the arrays one evaluation on `batch` reads.

        Of rows that are spread over devices those of one device count.
        """
        parts = 1 if self.devices is None else self.devices.count
        return max(_longest(self.data), -(-_longest(batch) // parts))

    def precision(self) -> Any:
        """Scope in which JAX computes in the target's dtype; the user's setting is kept."""
        return self.programs.precision()

    def split(self, z: Float[Array, " dim"], batch: PyTree | None = None) -> tuple[Scalar, Scalar]:
        """Evaluate the log prior and the log likelihood; all rows without a batch."""
        batch = self.whole if batch is None else batch
        prior, likelihood = self.terms(z, self.data, batch)
        return jnp.asarray(prior, self.dtype), jnp.asarray(likelihood, self.dtype)

    def log_prior(self, z: Float[Array, " dim"], batch: PyTree | None = None) -> Scalar:
        """Evaluate the log density of the free variables, log Jacobian included."""
        return self.split(z, batch)[0]

    def log_likelihood(self, z: Float[Array, " dim"], batch: PyTree | None = None) -> Scalar:
        """Evaluate the log density of the observed variables and the potentials."""
        return self.split(z, batch)[1]

    def log_density(self, z: Float[Array, " dim"], batch: PyTree | None = None) -> Scalar:
        """Evaluate the sum of both."""
        prior, likelihood = self.split(z, batch)
        return prior + likelihood

    def constrain(self, z: Float[Array, " dim"]) -> Mapping[str, Array]:
        """Map the flat vector to the model's variables in their own space."""
        if self.constrain_terms is None:
            return self.space.unravel(z)
        return self.constrain_terms(z, self.data, self.whole)


def _longest(arrays: PyTree) -> int:
    return max((np.shape(leaf)[0] for leaf in jax.tree.leaves(arrays) if np.ndim(leaf)), default=1)

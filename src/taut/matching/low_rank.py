"""Batch and match for a diagonal and a few directions: match, then patch back to that form."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from jaxtyping import Float

from taut.gaussian import LowRankNormal, Vectors

Vector = Float[np.ndarray, " dim"]
Columns = Float[np.ndarray, "dim few"]
# Iterations of EM for one patch; the next batch goes on where they end.
_EM = 20
# Variance that the diagonal keeps, of that of its element.
_LEAST = 1e-8


@dataclass(frozen=True)
class ScoreBatch:
    r"""What batch and match asks of a batch: that :math:`\Sigma U \Sigma + \Sigma = V`.

    Parameters
    ----------
    plus
        Columns with :math:`V = \Psi + P P^\top`, where :math:`\Psi` is the diagonal of the
        approximation that the batch was drawn from.
    pulled
        Columns with :math:`U = G G^\top`.
    share
        Of the way to the mean that the batch asks for, the part to go.
    z_mean, slope
        Averages of the draws and of their gradients.
    """

    plus: Columns
    pulled: Columns
    share: float
    z_mean: Vector
    slope: Vector

    @classmethod
    def of(cls, q: LowRankNormal, noise: Vectors, slopes: Vectors, strength: float) -> Self:
        """Gather a batch, with the arguments of `taut.matching.driver.match_batch`."""
        z, share = q.push(noise)[0], strength / (1.0 + strength)
        spread, z_mean, slope = np.sqrt(strength / len(z)), z.mean(axis=0), slopes.mean(axis=0)
        pulled = np.column_stack([spread * (slopes - slope).T, np.sqrt(share) * slope])
        drawn = [spread * (z - z_mean).T, np.sqrt(share) * (q.mean - z_mean)]
        return cls(np.column_stack([q.factor, *drawn]), pulled, share, z_mean, slope)

    def mean(self, before: Vector, pulled: Vector) -> Vector:
        """Find the mean, given the product of the new covariance and the average gradient."""
        return before + self.share * (pulled + self.z_mean - before)


def match_and_patch(
    q: LowRankNormal, noise: Vectors, slopes: Vectors, strength: float
) -> LowRankNormal:
    r"""Match the scores of a batch, and find the nearest diagonal and few directions.

    The match is a diagonal, plus and minus a few directions, and is never multiplied out. The
    patch takes steps of the EM algorithm for factor analysis on it, which bring
    :math:`\mathrm{KL}(\text{match} \Vert \tilde q)` down. O(dim · rank · (rank + draws)).

    Parameters
    ----------
    q, noise, slopes, strength
        As in `taut.matching.driver.match_batch`.

    References
    ----------
    Modi, Cai, Saul (2024), Batch, match, and patch: low-rank approximations for score-based
    variational inference, arXiv 2410.22292.
    """
    batch = ScoreBatch.of(q, noise, slopes, strength)
    pulled = batch.pulled
    v_pulled = q.diagonal[:, None] * pulled + batch.plus @ (batch.plus.T @ pulled)
    values, vectors = np.linalg.eigh(pulled.T @ v_pulled)
    minus = (v_pulled @ vectors) / (0.5 + np.sqrt(np.maximum(values, 0.0) + 0.25))
    matched = _Signed(q.diagonal, batch.plus, minus)
    mean = batch.mean(q.mean, matched.times(batch.slope[:, None])[:, 0])
    return LowRankNormal(mean, *_patch(matched, q.diagonal, q.factor))


@dataclass(frozen=True)
class _Signed:
    """The matrix: diagonal + plus plus' - minus minus'."""

    own: Vector
    plus: Columns
    minus: Columns

    def times(self, columns: Columns) -> Columns:
        """Multiply by some columns."""
        added, taken = self.plus @ (self.plus.T @ columns), self.minus @ (self.minus.T @ columns)
        return self.own[:, None] * columns + added - taken

    def diagonal(self) -> Vector:
        """Compute the variances."""
        return self.own + np.sum(self.plus**2, axis=1) - np.sum(self.minus**2, axis=1)


def _patch(matched: _Signed, diagonal: Vector, factor: Columns) -> tuple[Vector, Columns]:
    variances, one = matched.diagonal(), np.eye(factor.shape[1])
    for _ in range(_EM):
        scaled = factor / diagonal[:, None]
        back = scaled @ np.linalg.inv(one + factor.T @ scaled)
        across = matched.times(back)
        second = one - back.T @ factor + back.T @ across
        factor = np.linalg.solve(second.T, across.T).T
        left = variances - np.sum(factor * across, axis=1)
        diagonal = np.maximum(left, _LEAST * np.abs(variances))
    return diagonal, factor

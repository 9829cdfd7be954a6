"""Batch and match within a form: the diagonal and few directions that match a batch best."""

from dataclasses import dataclass

import numpy as np
import scipy
from jaxtyping import Float

from taut.gaussian import LowRankNormal, Vectors
from taut.matching.low_rank import Columns, ScoreBatch, Vector
from taut.matching.span import span

# Iterations of L-BFGS for one batch, and the pairs that it remembers.
_LONGEST, _MEMORY = 100, 10
# Change and slope of the objective, near which numbers end, at which it is minimised.
_SAME, _FLAT = 1e-15, 1e-9
# What a start has to be better by, in nats, than one that is nearer to the Gaussian before.
_BETTER = 1.0
# Excess of a variance along a direction that is kept at least: at zero no direction ever turns.
_LEAST = 1e-12


def match_form(q: LowRankNormal, noise: Vectors, slopes: Vectors, strength: float) -> LowRankNormal:
    r"""Match the scores of a batch as well as a diagonal and a few directions can.

    .. math:: \min_{\Psi, F} \operatorname{tr}(\Sigma U) + \operatorname{tr}(\Sigma^{-1} V)
              + \log\det\Sigma, \quad \Sigma = \Psi + F F^\top

    This is the objective of batch and match with its best mean put in. Its minimum over all
    covariances is the match, which `taut.matching.low_rank.match_and_patch` brings back to the form
    afterwards; here nothing is lost on the way back. Where the target is a Gaussian of the form,
    one batch with some more draws than twice the directions decides it, up to what `strength`
    holds back and as far as L-BFGS comes: O(dim · (rank + draws) · rank) an iteration.

    Parameters
    ----------
    q, noise, slopes, strength
        As in `taut.matching.driver.match_batch`.

    Raises
    ------
    numpy.linalg.LinAlgError
        Numbers are out of all bounds.
    """
    batch = ScoreBatch.of(q, noise, slopes, strength)
    objective, start = _begin(q, batch, 1.0 + strength)
    options = {"maxiter": _LONGEST, "maxcor": _MEMORY, "ftol": _SAME, "gtol": _FLAT}
    found = scipy.optimize.minimize(objective, start, jac=True, method="L-BFGS-B", options=options)
    new = LowRankNormal(q.mean, *objective.form.at(found.x))
    return LowRankNormal(batch.mean(q.mean, new.times(batch.slope)), new.diagonal, new.factor)


@dataclass(frozen=True)
class _Form:
    r"""Parameters of diagonals and directions, around some of them, in which these have no scale.

    .. math:: \Psi = \Psi_0 e^\theta, \quad F = \Psi_0^{1/2} (I + C (h - 1) C^\top) \Phi

    where :math:`\Psi_0^{1/2} (I + C (h^2 - 1) C^\top) \Psi_0^{1/2}` is the covariance around which
    they are. So all of them move a covariance by about as much, in its own coordinates, however
    wide it is along a direction.

    Parameters
    ----------
    diagonal
        :math:`\Psi_0`.
    axes
        :math:`C`, orthonormal.
    stretch
        :math:`h`, at least 1.
    """

    diagonal: Vector
    axes: Columns
    stretch: Float[np.ndarray, " few"]

    @classmethod
    def around(cls, diagonal: Vector, factor: Columns) -> tuple["_Form", Vector]:
        """Make the one around these, and their parameters in it."""
        whitened = factor / np.sqrt(diagonal)[:, None]
        axes, sizes, _ = np.linalg.svd(whitened, full_matrices=False)
        stretch = np.hypot(1.0, sizes)
        phi = axes * (sizes / stretch)
        form = cls(diagonal, axes, stretch)
        return form, np.concatenate([np.zeros(len(diagonal)), phi.ravel()])

    def at(self, parameters: Vector) -> tuple[Vector, Columns]:
        """Compute diagonal and directions."""
        dim = len(self.diagonal)
        phi = parameters[dim:].reshape(dim, -1)
        factor = np.sqrt(self.diagonal)[:, None] * self._stretched(phi)
        return self.diagonal * np.exp(parameters[:dim]), factor

    def pull(self, diagonal: Vector, by_diagonal: Vector, by_factor: Columns) -> Vector:
        """Turn derivatives by diagonal and directions into those by the parameters."""
        by_phi = self._stretched(np.sqrt(self.diagonal)[:, None] * by_factor)
        return np.concatenate([diagonal * by_diagonal, by_phi.ravel()])

    def _stretched(self, columns: Columns) -> Columns:
        return columns + self.axes @ ((self.stretch - 1.0)[:, None] * (self.axes.T @ columns))


@dataclass(frozen=True)
class _Objective:
    """The objective of `match_form` and its gradient, at parameters of a form.

    Parameters
    ----------
    form
        The parameters.
    own
        The diagonal part of V.
    batch
        The rest of V, and U.
    weight
        By which it is divided, to be of the size of one draw's divergence.
    """

    form: _Form
    own: Vector
    batch: ScoreBatch
    weight: float

    def __call__(self, parameters: Vector) -> tuple[float, Vector]:
        diagonal, factor = self.form.at(parameters)
        own, plus, pulled = self.own, self.batch.plus, self.batch.pulled
        # The inverse of the covariance is 1 / diagonal - inner inner'.
        scaled = factor / diagonal[:, None]
        root = np.linalg.cholesky(np.eye(factor.shape[1]) + factor.T @ scaled)
        inner = np.linalg.solve(root, scaled.T).T
        across, gone = pulled.T @ factor, plus / diagonal[:, None] - inner @ (inner.T @ plus)
        # Diagonals of U and of the inverse, and the inverse times the directions.
        pulls, inverse = np.sum(pulled**2, axis=1), 1.0 / diagonal - np.sum(inner**2, axis=1)
        solved = scaled - inner @ (inner.T @ factor)
        value = pulls @ diagonal + np.sum(across**2) + own @ inverse + np.sum(plus * gone)
        value += np.log(diagonal).sum() + 2.0 * np.log(np.diag(root)).sum()
        both = inner.T @ (own[:, None] * inner)
        squares = np.sum((inner @ both) * inner, axis=1)
        squares += own / diagonal * (2.0 * inverse - 1.0 / diagonal)
        by_diagonal = pulls - squares - np.sum(gone**2, axis=1) + inverse
        weighed = own[:, None] * solved
        weighed = weighed / diagonal[:, None] - inner @ (inner.T @ weighed)
        by_factor = 2.0 * (pulled @ across - weighed - gone @ (gone.T @ factor) + solved)
        slope = self.form.pull(diagonal, by_diagonal, by_factor)
        return float(value) / self.weight, slope / self.weight


def _begin(q: LowRankNormal, batch: ScoreBatch, weight: float) -> tuple[_Objective, Vector]:
    """Choose where L-BFGS begins: with the directions of `q`, or with those of the batch.

    Directions of a batch fit its noise: they are taken only if they are better clearly.
    """
    pulls = np.sum(batch.pulled**2, axis=1)
    variances = q.diagonal + np.sum(batch.plus**2, axis=1)
    alone = 2.0 * variances / (1.0 + np.hypot(1.0, 2.0 * np.sqrt(pulls * variances)))
    best, least = None, np.inf
    for diagonal, of_batch in ((q.diagonal, False), (alone, False), (alone, True)):
        basis = _basis(q, batch, diagonal, of_batch=of_batch)
        form, start = _Form.around(diagonal, _directions(q, batch, diagonal, basis))
        objective = _Objective(form, q.diagonal, batch, weight)
        value = objective(start)[0]
        if best is None or value < least - _BETTER:
            best, least = (objective, start), value
    return best


def _basis(q: LowRankNormal, batch: ScoreBatch, diagonal: Vector, *, of_batch: bool) -> Columns:
    """Find an orthonormal basis of directions, in units of a diagonal."""
    scale = np.sqrt(diagonal)[:, None]
    if not of_batch:
        return np.linalg.qr(q.factor / scale)[0]
    basis = span(np.hstack([batch.plus / scale, batch.pulled * scale]).T)
    return np.eye(len(diagonal)) if basis is None else basis


def _directions(q: LowRankNormal, batch: ScoreBatch, diagonal: Vector, basis: Columns) -> Columns:
    """Match the batch within a basis, where that has a closed form; keep what is widest."""
    scale, rank = np.sqrt(diagonal)[:, None], q.factor.shape[1]
    drawn, pulled = basis.T @ (batch.plus / scale), basis.T @ (batch.pulled * scale)
    v = drawn @ drawn.T + basis.T @ ((q.diagonal / diagonal)[:, None] * basis)
    root = np.linalg.cholesky(v)
    vectors, values, _ = np.linalg.svd(root.T @ pulled)
    weights = np.zeros(len(root))
    weights[: len(values)] = values
    # As in `taut.matching.driver`: S = R X R' with x = 2 / (1 + sqrt(1 + 4 w)).
    half = root @ (vectors * np.sqrt(2.0 / (1.0 + np.hypot(1.0, 2.0 * weights))))
    axes, sizes, _ = np.linalg.svd(half)
    excess = np.sqrt(np.maximum(sizes[:rank] ** 2 - 1.0, _LEAST))
    return scale * ((basis @ axes[:, :rank]) * excess)

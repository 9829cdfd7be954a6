"""Covariances that a Gaussian approximation implies, beyond those it states."""

from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy
from jaxtyping import Float

from taut.approximation.fitted import Fitted
from taut.approximation.fixed_draws import FixedDraws, is_gaussian
from taut.approximation.record import Record
from taut.approximation.state import State
from taut.arguments import as_positive
from taut.errors import ArgumentError, NotFiniteError, RowsError, warn
from taut.family import FullRank

if TYPE_CHECKING:
    import xarray as xr

# Up to so many parameters the Hessian is inverted; for more, each product is solved for.
_INVERTED = 1200
# Newton's steps end where this many posterior standard deviations are left.
_TOLERANCE = {4: 1e-2, 8: 1e-4}
# Residuals of conjugate gradients, relative to what is solved for.
_RESIDUAL = {4: 1e-4, 8: 1e-8}


class LinearResponse:
    r"""The covariance of the linear response of an approximation's mean.

    .. math:: \Sigma_{\mathrm{LR}} = \frac{d\, E_{q_t}[z]}{d t^\top} \Big|_{t = 0}
              = G H^{-1} G^\top, \quad q_t = \arg\min_q
              \mathrm{KL}\bigl(q \,\|\, p(z \mid y)\, e^{t^\top z} / Z_t\bigr)

    with :math:`H` the Hessian of the negative ELBO in the parameters, at its optimum, and
    :math:`G = dE_q[z]/d\lambda`. All in the unconstrained space. An exact posterior's mean has
    exactly its covariance as its response; so has mean field's, where the posterior is Gaussian,
    though its own variances are too small. Made by ``approx.linear_response()``.

    Parameters
    ----------
    objective
        The negative ELBO of a fit on fixed draws.
    x
        The optimum of that.
    approx
        What it is the response of.
    record
        Of the approximation with this covariance.
    """

    def __init__(
        self, objective: FixedDraws, x: np.ndarray, approx: Fitted, record: Record
    ) -> None:
        self._objective, self._x, self._approx, self._record = objective, x, approx, record
        with objective.target.precision():
            start = np.asarray(objective.chart.origin.mean(), float)
        self.mean: Float[np.ndarray, " dim"] = start + objective.shift(x)

    @property
    def gradients(self) -> int:
        """Gradients of the log density that were evaluated up to now."""
        return self._objective.gradients

    def times(self, vector: Float[np.ndarray, " dim"]) -> Float[np.ndarray, " dim"]:
        """Multiply the covariance with a vector, as for the variance of one contrast.

        In many dimensions this costs one run of conjugate gradients, and no dim x dim array.

        Raises
        ------
        NotFiniteError
            The Hessian is not positive.
        """
        pulled = self._objective.pull(np.asarray(vector, float))
        return self._objective.shift(self._solve(pulled))

    def cov(self) -> Float[np.ndarray, "dim dim"]:
        """Compute the covariance; O(dim²) memory, and `times` for each of dim columns."""
        columns = [self.times(unit) for unit in np.eye(self._objective.target.dim)]
        return (np.array(columns) + np.array(columns).T) / 2

    @property
    def std(self) -> "xr.Dataset":
        """Standard deviations by variable; `times` for each element."""
        return self.std_of(*self._objective.target.space.names)

    def std_of(self, *names: str) -> "xr.Dataset":
        """Compute the standard deviations of variables, by their names in the unconstrained space.

        Raises
        ------
        ArgumentError
            A name is none of them.
        """
        from taut.approximation.datatree import to_dataset

        space = self._objective.target.space
        unknown = [name for name in names if name not in space.names]
        if unknown:
            raise ArgumentError(
                f"There is no variable {unknown[0]!r} in the unconstrained space. There are: "
                f"{', '.join(space.names)}."
            )
        values = {name: self._stds(space[name].slice).reshape(space[name].shape) for name in names}
        return to_dataset(values, self._objective.target.labels)

    @property
    def approximation(self) -> Any:
        """A full-rank Gaussian with this mean and covariance, to sample from; O(dim²) memory.

        Raises
        ------
        NotFiniteError
            The covariance is not positive definite.
        """
        dtype, root = self._objective.target.dtype, _cholesky(self.cov())
        return self._approx.alike(FullRank.of(self.mean, root, dtype), self._record)

    def __reduce__(self) -> Any:
        return _restored, (self._objective.parts(), self._x, self._approx, self._record)

    def __repr__(self) -> str:
        return (
            f"<LinearResponse of {self._objective.target.dim} dimensions: "
            f"{self.gradients:,d} gradients at {len(self._objective.noise):,d} fixed draws>"
        )

    def _stds(self, part: slice) -> np.ndarray:
        found = []
        for i in range(part.start, part.stop):
            unit = np.zeros(self._objective.target.dim)
            unit[i] = 1.0
            found.append(self.times(unit)[i])
        if min(found, default=1.0) <= 0:
            raise NotFiniteError(_NO_MINIMUM)
        return np.sqrt(found)

    @cached_property
    def _solve(self) -> Callable[[np.ndarray], np.ndarray]:
        """Solve for a vector, by the inverse of the Hessian where it is small."""
        apply = lambda v: self._objective.curvature(self._x, v)  # noqa: E731
        if len(self._x) > _INVERTED:
            residual = _RESIDUAL[np.dtype(self._objective.target.dtype).itemsize]
            return lambda v: conjugate_gradients(apply, v, residual)
        return _inverse(np.array([apply(unit) for unit in np.eye(len(self._x))])).__matmul__


_NO_MINIMUM = (
    "The ELBO on fixed draws has no minimum with positive curvature here, so its response is no "
    "covariance. Fit longer first, or use more draws: approx.linear_response(draws=1000)."
)


def linear_response(approx: Fitted, draws: int = 200, *, random_seed: Any = None) -> LinearResponse:
    r"""Correct the covariance of a Gaussian fit by the response of its mean.

    .. math:: \Sigma_{\mathrm{LR}} = G H^{-1} G^\top

    Mean field's standard deviations are too small where the posterior is correlated, and it
    has no correlations; both come back to first order, and exactly where the posterior is
    Gaussian. Means stay as good or bad as they are. Use it on a fit by ``"advi"`` in place of
    one by ``"fullrank_advi"``, in particular in many dimensions.

    First some steps of Newton's method find the optimum of the ELBO on draws that are fixed;
    H is its Hessian there. A product with H costs two gradients for each draw. Where there
    are at most 1200 parameters, 600 dimensions of mean field, H is inverted by as many
    products; else each column of the covariance takes a run of conjugate gradients. No array
    of dim x dim is made but by ``cov()`` and ``approximation``.

    Parameters
    ----------
    draws
        How many; families with correlations use at least four for each dimension.
    random_seed
        As in `sample`.

    Returns
    -------
    taut.approximation.linear_response.LinearResponse
        With ``cov()``, ``std`` by variable, ``std_of(names)``, ``times(vector)``, and
        ``approximation``, a full-rank Gaussian to sample from.

    Raises
    ------
    ArgumentError
        The approximation is not Gaussian.
    RowsError
        Rows are read from a source, which holds no second derivatives.

    References
    ----------
    Giordano, Broderick, Jordan (2018), Covariances, Robustness, and Variational Bayes.
    Giordano, Ingram, Broderick (2024), Black Box Variational Inference with a Deterministic
    Objective.

    Examples
    --------
    >>> import numpy as np, pymc as pm, taut
    >>> cov = np.array([[1.0, 0.9], [0.9, 1.0]])
    >>> with pm.Model():
    ...     x = pm.MvNormal("x", np.zeros(2), cov)
    ...     approx = taut.fit(3000, method="advi", random_seed=1, progressbar=False)
    >>> np.round(approx.linear_response().cov(), 4)
    array([[1. , 0.9],
           [0.9, 1. ]])
    """
    draws, state = as_positive("draws", draws), approx.state
    if state.streamed is not None:
        raise RowsError(
            "linear_response needs all rows in memory, and those of this fit are read from a "
            "source. Give it a model of a subset of rows, or correct draws by "
            'approx.sample(importance="psis").'
        )
    objective = _fixed(state, draws, np.random.default_rng(approx.words(random_seed)))
    record = Record(f"{approx.record.method or 'none'} with linear response", approx.record.hist)
    return LinearResponse(objective, _minimum(objective), approx, record)


def _restored(parts: Any, x: np.ndarray, approx: Fitted, record: Record) -> LinearResponse:
    return LinearResponse(FixedDraws.of_parts(approx.target, *parts), x, approx, record)


def _fixed(state: State, draws: int, random: np.random.Generator) -> FixedDraws:
    family = state.family
    if not is_gaussian(family):
        raise ArgumentError(
            f"linear_response needs a Gaussian approximation, and this is a "
            f"{type(family).__name__}. Fit one, such as taut.fit(method='advi'), or correct this "
            'one by approx.sample(importance="psis").'
        )
    return FixedDraws(family, state.target, draws, random)


def _minimum(objective: FixedDraws) -> np.ndarray:
    """Minimise the negative ELBO on fixed draws, from where the fit ended."""
    start = np.zeros(sum(objective.sizes))
    tolerance = _TOLERANCE[np.dtype(objective.target.dtype).itemsize]
    found = scipy.optimize.minimize(
        objective.value_and_slope, start, jac=True, hessp=objective.curvature,
        method="trust-ncg", options={"gtol": tolerance, "maxiter": 200},
    )  # fmt: skip
    left = float(np.linalg.norm(found.jac))
    if not left <= 10 * tolerance:
        warn(
            f"Newton's method on fixed draws ended with a gradient of {left:.1e}, so the linear "
            "response is not that of an optimum. Fit longer first, or use more draws."
        )
    return found.x


def conjugate_gradients(
    apply: Callable[[np.ndarray], np.ndarray], right: np.ndarray, residual: float
) -> np.ndarray:
    """Solve ``apply(x) = right`` for a symmetric operator that is positive on what is met.

    Raises
    ------
    NotFiniteError
        It is not positive.
    """
    x, left = np.zeros_like(right), right.copy()
    direction, norm = left.copy(), float(left @ left)
    bound = residual**2 * norm
    for _ in range(10 * len(right)):
        if norm <= bound:
            break
        product = apply(direction)
        curvature = float(direction @ product)
        if not curvature > 0:
            raise NotFiniteError(_NO_MINIMUM)
        x += norm / curvature * direction
        left -= norm / curvature * product
        before, norm = norm, float(left @ left)
        direction = left + norm / before * direction
    return x


def _inverse(hessian: np.ndarray) -> np.ndarray:
    """Invert on the directions that the density depends on."""
    values, vectors = np.linalg.eigh((hessian + hessian.T) / 2)
    smallest = 1e-10 * values.max()
    if values.min() < -np.sqrt(smallest * values.max()):
        raise NotFiniteError(_NO_MINIMUM)
    kept = values > smallest
    return (vectors[:, kept] / values[kept]) @ vectors[:, kept].T


def _cholesky(cov: np.ndarray) -> np.ndarray:
    try:
        return np.linalg.cholesky(cov)
    except np.linalg.LinAlgError as error:
        raise NotFiniteError(_NO_MINIMUM) from error

"""Covariances that a Gaussian approximation implies, beyond those it states."""

from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Float
from scipy.optimize import minimize

from taut.approximation.fixed_draws import FixedDraws, is_gaussian
from taut.approximation.groups import Group
from taut.errors import ArgumentError, NotFiniteError, warn
from taut.family import inverse_softplus

if TYPE_CHECKING:
    import xarray as xr

    from taut.approximation.approximation import Approximation

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
    approx
        Whose labels and model are used.
    objective
        Its negative ELBO on fixed draws.
    x
        The optimum of that.
    """

    def __init__(self, approx: "Approximation", objective: FixedDraws, x: np.ndarray) -> None:
        self._approx, self._objective, self._x = approx, objective, x
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
        """Give the covariance; O(dim²) memory, and `times` for each of dim columns."""
        columns = [self.times(unit) for unit in np.eye(self._approx.ndim)]
        return (np.array(columns) + np.array(columns).T) / 2

    @property
    def std(self) -> "xr.Dataset":
        """Standard deviations by variable; `times` for each element."""
        return self.std_of(*self._approx.target.space.names)

    def std_of(self, *names: str) -> "xr.Dataset":
        """Give standard deviations of some variables, by their names in the unconstrained space.

        Raises
        ------
        ArgumentError
            A name is none of them.
        """
        from taut.approximation.datatree import to_dataset

        space = self._approx.target.space
        unknown = [name for name in names if name not in space.names]
        if unknown:
            raise ArgumentError(
                f"There is no variable {unknown[0]!r} in the unconstrained space. There are: "
                f"{', '.join(space.names)}."
            )
        values = {name: self._stds(space[name].slice).reshape(space[name].shape) for name in names}
        return to_dataset(values, self._approx.target.labels)

    @property
    def approximation(self) -> "Approximation":
        """A full-rank Gaussian with this mean and covariance, to sample from; O(dim²) memory.

        Raises
        ------
        NotFiniteError
            The covariance is not positive definite.
        """
        from taut.approximation.approximation import Approximation

        approx = self._approx
        cholesky = _cholesky(self.cov())
        factor = np.tril(cholesky, -1) + np.diag(inverse_softplus(np.diag(cholesky)))
        dtype = approx.target.dtype
        triangle = factor[np.tril_indices(approx.ndim)].astype(dtype)
        group = Group(None, params={"mu": self.mean.astype(dtype), "L_tril": triangle})
        model = approx.target if approx.model is None else approx.model
        made = Approximation([group], model=model, random_seed=approx.random_seed)
        made.method = f"{approx.method or 'none'} with linear response"
        made.hist = approx.hist
        return made

    def __repr__(self) -> str:
        return (
            f"<LinearResponse of {self._approx.ndim} dimensions: "
            f"{self.gradients:,d} gradients at {len(self._objective.noise):,d} fixed draws>"
        )

    def _stds(self, part: slice) -> np.ndarray:
        found = []
        for i in range(part.start, part.stop):
            unit = np.zeros(self._approx.ndim)
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


def linear_response(
    approx: "Approximation", draws: int, random: np.random.Generator
) -> LinearResponse:
    """Minimise the negative ELBO on fixed draws, from where the fit ended.

    Parameters
    ----------
    approx
        A fit.
    draws
        How many.
    random
        Decides them.

    Raises
    ------
    ArgumentError
        The family is not Gaussian.
    """
    family, target = approx.family, approx.target
    if not is_gaussian(family):
        raise ArgumentError(
            f"linear_response needs a Gaussian approximation, and this is a "
            f"{type(family).__name__}. Fit one, such as taut.fit(method='advi'), or correct this "
            'one by approx.sample(importance="psis").'
        )
    objective = FixedDraws(family, target, draws, random)
    start = np.zeros(sum(objective.sizes))
    tolerance = _TOLERANCE[np.dtype(target.dtype).itemsize]
    found = minimize(
        objective.value_and_slope, start, jac=True, hessp=objective.curvature,
        method="trust-ncg", options={"gtol": tolerance, "maxiter": 200},
    )  # fmt: skip
    left = float(np.linalg.norm(found.jac))
    if not left <= 10 * tolerance:
        warn(
            f"Newton's method on fixed draws ended with a gradient of {left:.1e}, so the linear "
            "response is not that of an optimum. Fit longer first, or use more draws."
        )
    return LinearResponse(approx, objective, found.x)


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

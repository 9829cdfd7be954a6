"""Laplace's approximation: a Gaussian at the mode with the curvature there."""

from collections.abc import Generator, Mapping
from typing import Any, final

import numpy as np

from taut import errors
from taut.errors import ArgumentError
from taut.family import FullRank
from taut.gaussian import DenseNormal
from taut.gradients import AbstractGradients, hessian_at
from taut.method.direct import DirectInference
from taut.method.problem import Iterate, Needs, Problem
from taut.method.setup import Setup
from taut.modes import Evaluated, Function, descend, newton_step, scaled_eigen

# Beyond, the Hessian alone takes minutes.
_LARGEST = 1000
_NEWTON_STEPS = 50
# Of a quadratic, in nats, at which the mode has been found.
_DECREASE = 1e-10
# Curvatures below this, in units in which the diagonal is 1, are noise, or no mode.
_CLIP = 1e-8


@final
class Laplace(DirectInference):
    r"""Laplace's approximation, a dense Gaussian at the mode in the unconstrained space.

    .. math:: q = \mathcal N\bigl(\hat z, (-\nabla^2 \log p(y, \hat z))^{-1}\bigr), \quad
              \hat z = \arg\max_z \log p(y, z)

    The mode is found by quasi-Newton (L-BFGS-B) and polished by Newton's method; the Hessian is
    exact. Superb where there are many data for each parameter, and exact on Gaussian posteriors.
    Hierarchical scales have their mode at an edge, where the curvature says nothing: use
    `BatchMatch` there. The loss in `hist` is the negative log density, without the entropy.

    Costs some tens of gradients, and for each step of Newton's method as many products with the
    Hessian as there are dimensions; O(dim²) memory and O(dim³) a step.

    Parameters
    ----------
    model, random_seed, start
        As of `taut.ADVI`; the seed decides where the search begins anew if it fails.

    Raises
    ------
    ArgumentError, StartError
        An argument makes no sense, or there are more than 1 000 dimensions.
    ModelError
        The model can not be fitted as it is written.

    References
    ----------
    Tierney, Kadane (1986), Accurate Approximations for Posterior Moments and Marginal Densities.

    Examples
    --------
    >>> import pymc as pm, taut
    >>> with pm.Model():
    ...     x = pm.Normal("x", 3.0, 2.0, shape=2)
    ...     approx = taut.Laplace(random_seed=1).fit(progressbar=False)
    >>> print(approx.mean.eval().round(6), approx.std.eval().round(6))
    [3. 3.] [2. 2.]
    """

    name = "laplace"
    title = "Laplace"
    longest = 500
    needs = Needs(rows_in_memory=True)

    def __init__(
        self,
        *,
        model: Any = None,
        random_seed: Any = None,
        start: Mapping[str, Any] | None = None,
    ) -> None:
        # Mean field is enough to hold a start, and does not fill the memory before the check.
        self._begin(Setup(model, random_seed, start), "mf")
        if self._approx.ndim > _LARGEST:
            raise ArgumentError(
                f"The model has {self._approx.ndim:,d} dimensions, and Laplace's approximation "
                f"works with {_LARGEST:,d} at most, since it inverts the Hessian. Use "
                'method="dadvi" or method="lowrank_batch_match".'
            )
        self._approx.show(
            self._family(Evaluated(np.asarray(self._approx.family.mean()), 0.0), None)
        )

    def _solve(self, problem: Problem) -> Generator[Iterate, None, str]:
        function = _negative(problem.gradients)
        point = Evaluated(problem.start, np.inf)
        for point in descend(function, problem.start, problem.random):
            yield Iterate(self._family(point, None), point.value)
        decrease, precision = np.inf, _precision(problem.gradients, point.z)
        for _ in range(_NEWTON_STEPS):
            before, (point, decrease) = point, newton_step(function, precision, point)
            yield Iterate(self._family(point, precision), point.value)
            if before.z is point.z:
                break
            precision = _precision(problem.gradients, point.z)
            if decrease < _DECREASE:
                break
        words = _judge(precision, decrease)
        yield Iterate(self._family(point, precision), point.value)
        return words

    def _family(self, point: Evaluated, precision: np.ndarray | None) -> FullRank:
        dtype = self._approx.target.dtype
        if precision is None:
            return FullRank.of(point.z, np.eye(len(point.z)), dtype)
        values, vectors, scale = scaled_eigen(precision)
        root = vectors / np.sqrt(np.maximum(values, _CLIP)) / scale[:, None]
        return DenseNormal(point.z, root).family(dtype)


def _negative(gradients: AbstractGradients) -> Function:
    def function(z: np.ndarray) -> tuple[float, np.ndarray]:
        values, slopes = gradients(z[None])
        return -float(values[0]), -slopes[0]

    return function


def _precision(gradients: AbstractGradients, z: np.ndarray) -> np.ndarray:
    target = gradients.target
    at = z.astype(target.dtype)
    found = target.programs(hessian_at, target, at, timing=gradients.timing)
    gradients.count += len(z)
    hessian = np.asarray(found, float)
    return -0.5 * (hessian + hessian.T)


def _judge(precision: np.ndarray, decrease: float) -> str:
    """Say what was found; warn where it is no mode."""
    values = scaled_eigen(precision)[0]
    flat = int(np.sum(values < _CLIP))
    if flat:
        words = (
            f"the Hessian is not negative definite at the mode, in {flat} of {len(values)} "
            "directions; the nearest definite one is used"
        )
        errors.warn(f"Laplace: {words}. The standard deviations mean little; try another method.")
        return words
    if decrease > 1e-3:
        words = f"no mode was found: the log density can still grow by about {decrease:.2g} nats"
        errors.warn(f"Laplace: {words}. Start elsewhere, or try another method.")
        return words
    return "the mode has been found"

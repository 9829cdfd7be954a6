"""The stages of a fit whose latents are integrated out."""

from collections.abc import Generator

import numpy as np
from jaxtyping import Float

from taut.diagnose import Outcome, failed
from taut.gaussian import DenseNormal
from taut.marginal import Integrand
from taut.method.marginal_fit import MarginalFit, Vector, counted, iterate
from taut.method.marginal_weights import are_enough, resampled, shift_by_nodes, weigh
from taut.method.problem import Iterate, Problem
from taut.modes import descend, scaled_eigen

# Steps of differences of gradients, in the unconstrained space and then in standard deviations.
_STEP, _WHITENED = 1e-4, 0.5
# Curvatures below this, in units in which the diagonal is 1, are noise.
_CLIP = 1e-8
# Draws that are weighed at first, for each global unknown and at least; rounds, of which each takes
# twice as many.
_EACH, _FEWEST, _ROUNDS = 4, 64, 4


def marginal_stages(problem: Problem, integrand: Integrand) -> Generator[Iterate, None, Outcome]:
    """Fit the global unknowns with the latents integrated out, and let weights judge the result.

    Parameters
    ----------
    problem
        What is fitted.
    integrand
        The marginal density.
    """
    journal, gradients = problem.journal, problem.gradients
    space = gradients.target.space
    with journal.stage("climb with latents integrated out", gradients) as stage:
        fit, value = _curved(problem, integrand, _climb(problem, integrand))
        stage.note = str(integrand.structure)
    yield iterate(integrand, fit, -value)
    draws, wrong = max(_FEWEST, _EACH * len(fit.origin)), ()
    for last in (False,) * (_ROUNDS - 1) + (True,):
        with journal.stage("importance weights of the globals", gradients) as stage:
            weighed = weigh(problem, integrand, fit, draws)
            stage.elbo = weighed.elbo
            stage.note = f"{weighed.check.weights.ess:.0f} of {draws} draws are effective"
        of_nodes = shift_by_nodes(problem, integrand, fit)
        wrong = failed((*weighed.check.findings(space), *of_nodes))
        done = Outcome.INTEGRATED if integrand.is_exact else Outcome.LAPLACE
        fit = weighed.better
        if weighed.check.is_reliable and not wrong:
            yield iterate(integrand, fit, -weighed.elbo)
            return journal.conclude(done)
        if last and are_enough(weighed.check) and not failed(of_nodes):
            outer = resampled(problem, weighed)
            yield iterate(integrand, fit, -weighed.elbo, outer)
            return journal.conclude(done)
        yield iterate(integrand, fit, -weighed.elbo)
        draws *= 2
    return journal.conclude(Outcome.UNCONFIRMED, wrong)


def _climb(problem: Problem, integrand: Integrand) -> Vector:
    """Find the mode of the marginal density."""

    def function(theta: Vector) -> tuple[float, Vector]:
        found = counted(problem, integrand, theta)
        return -found.value, -found.slope

    start = problem.start[integrand.structure.globals]
    best = start
    for point in descend(function, start, problem.random):
        best = point.z
    return best


def _curved(problem: Problem, integrand: Integrand, theta: Vector) -> tuple[MarginalFit, float]:
    """Find the curvature at the mode, by small steps and then in standard deviations."""
    root, slope = _STEP * np.eye(len(theta)), None
    for _ in range(2):
        inner, slope = _differences(problem, integrand, theta, root)
        middle = counted(problem, integrand, theta)
        whole = root @ inner
        theta = theta + whole @ (whole.T @ middle.slope)
        integrand.follow(theta, middle.mean, slope)
        root = _WHITENED * whole
    value, given = counted(problem, integrand, theta), integrand.given(theta)
    assert slope is not None
    normal = DenseNormal(theta, root / _WHITENED)
    parts = value.mean, slope, given.variances, given.precision
    return MarginalFit(normal, theta, *parts), value.value


def _differences(
    problem: Problem, integrand: Integrand, theta: Vector, root: Float[np.ndarray, "m m"]
) -> tuple[Float[np.ndarray, "m m"], Float[np.ndarray, "latents m"]]:
    """Return a root of the covariance in the coordinates of a root, and how latents move.

    By differences of gradients, one step to either side along each column of the root.
    """
    hessian, moves = np.empty(root.shape), []
    for i, step in enumerate(root.T):
        above, below = (counted(problem, integrand, theta + s * step) for s in (1.0, -1.0))
        hessian[i] = 0.5 * root.T @ (below.slope - above.slope)
        moves.append(0.5 * (above.mean - below.mean))
    values, vectors, scale = scaled_eigen(0.5 * (hessian + hessian.T))
    inner = vectors / np.sqrt(np.maximum(values, _CLIP)) / scale[:, None]
    return inner, np.linalg.solve(root.T, np.array(moves)).T

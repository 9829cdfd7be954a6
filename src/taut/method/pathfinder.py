"""Pathfinder: the best Gaussian along quasi-Newton paths."""

from collections.abc import Generator, Mapping
from typing import Any, final

import numpy as np

from taut.arguments import as_flag, as_number, as_positive
from taut.diagnose.psis import psis
from taut.errors import NotFiniteError
from taut.family import Particles
from taut.method.direct import DirectInference, check_start
from taut.method.problem import Iterate, Problem
from taut.method.setup import Setup
from taut.modes import Candidate, Modes, ascend, best_of_paths

# Draws of each path that are weighed, and particles that are chosen of all of them.
_DRAWS, _CHOSEN = 1000, 4000


@final
class Pathfinder(DirectInference):
    r"""Follow quasi-Newton paths to modes, and keep the Gaussian of largest ELBO along each.

    .. math:: q = \mathcal N(z_t + H_t \nabla \log p(y, z_t), H_t)

    with the inverse Hessian :math:`H_t` that limited-memory BFGS has at iterate t. One path gives
    that Gaussian (`taut.family.ScaledLowRank`). Several give 4 000 draws of their mixture, chosen
    by Pareto smoothed importance weights (`taut.family.Particles`), or the mixture itself. A path
    that fails is left out. The right scale at once, and a start for other methods; it is not
    accurate where the posterior is not nearly Gaussian, or has more than a hundred dimensions.

    A path takes 20 to 100 gradients, and as many to choose among its Gaussians; all paths are
    advanced by the same calls. Memory and operations are O(dim · memory).

    Parameters
    ----------
    model, random_seed, start
        As of `taut.ADVI`; the seed decides where paths begin.
    paths
        How many.
    jitter
        The others begin around the start, each element up to so far, in the unconstrained space.
    importance
        Whether draws of several paths are chosen by importance weights; else the result is the
        mixture of their Gaussians, all of one weight.

    Raises
    ------
    ArgumentError, StartError
        An argument makes no sense.
    NotFiniteError
        No path has a Gaussian with a finite ELBO.

    References
    ----------
    Zhang, Carpenter, Gelman, Vehtari (2022), Pathfinder: Parallel quasi-Newton variational
    inference.

    Examples
    --------
    >>> import pymc as pm, taut
    >>> with pm.Model():
    ...     x = pm.Normal("x", 3.0, 2.0)
    ...     approx = taut.Pathfinder(paths=1, random_seed=1).fit(progressbar=False)
    >>> print(approx.mean.eval().round(1), approx.std.eval().round(1))
    [3.] [2.]
    """

    name = "pathfinder"
    title = "pathfinder"
    longest = 3

    def __init__(
        self,
        *,
        model: Any = None,
        random_seed: Any = None,
        start: Mapping[str, Any] | None = None,
        paths: int = 8,
        jitter: float = 2.0,
        importance: bool = True,
    ) -> None:
        self._paths = as_positive("paths", paths)
        self._jitter = as_number("jitter", jitter, zero=True)
        self._importance = as_flag("importance", importance)
        self._begin(Setup(model, random_seed, start), "mf")

    def _solve(self, problem: Problem) -> Generator[Iterate, None, str]:
        dtype, random = problem.gradients.target.dtype, problem.random
        apart = self._jitter * random.uniform(-1.0, 1.0, (self._paths, len(problem.start)))
        apart[0] = 0.0
        paths = ascend(problem.gradients, problem.start + apart)
        found = best_of_paths(problem.gradients, paths, random)
        if not found:
            problem.gradients.check_time()
            check_start(self._approx, problem.start)
            raise NotFiniteError(
                "No path has a Gaussian with a finite ELBO: the density rises without an end, or "
                'is not smooth. Look at it with method="auto".'
            )
        yield Iterate(found[0].normal.family(dtype), -found[0].elbo)
        said = f"{len(found)} of {self._paths} paths have a Gaussian"
        if self._paths == 1:
            return "the path has come to its end"
        mixture = Modes(tuple(c.normal for c in found), (0.0,) * len(found))
        if not self._importance:
            yield Iterate(mixture.family(dtype), -found[0].elbo)
            return said
        particles, khat = _chosen(problem, mixture, found)
        yield Iterate(particles, -found[0].elbo)
        return f"{said}; k-hat of their mixture is {khat:.2f}"


def _chosen(problem: Problem, mixture: Modes, found: list[Candidate]) -> tuple[Particles, float]:
    """Choose draws of the mixture by their importance weights."""
    z = mixture.draw(problem.random, _DRAWS * len(found))
    with np.errstate(all="ignore"):
        ratios = mixture.weigh(problem.gradients, z).values
    weights = psis(np.where(np.isfinite(ratios), ratios, -np.inf))
    chosen = z[weights.resample(_CHOSEN, problem.random)]
    return Particles(chosen.astype(problem.gradients.target.dtype)), weights.khat

"""The method that chooses."""

from collections.abc import Generator, Mapping
from dataclasses import replace
from typing import Any, final

from taut.diagnose import Journal, Outcome
from taut.errors import NotFiniteError
from taut.gaussian import Normal
from taut.method.direct import DirectInference, check_start
from taut.method.gaussian_stages import GaussianStages
from taut.method.marginal import integrand_of
from taut.method.marginal_checks import points_may_do
from taut.method.marginal_stages import marginal_stages
from taut.method.one_period import in_one_period, outside
from taut.method.problem import Iterate, Needs, Problem
from taut.method.setup import Setup
from taut.method.verification import checked, is_mixed, verified
from taut.modes import Modes

# Dimensions above which structure is looked for: below, chains are as good and quicker.
_STRUCTURED = 300
# Dimensions above which chains are no help where the few globals, with latents integrated out
# exactly, are not sure.
_ALL_THERE_IS = 5000
# Draws of a mixture that are checked, and those that are weighed.
_CHECKED, _WEIGHED = 4000, 2048


@final
class Auto(DirectInference):
    r"""Climb from cheap approximations to dear ones until one holds, and say which did.

    1. Quasi-Newton paths (Pathfinder), eight if they agree and up to 64 until three of them found
       the best mode, and the curvature there (Laplace).
    2. A dense Gaussian by batch and match from the best of them. Above 300 dimensions one that is
       near is moved to the means and scales of gradients at its draws instead; to one that is far
       one of few directions comes first, and above 1 000 alone. Stages compete on their ELBO.
    3. Short Hamiltonian chains start at its draws. If they move no marginal, the Gaussian is the
       result, with the means and marginal standard deviations that they and their gradients tell.
       If they do, they go on, in coordinates that are non-centred where the model's prior is
       normal given others (`taut.chains.non_centering`) or draws show it
       (`taut.chains.coupling`), and their draws are the result as soon as each chain has seen what
       all have seen. Gradients take from these what noise they show
       (`taut.chains.control_variates`).

    Above 300 unknowns the structure of the model is looked for first: where its many latents can be
    integrated out, the few globals are fitted on what is left (`taut.Marginal`). Above 5 000 that
    is the result, trusted or not, if they are integrated out exactly.

    What comes out says how far to trust it: ``approx.diagnose()``. No step size and no number of
    steps has to be guessed.

    Where rows come in batches, by `batch_size`, a `pymc.Minibatch` or a source such as
    `taut.ParquetRows`, or are 200 000 and more on a CPU, step 1 and a first step 2 take 2 000 rows,
    scaled to all, or 20 for each dimension. All rows are read for a second step 2, which takes some
    ten passes of 32 gradients where the posterior is nearly Gaussian, and for step 3 where it is
    not.

    A fit of a model with few variables takes 3 000 gradients to the Gaussian, 6 000 to 40 000 for
    the check and 10 000 to 100 000 for a round of repair, all of them by one compiled program, 32
    at a time.
    Memory is O(dim²) up to 1 000 dimensions and linear above.

    Parameters
    ----------
    model, random_seed
        As of `taut.ADVI`.
    start
        Values around which paths begin, by variable; the others begin around the model's initial
        point.

    References
    ----------
    Zhang et al. (2022), Pathfinder. Cai et al. (2024), Batch and match. Wang, Kasprzak, Huggins
    (2023), A targeted accuracy diagnostic for variational approximations.

    Examples
    --------
    >>> import numpy as np, pymc as pm, taut
    >>> with pm.Model():
    ...     mu = pm.Normal("mu", 0.0, 10.0)
    ...     y = pm.Normal("y", mu, 1.0, observed=np.array([1.5, 2.5, 2.0]))
    ...     approx = taut.Auto(random_seed=1).fit(progressbar=False)
    >>> type(approx.family).__name__
    'FullRank'
    """

    name = "auto"
    title = "auto"
    longest = 60_000
    needs = Needs(finite_start=False, judgement=True, draft=True)

    def __init__(
        self,
        *,
        model: Any = None,
        random_seed: Any = None,
        start: Mapping[str, Any] | None = None,
    ) -> None:
        self._begin(Setup(model, random_seed, start), "mf")

    def _solve(self, problem: Problem) -> Generator[Iterate, None, str]:
        inside, periods = in_one_period(problem)
        return (yield from outside(self._stages(inside), periods, problem.random))

    def _stages(self, problem: Problem) -> Generator[Iterate, None, str]:
        if len(problem.start) > _STRUCTURED and (yield from _integrated(problem)):
            return str(problem.journal.verdict)
        climb = GaussianStages(problem)
        dtype = problem.gradients.target.dtype
        draft = yield from _drafted(problem)
        best: Normal | None = None
        for best in climb.gaussians(draft):
            yield Iterate(best.family(dtype), -climb.elbo)
        if best is None:
            check_start(self._approx, problem.start)
            raise NotFiniteError(
                "The log density has no finite gradient at the start point, nor at hundreds of "
                "others, around it and from the prior. Start elsewhere: start={'name': value}."
            )
        modes = climb.modes()
        if modes is not None:
            yield from _several(problem, modes)
        elif climb.is_exact:
            problem.journal.conclude(Outcome.EXACT)
        else:
            yield from verified(problem, best, climb.weights, climb.visited)
        return str(problem.journal.verdict)


def _integrated(problem: Problem) -> Generator[Iterate, None, bool]:
    """Integrate latents out; return whether that is the result: trusted, or the best there is."""
    # Other stages draw the same, whether there is structure or not.
    random = problem.random.spawn(1)[0]
    integrand = integrand_of(problem, random)
    if isinstance(integrand, str) or not points_may_do(problem, integrand, random):
        return False
    try:
        outcome = yield from marginal_stages(problem, integrand, random)
    except NotFiniteError:
        return False
    return outcome.verdict.trusted or (integrand.is_exact and len(problem.start) > _ALL_THERE_IS)


def _drafted(problem: Problem) -> Generator[Iterate, None, Normal | None]:
    """Climb on a part of the rows; `None` where that is no help: no part, or several modes."""
    draft, journal = problem.draft, problem.journal
    if draft is None:
        return None
    with journal.stage(f"draft on {draft.rows:,d} rows", draft.gradients) as stage:
        own = replace(problem, gradients=draft.gradients, draft=None, journal=Journal())
        climb = GaussianStages(own)
        best = next(reversed(list(climb.gaussians())), None)
        if best is None or climb.modes() is not None:
            stage.note = "it is left aside: " + ("several modes" if best else "nothing is finite")
            return None
    journal.starts = own.journal.starts
    yield Iterate(best.family(draft.gradients.target.dtype), -climb.elbo)
    return best


def _several(problem: Problem, modes: Modes) -> Generator[Iterate, None, Outcome]:
    """Weigh a mixture of modes; where it has not the posterior's shape, let chains go on."""
    gradients, random, journal = problem.gradients, problem.random, problem.journal
    with journal.stage("mixture of Gaussians", gradients) as stage:
        journal.modes = modes.separate(gradients)
        z = modes.draw(random, _CHECKED)
        weights = modes.weigh(gradients, z[:_WEIGHED])
        stage.elbo = weights.elbo
    yield Iterate(modes.family(gradients.target.dtype), -weights.elbo)
    # What lies between the Gaussians of one slope is seen by none of them: chains have to go there.
    if journal.modes > 1 and is_mixed(weights):
        return journal.conclude(Outcome.MIXED)
    outcome = yield from checked(problem, modes.normals[0], z, weights.elbo)
    if outcome is Outcome.REPAIRED:
        return outcome
    # Chains that stay where they began say nothing of the masses of these places.
    several = Outcome.UNCERTAIN if journal.modes > 1 else Outcome.UNEVEN
    return journal.conclude(several, journal.failed)

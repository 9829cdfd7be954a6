"""What could be wrong with latents that are integrated out: other modes, and too few nodes."""

from collections.abc import Callable

import numpy as np
from jaxtyping import Float

from taut.diagnose import Finding, at_most, criteria, failed
from taut.marginal import AbstractPoints, CornerPoints, ImportancePoints, Integrand, Value
from taut.method.marginal_fit import MarginalFit, Vector, counted
from taut.method.problem import Problem

# Standard deviations from their modes at which latents are sought again.
_FAR = 6.0
# Starts at which a first look is taken, and how many have to promise something.
_LOOKS, _ENOUGH = 4, 2
# Share of a bound up to which what nodes move at draws is all that they move: with too few of them
# a density falls off too soon, and no draws are there.
_HIDDEN = 0.2

Each = Float[np.ndarray, " dim"]
Both = Callable[[Vector], tuple[Value, Value]]


def points_for(integrand: Integrand, random: np.random.Generator) -> AbstractPoints | None:
    """Choose points that integrate latents out; `None` where they are not needed."""
    if integrand.is_exact:
        return None
    kind = CornerPoints if CornerPoints.suit(integrand) else ImportancePoints
    return kind(integrand, random)


def points_may_do(problem: Problem, integrand: Integrand, random: np.random.Generator) -> bool:
    """Whether points from Gaussians are of use, if latents need any: at some starts they are even.

    Where a product of latents is seen, as in item response, they are not, which costs little to see
    and much to find out later.
    """
    points = points_for(integrand, random.spawn(1)[0])
    if points is None:
        return True
    found = 0
    for start in problem.starts.first(random.spawn(1)[0])[:_LOOKS, integrand.structure.globals]:
        mode = counted(problem, integrand, start).mean
        if np.isfinite(mode).all():
            found += points.variance(start, mode) < points.most_uneven
    return found >= _ENOUGH


def shift_by_starts(
    problem: Problem, integrand: Integrand, fit: MarginalFit, random: np.random.Generator
) -> tuple[Finding, ...]:
    """Search the latents' modes again from far away, from the mirror image and from the start.

    Where the latents of some group have several modes, as those whose square is seen have, one of
    these searches ends at another.
    """
    theta = fit.normal.mean
    mean = counted(problem, integrand, theta, with_slope=False).mean
    std = np.sqrt(fit.own)
    begin = integrand.begin
    noise = random.normal(size=(2, len(mean)))
    starts = (begin, 2.0 * begin - mean, mean + _FAR * noise[0] * std, mean + noise[1])
    shift = np.zeros(len(mean))
    for start in starts:
        found = counted(problem, integrand, theta, begin=start, with_slope=False).mean
        shift = np.maximum(shift, _or_infinite(np.abs(found - mean) / std))
    words = "the search for latents from elsewhere ends {:.2f} sd away (bound {:.2f})"
    return (_at_most(problem, integrand, "mean_shift", words, latents=shift),)


def shift_by_nodes(
    problem: Problem, integrand: Integrand, points: AbstractPoints | None, fit: MarginalFit
) -> tuple[Finding, ...]:
    """Compare globals and latents with those of twice the nodes, where integrals are sums.

    Of globals by values one standard deviation to either side: it is these that weights take.
    """
    if isinstance(points, CornerPoints):
        both = _at_points(problem, points, fit)
    elif integrand.has_nodes:
        both = _with_twice_the_nodes(problem, integrand)
    else:
        return ()

    def more(theta: Vector) -> float:
        one, other = both(theta)
        return other.value - one.value

    normal = fit.normal
    one, other = both(normal.mean)
    here = other.value - one.value
    sides = np.array(
        [[more(normal.mean + s * step) for s in (1.0, -1.0)] for step in normal.root.T]
    )
    moved = normal.root @ (0.5 * (sides[:, 0] - sides[:, 1])) / normal.std
    wider = normal.root**2 @ (0.5 * (sides.sum(axis=1) - 2.0 * here)) / normal.std**2
    assert one.variances is not None
    assert other.variances is not None
    std = np.sqrt(other.variances)
    means, log_sds = (one.mean - other.mean) / std, 0.5 * np.log(one.variances / other.variances)
    words = "twice the nodes move a mean by {:.2f} sd (bound {:.2f})"
    spread = "twice the nodes move a log sd by {:.2f} (bound {:.2f})"
    return (
        _at_most(problem, integrand, "mean_shift", words, np.abs(moved), np.abs(means)),
        _at_most(problem, integrand, "log_sd_shift", spread, np.abs(wider), np.abs(log_sds)),
    )


def shift_at_draws(
    problem: Problem, integrand: Integrand, theta: Float[np.ndarray, "draws globals"]
) -> tuple[Float[np.ndarray, " globals"], Float[np.ndarray, " globals"]]:
    """Return how far twice the nodes would move means and log sds, by the values at draws.

    To first order, which is too little where the nodes hide what is further out: see `_HIDDEN`. Of
    a density that is bent, or wider than its mode tells, a look around the mode is not enough.
    """
    both = map(_with_twice_the_nodes(problem, integrand), theta)
    more = np.array([other.value - one.value for one, other in both])
    x = (theta - theta.mean(axis=0)) / theta.std(axis=0)
    away = more - more.mean()
    return np.abs(away @ x) / len(x), np.abs(0.5 * away @ (x**2 - 1.0)) / len(x)


def by_nodes_at_draws(
    problem: Problem, integrand: Integrand, theta: Float[np.ndarray, "draws globals"]
) -> tuple[bool, tuple[Finding, ...]]:
    """Double the nodes where that moves anything at draws, as long as there may be more.

    Returns
    -------
    tuple
        Whether there are more now; what is wrong if there are not.
    """
    means, log_sds = shift_at_draws(problem, integrand, theta)
    bounds = criteria.CRITERIA
    worst = max(means.max() / bounds.mean_shift, log_sds.max() / bounds.log_sd_shift)
    if not worst < _HIDDEN and integrand.refine():
        return True, ()
    words = "twice the nodes move a mean by {:.2f} sd at draws (bound {:.2f})"
    spread = "twice the nodes move a log sd by {:.2f} at draws (bound {:.2f})"
    return False, failed(
        (
            _at_most(problem, integrand, "mean_shift", words, means),
            _at_most(problem, integrand, "log_sd_shift", spread, log_sds),
        )
    )


def _with_twice_the_nodes(problem: Problem, integrand: Integrand) -> Both:
    def both(theta: Vector) -> tuple[Value, Value]:
        few, many = (
            counted(problem, integrand, theta, doubled=doubled, with_slope=False)
            for doubled in (False, True)
        )
        return few, many

    return both


def _at_points(problem: Problem, points: CornerPoints, fit: MarginalFit) -> Both:
    def both(theta: Vector) -> tuple[Value, Value]:
        problem.gradients.check_time()
        problem.gradients.add(2)
        [middle] = fit.middle(theta[None])
        return points.with_twice_the_nodes(theta, middle)

    return both


def _at_most(
    problem: Problem,
    integrand: Integrand,
    criterion: str,
    words: str,
    of_globals: Each | None = None,
    latents: Each | None = None,
) -> Finding:
    """Compare figures of globals and latents with their bound."""
    space, structure = problem.gradients.target.space, integrand.structure
    assert structure.latents is not None
    flat = np.zeros(space.dim)
    flat[structure.globals] = 0.0 if of_globals is None else _or_infinite(of_globals)
    flat[structure.latents.places] = 0.0 if latents is None else _or_infinite(latents)
    bounds = np.full(space.dim, getattr(criteria.CRITERIA, criterion))
    return at_most(criterion, words, flat, bounds, space)


def _or_infinite(figures: Each) -> Each:
    return np.where(np.isfinite(figures), figures, np.inf)

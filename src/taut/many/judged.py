"""From chains of one of many data sets to draws that weights and the chains both trust."""

import jax
import numpy as np

from taut.approximation import Approximation, Contents, Record
from taut.chains import FIRST_STEP, Coordinates, adapted, of_fixed_shape
from taut.diagnose import Journal, Outcome, Resampled, Stage
from taut.family import Particles
from taut.many.member import Member
from taut.many.proposals import WEIGHED, weighed
from taut.many.windows import window_of
from taut.target import Target

# Coordinates, the same of a fixed shape, and the logarithm of a step size.
Bent = tuple[Coordinates, Coordinates, float]

# Draws that are kept.
_KEPT = 2000
# Proposals: from where chains were, and from the draws that weights have chosen of the first.
_PROPOSALS = 2
# Transitions and chains that chosen draws stand for where coordinates are learnt from them.
_AS_CHAINS = 50, 40


def judged(member: Member) -> tuple[Approximation | None, Bent | None]:
    """Weigh draws near those of the chains.

    Returns
    -------
    tuple
        What weights and chains trust, or `None`; and where that is `None` coordinates in which
        chains may go on, with the same of a fixed shape, and a first step size.
    """
    target = member.target
    random = np.random.default_rng([member.random_seed, member.number])
    with np.errstate(all="ignore"):
        window = window_of(member, member.rounds)
        if not np.isfinite(window.draws).all():
            return None, None
        assert member.coordinates is not None
        begin, draws = member.coordinates, window.draws
        for _ in range(_PROPOSALS):
            coordinates = adapted(begin, draws)
            found = weighed(target, coordinates, random)
            if found is None:
                return None, None
            outcome, _ = found.outcome(window, target.space)
            if outcome is Outcome.RESAMPLED:
                return _approximation(member, found, random), None
            chosen = found.weights.resample(int(np.prod(_AS_CHAINS)), random)
            draws = found.z[chosen].reshape(*_AS_CHAINS, target.dim)
        return None, _bent(target, adapted(begin, draws))


def _bent(target: Target, coordinates: Coordinates) -> Bent:
    """Return coordinates, as they are and of a fixed shape, with a first step size."""
    with target.precision():
        fixed = of_fixed_shape(coordinates, target)
    cast = jax.tree.map(lambda leaf: _cast(np.asarray(leaf), target.dtype), fixed)
    return coordinates, cast, float(np.log(FIRST_STEP * target.dim**-0.25))


def _cast(array: np.ndarray, dtype: str) -> np.ndarray:
    return array.astype(dtype) if array.dtype.kind == "f" else array


def _approximation(member: Member, found: Resampled, random: np.random.Generator) -> Approximation:
    """Choose draws by their weights."""
    journal, target = Journal(), member.target
    stage = Stage("chains side by side, and importance weights", WEIGHED)
    stage.note = f"k-hat {found.weights.khat:.2f}, {found.weights.ess:,.0f} effective draws"
    journal.stages.append(stage)
    journal.conclude(Outcome.RESAMPLED)
    kept = found.z[found.weights.resample(_KEPT, random)]
    record = Record(method="auto", stopped=str(journal.verdict), journal=journal)
    family = Particles(kept.astype(target.dtype))
    contents = Contents(family, record, member.random_seed, calls=0)
    return Approximation.of_contents(member.source, contents)

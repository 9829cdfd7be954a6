"""From chains of one of many data sets to draws of theirs that have settled."""

import numpy as np

from taut.approximation import Approximation, Contents, Record
from taut.chains import leaps_of
from taut.diagnose import Journal, Moments, Outcome, Stage, outcome_of, particles, shift_of
from taut.many.member import Member
from taut.many.windows import window_of


def settled(member: Member) -> Approximation | None:
    """Compare the halves of what chains did; return the draws of the later one if they agree.

    Parameters
    ----------
    member
        The data set, with rounds of chains in coordinates that stay as they are.
    """
    middle = len(member.rounds) // 2
    with np.errstate(all="ignore"):
        before = window_of(member, member.rounds[:middle])
        window = window_of(member, member.rounds[middle:])
        if not np.isfinite(before.draws).all() or not np.isfinite(window.draws).all():
            return None
        corrected = before.corrected
        moments = Moments.known(corrected.mean(axis=0), corrected.std(axis=0))
        check = shift_of(moments, window)
        outcome, _ = outcome_of(check, before, member.target.space)
    if outcome is not Outcome.REPAIRED:
        return None
    journal = Journal(check=check)
    transitions, chains, dim = window.draws.shape
    taken = (member.number - 1) * (transitions // (len(member.rounds) - middle))
    stage = Stage("chains side by side", taken * chains * leaps_of(dim))
    stage.note = f"each chain is worth {window.draws_each.min():.1f} draws"
    journal.stages.append(stage)
    journal.conclude(outcome)
    record = Record(method="auto", stopped=str(journal.verdict), journal=journal)
    random = np.random.default_rng([member.random_seed, member.number])
    family = particles(window, random, member.target.dtype, settled=True)
    contents = Contents(family, record, member.random_seed, calls=0)
    return Approximation.of_contents(member.source, contents)

"""How far all rows would move a fit in which earlier ones stand as a quadratic."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from taut.approximation.drawing import sampled
from taut.approximation.state import State
from taut.diagnose import Journal, Moments, Outcome, Stage, failed, of_earlier_rows, weigh
from taut.family import AbstractFamily, Particles
from taut.frontend import AfterEarlier, Earlier
from taut.gaussian import as_normal
from taut.gradients import Gradients

# Draws that are weighed against all rows.
_WEIGHED = 2000


def drifted(state: State, earlier: Earlier, journal: Journal) -> None:
    """Judge by what was kept of earlier rows how far they would move the result.

    Parameters
    ----------
    state
        What the fit has reached.
    earlier
        What is known of earlier rows.
    journal
        Holds the verdict, and gets another where they would.
    """
    cov = _cov(state)
    # A posterior as wide as that in which rows were seen averages what they leave out to nothing.
    narrowed = np.maximum(1.0 - np.diag(cov) / earlier.variance, 0.0)
    shift = narrowed * np.sqrt(np.diag(cov @ earlier.drift @ cov) / np.diag(cov))
    stage = Stage(f"earlier rows as quadratics, of {earlier.fits} fits")
    stage.note = (
        f"what these leave out may move a mean by {shift.max():.2f} sd, and leaves at least "
        f"{earlier.effective:.0%} of draws effective"
    )
    journal.stages.append(stage)
    space = state.target.space
    wrong = failed(of_earlier_rows(shift, earlier.widened, earlier.effective, space))
    if wrong and journal.verdict.trusted:
        journal.conclude(Outcome.DRIFTED, wrong)


def weighed_with(
    state: State,
    source: AfterEarlier,
    old: Sequence[AfterEarlier],
    journal: Journal,
    words: np.ndarray,
) -> AbstractFamily:
    """Weigh draws of the result against the density of all rows, and move it as the weights say.

    Parameters
    ----------
    state
        What the fit has reached.
    source
        The model with the new rows.
    old
        The model with each of the earlier data sets.
    journal
        Holds the verdict, and gets another where the weights are not reliable.
    words
        Of the draws.
    """
    z, _ = sampled(state.target, state.family, _WEIGHED, words)
    # Draws have the density of what was fitted, as far as its verdict says so.
    missing = _rows_at(old, z) - np.array([float(source.earlier.quadratic(one)) for one in z])
    found = weigh(z, missing, Moments.known(z.mean(axis=0), z.std(axis=0)))
    stage = Stage(f"all rows, of {len(old)} earlier data sets", len(old) * len(z))
    journal.stages.append(stage)
    if found is None or not found.is_reliable:
        stage.note = "their weights are not reliable"
        if journal.verdict.trusted:
            journal.conclude(Outcome.DRIFTED)
        return state.family
    stage.note = (
        f"k-hat {found.weights.khat:.2f}; they move a mean by "
        f"{np.abs(found.mean_shift).max():.2f} sd"
    )
    normal, dtype = as_normal(state.family), state.target.dtype
    if normal is not None:
        return found.improve(normal).family(dtype)
    chosen = found.weights.resample(len(z), np.random.default_rng(words))
    return Particles(z[chosen].astype(dtype))


def _rows_at(
    old: Sequence[AfterEarlier], z: Float[np.ndarray, "draws dim"]
) -> Float[np.ndarray, " draws"]:
    """Evaluate the log likelihood of earlier rows at draws."""
    total = np.zeros(len(z))
    for one in old:
        with_rows, without = (
            Gradients(target)(z)[0] for target in (one.target(), one.without_rows())
        )
        total += with_rows - without
    return total


def _cov(state: State) -> Float[np.ndarray, "dim dim"]:
    with state.target.precision():
        return np.asarray(state.family.cov(), float)

"""A fit goes on with new rows: what was seen of earlier ones is kept as a quadratic."""

import itertools
import warnings
from collections.abc import Mapping, Sequence
from contextlib import closing
from typing import Any

import numpy as np

from taut import seed
from taut.approximation.agreement import check_agreement
from taut.approximation.drawing import sampled
from taut.approximation.earlier_checked import drifted, weighed_with
from taut.approximation.fitted import Fitted
from taut.approximation.record import Record
from taut.approximation.seen_rows import MANY_ROWS, ready, seen
from taut.approximation.trust import CHECKED
from taut.arguments import check_mapping
from taut.diagnose import Journal, Judge, Moments, Outcome, criteria, normal_of, weigh
from taut.engine import Timing, accounted, building, refuse_forked, single_threaded
from taut.errors import NotFiniteError, warn
from taut.family import AbstractFamily
from taut.gaussian import DenseNormal, Normal, Weights, as_dense, as_normal
from taut.gradients import gradients_of
from taut.matching import batch_match, draws_for

# Batches at most, and the divergence in nats under which no other Gaussian would be better.
_BATCHES, _CLOSE = 100, 0.001
# Draws of a batch at least, where each reads few rows; by how many it is seen whether a Gaussian is
# exact, and how many are weighed where it is not.
_DRAWS, _FEW_WEIGHED, _WEIGHED = 128, 256, 2000
# Rounds of chains, where these have to go on.
_ROUNDS = 8


def update[AnyFitted: Fitted](
    approx: AnyFitted,
    new_rows: Mapping[str, Any],
    *,
    old: Sequence[Mapping[str, Any]] = (),
    rows: Mapping[str, int] | None = None,
    random_seed: Any = None,
) -> AnyFitted:
    r"""Go on with rows that have come since: the posterior of those before is the prior of these.

    The prior stays as the model has it. What stands for earlier rows is their log likelihood as a
    quadratic, with the slope and the curvature that it has on average over the posterior in which
    they were seen. The Gaussian begins at the fit and is matched to the new posterior; weights and
    short chains judge it, as those of any fit. It takes one pass over the new rows for some
    thousand draws, whatever was seen before, and programs that fits of up to 128, 256, 512 … rows
    share.

    Parameters
    ----------
    new_rows
        Values of the model's data by name, of any number of rows; a variable that observes data
        may stand for these. The model keeps its own.
    old
        All earlier data sets, in the same form, where they are at hand: the result is then moved to
        where importance weights say that the posterior of all rows is, in place of the estimate
        that was kept of how far it may be off.
    rows
        Which data have rows, and along which axis, if that is not plain: ``{"X": 0, "y": 0}``.
    random_seed
        Decides the draws that all this is computed of.

    Returns
    -------
    Approximation
        A new one, which may be updated in turn. Its verdict counts what earlier rows leave out of
        their quadratics: `taut.diagnose.Outcome.DRIFTED` where that would move it. What is asked of
        the model, such as predictions, reads the data that the model holds.

    Raises
    ------
    ArgumentError
        The likelihood is no sum over rows, the rows of the fit are not at hand, or there are more
        than 1 000 unknowns.
    DataSetError
        The new rows do not fit the model.
    NotFiniteError
        The density is not finite around the fit.

    Warns
    -----
    UserWarning
        The result is not to be trusted.

    References
    ----------
    Khan, Lin (2017), Conjugate-computation variational inference. Broderick, Boyd, Wibisono,
    Wilson, Jordan (2013), Streaming variational Bayes.

    Examples
    --------
    >>> import numpy as np, pymc as pm, taut
    >>> with pm.Model():
    ...     y_obs = pm.Data("y_obs", np.array([1.5, 2.5]))
    ...     mu = pm.Normal("mu", 0.0, 10.0)
    ...     y = pm.Normal("y", mu, 1.0, observed=y_obs)
    ...     january = taut.fit(random_seed=1, progressbar=False)
    >>> february = january.update({"y_obs": [2.0, 4.0]}, random_seed=1)
    >>> print(february.trusted, february.mean_data["mu"].round(1).item())
    True 2.5
    """
    refuse_forked("An update")
    if isinstance(new_rows, AbstractFamily):
        return _shown(approx, new_rows)
    check_mapping("new_rows", new_rows, "{'y': y_new}")
    words, timing = approx.words(random_seed), Timing()
    with accounted(timing):
        with building(timing, "lift"):
            before = ready(approx, rows)
        earlier = seen(approx.state, before, words, timing)
        with building(timing, "lift"):
            source = before.next(new_rows, earlier, rows)
        own_seed = seed.entropy([int(word) for word in words])
        begun = approx.following(source, approx.family, Record(), own_seed)
        journal = Journal(jumps=source.discontinuities())
        with single_threaded(begun.target.largest_matrix):
            family = _Step(begun, journal, timing).fitted()
            reached = begun.state.at(family)
            if old:
                sets = [source.next(one, earlier, rows) for one in old]
                family = weighed_with(reached, source, sets, journal, begun.words(own_seed))
            else:
                drifted(reached, earlier, journal)
    verdict = journal.verdict
    if not verdict.trusted:
        warn(f"{verdict}. {verdict.advice}")
    record = Record("update", stopped=str(verdict), timing=timing, journal=journal)
    return approx.following(source, family, record, own_seed)


def _shown(approx: Any, family: AbstractFamily) -> Any:
    """Do what `update` once did."""
    words = "approx.update takes rows; to show a family is now approx.show(family)."
    warnings.warn(words, DeprecationWarning, stacklevel=3)
    approx.show(family)
    return approx


class _Step:
    """A Gaussian that goes from one posterior to the next.

    Parameters
    ----------
    begun
        Where it begins.
    journal
        Where it writes.
    timing
        Is charged with the seconds.
    """

    def __init__(self, begun: Fitted, journal: Journal, timing: Timing) -> None:
        self._begun, self._journal = begun, journal
        self._target = begun.target
        self._words = begun.words(begun.random_seed)
        self._random = np.random.default_rng(begun.random_seed)
        self._gradients = gradients_of(begun.target, None, timing)

    def fitted(self) -> AbstractFamily:
        """Match, and let weights and chains judge."""
        normal = self._matched()
        return self._weighed(normal) or self._checked(normal)

    def _matched(self) -> DenseNormal:
        begin = self._begin()
        dim = len(begin.mean)
        values, _ = self._gradients(begin.mean[None])
        check_agreement(self._begun, begin.mean)
        if not np.isfinite(values).all():
            blame = self._begun.source.blame(begin.mean)
            raise NotFiniteError(
                f"The log density of the new rows is not finite at the mean of the fit:\n{blame}\n"
                "Check the new rows."
            )
        with self._journal.stage("batch and match from the fit before", self._gradients) as stage:
            few = self._begun.state.rows > MANY_ROWS
            draws = draws_for(dim) if few else max(draws_for(dim), _DRAWS)
            reached, before = None, np.inf
            steps = batch_match(self._gradients, begin, self._random, draws=draws)
            for reached in itertools.islice(steps, _BATCHES):
                divergence = reached.weights.divergence
                # Gaussians are found exactly: then it falls on and on.
                if before / 2 < divergence < _CLOSE:
                    break
                before = divergence
            assert reached is not None
            stage.elbo = reached.elbo
        return reached.normal.triangular() if reached.normal.is_finite else begin

    def _begin(self) -> DenseNormal:
        family = self._begun.family
        normal = as_normal(family)
        if normal is None:
            normal = normal_of(sampled(self._target, family, CHECKED, self._words)[0])
        return as_dense(normal)

    def _weighed(self, normal: Normal) -> AbstractFamily | None:
        """Improve a Gaussian by weights of its draws; `None` where these can not judge it."""
        with self._journal.stage("importance weights", self._gradients) as stage:
            z, log_q = normal.draw(self._random, _WEIGHED)
            first = self._gradients(z[:_FEW_WEIGHED])[0]
            weights = Weights(first - log_q[:_FEW_WEIGHED])
            if weights.divergence < criteria.CRITERIA.exact_divergence:
                stage.elbo = weights.elbo
                self._journal.conclude(Outcome.EXACT)
                return normal.family(self._target.dtype)
            values = np.concatenate([first, self._gradients(z[_FEW_WEIGHED:])[0]])
            # Of the draws as they are, so that their own noise is no shift.
            moments = Moments.known(z.mean(axis=0), z.std(axis=0))
            found = weigh(z, values - log_q, moments)
            if found is None:
                stage.note = "no weights can be made"
                return None
            stage.note = f"k-hat {found.weights.khat:.2f}"
        if not found.passes(self._target.space):
            return None
        self._journal.conclude(Outcome.WEIGHED)
        return found.improve(normal).family(self._target.dtype)

    def _checked(self, normal: Normal) -> AbstractFamily:
        """Let short chains judge, and go on where they move it."""
        judge = Judge(self._gradients, self._random, self._journal)
        moments, dtype = Moments.known(normal.mean, normal.std), self._target.dtype
        z, _ = normal.draw(self._random, CHECKED)
        if judge.outcome(z, moments, normal) is Outcome.CHECKED:
            assert self._journal.check is not None
            return self._journal.check.improve(normal).family(dtype)
        family = normal.family(dtype)
        with closing(judge.rounds(z, moments, normal)) as rounds:
            for window, room in itertools.islice(rounds, _ROUNDS):
                settled = self._journal.verdict.trusted
                family = judge.kept(window, room, settled=settled)
                if self._journal.outcome is Outcome.REPAIRED:
                    break
        return family

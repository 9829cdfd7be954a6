"""The report and the table of a fit, as they are without another look at the model."""

from typing import Any

import numpy as np

from taut.approximation.draws import sample
from taut.approximation.fitted import Fitted
from taut.approximation.record import Record
from taut.diagnose import HowItEnded, Report, report_on
from taut.progress import INTERRUPTED


def report(approx: Fitted) -> Report:
    """What is known of the fit, as `diagnose` left it, or else as the fit did; nothing is computed.

    Examples
    --------
    >>> import numpy as np, pymc as pm, taut
    >>> with pm.Model():
    ...     mu = pm.Normal("mu", 0.0, 10.0)
    ...     y = pm.Normal("y", mu, 1.0, observed=np.array([1.5, 2.5, 2.0]))
    ...     approx = taut.fit(random_seed=1, progressbar=False)
    >>> approx.report.trusted
    True
    """
    state, record = approx.state, approx.record
    kept = approx.kept_report.latest(state, record)
    if kept is not None:
        return kept
    nothing = np.empty((0, state.target.dim))
    return report_on(record.journal, nothing, None, state.target.space, ending(record))


def trusted(approx: Fitted) -> bool:
    """Whether means and standard deviations can be relied on, as far as is known by now.

    Of a fit by steps nobody knows before ``approx.diagnose()``.
    """
    return report(approx).trusted


def ending(record: Record) -> HowItEnded:
    """Return how a fit ended; an automatic one has stages in place of steps."""
    steps = 0 if record.journal.stages else len(record.hist)
    stopped = record.stopped
    if stopped == INTERRUPTED and len(record.hist) and not steps:
        stopped = f"{INTERRUPTED}, with the best of its stages"
    return HowItEnded(steps, record.skipped, stopped, record.timing)


def summary(approx: Fitted, draws: int = 2000, *, random_seed: Any = None, **how: Any) -> Any:
    """Tabulate means, standard deviations and intervals of the constrained variables.

    Parameters
    ----------
    draws
        How many they are computed of.
    random_seed
        As in `sample`.
    **how
        Arguments of `arviz_stats.summary`, such as ``var_names``, ``ci_prob``, ``round_to``. What
        it says of chains (``kind="all"``) means nothing for draws that are independent.

    Returns
    -------
    pandas.DataFrame
        A row for each element.

    Examples
    --------
    >>> import pymc as pm, taut
    >>> with pm.Model():
    ...     x = pm.Normal("x", 3.0, 0.1, shape=2)
    ...     approx = taut.fit(random_seed=1, progressbar=False)
    >>> list(approx.summary(random_seed=1).index)
    ['x[0]', 'x[1]']
    """
    import arviz_stats

    tree = sample(approx, draws, random_seed=random_seed, include_transformed=False)
    arguments: dict[str, Any] = {"kind": "stats"} | how
    return arviz_stats.summary(tree, **arguments)

"""The log likelihood of each row, at draws."""

from typing import Any

from taut.approximation.draws import sample, unconstrained_draws
from taut.approximation.evaluation import streamed_log_likelihood
from taut.approximation.expressions import evaluate_nodes
from taut.approximation.fitted import Fitted
from taut.arguments import as_positive
from taut.errors import ArgumentError


def log_likelihood(approx: Fitted, draws: int = 500, *, random_seed: Any = None) -> Any:
    """Draw, and evaluate the log likelihood of each row at each draw.

    Parameters
    ----------
    draws
        How many. The result has draws times rows numbers for each observed variable.
    random_seed
        As in `sample`, which gives the same draws for the same seed.

    Returns
    -------
    xarray.DataTree
        What `sample` returns, and the group ``log_likelihood`` with all rows of each observed
        variable, as `arviz_stats.loo` and ``waic`` take it.

    Raises
    ------
    ArgumentError
        The model has no observed variable.
    RowsError
        Rows can not be read.

    Examples
    --------
    >>> import arviz_stats, numpy as np, pymc as pm, taut
    >>> with pm.Model():
    ...     mu = pm.Normal("mu", 0.0, 10.0)
    ...     y = pm.Normal("y", mu, 1.0, observed=np.linspace(-2.0, 2.0, 50))
    ...     approx = taut.fit(random_seed=1, progressbar=False)
    >>> tree = approx.log_likelihood(1000, random_seed=1)
    >>> round(float(arviz_stats.loo(tree).elpd))
    -82
    """
    random_seed = approx.words(random_seed) if random_seed is None else random_seed
    draws, state = as_positive("draws", draws), approx.state
    tree = sample(approx, draws, random_seed=random_seed)
    if state.streamed is not None:
        z = unconstrained_draws(approx, draws, random_seed)
        with state.target.precision():
            values = streamed_log_likelihood(state.streamed, z)
    else:
        nodes = approx.source.observed_factors()
        if not nodes:
            raise ArgumentError("The model has no observed variable, and so no likelihood.")
        found = evaluate_nodes(approx, list(nodes.values()), draws, {}, random_seed)
        values = dict(zip(nodes, found, strict=True))
    from taut.approximation.datatree import with_log_likelihood

    return with_log_likelihood(tree, values, state.target.labels)

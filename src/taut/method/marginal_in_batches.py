"""The method that integrates latents out in batches of groups."""

from collections.abc import Generator, Mapping
from typing import Any, final

from taut.method.batched_stages import Stages
from taut.method.direct import DirectInference
from taut.method.problem import Iterate, Needs, Problem
from taut.method.setup import Setup


@final
class MarginalInBatches(DirectInference):
    r"""Integrate the latents of groups out, batch by batch, and fit the few globals.

    .. math:: p(y, \theta) = p(\theta) \prod_g \int p(y_g, u_g \mid \theta) \, du_g

    For hierarchies with more groups than memory holds latents, or rows, of. Batches are whole
    groups, filled up to one shape; the latents of each are integrated out as by `taut.Marginal`,
    exactly where they are normal given the globals, else by adaptive quadrature. They are not kept:
    the result is an approximation of the globals.

    Paths by the first batch lead to the mode of the globals there, and one step for each of the
    others leads on: these are averaged, and one pass comes near to the mode of all rows. An exact
    step by a second pass has gradients and curvature of all rows, and a third weighs draws of the
    globals, which give the verdict, with what twice the nodes change. Rows whose groups are not
    together are brought together on disk first, by one pass more; and so are those of a file whose
    order tells something of its groups, when steps see that.

    Parameters
    ----------
    model, random_seed, start
        As of `taut.ADVI`. The model has any groups, ten at least, such as a sample of them.

    Raises
    ------
    ArgumentError, StartError
        An argument makes no sense.
    ModelError
        The model can not be fitted as it is written, or has no latents of groups.

    References
    ----------
    Rue, Martino, Chopin (2009), Approximate Bayesian inference for latent Gaussian models. Naylor,
    Smith (1982), Applications of a method for the efficient computation of posterior distributions.
    Polyak, Juditsky (1992), Acceleration of stochastic approximation by averaging.

    Examples
    --------
    >>> import numpy as np, pymc as pm, taut
    >>> random = np.random.default_rng(1)
    >>> group = np.repeat(np.arange(500), 5)
    >>> y = random.normal(random.normal(0, 1, 500)[group], 1)
    >>> with pm.Model():
    ...     mu, s = pm.Normal("mu", 0, 5), pm.HalfNormal("s", 2)
    ...     a = pm.Normal("a", mu, s, shape=500)
    ...     rows = pm.Normal("y", a[pm.Data("g", group)], 1, observed=y)
    ...     approx = taut.fit(groups="g", batch_size=1000, random_seed=1, progressbar=False)
    >>> list(approx.target.space.names), approx.trusted
    (['mu', 's_log__'], True)
    """

    name = "marginal_in_batches"
    title = "latents integrated out in batches of groups"
    longest = 20_000
    needs = Needs(judgement=True, by_groups=True)

    def __init__(
        self,
        *,
        model: Any = None,
        random_seed: Any = None,
        start: Mapping[str, Any] | None = None,
    ) -> None:
        self._begin(Setup(model, random_seed, start), "mf")

    def _solve(self, problem: Problem) -> Generator[Iterate, None, str]:
        random = problem.random.spawn(1)[0]
        grouped, gradients = problem.grouped, problem.gradients
        assert grouped is not None
        marginal = grouped.marginal
        with problem.journal.stage("rows of a group together", gradients) as stage:
            passes = marginal.rows.prepare(random)
            stage.note = marginal.rows.words
        with marginal.within(gradients.check_time):
            yield from Stages(problem, marginal, passes, random).run()
        return str(problem.journal.verdict)

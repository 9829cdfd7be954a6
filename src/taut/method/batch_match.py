"""Batch and match: a dense Gaussian whose scores are those of the posterior."""

from collections.abc import Generator, Mapping
from typing import Any, final

import numpy as np

from taut.arguments import as_positive
from taut.gaussian import DenseNormal
from taut.matching import batch_match
from taut.method.direct import DirectInference
from taut.method.problem import Iterate, Problem, matched
from taut.method.setup import Setup


@final
class BatchMatch(DirectInference):
    r"""Batch and match: a dense Gaussian with the scores of the posterior, without a step size.

    .. math:: \min_q \mathbb E_q \lVert \nabla \log q(z) - \nabla \log p(y, z) \rVert^2_{\Sigma}

    in the unconstrained space, by updates in closed form, each from the gradients of one batch of
    draws. A Gaussian posterior is found exactly, in about five batches and however badly it is
    conditioned; others in some tens. It ends when the ELBO, which the batches give for free, has
    settled. For posteriors of up to a thousand dimensions whose shape is roughly Gaussian;
    `LowRankBatchMatch` serves larger ones. On funnels it settles far from the best Gaussian.

    Costs 32 gradients an iteration, or as many as there are dimensions if that is more, and
    O(dim²) memory; an iteration is O(dim² · draws).

    Parameters
    ----------
    model, random_seed, start, start_sigma
        As of `taut.ADVI`.
    draws
        In a batch; by default the next multiple of 32 above the dimension, 1 024 at most. With
        fewer draws than dimensions it takes very many batches.

    Raises
    ------
    ArgumentError, StartError
        An argument makes no sense.
    ModelError
        The model can not be fitted as it is written.

    References
    ----------
    Cai, Modi, Pillaud-Vivien, Margossian, Gower, Blei, Saul (2024), Batch and match: black-box
    variational inference with a score-based divergence, arXiv 2402.14758.

    Examples
    --------
    >>> import pymc as pm, taut
    >>> with pm.Model():
    ...     x = pm.Normal("x", 3.0, 2.0, shape=2)
    ...     approx = taut.BatchMatch(random_seed=1).fit(progressbar=False)
    >>> print(approx.mean.eval().round(6), approx.std.eval().round(6))
    [3. 3.] [2. 2.]
    >>> approx.stopped
    'log p and log q differ by a constant: the fit is exact'
    """

    name = "batch_match"
    title = "batch-and-match"
    longest = 1000

    def __init__(
        self,
        *,
        model: Any = None,
        random_seed: Any = None,
        start: Mapping[str, Any] | None = None,
        start_sigma: Mapping[str, Any] | None = None,
        draws: int | None = None,
    ) -> None:
        self._draws = None if draws is None else as_positive("draws", draws)
        self._begin(Setup(model, random_seed, start, start_sigma), "fr")

    def _solve(self, problem: Problem) -> Generator[Iterate, None, str]:
        target, family = problem.gradients.target, self._approx.family
        with target.precision():
            begin = DenseNormal.of(problem.start, np.asarray(family.cov(), float))
        steps = batch_match(problem.gradients, begin, problem.random, draws=self._draws)
        return (yield from matched(steps, target.dtype))

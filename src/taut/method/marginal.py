"""The method that integrates latents out."""

from collections.abc import Generator, Mapping
from typing import Any, final

import numpy as np

from taut.errors import ArgumentError, ModelError
from taut.marginal import Integrand
from taut.method.direct import DirectInference
from taut.method.marginal_checks import points_for
from taut.method.marginal_stages import marginal_stages
from taut.method.problem import Iterate, Needs, Problem
from taut.method.setup import Setup
from taut.structure import read_structure


@final
class Marginal(DirectInference):
    r"""Integrate the many latents out, and fit the few global unknowns on what is left.

    .. math:: p(y, \theta) = \int p(y, u, \theta) \, du, \qquad
              q(\theta, u) = q(\theta) \, \mathcal N\bigl(u; \; c + R (\theta - \theta_0), \;
              \Sigma\bigr)

    For hierarchies, crossed factors and chains in time with up to millions of latents, and for
    fields, such as maps and Gaussian processes, with some thousand. Which unknowns are latents,
    and how they touch each other, is read off the model's density by numbers. Latents that are
    normal given the rest are integrated out exactly, by a sparse factor of their precision; those
    of groups that do not touch each other by adaptive quadrature (up to three a group) or
    importance sampling; those of groups that others cross by quadrature at a few points of these
    others; the rest by Laplace's method, and then by points from the Gaussian that is
    nearest to them: by their weights, or by the cumulants of these where latents are too many for
    even weights. Newton's method finds all modes at once; the gradient in the globals is exact.

    The globals get the mean and spread that importance weights tell, and so do latents: each has
    its mean given the globals, its slope in them, and its own spread. Where that spread moves with
    the globals, as with a scale that is hardly known, the globals are drawn by their weights, and
    means and spread of latents given these are splines through what was found there. The weights,
    of draws with heavier tails, give the verdict, with what twice the nodes change, and whether
    paths from several starts, of the globals and of the latents, end at one mode. In `hist` is the
    negative ELBO of the globals, in nats.

    Several devices, by `devices`, evaluate draws of the globals side by side; each has all rows.

    Costs some hundred evaluations, each of some twenty passes over the rows, and some thousand
    where no Gaussian follows the globals; O(latents x globals) memory, and up to 128 numbers a
    latent where there are splines.

    Parameters
    ----------
    model, random_seed, start
        As of `taut.ADVI`.

    Raises
    ------
    ArgumentError, StartError
        An argument makes no sense.
    ModelError
        The model can not be fitted as it is written, or no structure is found in it.

    References
    ----------
    Rue, Martino, Chopin (2009), Approximate Bayesian inference for latent Gaussian models.
    Kristensen et al. (2016), TMB. Stringer (2023), Exact gradient evaluation for adaptive
    quadrature. Opper, Archambeau (2009), The variational Gaussian approximation revisited.

    Examples
    --------
    >>> import numpy as np, pymc as pm, taut
    >>> random = np.random.default_rng(1)
    >>> group = np.repeat(np.arange(500), 5)
    >>> y = random.normal(random.normal(0, 1, 500)[group], 1)
    >>> with pm.Model():
    ...     mu, s = pm.Normal("mu", 0, 5), pm.HalfNormal("s", 2)
    ...     a = pm.Normal("a", mu, s, shape=500)
    ...     rows = pm.Normal("y", a[group], 1, observed=y)
    ...     approx = taut.fit(method="marginal", random_seed=1, progressbar=False)
    >>> print(approx.diagnose().trusted)
    True
    """

    name = "marginal"
    title = "latents integrated out"
    longest = 20_000
    needs = Needs(judgement=True, rows_in_memory=True, rows_alone=False)

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
        integrand = integrand_of(problem, random)
        if isinstance(integrand, str):
            raise ModelError(
                f"No latents are found that could be integrated out: {integrand}. Leave method "
                "out, and taut chooses another."
            )
        _check_devices(problem, integrand)
        yield from marginal_stages(problem, integrand, random)
        return str(problem.journal.verdict)


def _check_devices(problem: Problem, integrand: Integrand) -> None:
    """Refuse devices where they would have nothing to do: they take draws of the globals."""
    if problem.devices is None or points_for(integrand, np.random.default_rng(0)) is None:
        return
    raise ArgumentError(
        "devices evaluate draws of the globals side by side, and here the latents are integrated "
        "out by points, one draw after another: devices has no effect. Leave it out."
    )


def integrand_of(problem: Problem, random: np.random.Generator) -> Integrand | str:
    """Read the structure of a model; say why there is nothing to integrate out, if so."""
    target, timing = problem.gradients.alone, problem.gradients.timing
    if target.circular:
        return "some of its variables are angles"
    factors = problem.factors()
    if factors is None:
        return "rows come in batches, or the terms of the density are not known"
    structure = read_structure(target, factors, problem.start, random, timing)
    if structure.latents is None:
        return structure.words
    return Integrand(target, factors, structure, problem.start, timing, problem.devices)

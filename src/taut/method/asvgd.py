"""Amortised Stein variational gradient descent."""

from collections.abc import Callable
from typing import Any, final

import numpy as np
from jaxtyping import Array, Scalar

from taut.approximation import Approximation
from taut.arguments import as_number
from taut.method.implicit_gradient import DRAWS
from taut.method.inference import Inference
from taut.method.session import check_approximation
from taut.method.setup import Setup
from taut.objective import RBF, AbstractKernel, AbstractObjective, Stein, as_kernel


@final
class ASVGD(Inference):
    """Amortised SVGD: the Stein direction moves a sampler's parameters instead of particles.

    It tends to understate variances; a temperature above 1 widens them. The methods that maximise
    the ELBO are the better choice for families with a density.

    Parameters
    ----------
    approx
        What is fitted; by default a full-rank Gaussian.
    model, random_seed
        For that default.
    kernel, temperature
        As in `taut.SVGD`.

    References
    ----------
    Wang, Feng, Liu (2016), Learning to Sample Using Stein Discrepancy.

    Examples
    --------
    >>> import pymc as pm, taut
    >>> with pm.Model():
    ...     x = pm.Normal("x", 2.0, 1.0)
    ...     asvgd = taut.ASVGD(random_seed=1)
    >>> approx = asvgd.fit(20, obj_n_mc=50, progressbar=False)
    >>> type(approx.family).__name__
    'FullRank'
    """

    name = "asvgd"

    def __init__(
        self,
        approx: Approximation | None = None,
        *,
        model: Any = None,
        random_seed: Any = None,
        kernel: AbstractKernel | Callable[[Array, Array], Scalar] = RBF(),  # noqa: B008
        temperature: float = 1.0,
    ) -> None:
        if approx is not None:
            check_approximation("ASVGD", approx)
        if approx is None:
            approx = Setup(model, random_seed).approximation("fr")
        self._kernel = as_kernel(kernel)
        self._temperature = np.asarray(as_number("temperature", temperature))
        self._begin(approx)

    def _objective(self, n_mc: int | None) -> AbstractObjective:
        return Stein(self._kernel, self._temperature, n_mc or DRAWS)

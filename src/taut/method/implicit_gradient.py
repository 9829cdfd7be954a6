"""The Stein gradient for whatever an approximation draws."""

from collections.abc import Callable
from typing import final

import numpy as np
from jaxtyping import Array, Scalar

from taut.approximation import Approximation
from taut.arguments import as_number
from taut.family import Particles
from taut.method.inference import Inference
from taut.method.session import check_approximation
from taut.objective import RBF, AbstractKernel, AbstractObjective, Stein, as_kernel

# PyMC's default for the draws of a step of ASVGD.
DRAWS = 500


@final
class ImplicitGradient(Inference):
    """Move the draws of any approximation along the Stein direction, and its parameters with them.

    Parameters
    ----------
    approx
        What is fitted; with particles this is `taut.SVGD`.
    kernel
        As in `taut.SVGD`.
    temperature
        Above 1 it spreads the draws more.

    References
    ----------
    Wang, Feng, Liu (2016), Learning to Sample Using Stein Discrepancy.

    Examples
    --------
    >>> import pymc as pm, taut
    >>> with pm.Model():
    ...     x = pm.Normal("x", 2.0, 1.0)
    ...     approx = taut.Approximation([taut.Group([x], vfam="mf")], random_seed=1)
    >>> taut.ImplicitGradient(approx).fit(20, obj_n_mc=50, progressbar=False) is approx
    True
    """

    def __init__(
        self,
        approx: Approximation,
        *,
        kernel: AbstractKernel | Callable[[Array, Array], Scalar] = RBF(),  # noqa: B008
        temperature: float = 1.0,
    ) -> None:
        check_approximation("ImplicitGradient", approx)
        self._kernel = as_kernel(kernel)
        self._temperature = np.asarray(as_number("temperature", temperature))
        self._begin(approx)

    def _objective(self, n_mc: int | None) -> AbstractObjective:
        particles = isinstance(self.approx.family, Particles)
        draws = None if particles else n_mc or DRAWS
        return Stein(self._kernel, self._temperature, draws)

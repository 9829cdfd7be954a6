"""Stein variational gradient descent."""

from collections.abc import Callable, Mapping
from typing import Any, final

import numpy as np
from jaxtyping import Array, Scalar

from taut.arguments import as_number, as_positive
from taut.errors import ArgumentError
from taut.method.inference import Inference
from taut.method.setup import Setup
from taut.objective import RBF, AbstractKernel, AbstractObjective, Stein, as_kernel


@final
class SVGD(Inference):
    """Stein variational gradient descent: particles that move towards the posterior together.

    Follows shapes no Gaussian can, such as several modes, in a few dimensions. In many dimensions
    the spread of the particles collapses; use a density-based method there. A step costs one
    gradient for each particle and O(n²) for their pairs. Its loss is the squared kernelised Stein
    discrepancy, which is no ELBO.

    Parameters
    ----------
    n_particles
        How many.
    jitter
        Standard deviation of their scatter around the start, in the unconstrained space.
    model, start, random_seed
        As of `taut.ADVI`; particles scatter around the start.
    kernel
        `taut.objective.RBF()` with the median heuristic, `taut.objective.IMQ()`, or a JAX function
        of two points.
    temperature
        Above 1 it spreads the particles more.

    References
    ----------
    Liu, Wang (2016), Stein Variational Gradient Descent.

    Examples
    --------
    >>> import pymc as pm, taut
    >>> with pm.Model():
    ...     x = pm.Normal("x", 2.0, 1.0)
    ...     svgd = taut.SVGD(n_particles=50, random_seed=1)
    >>> approx = svgd.fit(200, obj_optimizer=taut.sgd(learning_rate=1.0), progressbar=False)
    >>> bool(abs(approx.mean.eval()[0] - 2.0) < 0.1)
    True
    """

    name = "svgd"

    def __init__(
        self,
        n_particles: int = 100,
        jitter: float = 1.0,
        *,
        model: Any = None,
        start: Mapping[str, Any] | None = None,
        random_seed: Any = None,
        kernel: AbstractKernel | Callable[[Array, Array], Scalar] = RBF(),  # noqa: B008
        temperature: float = 1.0,
    ) -> None:
        n_particles = as_positive("n_particles", n_particles)
        self._stein = Stein(as_kernel(kernel), np.asarray(as_number("temperature", temperature)))
        setup = Setup(model, random_seed, start)
        self._begin(setup.approximation("empirical", size=n_particles, jitter=jitter))

    def _objective(self, n_mc: int | None) -> AbstractObjective:
        if n_mc is not None:
            raise ArgumentError("SVGD uses all its particles in each step; leave obj_n_mc out.")
        return self._stein

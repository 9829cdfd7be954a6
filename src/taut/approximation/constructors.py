"""Approximations of one group, under PyMC's names."""

from collections.abc import Mapping
from typing import Any

from taut.approximation.approximation import Approximation
from taut.approximation.groups import Group
from taut.arguments import as_positive
from taut.errors import ArgumentError
from taut.frontend import as_source


def MeanField(
    *,
    model: Any = None,
    random_seed: Any = None,
    start: Mapping[str, Any] | None = None,
    start_sigma: Mapping[str, Any] | None = None,
) -> Approximation:
    """Approximate all variables by independent Gaussians (`taut.family.MeanField`).

    Parameters
    ----------
    model, random_seed
        As in `taut.Approximation`.
    start, start_sigma
        As in `taut.Group`.

    Examples
    --------
    >>> import pymc as pm, taut
    >>> with pm.Model():
    ...     x = pm.Normal("x", 2.0, 1.0)
    ...     approx = taut.MeanField(start={"x": 1.0})
    >>> float(approx.parameters["mu"][0])
    1.0
    """
    group = Group(None, "mf", start=start, start_sigma=start_sigma)
    return Approximation([group], model=model, random_seed=random_seed)


def FullRank(
    *,
    model: Any = None,
    random_seed: Any = None,
    start: Mapping[str, Any] | None = None,
    start_sigma: Mapping[str, Any] | None = None,
) -> Approximation:
    """Approximate all variables by one dense Gaussian (`taut.family.FullRank`).

    Parameters
    ----------
    model, random_seed
        As in `taut.Approximation`.
    start, start_sigma
        As in `taut.Group`.

    Examples
    --------
    >>> import pymc as pm, taut
    >>> with pm.Model():
    ...     x = pm.Normal("x", 2.0, 1.0, shape=2)
    ...     approx = taut.FullRank()
    >>> approx.cov.eval().shape
    (2, 2)
    """
    group = Group(None, "fr", start=start, start_sigma=start_sigma)
    return Approximation([group], model=model, random_seed=random_seed)


def Empirical(
    trace: Any = None,
    size: int | None = None,
    *,
    jitter: float = 1.0,
    start: Mapping[str, Any] | None = None,
    model: Any = None,
    random_seed: Any = None,
) -> Approximation:
    """Approximate all variables by particles: draws that exist already, or a scatter.

    Parameters
    ----------
    trace
        Draws of the model's variables: what `pymc.sample` or ``approx.sample`` returns (a
        DataTree, an InferenceData-like object or a MultiTrace), a mapping of names to arrays with
        draws along the first axis, or a matrix of flat unconstrained draws.
    size
        Without a trace, how many particles are scattered around the start.
    jitter
        Standard deviation of the scatter, in the unconstrained space.
    start
        Values to start around, by variable.
    model, random_seed
        As in `taut.Approximation`.

    Raises
    ------
    ArgumentError
        Neither or both of `trace` and `size` are given, or the trace is empty or lacks a variable.

    Examples
    --------
    >>> import numpy as np, pymc as pm, taut
    >>> with pm.Model():
    ...     x = pm.Normal("x", 2.0, 1.0)
    ...     approx = taut.Empirical({"x": np.array([1.0, 2.0, 3.0])})
    >>> approx.evaluate_over_trace(x**2)
    array([1., 4., 9.])
    """
    if (trace is None) == (size is None):
        raise ArgumentError("Empirical needs either a trace or a size, and not both.")
    if trace is None:
        number = as_positive("size", size)
        group = Group(None, "empirical", start=start, size=number, jitter=jitter)
    else:
        group = Group(None, params={"histogram": as_source(model).histogram(trace)})
    return Approximation([group], model=model, random_seed=random_seed)


def sample_approx(approx: Approximation, draws: int = 100, include_transformed: bool = True) -> Any:
    """Draw from an approximation; ``approx.sample`` under PyMC's other name.

    Parameters
    ----------
    approx
        Where to draw from.
    draws
        How many.
    include_transformed
        Whether the group ``posterior`` holds the unconstrained variables too.

    Examples
    --------
    >>> import pymc as pm, taut
    >>> with pm.Model():
    ...     x = pm.Normal("x", 2.0, 1.0)
    ...     draws = taut.sample_approx(taut.MeanField(), draws=5)
    >>> draws["posterior"].sizes["draw"]
    5
    """
    return approx.sample(draws, include_transformed=include_transformed)

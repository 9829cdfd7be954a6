"""Choose the front end for what a user gives as a model."""

from typing import Any

from taut.errors import ArgumentError
from taut.frontend.base import AbstractSource
from taut.frontend.plain import PlainSource
from taut.target import Target


def as_source(model: Any = None) -> AbstractSource:
    """Return the source for a PyMC model, the model on the context, or a target.

    A source is returned as it is.
    """
    if isinstance(model, AbstractSource):
        return model
    if isinstance(model, Target):
        return PlainSource(model)
    from taut.frontend.pymc import PyMCSource, find_model

    if model is not None and not _is_pymc_model(model):
        raise ArgumentError(
            f"model must be a pymc.Model or a taut.Target, got {model!r} ({type(model).__name__})."
        )
    return PyMCSource(find_model(model))


def as_target(model: Any = None) -> Target:
    """Turn a model into a target: its log density as a JAX function, its data as leaves.

    Parameters
    ----------
    model
        A `pymc.Model`, by default the one on the context; a `Target` is returned as it is.

    Returns
    -------
    Target
        With the data the model holds at this moment. The work is done once for a model; calling
        again after `pymc.set_data` gives the new data and repeats nothing.

    Raises
    ------
    DiscreteVariableError
        A free variable is discrete.
    ModelError
        The model has no free variables.

    Examples
    --------
    >>> import numpy as np, pymc as pm, taut
    >>> with pm.Model() as model:
    ...     sigma = pm.HalfNormal("sigma", 2.0)
    ...     y = pm.Normal("y", 0.0, sigma, observed=np.array([0.5, -1.0]))
    >>> target = taut.as_target(model)
    >>> target.space.names
    ('sigma_log__',)
    >>> with target.precision():
    ...     print(round(float(target.log_density(np.zeros(1))), 6))
    -3.506816
    """
    return as_source(model).target()


def is_model(value: Any) -> bool:
    """Return whether a value is a model; PyMC is not loaded for numbers."""
    if value is None or isinstance(value, int | float | str):
        return False
    return isinstance(value, Target) or _is_pymc_model(value)


def _is_pymc_model(model: Any) -> bool:
    from pymc import Model

    return isinstance(model, Model)

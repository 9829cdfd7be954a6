"""Data sets drawn from a model, and where they enter its density."""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pymc as pm
import pytensor
from pymc.model.fgraph import clone_model

from taut.errors import ModelError
from taut.frontend.pymc.graph import transforms_of

# Python, which draws some hundred data sets in less time than a compiler takes to start.
_MODE = "FAST_COMPILE"


def draw_jointly(
    model: Any, datasets: int, random_seed: int
) -> tuple[dict[str, np.ndarray], list[np.ndarray]]:
    """Draw the free variables from the prior, and the observed ones given these.

    Parameters
    ----------
    model
        The model.
    datasets
        How many, two or more.
    random_seed
        Decides the draws.

    Returns
    -------
    tuple
        Unconstrained values by the name of the value variable, and what each observed variable
        observes, data sets along the first axis.

    Raises
    ------
    ModelError
        The model has a potential, which has no draws, or nothing observed.
    """
    if model.potentials:
        names = ", ".join(str(potential.name) for potential in model.potentials)
        raise ModelError(
            f"Data can not be simulated: a Potential has no random draws ({names}). Write it as a "
            "distribution, such as pymc.CustomDist with a `random` function."
        )
    if not model.observed_RVs:
        raise ModelError("Data can not be simulated: the model has no observed variable.")
    variables = [*(_unconstrained(model, rv) for rv in model.free_RVs), *model.observed_RVs]
    drawn = pm.draw(variables, draws=datasets, random_seed=random_seed % 2**32, mode=_MODE)
    names = [model.rvs_to_values[rv].name for rv in model.free_RVs]
    return dict(zip(names, drawn, strict=False)), list(drawn[len(names) :])


def as_inputs(model: Any, drawn: Sequence[np.ndarray]) -> tuple[dict[Any, Any], list[Any]]:
    """Return what takes the place of the observed values, and the shared variables it reads."""
    replacements, shared = {}, []
    for rv, values in zip(model.observed_RVs, drawn, strict=True):
        old = model.rvs_to_values[rv]
        # A vector: shared integer scalars are taken for lengths, and built in.
        first = np.atleast_1d(values[0].astype(old.type.dtype))
        shared.append(pytensor.shared(first, name=rv.name))
        replacements[old] = shared[-1] if old.type.ndim else shared[-1][0]
    return replacements, shared


def observing_each(model: Any, drawn: Sequence[np.ndarray]) -> Iterator[Any]:
    """Yield a model that observes one data set after another, built once.

    Parameters
    ----------
    model
        The model, which stays as it is.
    drawn
        What each observed variable observes, data sets along the first axis.
    """
    clone = clone_model(model)
    shared = [
        _observe(clone, rv, values[0]) for rv, values in zip(clone.observed_RVs, drawn, strict=True)
    ]
    for one in zip(*drawn, strict=True):
        for variable, value in zip(shared, one, strict=True):
            variable.set_value(np.asarray(value, variable.type.dtype))
        yield clone


def _observe(model: Any, rv: Any, value: np.ndarray) -> Any:
    """Put a shared variable in the place of what a variable observes."""
    old = model.rvs_to_values[rv]
    new = pytensor.shared(np.asarray(value, old.type.dtype), name=old.name)
    del model.values_to_rvs[old]
    model.rvs_to_values[rv], model.values_to_rvs[new] = new, rv
    return new


def _unconstrained(model: Any, rv: Any) -> Any:
    transform = transforms_of(model)[rv]
    return rv if transform is None else transform.forward(rv, *rv.owner.inputs)

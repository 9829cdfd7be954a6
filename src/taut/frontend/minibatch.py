"""Rows that a model draws itself."""

from typing import Any

import numpy as np

from taut.arguments import as_positive
from taut.errors import ArgumentError


def Minibatch(variable: Any, *variables: Any, batch_size: int) -> Any:
    """Draw random rows of data inside a model; PyMC's own `pymc.Minibatch`, checked earlier.

    What is observed by it needs ``total_size``, the number of all rows; a fit without it is
    refused. ``taut.fit(batch_size=...)`` on the model for all rows needs neither.

    Parameters
    ----------
    variable, *variables
        Arrays, or data of the model, of equally many rows along the first axis.
    batch_size
        Rows of a batch, drawn with replacement and anew in each step.

    Returns
    -------
    TensorVariable or list
        The rows of one batch, for each array.

    Raises
    ------
    ArgumentError
        The arrays differ in length, or `batch_size` is no positive integer.

    Examples
    --------
    >>> import numpy as np, pymc as pm, taut
    >>> x, y = np.linspace(-1.0, 1.0, 200), np.linspace(-2.0, 2.0, 200)
    >>> with pm.Model():
    ...     x_batch, y_batch = taut.Minibatch(x, y, batch_size=20)
    ...     slope = pm.Normal("slope", 0.0, 10.0)
    ...     pm.Normal("y", slope * x_batch, 1.0, observed=y_batch, total_size=200)
    ...     approx = taut.fit(5000, method="advi", random_seed=1, progressbar=False,
    ...                       obj_optimizer=taut.adam(learning_rate=0.01))
    y
    >>> round(float(approx.mean.eval()[0]))
    2
    """
    batch_size = as_positive("batch_size", batch_size)
    lengths = [len(array) for array in (variable, *variables) if isinstance(array, np.ndarray)]
    if len(set(lengths)) > 1:
        raise ArgumentError(f"All arrays must have the same number of rows, got {lengths}.")
    from taut.frontend.pymc import draw_minibatch

    return draw_minibatch(variable, *variables, batch_size=batch_size)

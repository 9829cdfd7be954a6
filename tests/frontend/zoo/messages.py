"""Models and messages that tests of errors share."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pymc as pm
import pytest

from taut.errors import TautError


def message(error: type[Exception], function: Callable[..., Any], *args: Any, **named: Any) -> str:
    """The message of an error; all errors of taut are of one kind."""
    with pytest.raises(error) as caught:
        function(*args, **named)
    assert isinstance(caught.value, TautError)
    return str(caught.value)


def three_variables() -> pm.Model:
    with pm.Model() as model:
        sigma = pm.HalfNormal("sigma")
        weights = pm.Dirichlet("weights", np.ones(3))
        beta = pm.Normal("beta", shape=2)
        pm.Normal("y", beta.sum() + weights[0], sigma, observed=np.zeros(3))
    return model

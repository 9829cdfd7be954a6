"""All models of the front end's tests, by name; each call builds a fresh one."""

import pytest

from .zoo import data, likelihoods, processes, transforms
from .zoo.registry import MODELS

__all__ = ["MODELS", "QUIET", "data", "likelihoods", "processes", "transforms"]

# What PyMC says of imputation, and PyTensor of machines without a BLAS for its C code.
QUIET = [
    pytest.mark.filterwarnings("ignore:Data in y contains missing values"),
    pytest.mark.filterwarnings("ignore:PyTensor could not link to a BLAS"),
]

"""All models of the front end's tests, by name; each call builds a fresh one."""

import pytest

from .zoo import data, likelihoods, processes, transforms
from .zoo.registry import MODELS

__all__ = ["FEW", "MODELS", "QUIET", "data", "likelihoods", "processes", "transforms"]

# What PyMC says of imputation, and PyTensor of machines without a BLAS for its C code.
QUIET = [
    pytest.mark.filterwarnings("ignore:Data in y contains missing values"),
    pytest.mark.filterwarnings("ignore:PyTensor could not link to a BLAS"),
]

# Of every transform with a long formula, of data, of every kind of loop.
FEW = [
    "log", "interval", "simplex_matrix", "cholesky_covariance", "covariance", "index_data",
    "length_data", "sparse_design", "student_t", "scan_innovations", "xarray_transforms",
]  # fmt: skip

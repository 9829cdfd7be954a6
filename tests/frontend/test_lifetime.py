"""How long things live, and what of the process they leave alone."""

import gc
import subprocess
import sys
import weakref

import numpy as np
import pytest

import taut

from .models import MODELS, QUIET
from .zoo.data import linear

pytestmark = QUIET


def collect() -> None:
    """Collect models, and then what was built for them, which refers to itself."""
    gc.collect()
    gc.collect()


@pytest.mark.parametrize("name", ["log", "data_x_and_y", "scan_innovations", "xarray_dims"])
def test_models_are_collected_with_what_was_built_for_them(name: str) -> None:
    model = MODELS[name]()
    target = taut.as_target(model)
    with target.precision():
        target.constrain(np.zeros(target.dim))
    taut.frontend.as_source(model).blame(np.zeros(target.dim))
    lifted, kept = weakref.ref(target.terms.lifted), weakref.ref(model)  # pyright: ignore
    del model, target
    collect()
    assert kept() is None
    assert lifted() is None


def test_a_fitted_model_is_collected() -> None:
    model = linear(80)
    approx = taut.fit(200, method="advi", model=model, progressbar=False)
    approx.sample(10)
    approx.mean.eval()
    programs, kept = weakref.ref(approx.target.programs), weakref.ref(model)
    del model, approx
    collect()
    assert kept() is None
    assert programs() is None


def test_a_target_outlives_its_model() -> None:
    target = taut.as_target(linear(80))
    collect()
    with target.precision():
        assert np.isfinite(target.log_density(np.zeros(2)))


def test_the_precision_of_the_process_stays() -> None:
    script = """
import jax, numpy as np
assert not jax.config.jax_enable_x64
import pymc as pm, taut
with pm.Model() as model:
    mu = pm.Normal("mu")
    pm.Normal("y", mu, 1.0, observed=np.zeros(3))
target = taut.as_target(model)
assert target.dtype == "float64"
with target.precision():
    assert target.log_density(np.zeros(1)).dtype == np.float64
    assert target.constrain(np.zeros(1))["mu"].dtype == np.float64
assert not jax.config.jax_enable_x64
assert jax.numpy.ones(1).dtype == np.float32
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr

"""How long things live, and what of the process they leave alone."""

import gc
import subprocess
import sys
import weakref

import numpy as np
import pymc as pm
import pytensor
import pytest

import taut
from taut.engine import programs
from taut.frontend.pymc import source
from taut.frontend.pymc.expressions import evaluate

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


def test_expressions_are_kept_up_to_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many are evaluated, their graphs and programs go in the end."""
    monkeypatch.setattr(evaluate, "_MOST", 2)
    monkeypatch.setattr(programs, "_MOST", 3)
    model = linear(80)
    approx = taut.MeanField(model=model, random_seed=1)
    nodes, lifted = [], []
    for i in range(8):
        node = model["beta"] * float(i)
        assert approx.evaluate(node, draws=2, random_seed=1).shape == (1, 2, 2)
        nodes.append(weakref.ref(node))
        lifted.append(weakref.ref(approx.symbolic._lifted._kept.values()[-1]))
        del node
    collect()
    assert [one() is None for one in nodes] == 6 * [True] + 2 * [False]
    assert [one() is None for one in lifted[:5]] == 5 * [True]
    assert len(approx.target.programs.compiled) == 3


def test_an_expression_is_lifted_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """And one that was let go is lifted again, with the same values."""
    model = linear(80)
    monkeypatch.setattr(evaluate, "_MOST", 2)
    approx = taut.MeanField(model=model, random_seed=1)
    node = model["beta"] ** 2
    first = approx.evaluate(node, draws=5, random_seed=1)
    count = approx.target.programs.count
    approx.evaluate(node, draws=5, random_seed=2)
    assert approx.target.programs.count == count
    for i in range(2):
        approx.evaluate(model["beta"] + i, draws=5)
    again = approx.evaluate(node, draws=5, random_seed=1)
    np.testing.assert_array_equal(first, again)


def test_replacements_are_kept_up_to_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source, "_MOST", 2)
    monkeypatch.setattr(programs, "_MOST", 3)
    data = pytensor.shared(np.zeros(50))
    with pm.Model() as model:
        pm.Normal("y", pm.Normal("mu"), 1.0, observed=data, total_size=50)
    batches = []
    for _ in range(5):
        batch = taut.Minibatch(data, batch_size=10)
        taut.fit(3, method="advi", model=model, more_replacements={data: batch}, progressbar=False)
        batches.append(weakref.ref(batch))
        del batch
    collect()
    assert [one() is None for one in batches] == 3 * [True] + 2 * [False]
    assert len(taut.frontend.as_source(model)._built().replaced) == 2  # pyright: ignore


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

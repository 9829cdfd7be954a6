"""Children that are forked after JAX has started: none hangs."""

import os
import subprocess
import sys
import textwrap

import pytest

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="Windows has no fork")

# The parent does this, and then a child of its does what a test is about. Nobody waits for longer
# than a minute.
_BEFORE = """
import os, pathlib, tempfile, warnings
import numpy as np, pymc as pm, taut
warnings.simplefilter("ignore")
with pm.Model() as model:
    mu = pm.Normal("mu", 0.0, 10.0)
    pm.Normal("y", mu, 1.0, observed=np.array([1.5, 2.5, 2.0]))
def in_child(call):
    if os.fork() == 0:
        try:
            print(call(), flush=True)
        except BaseException as error:
            print(type(error).__name__, error, flush=True)
        os._exit(0)
    os.wait()
"""


def run(script: str, **environment: str) -> list[str]:
    """Run a script in a process of its own, and return what it prints, line by line."""
    whole = _BEFORE + textwrap.dedent(script)
    found = subprocess.run(
        [sys.executable, "-c", whole],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
        env={**os.environ, **environment},
    )
    return found.stdout.splitlines()


def test_a_fit_in_a_forked_child_raises_and_says_what_to_do() -> None:
    told = run("""
    def fit(method):
        return taut.fit(100, method, model=model, random_seed=1, progressbar=False)
    approx, inference = fit("advi"), taut.ADVI(model=model)
    for call in (
        lambda: fit("advi"), lambda: fit("auto"), lambda: inference.fit(9, progressbar=False),
        lambda: approx.sample(7),
    ):
        in_child(call)
    """)
    assert len(told) == 4
    for line in told:
        assert line.startswith("ForkError")
        assert "spawn" in line
        assert "forkserver" in line
        assert "loky" in line


def test_a_forked_child_reads_what_was_fitted() -> None:
    told = run("""
    approx = taut.fit(100, "advi", model=model, random_seed=1, progressbar=False)
    approx.mean.eval()
    def read():
        path = pathlib.Path(tempfile.mkdtemp(), "x.fit")
        approx.save(path)
        return approx.mean.eval().shape, len(approx.hist), len(taut.load(path).hist)
    in_child(read)
    """)
    assert told == ["((1,), 100, 100)"]


def test_a_child_that_is_forked_before_jax_starts_fits() -> None:
    told = run("""
    in_child(lambda: len(taut.fit(50, "advi", model=model, progressbar=False).hist))
    """)
    assert told == ["50"]


def test_no_program_runs_in_a_child_where_jax_runs_them_at_once() -> None:
    told = run("""
    import jax
    jax.config.update("jax_cpu_enable_async_dispatch", False)
    approx = taut.fit(method="advi", n=100, model=model, random_seed=1, progressbar=False)
    approx.sample(200)
    in_child(lambda: approx.sample(200))
    """)
    assert told[0].startswith("ForkError A compiled program")

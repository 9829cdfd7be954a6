"""The seconds in which something compiles: of JAX, PyTensor and numba, each counted once."""

import sys
import time

import jax
import jax.numpy as jnp
import numpy as np
import pytensor
import pytensor.tensor as pt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pytensor.compile.maker import FunctionMaker
from pytensor.graph.rewriting.basic import GraphRewriter

from benchmarks.proving.compilation import Compilation, watched

SPANS = st.lists(st.tuples(st.integers(0, 20), st.integers(0, 10)), max_size=6)


@given(SPANS)
def test_what_overlaps_is_counted_once(drawn: list[tuple[int, int]]) -> None:
    compilation = Compilation()
    compilation.spans += [(float(begin), float(begin + length)) for begin, length in drawn]
    covered = {at for begin, length in drawn for at in range(begin, begin + length)}
    assert compilation.seconds == len(covered)


def test_the_span_of_what_has_ended_ends_now() -> None:
    compilation = Compilation()
    compilation.ended(0.25)
    ((begin, end),) = compilation.spans
    assert end - begin == pytest.approx(0.25)
    assert 0 <= time.perf_counter() - end < 10


def test_jax_is_watched() -> None:
    with watched() as compilation:
        begin = time.perf_counter()
        jax.jit(lambda x: jnp.sin(x) + jnp.cos(3 * x))(jnp.ones(3)).block_until_ready()
        took = time.perf_counter() - begin
    assert 0 < compilation.seconds <= took


@pytest.mark.parametrize("mode", ["NUMBA", "FAST_COMPILE"])
def test_pytensor_is_watched_and_what_numba_compiles_at_the_first_call(mode: str) -> None:
    x = pt.vector("x")
    # What numba has on disk from an earlier run compiles nothing.
    with pytensor.config.change_flags(numba__cache=False), watched() as compilation:
        function = pytensor.function([x], pt.exp(x).sum(), mode=mode)
        made = compilation.seconds
        begin = time.perf_counter()
        function(np.ones(3, x.dtype))
        took = time.perf_counter() - begin
    assert made > 0
    called = compilation.seconds - made
    assert (0 < called <= took) if mode == "NUMBA" else called == 0


def test_what_compiles_nothing_takes_none_and_all_is_put_back() -> None:
    before = GraphRewriter.rewrite, FunctionMaker.__init__, FunctionMaker.create
    program = jax.jit(jnp.sin)
    program(1.0)
    with watched() as compilation:
        program(2.0)
        assert GraphRewriter.rewrite is not before[0]
    assert compilation.seconds == 0
    assert (GraphRewriter.rewrite, FunctionMaker.__init__, FunctionMaker.create) == before
    jax.jit(lambda x: x + 1)(1.0)
    assert compilation.seconds == 0


def test_a_library_that_is_not_there_is_not_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "numba", raising=False)
    with watched():
        pass
    assert "numba" not in sys.modules

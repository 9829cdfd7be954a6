"""Options of XLA that this one may not know."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from types import MappingProxyType
from typing import Any

import jax
import numpy as np
import pytest

from taut.engine import Programs, cpu_options

NONE = "xla_cpu_no_such_option"
KNOWN = {"xla_backend_optimization_level": 1}


class Watched:
    """A lowered program that notes the options it is compiled with."""

    def __init__(self, error: Exception | None = None) -> None:
        self.seen: list[dict[str, Any]] = []
        self._error = error

    def compile(self, compiler_options: dict[str, Any]) -> Any:
        self.seen.append(compiler_options)
        if self._error is not None:
            raise self._error
        lowered = jax.jit(lambda x: x + 1).lower(np.float32(0))
        return lowered.compile(compiler_options=compiler_options)


@pytest.fixture(autouse=True)
def _on_a_cpu(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(jax, "default_backend", lambda: "cpu")
    cpu_options._is_known.cache_clear()
    yield
    cpu_options._is_known.cache_clear()


@pytest.fixture
def one_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    """An option of quick programs that no XLA knows, beside one that this one does."""
    monkeypatch.setattr(cpu_options, "_QUICK", MappingProxyType(KNOWN | {NONE: True}))


@pytest.mark.usefixtures("one_unknown")
def test_only_the_option_that_xla_does_not_know_is_left_out() -> None:
    watched = Watched()
    program = cpu_options.compile_lowered(watched, quick=True)
    assert float(program(np.float32(1))) == 2.0
    assert watched.seen == [KNOWN | {NONE: True}, KNOWN]


@pytest.mark.usefixtures("one_unknown")
def test_programs_of_another_kind_keep_their_options() -> None:
    before = dict(cpu_options._MANY_STEPS)
    assert float(Programs()(lambda x: x + 1, np.float32(1))) == 2.0
    watched = Watched()
    cpu_options.compile_lowered(watched, quick=False)
    assert watched.seen == [before]
    assert all(before[name] == value for name, value in cpu_options._NO_POOL.items())


@pytest.mark.usefixtures("one_unknown")
def test_xla_is_asked_once() -> None:
    for _ in range(3):
        cpu_options.compile_lowered(Watched(), quick=True)
    assert cpu_options._is_known.cache_info().misses == 2


@pytest.mark.usefixtures("one_unknown")
def test_threads_get_the_same_options() -> None:
    all_ = [Watched() for _ in range(8)]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda one: cpu_options.compile_lowered(one, quick=True), all_))
    assert all(one.seen[-1] == KNOWN for one in all_)


def test_a_program_that_fails_leaves_the_options_of_others() -> None:
    """Also if its message speaks of options, as that of a lack of memory does."""
    error = jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED: set another option")
    failing, other = Watched(error), Watched()
    with pytest.raises(jax.errors.JaxRuntimeError, match="RESOURCE_EXHAUSTED"):
        cpu_options.compile_lowered(failing, quick=True)
    assert len(failing.seen) == 1
    cpu_options.compile_lowered(other, quick=True)
    assert other.seen == failing.seen


def test_an_answer_that_is_none_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """A lack of memory while XLA is asked."""
    error = jax.errors.JaxRuntimeError("RESOURCE_EXHAUSTED")

    class Exhausted:
        def lower(self, *_: Any) -> Watched:
            return Watched(error)

    with monkeypatch.context() as patch:
        patch.setattr(jax, "jit", lambda _: Exhausted())
        with pytest.raises(jax.errors.JaxRuntimeError, match="EXHAUSTED"):
            cpu_options._is_known(*next(iter(KNOWN.items())))
    assert cpu_options._is_known(*next(iter(KNOWN.items())))


@pytest.mark.parametrize("quick", [True, False])
def test_this_xla_knows_all_of_them(*, quick: bool) -> None:
    watched = Watched()
    cpu_options.compile_lowered(watched, quick=quick)
    assert len(watched.seen) == 1


def test_options_can_not_be_changed() -> None:
    for options in (cpu_options._QUICK, cpu_options._MANY_STEPS):
        assert isinstance(options, MappingProxyType)

"""Where the seconds of a fit go."""

import gc
import time
from dataclasses import replace

import pymc as pm
import pytest

import taut
from engine.watching import fit, make_model, new_target
from taut.engine import Timing, building, clock


@pytest.fixture(scope="module")
def model() -> pm.Model:
    """A model that was fitted and drawn from once."""
    model = make_model()
    fit(model).sample(10)
    return model


def test_parts_of_a_timing_add_up(model: pm.Model) -> None:
    timing = fit(model).timing
    parts = [timing.lift, timing.compile, timing.run, timing.read, timing.host]
    assert min(parts) >= 0
    assert timing.total == sum(parts)
    assert f"{timing.total:.2f} s" in str(timing)


def test_a_fit_of_a_fitted_model_spends_nothing_on_compiling(model: pm.Model) -> None:
    timing = fit(model).timing
    assert timing.compile == 0
    assert timing.run > 0


def test_a_fit_of_a_new_target_spends_time_on_compiling_and_running() -> None:
    timing = fit(new_target()).timing
    assert timing.compile > 0
    assert timing.run > 0


def test_refining_adds_to_the_timing() -> None:
    advi = taut.ADVI(model=new_target(), random_seed=1)
    advi.fit(10, progressbar=False)
    before = advi.approx.timing.run
    advi.refine(10, progressbar=False)
    assert advi.approx.timing.run > before


def test_the_host_is_charged_with_what_is_no_program() -> None:
    begin = time.perf_counter()
    advi = taut.ADVI(model=new_target(), random_seed=1)
    advi.fit(10, callbacks=[lambda *_: time.sleep(0.01)], progressbar=False)
    assert advi.approx.timing.host >= 0.1
    assert advi.approx.timing.total <= time.perf_counter() - begin


def test_a_repair_and_a_diagnosis_leave_the_timing_of_the_fit(model: pm.Model) -> None:
    approx = fit(model)
    before = replace(approx.timing)
    approx.diagnose(random_seed=1)
    repaired = approx.repair(random_seed=1)
    assert approx.timing == before
    assert repaired.timing.host > 0
    assert repaired.timing.run > 0


@pytest.mark.parametrize("enabled", [True, False])
def test_no_garbage_is_collected_while_graphs_are_built(*, enabled: bool) -> None:
    """Afterwards the collector is as it was, also where building failed."""
    timing, was_enabled = Timing(), gc.isenabled()
    (gc.enable if enabled else gc.disable)()
    try:
        with building(timing, "lift"):
            assert not gc.isenabled()
        with pytest.raises(ZeroDivisionError), building(timing, "lift"):
            raise ZeroDivisionError
        assert gc.isenabled() is enabled
        assert timing.lift > 0
    finally:
        (gc.enable if was_enabled else gc.disable)()


def test_the_clock_counts_what_fails() -> None:
    timing = Timing()
    with pytest.raises(ZeroDivisionError), clock(timing, "run"):
        raise ZeroDivisionError
    assert timing.run > 0
    assert timing.lift == timing.compile == 0

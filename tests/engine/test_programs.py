"""Programs: compiled once, kept on disk, and nobody else's settings touched."""

import gc
import json
import logging
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pymc as pm
import pytest
from jax.experimental.compilation_cache import compilation_cache

import taut
from cases import regression
from taut.engine import Programs, Timing, building, clock
from taut.engine import programs as compilation
from taut.engine.programs import cache_directory, persistent_cache

# Recorded by JAX for each program that XLA is asked for, whether it comes from disk or not.
COMPILED = "/jax/core/compile/backend_compile_duration"
HIT = "/jax/compilation_cache/cache_hits"
CONFIG = (
    "jax_compilation_cache_dir",
    "jax_enable_compilation_cache",
    "jax_enable_x64",
    "jax_persistent_cache_min_compile_time_secs",
    "jax_persistent_cache_min_entry_size_bytes",
)


@contextmanager
def compilations() -> Iterator[list[str]]:
    """Collect the names of the programs that are compiled inside, as JAX itself counts them."""
    names: list[str] = []

    def listen(event: str, duration: float, **more: Any) -> None:
        if event == COMPILED:
            names.append(str(more.get("fun_name")))

    jax.monitoring.register_event_duration_secs_listener(listen)
    try:
        yield names
    finally:
        jax.monitoring.unregister_event_duration_listener(listen)


@contextmanager
def hits() -> Iterator[list[str]]:
    """Collect one entry for each program that is read from a persistent cache inside."""
    found: list[str] = []

    def listen(event: str, **more: Any) -> None:
        if event == HIT:
            found.append(event)

    jax.monitoring.register_event_listener(listen)
    try:
        yield found
    finally:
        jax.monitoring.unregister_event_listener(listen)


def config() -> dict[str, Any]:
    """JAX's settings as the user sees them."""
    return {name: getattr(jax.config, name) for name in CONFIG}


def fit(
    model: Any, n: int = 100, rate: float = 0.1, seed: int = 1, **how: Any
) -> taut.Approximation:
    """A fit with a seed."""
    optimizer = taut.adam(learning_rate=rate)
    return taut.fit(
        n, model=model, random_seed=seed, obj_optimizer=optimizer, progressbar=False, **how
    )


def make_model() -> pm.Model:
    """A model with data, dims and coordinates."""
    rng = np.random.default_rng(0)
    with pm.Model(coords={"row": np.arange(100), "column": list("abc")}) as model:
        x = pm.Data("x", rng.normal(size=(100, 3)), dims=("row", "column"))
        observed = pm.Data("observed", rng.normal(size=100), dims="row")
        slope = pm.Normal("slope", dims="column")
        sigma = pm.HalfNormal("sigma")
        pm.Normal("y", x @ slope, sigma, observed=observed, dims="row")
    return model


@pytest.fixture(scope="module")
def model() -> pm.Model:
    """A model that was fitted and drawn from once."""
    model = make_model()
    fit(model).sample(10)
    return model


def test_a_first_fit_compiles_two_programs_and_some_transfers() -> None:
    """The start of the optimizer and the chunk of steps; the rest moves data to the device."""
    with compilations() as names:
        fit(make_model())
    assert {"jit(_init)", "jit(run_chunk)"} <= set(names)
    assert len(names) <= 10


AGAIN: dict[str, Callable[[pm.Model], Any]] = {
    "the same": fit,
    "another learning rate": lambda model: fit(model, rate=0.05),
    "another seed": lambda model: fit(model, seed=2),
    "another number of steps": lambda model: fit(model, n=9001),
    "callbacks": lambda model: fit(model, callbacks=[lambda *_: None]),
    "no score": lambda model: fit(model, score=False),
    "another start": lambda model: fit(model, start={"slope": [1.0, 2.0, 3.0]}),
    "another scale to start with": lambda model: fit(model, start_sigma={"slope": 0.1}),
    "another beta": lambda model: fit(model, inf_kwargs={"beta": 0.5}),
    "draws": lambda model: fit(model).sample(700),
}


@pytest.mark.parametrize("how", AGAIN)
def test_a_second_fit_compiles_nothing(how: str, model: pm.Model) -> None:
    with compilations() as names:
        AGAIN[how](model)
    assert names == []


def test_new_data_of_the_same_shapes_compile_nothing(model: pm.Model) -> None:
    before = fit(model).hist
    with model:
        pm.set_data({"observed": np.ones(100)})
    with compilations() as names:
        approx = fit(model)
        approx.sample(10)
    assert names == []
    assert not np.array_equal(approx.hist, before)


def test_new_coordinates_compile_nothing(model: pm.Model) -> None:
    coords = {"row": np.arange(100) + 7}
    with model:
        pm.set_data({"x": np.ones((100, 3)), "observed": np.ones(100)}, coords=coords)
    with compilations() as names:
        approx = fit(model)
        draws = approx.sample(10)
    assert names == []
    np.testing.assert_array_equal(draws["observed_data"].coords["row"], coords["row"])


def test_new_shapes_compile_the_steps_again() -> None:
    model = make_model()
    fit(model)
    with model:
        coords = {"row": np.arange(60)}
        pm.set_data({"x": np.ones((60, 3)), "observed": np.ones(60)}, coords=coords)
    with compilations() as names:
        fit(model)
    assert names.count("jit(run_chunk)") == 1


def test_looking_at_the_parameters_at_every_step_compiles_once(model: pm.Model) -> None:
    with compilations() as names:
        fit(model, callbacks=[lambda approx, losses, i: approx.parameters])
    assert len(names) <= 1


def test_inference_objects_of_one_model_share_their_programs(model: pm.Model) -> None:
    with compilations() as names:
        advi = taut.ADVI(model=model, random_seed=1)
        advi.fit(10, obj_optimizer=taut.adam(), progressbar=False)
        advi.refine(10, progressbar=False)
    assert names == []


# The folder of compiled programs.


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder that taut is told to use."""
    taut.set_cache_directory(tmp_path / "programs")
    return tmp_path / "programs"


def kept(folder: Path) -> set[str]:
    """The names of the programs in a folder."""
    return {path.name.partition("-")[0] for path in folder.glob("**/*-cache")}


def new_target() -> taut.Target:
    """A target without programs, whose programs are those of every other one made here."""
    return regression(2).target()


@contextmanager
def user_setting(**settings: Any) -> Iterator[None]:
    """JAX as a user has set it."""
    before = {name: getattr(jax.config, name) for name in settings}
    for name, value in settings.items():
        jax.config.update(name, value)
    try:
        yield
    finally:
        for name, value in before.items():
            jax.config.update(name, value)
        # A user's folder stays open until then, as JAX has it.
        compilation_cache.reset_cache()


def compile_one() -> None:
    """Compile a small program, as taut does all of its own."""
    Programs()(Timing(), scaled, 2, np.ones(5))


def test_programs_are_kept_and_found_again(folder: Path) -> None:
    with hits() as first:
        one = fit(new_target())
    assert {"jit__init", "jit_run_chunk"} <= kept(folder)
    with hits() as second:
        other = fit(new_target())
    assert len(first) == 0
    assert len(second) >= 2
    np.testing.assert_array_equal(one.hist, other.hist)


def test_programs_of_the_user_are_not_kept(folder: Path) -> None:
    compile_one()
    # However short their compilation, which JAX by itself would not keep.
    with user_setting(jax_persistent_cache_min_compile_time_secs=0.0):
        jax.jit(lambda x: jnp.sin(x) + 1)(np.ones(3))
    assert kept(folder) == {"jit_scaled"}


def test_a_folder_the_user_sets_later_is_not_mistaken_for_tauts(
    folder: Path, tmp_path: Path
) -> None:
    def mine(x: Any) -> Any:
        return jnp.cos(x) * 3

    compile_one()
    own = tmp_path / "own"
    with user_setting(
        jax_compilation_cache_dir=str(own), jax_persistent_cache_min_compile_time_secs=0.0
    ):
        jax.jit(mine)(np.ones(3))
    assert kept(own) == {"jit_mine"}
    assert kept(folder) == {"jit_scaled"}


def test_a_users_own_folder_is_used_for_taut_too(folder: Path, tmp_path: Path) -> None:
    own = tmp_path / "own"
    with user_setting(
        jax_compilation_cache_dir=str(own), jax_persistent_cache_min_compile_time_secs=0.0
    ):
        compile_one()
    assert "jit_scaled" in kept(own)
    assert not folder.exists()


def test_settings_of_jax_are_left_as_they_were(folder: Path) -> None:
    before = config()
    during: list[dict[str, Any]] = []
    fit(new_target(), callbacks=[lambda *_: during.append(config())]).sample(10)
    assert config() == before
    # Within a fit only the precision differs, which the fit's own thread has for itself.
    assert {**during[-1], "jax_enable_x64": before["jax_enable_x64"]} == before


def test_settings_are_left_as_they_were_where_compiling_fails(folder: Path) -> None:
    before = config()
    with pytest.raises(ZeroDivisionError), persistent_cache():
        raise ZeroDivisionError
    assert config() == before


def test_no_folder_keeps_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platformdirs.user_cache_dir", lambda name: str(tmp_path / name))
    monkeypatch.delenv("TAUT_CACHE_DIR")
    taut.set_cache_directory(None)
    compile_one()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("word", ["off", "OFF", "0", "none", "False", ""])
def test_the_environment_can_turn_it_off(
    word: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("platformdirs.user_cache_dir", lambda name: str(tmp_path / name))
    monkeypatch.setenv("TAUT_CACHE_DIR", word)
    assert cache_directory() is None
    compile_one()
    assert list(tmp_path.iterdir()) == []


def test_the_default_folder_is_made_when_it_is_needed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("platformdirs.user_cache_dir", lambda name: str(tmp_path / name))
    monkeypatch.delenv("TAUT_CACHE_DIR")
    compile_one()
    assert kept(tmp_path / "taut" / "programs") == {"jit_scaled"}


def test_the_folder_is_chosen_by_call_then_environment_then_default(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("platformdirs.user_cache_dir", lambda name: str(tmp_path / name))
    monkeypatch.delenv("TAUT_CACHE_DIR")
    assert cache_directory() == tmp_path / "taut" / "programs"
    monkeypatch.setenv("TAUT_CACHE_DIR", "~/elsewhere")
    assert cache_directory() == Path.home() / "elsewhere"
    taut.set_cache_directory(tmp_path / "chosen")
    assert cache_directory() == tmp_path / "chosen"
    taut.set_cache_directory("~/chosen")
    assert cache_directory() == Path.home() / "chosen"


@pytest.mark.parametrize("below", [".", "a/b"])
def test_a_folder_that_can_not_be_made_breaks_no_fit(
    below: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Below a regular file: root, which tests may run as, could write anywhere else."""
    (tmp_path / "file").write_text("mine")
    taut.set_cache_directory(tmp_path / "file" / below)
    with caplog.at_level(logging.WARNING, logger="taut"):
        fit(new_target())
        compile_one()
    assert len(caplog.messages) == 1
    assert "set_cache_directory" in caplog.text
    assert (tmp_path / "file").read_text() == "mine"


def test_a_spoilt_program_is_compiled_anew(folder: Path) -> None:
    compile_one()
    for path in folder.glob("**/*-cache"):
        path.write_bytes(b"nonsense")
    with pytest.warns(UserWarning, match="Error reading persistent compilation cache"):
        compile_one()


SCRIPT = """
import json, sys
import jax
events = []
jax.monitoring.register_event_listener(lambda event, **more: events.append(event))
import taut
from cases import regression
target = regression(2).target()
approx = taut.fit(100, method="advi", model=target, random_seed=1, progressbar=False)
print(json.dumps({"hits": events.count("/jax/compilation_cache/cache_hits"),
                  "misses": events.count("/jax/compilation_cache/cache_misses"),
                  "last": float(approx.hist[-1])}))
"""


def test_a_second_process_finds_the_programs_of_the_first(tmp_path: Path) -> None:
    environment = os.environ | {
        "TAUT_CACHE_DIR": str(tmp_path),
        "PYTHONPATH": str(Path(__file__).parents[1]),
    }
    command = [sys.executable, "-c", SCRIPT]
    told = [
        json.loads(
            subprocess.run(
                command, env=environment, check=True, capture_output=True, text=True
            ).stdout
        )
        for _ in range(2)
    ]
    assert told[0]["hits"] == 0
    assert told[0]["misses"] >= 2
    assert told[1]["hits"] == told[0]["misses"]
    assert told[1]["misses"] == 0
    assert told[0]["last"] == told[1]["last"]
    assert "jit_run_chunk" in kept(tmp_path)


# The table of programs, and the clock.


def scaled(by: int, x: Any) -> Any:
    """A function with an argument that shapes its program, and one that does not."""
    return jnp.arange(by).sum() * x


def test_a_program_is_compiled_for_each_shape_and_dtype() -> None:
    programs, timing = Programs(), Timing()
    for x in (np.ones(2), np.zeros(2), np.ones(3), np.ones(2, np.float32), np.float32(1)):
        programs(timing, scaled, 3, x)
    assert programs.count == 4
    np.testing.assert_array_equal(programs(timing, scaled, 3, np.array([1.0, 2.0])), [3.0, 6.0])
    assert programs.count == 4


def test_a_program_is_compiled_for_each_static_argument() -> None:
    programs, timing = Programs(), Timing()
    found = [float(programs(timing, scaled, by, np.float32(1))) for by in (2, 3, 2)]
    assert found == [1.0, 3.0, 1.0]
    assert programs.count == 2


def test_arguments_can_be_fixed_beforehand() -> None:
    programs, timing = Programs(), Timing()
    bound = programs.bind(scaled, 4)
    assert float(bound(timing, np.float32(2))) == 12.0
    assert float(programs.bind(scaled, 4)(timing, np.float32(3))) == 18.0
    assert programs.count == 1


def test_a_program_has_the_name_of_its_function() -> None:
    with compilations() as names:
        Programs()(Timing(), scaled, 2, np.ones(5))
    assert names == ["jit(scaled)"]


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


def test_a_long_sum_is_cut_in_two_in_32_bits() -> None:
    """The error of a sum in one part is seen in float32."""
    programs = compilation.Programs()
    with jax.enable_x64(False):
        terms = np.full(1_000_000, 0.1, np.float32)
        found = float(programs(compilation.Timing(), jnp.sum, terms))
    assert found == pytest.approx(1e5, rel=1e-3)


def test_an_xla_that_does_not_know_an_option_is_used_without(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    options = {"xla_cpu_no_such_option": True}
    monkeypatch.setattr(compilation, "_CPU_OPTIONS_QUICK", options)
    programs = compilation.Programs()
    result = programs(compilation.Timing(), lambda x: x + 1, np.float32(1.0))
    assert float(result) == 2.0
    assert options == {}


@pytest.mark.parametrize(
    ("leaf", "dynamic"),
    [
        (np.ones(2), True),
        (np.float64(1), True),
        (jnp.ones(2), True),
        (1.0, False),
        (1, False),
        ("mean", False),
        (None, False),
    ],
    ids=repr,
)
def test_arrays_are_passed_to_a_program_and_all_else_shapes_it(leaf: Any, dynamic: bool) -> None:
    assert compilation.is_dynamic(leaf) is dynamic

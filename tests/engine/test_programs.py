"""Programs: each compiled once."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pymc as pm
import pytest

import taut
from cases import regression
from engine.watching import compilations, fit, make_model, scaled
from taut.engine import Programs, Timing
from taut.engine.programs import is_dynamic


@pytest.fixture(scope="module")
def model() -> pm.Model:
    """A model that was fitted, drawn from, and looked at while it was fitted, once each."""
    model = make_model()
    fit(model).sample(10)
    fit(model, callbacks=[lambda *_: None])
    return model


def test_a_first_fit_compiles_two_programs_and_some_transfers() -> None:
    """The start of the optimizer and the chunk of steps; the rest moves data to the device."""
    with compilations() as names:
        fit(make_model())
    assert {"jit(_init)", "jit(run_chunk)"} <= set(names)
    assert len(names) <= 10


def test_a_first_fit_that_is_looked_at_compiles_steps_that_keep_their_states() -> None:
    model = make_model()
    fit(model)
    with compilations() as names:
        fit(model, callbacks=[lambda *_: None])
    assert names == ["jit(run_recorded)"]


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


def test_a_program_is_compiled_for_each_shape_and_dtype() -> None:
    programs = Programs()
    for x in (np.ones(2), np.zeros(2), np.ones(3), np.ones(2, np.float32), np.float32(1)):
        programs(scaled, 3, x)
    assert programs.count == 4
    np.testing.assert_array_equal(programs(scaled, 3, np.array([1.0, 2.0])), [3.0, 6.0])
    assert programs.count == 4


def test_a_program_is_compiled_for_each_static_argument() -> None:
    programs = Programs()
    found = [float(programs(scaled, by, np.float32(1))) for by in (2, 3, 2)]
    assert found == [1.0, 3.0, 1.0]
    assert programs.count == 2


def test_arguments_can_be_fixed_beforehand() -> None:
    programs = Programs()
    bound = programs.bind(scaled, 4)
    assert float(bound(np.float32(2))) == 12.0
    assert float(programs.bind(scaled, 4)(np.float32(3))) == 18.0
    assert programs.count == 1


@pytest.mark.parametrize("in_64_bits", [True, False])
def test_programs_have_a_precision_of_their_own(*, in_64_bits: bool) -> None:
    """Whatever JAX computes in around them, which stays as it is."""
    programs, own = Programs(in_64_bits), np.float64 if in_64_bits else np.float32
    for outside in (True, False):
        with jax.enable_x64(outside):
            assert programs(jnp.sin, np.ones(3)).dtype == own
            assert jnp.ones(3).dtype == (np.float64 if outside else np.float32)
    assert programs.count == 1


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_target_has_programs_of_its_precision(dtype: str) -> None:
    target = replace(regression(2).target(), dtype=dtype)
    assert target.programs.in_64_bits == (dtype == "float64")
    assert replace(target).programs is target.programs


def test_a_timing_is_charged_with_what_is_compiled_and_run() -> None:
    timing = Timing()
    Programs()(scaled, 2, np.ones(5), timing=timing)
    assert timing.compile > 0
    assert timing.run > 0


def test_a_program_has_the_name_of_its_function() -> None:
    with compilations() as names:
        Programs()(scaled, 2, np.ones(5))
    assert names == ["jit(scaled)"]


def test_a_long_sum_is_cut_in_two_in_32_bits() -> None:
    """The error of a sum in one part is seen in float32."""
    terms = np.full(1_000_000, 0.1, np.float32)
    found = float(Programs(in_64_bits=False)(jnp.sum, terms))
    assert found == pytest.approx(1e5, rel=1e-3)


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
    assert is_dynamic(leaf) is dynamic

"""Every rule against PyMC's, and the laws of dtypes and of compiled programs."""

from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pymc.variational.updates as theirs
import pytensor
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import taut.optimizer as ours
from taut.errors import OptimizerError
from taut.optimizer import AbstractOptimizer, Optimizer

STEPS = 50
START = (np.array([0.5, -1.0, 2.0]), np.array([[1.0, -2.0], [0.25, 3.0]]))

RULES: list[tuple[str, dict[str, Any]]] = [
    ("sgd", {}),
    ("sgd", {"learning_rate": 0.3}),
    ("momentum", {}),
    ("momentum", {"learning_rate": 0.05, "momentum": 0.5}),
    ("nesterov_momentum", {}),
    ("nesterov_momentum", {"learning_rate": 0.05, "momentum": 0.5}),
    ("adagrad", {}),
    ("adagrad", {"learning_rate": 0.1, "epsilon": 1e-3}),
    ("adagrad_window", {}),
    ("adagrad_window", {"learning_rate": 0.1, "epsilon": 1e-3, "n_win": 3}),
    ("adagrad_window", {"n_win": 1}),
    ("rmsprop", {}),
    ("rmsprop", {"learning_rate": 0.1, "rho": 0.5, "epsilon": 1e-3}),
    ("adadelta", {}),
    ("adadelta", {"learning_rate": 0.1, "rho": 0.5, "epsilon": 1e-3}),
    ("adam", {}),
    ("adam", {"learning_rate": 0.1, "beta1": 0.5, "beta2": 0.9, "epsilon": 1e-2}),
    ("adamax", {}),
    ("adamax", {"learning_rate": 0.1, "beta1": 0.5, "beta2": 0.9, "epsilon": 1e-2}),
]
WRAPPERS = ["apply_momentum", "apply_nesterov_momentum"]
NAMES = sorted({name for name, _ in RULES})


def wrapped(rate: float = 1e-3) -> list[AbstractOptimizer]:
    """Optimizers that hold others."""
    return [
        ours.apply_momentum(ours.adam(learning_rate=rate)),
        ours.apply_nesterov_momentum(ours.as_optimizer(optax.rmsprop(rate))),
    ]


def everyone() -> list[AbstractOptimizer]:
    """One optimizer of every kind."""
    schedule = optax.linear_schedule(0.1, 0.0, 5)
    made = [getattr(ours, name)() for name in NAMES]
    scheduled = [getattr(ours, name)(learning_rate=schedule) for name in NAMES]
    foreign = [
        ours.as_optimizer(optax.adam(1e-3)),
        ours.as_optimizer(optax.noisy_sgd(0.1, key=jax.random.key(0))),
    ]
    return [*made, *scheduled, *wrapped(), *foreign]


def gradients(seed: int = 0) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Gradients of all sizes; one coordinate has none at first, one is switched off later."""
    generator = np.random.default_rng(seed)
    for step in range(STEPS):
        scale = 10.0 ** generator.uniform(-6, 2)
        vector, matrix = (scale * generator.normal(size=p.shape) for p in START)
        vector[0] *= step > 4
        matrix[1, 0] *= step % 7 != 3
        yield vector, matrix


def run_theirs(update: Callable[[list[Any], list[Any]], dict[Any, Any]]) -> list[Any]:
    """Follow PyMC's parameters through the gradients."""
    params = [pytensor.shared(p.copy()) for p in START]
    grads = [pytensor.shared(np.zeros_like(p)) for p in START]
    step = pytensor.function([], [], updates=update(grads, params), mode="FAST_COMPILE")
    path = []
    for values in gradients():
        for grad, value in zip(grads, values, strict=True):
            grad.set_value(value)
        step()
        path.append([p.get_value() for p in params])
    return path


def run_ours(optimizer: AbstractOptimizer) -> list[Any]:
    """Follow our parameters through the gradients, in one compiled step."""

    @jax.jit
    def step(optimizer: Any, grads: Any, state: Any, params: Any) -> Any:
        updates, state = optimizer.update(grads, state, params)
        return optax.apply_updates(params, updates), state

    params, path = tuple(jnp.asarray(p) for p in START), []
    state = optimizer.init(params)
    for grads in gradients():
        params, state = step(optimizer, grads, state, params)
        path.append(params)
    return path


def assert_same_path(optimizer: AbstractOptimizer, update: Any) -> None:
    """Compare all parameters at all steps."""
    for mine, other in zip(run_ours(optimizer), run_theirs(update), strict=True):
        for a, b in zip(mine, other, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-10)


@pytest.mark.parametrize(("name", "given"), RULES)
def test_rule_is_pymcs(name: str, given: dict[str, Any]) -> None:
    def update(grads: list[Any], params: list[Any]) -> dict[Any, Any]:
        return getattr(theirs, name)(grads, params, **given)

    assert_same_path(getattr(ours, name)(**given), update)


@pytest.mark.parametrize("name", WRAPPERS)
@pytest.mark.parametrize("inner", ["sgd", "adam"])
@pytest.mark.parametrize("given", [{}, {"momentum": 0.3}])
def test_wrapper_is_pymcs(name: str, inner: str, given: dict[str, Any]) -> None:
    def update(grads: list[Any], params: list[Any]) -> dict[Any, Any]:
        inside = getattr(theirs, inner)(grads, params, learning_rate=0.01)
        return getattr(theirs, name)(inside, params, **given)

    optimizer = getattr(ours, inner)(learning_rate=0.01)
    assert_same_path(getattr(ours, name)(optimizer, **given), update)


@pytest.mark.parametrize("name", NAMES)
def test_defaults_are_pymcs(name: str) -> None:
    held = getattr(theirs, name)().keywords
    mine: Optimizer = getattr(ours, name)()
    numbers = {**mine.numbers, **dict(mine.options)}
    numbers.update(*(inner.numbers for inner in mine.wrapped))
    assert numbers == held


@pytest.mark.parametrize("name", NAMES)
def test_no_gradient_no_step(name: str) -> None:
    optimizer, params = getattr(ours, name)(), jnp.ones(2)
    updates, state = optimizer.update(jnp.zeros(2), optimizer.init(params), params)
    updates, _ = optimizer.update(jnp.zeros(2), state, params)
    np.testing.assert_array_equal(updates, np.zeros(2))


def test_window_forgets() -> None:
    optimizer = ours.adagrad_window(learning_rate=1.0, epsilon=0.0, n_win=2)
    state = optimizer.init(jnp.ones(1))
    for grad in (1e6, 3.0, 4.0):
        updates, state = optimizer.update(jnp.array([grad]), state)
    np.testing.assert_allclose(updates, [-0.8])


PARAMS = {
    "float64": lambda: {"a": jnp.ones(3), "b": jnp.ones((2, 2))},
    "float32": lambda: {"a": jnp.ones(3, jnp.float32), "b": jnp.ones((2, 2), jnp.float32)},
    "mixed": lambda: {"a": jnp.ones(3, jnp.float32), "b": jnp.ones((2, 2))},
    "bfloat16": lambda: {"a": jnp.ones(3, jnp.bfloat16)},
    "weak": lambda: {"a": jnp.asarray(1.0)},
    "numpy": lambda: {"a": np.ones(3, np.float32)},
}


@pytest.mark.parametrize("kind", PARAMS)
@pytest.mark.parametrize("optimizer", everyone(), ids=repr)
def test_types_stay(optimizer: AbstractOptimizer, kind: str) -> None:
    params = PARAMS[kind]()
    before = jax.eval_shape(optimizer.init, params)
    updates, after = jax.eval_shape(
        lambda p: optimizer.update(p, optimizer.init(p), p), jax.tree.map(jnp.asarray, params)
    )
    # Equal structs have equal shapes, dtypes and weak types.
    assert after == before
    assert not any(x.weak_type for x in jax.tree.leaves((before, updates)))
    assert jax.tree.map(lambda x: x.dtype, updates) == jax.tree.map(lambda x: x.dtype, params)


def test_structs_know_weak_types() -> None:
    weak, strong = jax.eval_shape(lambda: (jnp.asarray(1.0), jnp.asarray(1.0, float)))
    assert weak.weak_type
    assert not strong.weak_type
    assert weak != strong


@pytest.mark.parametrize("optimizer", everyone(), ids=repr)
def test_single_precision_runs_without_x64(optimizer: AbstractOptimizer) -> None:
    with jax.enable_x64(False):
        params = jnp.ones(3)
        updates, state = optimizer.update(params, optimizer.init(params), params)
        updates, _ = optimizer.update(params, state, params)
        assert updates.dtype == jnp.float32
        assert np.all(np.isfinite(updates))


@pytest.mark.parametrize("name", NAMES)
def test_schedule_changes_the_rate(name: str) -> None:
    schedule = optax.piecewise_constant_schedule(0.5, {3: 0.1})
    moving, fixed = (getattr(ours, name)(learning_rate=r) for r in (schedule, 0.5))
    state, other = moving.init(jnp.ones(1)), fixed.init(jnp.ones(1))
    ratios = []
    for grad in (1.0, 2.0, 3.0, 4.0):
        updates, state = moving.update(jnp.array([grad]), state)
        reference, other = fixed.update(jnp.array([grad]), other)
        ratios.append(float((updates / reference)[0]))
    np.testing.assert_allclose(ratios[:3], 1.0)
    # A velocity still holds the steps of the old rate.
    assert ratios[3] < 0.9 if "momentum" in name else abs(ratios[3] - 0.1) < 1e-12


@pytest.mark.parametrize(
    "make",
    [*(getattr(ours, name) for name in NAMES), lambda r: ours.apply_momentum(ours.adam(r))],
)
def test_rates_share_a_program(make: Callable[[Any], Optimizer]) -> None:
    traces = []

    @jax.jit
    def step(optimizer: Any, params: Any, state: Any) -> Any:
        traces.append(optimizer)
        return optimizer.update(params, state, params)

    params, firsts = jnp.ones(2), []
    for rate in (1e-3, 0.5, np.float32(0.25), jnp.asarray(0.125), 1):
        optimizer = make(rate)
        first, state = step(optimizer, params, optimizer.init(params))
        step(optimizer, params, state)
        firsts.append(float(first[0]))
    assert len(traces) == 1
    assert len(set(firsts)) == len(firsts)


def test_static_parts_have_programs_of_their_own() -> None:
    traces = []

    @jax.jit
    def step(optimizer: Any, params: Any) -> Any:
        traces.append(optimizer)
        return optimizer.update(params, optimizer.init(params), params)

    one, two = optax.linear_schedule(1.0, 0.0, 5), optax.linear_schedule(1.0, 0.0, 5)
    made = [ours.adagrad_window(n_win=3), ours.adagrad_window(n_win=4), ours.adagrad()]
    made += [ours.sgd(one), ours.sgd(two)]
    for optimizer in [*made, *made, ours.adagrad_window(n_win=3), ours.sgd(one)]:
        step(optimizer, jnp.ones(2))
    assert len(traces) == len(made)


def test_scan_and_vmap_over_rates() -> None:
    def run(rate: Any) -> Any:
        optimizer = ours.adagrad_window(learning_rate=rate)

        def step(carry: Any, _: Any) -> Any:
            params, state = carry
            updates, state = optimizer.update(params, state, params)
            return (optax.apply_updates(params, updates), state), None

        params = jnp.ones(2)
        return jax.lax.scan(step, (params, optimizer.init(params)), length=5)[0][0]

    ends = jax.vmap(run)(jnp.array([0.1, 0.2]))
    np.testing.assert_allclose(ends[0], run(0.1))
    np.testing.assert_allclose(ends[1], run(0.2))


def test_chains_with_optax() -> None:
    chain = optax.chain(optax.clip(1.0), ours.sgd(learning_rate=0.5).optax)
    updates, _ = chain.update(jnp.array([10.0]), chain.init(jnp.ones(1)), jnp.ones(1))
    np.testing.assert_allclose(updates, [-0.5])


def test_survives_flattening_and_shows_itself() -> None:
    optimizer = ours.apply_momentum(ours.adam(learning_rate=0.5), momentum=0.25)
    leaves, structure = jax.tree.flatten(optimizer)
    assert all(isinstance(leaf, np.ndarray) and leaf.dtype == np.float64 for leaf in leaves)
    again = jax.tree.unflatten(structure, leaves)
    assert repr(again) == repr(optimizer)
    assert repr(optimizer) == (
        "apply_momentum(adam(learning_rate=0.5, beta1=0.9, beta2=0.999, epsilon=1e-08),"
        " momentum=0.25)"
    )


@settings(max_examples=30, deadline=None)
@given(
    st.sampled_from(NAMES),
    st.floats(1e-6, 10.0),
    st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=4),
)
def test_first_step_goes_downhill(name: str, rate: float, grads: list[float]) -> None:
    with jax.enable_x64(True):
        optimizer, grad = getattr(ours, name)(learning_rate=rate), jnp.asarray(grads)
        updates, _ = optimizer.update(grad, optimizer.init(grad), grad)
        assert np.all(np.isfinite(updates))
        assert np.all(updates * grad <= 0)


NAN, INF = float("nan"), float("inf")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    "rate", [0, -0.1, NAN, INF, "fast", None, True, 1j, [0.1], np.ones(2), np.array("x"), float]
)
def test_refuses_rates(name: str, rate: Any) -> None:
    wanted = r"^learning_rate must be a finite number > 0, or a schedule .*, got .*\. Write"
    with pytest.raises(OptimizerError, match=wanted):
        getattr(ours, name)(learning_rate=rate)


@pytest.mark.parametrize(
    ("name", "argument"),
    [
        ("momentum", "momentum"),
        ("nesterov_momentum", "momentum"),
        ("rmsprop", "rho"),
        ("adadelta", "rho"),
        ("adam", "beta1"),
        ("adam", "beta2"),
        ("adamax", "beta1"),
        ("adamax", "beta2"),
    ],
)
@pytest.mark.parametrize("value", [1, 1.5, -0.1, NAN, "x", None])
def test_refuses_fractions(name: str, argument: str, value: Any) -> None:
    with pytest.raises(OptimizerError, match=rf"^{argument} must be a number in \[0, 1\), got"):
        getattr(ours, name)(**{argument: value})


@pytest.mark.parametrize("name", WRAPPERS)
def test_wrappers_refuse(name: str) -> None:
    with pytest.raises(OptimizerError, match=r"^momentum must be a number in \[0, 1\), got 1"):
        getattr(ours, name)(ours.sgd(), momentum=1)
    with pytest.raises(OptimizerError, match=r"^optimizer must be an optimizer, got \{\}"):
        getattr(ours, name)({})


@pytest.mark.parametrize("value", [0, -1, 2.0, True, "3", None])
def test_refuses_windows(value: Any) -> None:
    with pytest.raises(OptimizerError, match=r"^n_win must be an int > 0, got .*n_win=10\.$"):
        ours.adagrad_window(n_win=value)


@pytest.mark.parametrize("value", [-1e-8, NAN, INF, "x"])
def test_refuses_epsilons(value: Any) -> None:
    with pytest.raises(OptimizerError, match=r"^epsilon must be a finite number >= 0, got"):
        ours.adam(epsilon=value)


def test_refuses_a_traced_vector() -> None:
    with pytest.raises(OptimizerError, match=r"^learning_rate must be"):
        jax.jit(lambda rate: ours.sgd(rate).init(jnp.ones(1)))(jnp.ones(2))


def test_decays_are_not_rounded_to_half_precision() -> None:
    # 0.999 is 1 in bfloat16, and the bias correction would divide by 0.
    params = jnp.ones(2, jnp.bfloat16)
    optimizer = ours.adam(learning_rate=0.5)
    updates, _ = optimizer.update(params, optimizer.init(params), params)
    np.testing.assert_allclose(updates.astype(float), [-0.5, -0.5], rtol=1e-2)

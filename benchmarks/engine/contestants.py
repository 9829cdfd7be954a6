"""Mean-field ADVI with Adam and one draw a step: taut, its rivals, and a loop written by hand."""

import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import jax
import jax.numpy as jnp
import numpy as np
import optax

from benchmarks.engine.problems import Problem

LEARNING_RATE = 1e-3
# The floor is the faster of both: XLA's threads help on an idle machine and hurt on a busy one.
FLOORS = ("by hand", "by hand (one thread)")
# XLA's CPU backend hands reductions to a pool of threads, unless it is told not to.
_ONE_THREAD = {"xla_cpu_experimental_ynn_fusion_type": "", "xla_cpu_prefer_vector_width": 512}
_SEED = 1


class Stepper(Protocol):
    """A warm fit that can be gone on with."""

    @property
    def compile_seconds(self) -> float:
        """From the model to a program that steps."""
        ...

    def run(self, steps: int) -> int:
        """Take so many steps or somewhat more, wait for them, and tell how many it were."""
        ...


class _Inference:
    """The inference objects of taut and PyMC, which share their calls."""

    def __init__(self, library: Any, problem: Problem) -> None:
        model = problem.model()
        begin = time.perf_counter()
        with model:
            self._inference = library.ADVI(random_seed=_SEED)
        optimizer = library.adam(learning_rate=LEARNING_RATE)
        self._inference.fit(1, progressbar=False, obj_optimizer=optimizer)
        self.compile_seconds = time.perf_counter() - begin

    def run(self, steps: int) -> int:
        self._inference.refine(steps, progressbar=False)
        return steps


class _Scan:
    """A JAX step, run by a scan whose length is a part of the program.

    Parameters
    ----------
    step
        ``step(state, data) -> (state, loss)``.
    state
        Where it starts.
    data
        Arrays, passed as arguments so that they are no constants of the program.
    chunk
        Steps of one call of the program.
    options
        For XLA.
    """

    def __init__(
        self,
        step: Callable[[Any, Any], tuple[Any, Any]],
        state: Any,
        data: Any,
        chunk: int,
        options: Mapping[str, Any] | None = None,
    ) -> None:
        def program(state: Any, data: Any) -> tuple[Any, Any]:
            return jax.lax.scan(lambda one, _: step(one, data), state, None, length=chunk)

        self._state, self._data, self._chunk = state, data, chunk
        begin = time.perf_counter()
        lowered = jax.jit(program).lower(state, data)
        self._program = lowered.compile(dict(options) if options else None)
        self.compile_seconds = time.perf_counter() - begin

    def run(self, steps: int) -> int:
        chunks = -(-steps // self._chunk)
        for _ in range(chunks):
            self._state, losses = self._program(self._state, self._data)
            # As the others keep the history.
            np.asarray(losses)
        return chunks * self._chunk


def by_taut(problem: Problem) -> Stepper:
    """`taut.ADVI`."""
    import taut

    return _Inference(taut, problem)


def by_pymc(problem: Problem) -> Stepper:
    """`pymc.ADVI`."""
    import pymc

    return _Inference(pymc, problem)


def by_numpyro(problem: Problem) -> Stepper:
    """numpyro's SVI with an AutoNormal guide, on the log density written by hand."""
    import numpyro
    from numpyro import distributions as dist
    from numpyro.infer import SVI, Trace_ELBO
    from numpyro.infer.autoguide import AutoNormal

    def program(data: Any) -> None:
        flat = dist.ImproperUniform(dist.constraints.real_vector, (), (problem.dim,))
        numpyro.factor("density", problem.log_density(numpyro.sample("z", flat), data))

    optimizer = numpyro.optim.Adam(LEARNING_RATE)
    svi = SVI(program, AutoNormal(program), optimizer, Trace_ELBO())
    data = _on_device(problem)
    return _Scan(svi.update, svi.init(jax.random.key(_SEED), data), data, _chunk(problem))


def by_hand(problem: Problem, options: Mapping[str, Any] | None = None) -> Stepper:
    """What one would write for this one problem, with the noise kept out of the likelihood."""
    optimizer = optax.adam(LEARNING_RATE)

    def loss(parameters: Any, noise: Any, data: Any) -> Any:
        loc, rho = parameters
        scale = jax.nn.softplus(rho)
        return -problem.log_density(loc + scale * noise, data) - jnp.sum(jnp.log(scale))

    def step(state: Any, data: Any) -> tuple[Any, Any]:
        parameters, memory, count = state
        key = jax.random.fold_in(jax.random.key(_SEED), count)
        noise = jax.lax.optimization_barrier(jax.random.normal(key, (problem.dim,)))
        value, gradient = jax.value_and_grad(loss)(parameters, noise, data)
        updates, memory = optimizer.update(gradient, memory)
        return (optax.apply_updates(parameters, updates), memory, count + 1), value

    start = jnp.zeros(problem.dim), jnp.ones(problem.dim)
    state = start, optimizer.init(start), jnp.int32(0)
    return _Scan(step, state, _on_device(problem), _chunk(problem), options)


CONTESTANTS: Mapping[str, Callable[[Problem], Stepper]] = {
    "taut": by_taut,
    FLOORS[0]: by_hand,
    FLOORS[1]: lambda problem: by_hand(problem, _ONE_THREAD),
    "numpyro": by_numpyro,
    "pymc": by_pymc,
}


def _on_device(problem: Problem) -> Any:
    return {name: jnp.asarray(values) for name, values in problem.data.items()}


def _chunk(problem: Problem) -> int:
    """Steps of a call, so that the call itself costs nothing and lasts no more than a second."""
    elements = sum(values.size for values in problem.data.values()) + problem.dim
    return int(np.clip(2e7 / elements, 10, 5000))

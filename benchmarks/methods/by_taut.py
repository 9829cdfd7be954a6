"""taut's methods."""

from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from typing import Any

import numpy as np
import pymc as pm

from benchmarks.methods.base import DRAWS, Fitted, Method, merged

_STEPS = 10_000
_TUNED_STEPS = 30_000
_SVGD_PARTICLES = 100
_ASVGD_DRAWS = 500


def _fit(
    model: pm.Model, seed: int, method: str, gradients_a_step: int = 1, **settings: Any
) -> Fitted:
    import taut

    steps = settings.pop("n", _STEPS)
    approx = taut.fit(
        steps, method=method, model=model, random_seed=seed, progressbar=False, **settings
    )
    drawn: Any = approx.sample(DRAWS, random_seed=seed)
    stats = drawn["sample_stats"]

    def log_weights() -> np.ndarray:
        return np.ravel(stats["lp"].values - stats["log_q"].values)

    has_density = method != "svgd"
    return Fitted(
        merged(model, drawn["posterior"]),
        steps * gradients_a_step,
        log_weights if has_density else None,
    )


def _ended(model: pm.Model, seed: int, method: str, **settings: Any) -> Fitted:
    """Fit by a method that needs no number of steps."""
    import taut

    approx = taut.fit(method=method, model=model, random_seed=seed, progressbar=False, **settings)
    drawn: Any = approx.sample(DRAWS, random_seed=seed)
    stats, outcome = drawn["sample_stats"], approx.journal.outcome

    def log_weights() -> np.ndarray:
        return np.ravel(stats["lp"].values - stats["log_q"].values)

    has_density = {"lp", "log_q"} <= set(stats)
    check = None if has_density else approx.journal.check
    return Fitted(
        merged(model, drawn["posterior"]),
        approx.journal.gradients or (len(approx.hist) if settings else None),
        log_weights if has_density else None,
        None if outcome is None else outcome.verdict.trusted,
        "" if outcome is None else f"{outcome.name}: {approx.journal.verdict}",
        None if check is None else lambda: float(check.window.effective.min()),
    )


def _ending(method: str, **settings: Any) -> Callable[[pm.Model, int], Fitted]:
    return lambda model, seed: _ended(model, seed, method, **settings)


def _tuned(model: pm.Model, seed: int) -> Fitted:
    import taut

    optimizer = taut.adagrad_window(learning_rate=1e-2)
    return _fit(model, seed, "advi", n=_TUNED_STEPS, obj_optimizer=optimizer)


def _load() -> object:
    # What `sample` labels its draws by is imported when it is first needed; a rival, which nobody
    # needs, by PyTensor's JAX backend where it is installed.
    import_module("arviz_base")
    with suppress(ModuleNotFoundError):
        import_module("numpyro")
    return import_module("taut")


METHODS = (
    Method("taut-auto", "as it comes", _load, _ending("auto")),
    Method("taut-laplace", "as it comes", _load, _ending("laplace")),
    Method("taut-pathfinder", "as it comes", _load, _ending("pathfinder")),
    Method("taut-batch_match", "as it comes", _load, _ending("batch_match")),
    Method("taut-gsm", "as it comes", _load, _ending("gsm")),
    Method("taut-dadvi", "as it comes", _load, _ending("dadvi")),
    Method(
        "taut-advi_auto", 'step_size="auto"', _load, _ending("advi", step_size="auto")
    ),
    Method("taut-lowrank_batch_match", "as it comes", _load, _ending("lowrank_batch_match")),
    Method(
        "taut-lowrank_advi", 'step_size="auto"', _load, _ending("lowrank_advi", step_size="auto")
    ),
    Method(
        "taut-flow", "10 000 steps of 32 draws", _load,
        lambda model, seed: _fit(model, seed, "flow", 32),
    ),
    Method("taut-advi", "10 000 steps", _load, lambda model, seed: _fit(model, seed, "advi")),
    Method(
        "taut-fullrank_advi", "10 000 steps", _load,
        lambda model, seed: _fit(model, seed, "fullrank_advi"),
    ),
    Method("taut-advi_tuned", "30 000 steps, adagrad_window(1e-2)", _load, _tuned),
    Method(
        "taut-svgd", "10 000 steps, 100 particles", _load,
        lambda model, seed: _fit(model, seed, "svgd", _SVGD_PARTICLES),
    ),
    Method(
        "taut-asvgd", "10 000 steps, 500 draws a step", _load,
        lambda model, seed: _fit(model, seed, "asvgd", _ASVGD_DRAWS),
    ),
)  # fmt: skip

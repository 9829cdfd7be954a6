"""One fit in a process of its own, which `benchmarks.proving.runner` starts.

It prints a line of JSON when the fit is measured, and one more after a second fit, so that a
time-out of the second loses nothing of the first.
"""

import json
import resource
import sys
import time
import traceback
import warnings
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Any

import pymc as pm

from benchmarks.measures import NotFiniteDrawsError, elbo_and_khat, errors
from benchmarks.methods import METHODS, Fitted, Method
from benchmarks.posteriors import EVERY, Posterior
from benchmarks.proving.compilation import watched
from benchmarks.proving.records import CRASH, NOT_FINITE, OK
from benchmarks.proving.warm_up import WARM_UP
from benchmarks.quantities import quantities
from benchmarks.references import load

_SECOND_SEED = 1000
# The largest resident memory comes in kilobytes; bytes on macOS.
_MEGABYTE = 2**20 if sys.platform == "darwin" else 2**10

Tell = Callable[[Mapping[str, Any]], None]


def work(
    method: Method,
    posterior: Posterior,
    seeds: list[int],
    longest: float,
    started: float,
    tell: Tell,
) -> None:
    """Fit once for each seed, and tell what was measured after each.

    Parameters
    ----------
    method, posterior, seeds
        What to fit, by what. The first fit compiles, the others are second fits.
    longest
        Seconds of the first fit from which on there is no second where there is one seed.
    started
        When the process was started, by `time.time`.
    tell
        Takes fields of a `Record`.
    """
    method.load()
    imports = {"imports_seconds": time.time() - started, "imports_mb": _peak_mb()}
    model, (first, *others) = posterior.build(), seeds
    clock = _told_fit(method, posterior, model, first, tell, imports)
    if not others and clock.get("seconds", longest) < longest:
        _, again = _timed(method, model, first + _SECOND_SEED)
        tell(_as_second(again))
    for seed in others:
        _told_fit(method, posterior, model, seed, tell, {}, again=True)


def _told_fit(
    method: Method, posterior: Posterior, model: pm.Model, seed: int, tell: Tell,
    imports: Mapping[str, Any], *, again: bool = False,
) -> dict[str, float]:  # fmt: skip
    """Fit and tell; give the clock, empty where there is no fit."""
    try:
        fitted, clock = _timed(method, model, seed)
        timed = _as_second(clock) if again else clock
        measured = imports | timed | {"peak_mb": _peak_mb()} | _measured(posterior, fitted)
    except NotFiniteDrawsError as error:
        clock, measured = {}, {"status": NOT_FINITE, "message": str(error)}
    except Exception as error:
        clock, measured = {}, {"status": CRASH, "message": _brief(error)}
    tell({"seed": seed} | measured)
    return clock


def _as_second(clock: Mapping[str, float]) -> dict[str, float]:
    return {f"second_{name}": clock[name] for name in ("seconds", "cpu_seconds")}


def _timed(method: Method, model: pm.Model, seed: int) -> tuple[Fitted, dict[str, float]]:
    cpu, begin = _cpu_seconds(), time.perf_counter()
    with watched() as compilation:
        fitted = method.fit(model, seed)
    return fitted, {
        "seconds": time.perf_counter() - begin,
        "cpu_seconds": _cpu_seconds() - cpu,
        "compile_seconds": compilation.seconds,
    }


def _measured(posterior: Posterior, fitted: Fitted) -> dict[str, Any]:
    values = quantities(posterior, fitted.draws).values
    distance = errors(load(posterior), values)
    elbo, khat = _elbo_and_khat(fitted)
    return {
        "status": OK,
        "gradients": fitted.gradients,
        "draws": len(values),
        "elbo": elbo,
        "khat": khat,
        "trusted": fitted.trusted,
        "verdict": fitted.verdict,
        "effective": len(values) if fitted.effective is None else fitted.effective(),
        "errors": asdict(distance),
    }


def _elbo_and_khat(fitted: Fitted) -> tuple[float | None, float | None]:
    return (None, None) if fitted.log_weights is None else elbo_and_khat(fitted.log_weights())


def _cpu_seconds() -> float:
    """Of this process and those it has waited for."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(part.ru_utime + part.ru_stime for part in used)


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / _MEGABYTE


def _brief(error: Exception) -> str:
    last = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__}: {str(error)[:300]} ({last.name}, line {last.lineno})"


def _tell(fields: Mapping[str, Any]) -> None:
    print(json.dumps(fields), flush=True)


def main(method: str, posterior: str, seeds: str, longest: str, started: str) -> None:
    """Work off what the command line names; ``warm-up`` fills caches and measures nothing."""
    warnings.simplefilter("ignore")
    if posterior == WARM_UP:
        from benchmarks.proving.warm_up import model

        METHODS[method].load()
        METHODS[method].fit(model(), 0)
    else:
        what = METHODS[method], EVERY[posterior], [int(seed) for seed in seeds.split(",")]
        work(*what, float(longest), float(started), _tell)


if __name__ == "__main__":
    main(*sys.argv[1:])

"""nutpie's NUTS: the yardstick of time and accuracy."""

from importlib import import_module
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
import pymc as pm
from arviz_stats.base import array_stats

from benchmarks.methods.base import Fitted, Method, merged

# A second fit of a model samples alone.
_COMPILED: WeakKeyDictionary[pm.Model, Any] = WeakKeyDictionary()


def _sample(model: pm.Model, seed: int) -> Fitted:
    import nutpie

    if model not in _COMPILED:
        _COMPILED[model] = nutpie.compile_pymc_model(model)
    trace = nutpie.sample(_COMPILED[model], seed=seed, progress_bar=False)
    stats = (trace.sample_stats, trace.warmup_sample_stats)
    gradients = sum(int(part["n_steps"].sum()) for part in stats)

    def effective() -> float:
        chains = [np.asarray(trace.posterior[rv.name], float) for rv in model.free_RVs]
        found = [array_stats.ess(x.reshape(*x.shape[:2], -1), chain_axis=0, draw_axis=1)
                 for x in chains]  # fmt: skip
        return float(min(np.min(each) for each in found))

    return Fitted(merged(model, trace.posterior), gradients, effective=effective)


METHODS = (Method("nutpie-nuts", "as it comes", lambda: import_module("nutpie"), _sample),)

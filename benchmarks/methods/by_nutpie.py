"""nutpie's NUTS: the yardstick of time and accuracy."""

from importlib import import_module

import pymc as pm

from benchmarks.methods.base import Fitted, Method, merged


def _sample(model: pm.Model, seed: int) -> Fitted:
    import nutpie

    trace = nutpie.sample(nutpie.compile_pymc_model(model), seed=seed, progress_bar=False)
    stats = (trace.sample_stats, trace.warmup_sample_stats)
    return Fitted(merged(model, trace.posterior), sum(int(part["n_steps"].sum()) for part in stats))


METHODS = (Method("nutpie-nuts", "as it comes", lambda: import_module("nutpie"), _sample),)

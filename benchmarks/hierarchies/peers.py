"""Who fits them: each returns the global unknowns and intervals of the groups' effects."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import numpy as np
from jaxtyping import Float
from scipy.stats import norm

from benchmarks.hierarchies.models import (
    GLOBALS,
    SCALES,
    latents_of_numpyro,
    numpyro_model,
    pymc_model,
)
from benchmarks.hierarchies.simulated import Simulated

# Of draws, and of the steps of NumPyro, which read this share of the rows each.
DRAWS, STEPS, SHARE = 1000, 20_000, 0.1
# Of intervals.
LOW, HIGH = 0.05, 0.95
Interval = tuple[Float[np.ndarray, "groups *k"], Float[np.ndarray, "groups *k"]]


@dataclass(frozen=True)
class Found:
    """What a fit says.

    Parameters
    ----------
    mean, sd
        Of the global unknowns, scales by their logarithm; not a number where it is not told.
    intervals
        Of the groups' effects.
    trusted
        What the fit says of itself, if it does.
    """

    mean: Float[np.ndarray, " globals"]
    sd: Float[np.ndarray, " globals"]
    intervals: dict[str, Interval]
    trusted: bool | None = None


def by_taut(data: Simulated) -> Found:
    """The automatic fit, from model to draws."""
    import taut

    approx = taut.fit(model=pymc_model(data), random_seed=1, progressbar=False)
    draws = approx.sample(DRAWS, random_seed=1)["posterior"]
    return _of_draws(data, {name: draws[name].values[0] for name in draws}, approx.trusted)


def by_nutpie(data: Simulated) -> Found:
    """Two chains as they come, after 500 draws of adaptation."""
    import nutpie

    compiled = nutpie.compile_pymc_model(pymc_model(data))
    trace = nutpie.sample(
        compiled, draws=DRAWS // 2, tune=500, chains=2, seed=1, progress_bar=False
    ).posterior
    joined = {name: np.concatenate(np.asarray(trace[name])) for name in trace.data_vars}
    return _of_draws(data, joined)


def by_numpyro(guide: str) -> Callable[[Simulated], Found]:
    """An automatic guide, by batches of the rows."""

    def fit(data: Simulated) -> Found:
        from numpyro import optim
        from numpyro.infer import SVI, Trace_ELBO, autoguide

        program = numpyro_model(data, int(SHARE * len(data.y)))
        made = getattr(autoguide, guide)(program)
        svi = SVI(
            program, made, optim.Adam(lambda step: 1e-2 * 0.1 ** (step / STEPS)), Trace_ELBO()
        )
        with jax.enable_x64(False):
            params = svi.run(jax.random.key(1), STEPS, progress_bar=False).params
            draws = made.sample_posterior(jax.random.key(2), params, sample_shape=(DRAWS,))
        return _of_draws(data, {k: np.asarray(v, float) for k, v in draws.items()})

    return fit


def by_gpboost(data: Simulated) -> Found:
    """Maximum likelihood of the marginal density, by Laplace's method where rows are binary."""
    import gpboost

    group = data.group[:, None]
    if data.kind == "crossed":
        group = np.column_stack([data.group, data.other])
    effects: dict[str, Any] = {}
    if data.kind == "slopes":
        effects = {"group_rand_coef_data": data.x, "ind_effect_group_rand_coef": [1]}
    likelihood = "bernoulli_logit"
    if data.kind != "binary":
        # By its iterative method it can not tell the variances of the effects.
        likelihood, effects["matrix_inversion_method"] = "gaussian", "cholesky"
    model = gpboost.GPModel(group_data=group, likelihood=likelihood, **effects)
    model.fit(y=data.y, X=np.column_stack([np.ones(len(data.y)), data.x]))
    told, error = np.asarray(model.get_coef(std_err=True))
    variances, spread = np.asarray(model.get_cov_pars(std_err=True))
    scales, of_scales = 0.5 * np.log(variances), 0.5 * spread / variances
    if data.kind != "binary":
        # The variance of the rows comes first.
        scales, of_scales = np.roll(scales, -1), np.roll(of_scales, -1)
    each = model.predict_training_data_random_effects(predict_var=True)
    mean, sd = np.concatenate([told, scales]), np.concatenate([error, of_scales])
    return Found(mean, sd, _of_gpboost(data, np.asarray(each)))


def _of_gpboost(data: Simulated, each: Float[np.ndarray, "rows both"]) -> dict[str, Interval]:
    """Read what is said of each row's effects: means first, then variances."""
    found, count = {}, each.shape[1] // 2
    if data.kind == "slopes":
        first = np.unique(data.group, return_index=True)[1]
        return {"a": _normal(each[first][:, :2], each[first][:, 2:] ** 0.5)}
    for i, (name, codes) in enumerate((("a", data.group), ("b", data.other))):
        if name in data.latents:
            level, first = np.unique(codes, return_index=True)
            mean, sd = np.zeros((2, len(data.latents[name])))
            # Of levels without rows the prior is all there is.
            sd[:] = np.nan
            mean[level], sd[level] = each[first, i], each[first, count + i] ** 0.5
            found[name] = _normal(mean, sd)
    return found


def by_statsmodels(data: Simulated) -> Found:
    """Exact maximum likelihood of lines; mean-field variational inference of binary rows."""
    import statsmodels.api as sm
    from statsmodels.genmod.bayes_mixed_glm import BinomialBayesMixedGLM
    from statsmodels.regression.mixed_linear_model import MixedLMParams

    design = np.column_stack([np.ones(len(data.y)), data.x])
    if data.kind == "slopes":
        free = MixedLMParams.from_components(fe_params=np.ones(2), cov_re=np.eye(2))
        lines = sm.MixedLM(data.y, design, groups=data.group, exog_re=design)
        fit = lines.fit(reml=False, free=free)
        scales = 0.5 * np.log([*np.diag(np.asarray(fit.cov_re)), fit.scale])
        mean = np.array([fit.random_effects[i] for i in range(data.groups)])
        spread = np.array([np.diag(fit.random_effects_cov[i]) for i in range(data.groups)])
        told = np.concatenate([fit.fe_params, scales])
        sd = np.concatenate([fit.bse_fe, np.full(3, np.nan)])
        return Found(told, sd, {"a": _normal(mean, spread**0.5)})
    import scipy.sparse

    rows = np.arange(len(data.y))
    of_group = scipy.sparse.csr_matrix((np.ones(len(rows)), (rows, data.group)))
    ident = np.zeros(data.groups, int)
    mixed = BinomialBayesMixedGLM(data.y, design, of_group, ident, vcp_p=1.0, fe_p=2.0)
    fit = mixed.fit_vb()
    told, sd = (
        np.concatenate([a, b]) for a, b in ((fit.fe_mean, fit.vcp_mean), (fit.fe_sd, fit.vcp_sd))
    )
    return Found(told, sd, {"a": _normal(fit.vc_mean, fit.vc_sd)})


def _of_draws(data: Simulated, draws: dict[str, Any], trusted: bool | None = None) -> Found:
    parts = [np.log(draws[name]) if name in SCALES else draws[name] for name in GLOBALS[data.kind]]
    flat = np.column_stack([one.reshape(len(one), -1) for one in parts])
    latents = draws if "a" in draws else latents_of_numpyro(draws)
    every = {name: np.quantile(latents[name], [LOW, HIGH], axis=0) for name in data.latents}
    intervals = {name: (low, high) for name, (low, high) in every.items()}
    return Found(flat.mean(axis=0), flat.std(axis=0), intervals, trusted)


def _normal(mean: np.ndarray, sd: np.ndarray) -> Interval:
    return mean + norm.ppf(LOW) * sd, mean + norm.ppf(HIGH) * sd


PEERS: dict[str, Callable[[Simulated], Found]] = {
    "taut": by_taut,
    "gpboost": by_gpboost,
    "statsmodels": by_statsmodels,
    "numpyro AutoNormal": by_numpyro("AutoNormal"),
    "numpyro AutoLowRankMultivariateNormal": by_numpyro("AutoLowRankMultivariateNormal"),
    "nutpie": by_nutpie,
}
# What a package has no exact or quick form of.
LACKS = {("statsmodels", "crossed")}

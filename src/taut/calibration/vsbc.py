"""Calibration of a kind of fit: many data sets with known parameters, all fitted at once."""

from functools import cache
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import scipy
from jaxtyping import Array, Int, UInt32

from taut import seed
from taut.approximation import Group, assemble, is_gaussian
from taut.arguments import as_number, as_positive
from taut.batches import AllRows
from taut.calibration.by_fits import by_fits
from taut.calibration.probabilities import Calibration
from taut.descent import Descent, all_finite
from taut.engine import map_draws
from taut.errors import ArgumentError, ModelError, NotFiniteError
from taut.family import AbstractFamily
from taut.frontend import as_source
from taut.objective import ELBO, path
from taut.optimizer import adam
from taut.target import Simulations, Target, with_data

# Fewer data sets show nothing but gross errors.
_FEWEST = 10


def vsbc(
    model: Any = None,
    datasets: int = 200,
    *,
    method: str | None = None,
    vfam: str = "mean_field",
    steps: int = 2000,
    learning_rate: float = 0.05,
    obj_n_mc: int = 5,
    random_seed: Any = None,
    **how: Any,
) -> Calibration:
    r"""Check a kind of fit on data sets whose parameters are known.

    .. math:: \theta_j \sim p(\theta), \quad y_j \sim p(y \mid \theta_j), \quad
              p_{ij} = P_{q_j}(z_i < z_{ij})

    with :math:`q_j` fitted to :math:`y_j` and :math:`z` the parameters in the unconstrained
    space. Were each q the posterior, :math:`p_{ij}` would be uniform. Where q is biased its
    distribution is not symmetric around a half; where q is too narrow it is heaped at both ends.

    Without a `method` all data sets are fitted by one compiled program, each with the same number
    of steps of ADVI, path gradients, and Adam whose rate falls along a cosine. It is the model with
    this prior and this many rows that is checked, not the fit to the data at hand: k-hat
    (`taut.diagnose.psis`) says something of that one.

    Parameters
    ----------
    model
        A `pymc.Model`, by default the one on the context. Its observed values only say how many
        rows a data set has.
    datasets
        How many, at least 10.
    method
        A method of `taut.fit`, such as ``"auto"`` or ``"marginal"``: each data set is fitted on its
        own, by programs that all share, and :math:`p_{ij}` is counted in 1000 draws. The arguments
        below are those of the fits without one.
    vfam
        ``"mean_field"``, ``"full_rank"`` or ``"low_rank"``.
    steps
        Of each fit.
    learning_rate
        At the first step; one hundredth of it is left at the last.
    obj_n_mc
        Draws of each step. The cost is datasets x steps x obj_n_mc gradients; memory is that of
        as many fits.
    random_seed
        Decides parameters, data and fits.
    **how
        Further arguments of `taut.fit`, with a `method`.

    Returns
    -------
    Calibration
        The probabilities, tests of bias and of spread for each element, and a plot.

    Raises
    ------
    ModelError
        The model has a potential or a minibatch, nothing observed, or JAX can not evaluate it.
    ArgumentError
        An argument makes no sense, or the model is a `taut.Target`, which draws no data.
    NotFiniteError
        A fit gave no finite moments.

    References
    ----------
    Yao, Vehtari, Simpson, Gelman (2018), Yes, but Did It Work?: Evaluating Variational Inference.
    Talts, Betancourt, Simpson, Vehtari, Gelman (2018), Validating Bayesian Inference Algorithms
    with Simulation-Based Calibration.

    Examples
    --------
    >>> import numpy as np, pymc as pm, taut
    >>> with pm.Model() as model:
    ...     mu = pm.Normal("mu", 0.0, 1.0)
    ...     y = pm.Normal("y", mu, 1.0, observed=np.zeros(5))
    >>> calibration = taut.vsbc(model, 50, steps=500, random_seed=1)
    >>> calibration.bias["mu"].passed, calibration.probabilities["mu"].sizes["dataset"]
    (True, 50)
    """
    datasets, steps = as_positive("datasets", datasets), as_positive("steps", steps)
    obj_n_mc = as_positive("obj_n_mc", obj_n_mc)
    learning_rate = as_number("learning_rate", learning_rate)
    if datasets < _FEWEST:
        raise ArgumentError(f"datasets must be at least {_FEWEST}, got {datasets}.")
    number, source = seed.entropy(random_seed), as_source(model)
    if method is not None:
        return by_fits(source, datasets, number, {"method": method, **how})
    if how:
        raise ArgumentError(f"{', '.join(sorted(how))}: arguments of a method, and none was given.")
    simulated = source.simulations(datasets, int(seed.key_words(number, seed.DATASETS)[0]))
    target = simulated.target
    if not isinstance(target.batches, AllRows):
        raise ModelError("vsbc needs a model of all rows, without pymc.Minibatch.")
    start = int(seed.key_words(number, seed.START)[0])
    family = assemble([Group(None, vfam)], source, target.space, target.dtype, start)
    if not is_gaussian(family):
        raise ArgumentError(f'vfam must be a Gaussian family, such as "mean_field", got {vfam!r}.')
    rate = _cosine(learning_rate, steps)
    stepping = Descent(ELBO(obj_n_mc, estimator=path), adam(learning_rate=rate))
    words = seed.key_words(number, seed.STEPS)
    mean, std = _fit(simulated, stepping, family, words, steps)
    probabilities = scipy.stats.norm.cdf((simulated.truths - mean) / std)
    return Calibration(probabilities, target.space, target.labels)


@cache
def _cosine(learning_rate: float, steps: int) -> Any:
    """Return one schedule for equal numbers, since programs know a schedule by its identity."""
    return optax.cosine_decay_schedule(learning_rate, steps, alpha=0.01)


def _fit(
    simulated: Simulations, method: Descent, family: AbstractFamily, words: np.ndarray, steps: int
) -> tuple[np.ndarray, np.ndarray]:
    target = simulated.target
    mean, std = target.programs(
        fit_each, method, target, simulated.places, simulated.arrays, family, words,
        np.int32(steps),
    )  # fmt: skip
    mean, std = np.asarray(mean, float), np.asarray(std, float)
    if not (np.isfinite(mean).all() and (std > 0).all()):
        raise NotFiniteError(
            "A fit to simulated data has no finite moments. Look at the prior, from which the "
            "data are drawn, or take smaller steps: learning_rate=0.01."
        )
    return mean, std


def fit_each(
    method: Descent,
    target: Target,
    places: tuple[int, ...],
    arrays: tuple[Array, ...],
    family: AbstractFamily,
    key_words: UInt32[Array, " 2"],
    steps: Int[Array, ""],
) -> tuple[Array, Array]:
    """Fit every data set and return the moments of each fit; a program for `Programs`.

    As in the loop, a step that is not finite leaves the parameters as they were.
    """
    family = jax.tree.map(jnp.asarray, family)

    def fit(item: tuple[Array, tuple[Array, ...]]) -> tuple[Array, Array]:
        key = jax.random.fold_in(seed.key(key_words), item[0])
        own = with_data(target, places, item[1])

        def step(number: Array, state: Any) -> Any:
            new, loss = method.step(state, own, own.whole, jax.random.fold_in(key, number))
            finite = jnp.isfinite(loss) & all_finite(method.family(new))
            return jax.tree.map(lambda a, b: jnp.where(finite, a, b), new, state)

        fitted = method.family(jax.lax.fori_loop(0, steps, step, method.init(family)))
        return jnp.asarray(fitted.mean()), fitted.std()

    numbers = jnp.arange(len(arrays[0]), dtype=jnp.int32)
    rows = method.objective.n_mc * target.rows_of(target.whole)  # pyright: ignore[reportAttributeAccessIssue]
    return map_draws(fit, (numbers, arrays), rows)

"""Models of Bambi, fitted by taut and handed back to Bambi."""

from typing import Any

import xarray as xr

from taut.errors import ArgumentError
from taut.pymc import sampling_by_fit

# Of a `bambi.Model`; to load Bambi for a check would take seconds.
_OF_BAMBI = ("built", "backend", "formula", "fit", "predict")


def fit(
    model: Any,
    draws: int = 1000,
    *,
    omit_offsets: bool = True,
    include_response_params: bool = False,
    random_seed: Any = None,
    **how: Any,
) -> xr.DataTree:
    """Fit a model of Bambi as ``model.fit()`` does, by `taut.fit` in place of MCMC.

    Bambi makes of the draws what it makes of those of its own fits: coefficients have their names
    and levels, the intercept belongs to predictors as they are, and not centred ones.

    Parameters
    ----------
    model
        A `bambi.Model`, built or not.
    draws
        How many, in one chain.
    omit_offsets, include_response_params
        As in `bambi.Model.fit`.
    random_seed
        Decides the fit, and the draws.
    **how
        Arguments of `taut.fit`, such as ``method`` or ``progressbar``.

    Returns
    -------
    xarray.DataTree
        What ``model.fit()`` returns, for ``model.predict``, `bambi.interpret` and ArviZ. Its
        posterior has the verdict of the fit as the attribute ``verdict``; the approximation, with
        its report, is where Bambi keeps that of its method ``"vi"``: ``model.backend.vi_approx``.

    Raises
    ------
    ArgumentError
        That is no model of Bambi, or an argument makes no sense.
    MethodError, ModelError, StartError, NotFiniteError
        As in `taut.fit`.

    Examples
    --------
    >>> import bambi, numpy as np, pandas as pd, taut.bambi
    >>> x = np.linspace(0.0, 1.0, 50)
    >>> noise = np.random.default_rng(1).normal(0.0, 0.1, 50)
    >>> model = bambi.Model("y ~ x", pd.DataFrame({"x": x, "y": 1.0 + 2.0 * x + noise}))
    >>> draws = taut.bambi.fit(model, random_seed=1, progressbar=False)
    >>> print(f"{float(draws['posterior']['x'].mean()):.1f}")
    2.0
    """
    if not all(hasattr(model, name) for name in _OF_BAMBI):
        raise ArgumentError(
            f"taut.bambi.fit takes a bambi.Model, and got a {type(model).__name__}. A model of "
            "PyMC is fitted by taut.fit(model=model)."
        )
    with sampling_by_fit(**how) as fits:
        taken = model.fit(
            draws=draws, omit_offsets=omit_offsets, random_seed=random_seed,
            include_response_params=include_response_params,
        )  # fmt: skip
    model.backend.vi_approx = fits[-1]
    return taken

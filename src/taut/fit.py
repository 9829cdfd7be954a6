"""The front door."""

import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from taut.approximation import Approximation
from taut.batches import AbstractRows
from taut.errors import ArgumentError, MethodError
from taut.frontend.matching import nearest
from taut.method import (
    ADVI,
    ASVGD,
    DADVI,
    GSM,
    SVGD,
    BatchMatch,
    DirectInference,
    FullRankADVI,
    Inference,
    Laplace,
    LowRankBatchMatch,
)

AnyInference = Inference | DirectInference

METHODS: dict[str, type[AnyInference]] = {
    "advi": ADVI,
    "fullrank_advi": FullRankADVI,
    "svgd": SVGD,
    "asvgd": ASVGD,
    "batch_match": BatchMatch,
    "gsm": GSM,
    "laplace": Laplace,
    "dadvi": DADVI,
    "lowrank_batch_match": LowRankBatchMatch,
}


def fit(
    n: int | None = None,
    method: str | type[AnyInference] | AnyInference = "advi",
    model: Any = None,
    random_seed: Any = None,
    start: Mapping[str, Any] | None = None,
    start_sigma: Mapping[str, Any] | None = None,
    inf_kwargs: Mapping[str, Any] | None = None,
    *,
    score: bool | None = None,
    callbacks: Iterable[Callable[..., Any]] | None = None,
    progressbar: bool = True,
    progressbar_theme: Any = None,
    obj_n_mc: int | None = None,
    obj_optimizer: Any = None,
    total_grad_norm_constraint: float | None = None,
    backend: str | None = None,
    include_transformed: bool = False,
    batch_size: int | None = None,
    rows: Mapping[str, int] | AbstractRows | None = None,
    shuffle: bool = True,
    replace: bool = False,
    more_replacements: Mapping[Any, Any] | None = None,
    require_total_size: bool = True,
) -> Approximation:
    """Approximate the posterior of a PyMC model.

    Parameters
    ----------
    n
        Steps, by default 10 000; for methods that end by themselves the most iterations.
    method
        A name, in any case (``"advi"``, ``"fullrank_advi"``, ``"svgd"``, ``"asvgd"``,
        ``"batch_match"``, ``"gsm"``, ``"laplace"``,
        ``"dadvi"``, ``"lowrank_batch_match"``), a class such as `taut.ADVI`, or an
        object of one, which then has its model and start already.
    model
        A PyMC model, by default the one on the context, or a `taut.Target`.
    random_seed
        Decides the steps, and the draws that are given no seed of their own.
    start
        Values to start from, by variable; the others start at the model's initial point.
    start_sigma
        Standard deviations to start with, by variable, in the unconstrained space.
    inf_kwargs
        More arguments of the method's class, such as ``{"gradient": "path"}``.
    score, callbacks, progressbar, progressbar_theme, obj_n_mc, obj_optimizer
        As in `taut.ADVI.fit`.
    total_grad_norm_constraint, backend, include_transformed
        As in `taut.ADVI.fit`.
    batch_size
        Rows of the data that a step reads, of a model that is written for all of them.
    rows
        Which data have rows, if that is not plain, or a source to read them from.
    shuffle, replace, more_replacements, require_total_size
        As in `taut.ADVI.fit`.

    Returns
    -------
    Approximation
        With draws (``.sample()``), moments, history and timing.

    Raises
    ------
    MethodError
        There is no such method.
    ArgumentError, OptimizerError, StartError
        An argument makes no sense.
    ModelError
        The model can not be fitted as it is written, or not in batches.
    RowsError
        Rows can not be read.
    NotFiniteError
        The density is not finite at the start, or stops being so.

    Examples
    --------
    >>> import numpy as np, pymc as pm, taut
    >>> with pm.Model() as model:
    ...     mu = pm.Normal("mu", 0.0, 10.0)
    ...     y = pm.Normal("y", mu, 1.0, observed=np.array([1.5, 2.5, 2.0]))
    ...     approx = taut.fit(5000, random_seed=1, progressbar=False,
    ...                       obj_optimizer=taut.adam(learning_rate=0.02))
    >>> draws = approx.sample(2000, random_seed=1)
    >>> print(f"{float(draws['posterior']['mu'].mean()):.0f}")
    2
    """
    inference = _inference(
        method, model, random_seed=random_seed, start=start, start_sigma=start_sigma,
        inf_kwargs=inf_kwargs,
    )  # fmt: skip
    given = {
        "n": n, "score": score, "callbacks": callbacks, "progressbar_theme": progressbar_theme,
        "obj_n_mc": obj_n_mc, "obj_optimizer": obj_optimizer,
        "total_grad_norm_constraint": total_grad_norm_constraint, "backend": backend,
        "batch_size": batch_size, "rows": rows, "more_replacements": more_replacements,
    }  # fmt: skip
    how = {name: value for name, value in given.items() if value is not None}
    how |= _unlike(shuffle=(shuffle, True), replace=(replace, False))
    how |= _unlike(require_total_size=(require_total_size, True))
    _check_taken(inference, how)
    return inference.fit(progressbar=progressbar, include_transformed=include_transformed, **how)


def _unlike(**values: tuple[Any, Any]) -> dict[str, Any]:
    """Keep what is not its default."""
    return {name: value for name, (value, default) in values.items() if value != default}


def _check_taken(inference: AnyInference, how: Mapping[str, Any]) -> None:
    taken = inspect.signature(inference.fit).parameters
    unknown = [name for name in how if name not in taken]
    if unknown:
        raise ArgumentError(
            f"{type(inference).__name__} ends by itself, on all rows: it does not take "
            f"{', '.join(unknown)}. Leave that out, or choose a method that takes steps, such as "
            'method="advi".'
        )


def _inference(method: Any, model: Any, *, inf_kwargs: Any, **given: Any) -> AnyInference:
    given = {name: value for name, value in given.items() if value is not None}
    if isinstance(method, AnyInference):
        ignored = [*given, *(inf_kwargs or ()), *([] if model is None else ["model"])]
        if ignored:
            raise ArgumentError(
                f"method is a {type(method).__name__} object, which has its own "
                f"{', '.join(ignored)}. Give them where that object is made."
            )
        return method
    build = _class(method)
    arguments = dict(inf_kwargs or {}) | given
    taken = inspect.signature(build).parameters
    unknown = [name for name in arguments if name not in taken]
    if unknown:
        raise ArgumentError(
            f"{getattr(build, '__name__', build)} does not take {', '.join(unknown)}. It takes: "
            f"{', '.join(taken)}."
        )
    return build(model=model, **arguments)


def _class(method: Any) -> Callable[..., AnyInference]:
    known = ", ".join(repr(name) for name in METHODS)
    if isinstance(method, str):
        if method.lower() in METHODS:
            return METHODS[method.lower()]
        raise MethodError(
            f"There is no method {method!r}{nearest(method, METHODS)}. Methods are: {known}."
        )
    if isinstance(method, type) and issubclass(method, AnyInference):
        return method
    raise MethodError(
        f"method must be one of {known}, a class such as taut.ADVI, or an object of one; got "
        f"{method!r} ({type(method).__name__})."
    )

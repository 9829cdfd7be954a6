"""The front door."""

import inspect
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal

import jax

from taut.approximation import Approximation
from taut.arguments import as_flag, as_positive, as_seconds, check_mapping
from taut.batches import AllRows
from taut.callbacks import as_callbacks
from taut.engine import never_lost
from taut.errors import ArgumentError, MethodError
from taut.frontend import is_model, nearest
from taut.method import (
    ADVI,
    ASVGD,
    DADVI,
    GSM,
    SVGD,
    Auto,
    BatchMatch,
    DirectInference,
    FlowVI,
    FullRankADVI,
    Inference,
    Laplace,
    LowRankADVI,
    LowRankBatchMatch,
    Pathfinder,
)
from taut.rows import AbstractRows
from taut.target import Target

AnyInference = Inference | DirectInference

METHODS: dict[str, type[AnyInference]] = {
    "auto": Auto,
    "advi": ADVI,
    "fullrank_advi": FullRankADVI,
    "lowrank_advi": LowRankADVI,
    "flow": FlowVI,
    "svgd": SVGD,
    "asvgd": ASVGD,
    "batch_match": BatchMatch,
    "gsm": GSM,
    "laplace": Laplace,
    "pathfinder": Pathfinder,
    "dadvi": DADVI,
    "lowrank_batch_match": LowRankBatchMatch,
}


def fit(
    n: Any = None,
    method: str | type[AnyInference] | AnyInference = "auto",
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
    step_size: Literal["auto"] | None = None,
    backend: str | None = None,
    include_transformed: bool = False,
    batch_size: int | None = None,
    rows: Mapping[str, int] | AbstractRows | None = None,
    shuffle: bool = True,
    replace: bool = False,
    more_replacements: Mapping[Any, Any] | None = None,
    require_total_size: bool = True,
    max_seconds: float | None = None,
) -> Approximation:
    """Approximate the posterior of a PyMC model.

    By default the method is chosen by the posterior: see `taut.Auto`. ``approx.diagnose()`` says
    how far to trust the result.

    Parameters
    ----------
    n
        Steps, by default 10 000; where a fit ends by itself the most of them: 100 000 with
        ``step_size="auto"``, and blocks of 32 gradients with ``"auto"``. A model that stands here
        is the model.
    method
        A name, in any case (an unknown one gets an error that lists all), a class such as
        `taut.ADVI`, or an object of one, which then has its model and start already. Where
        arguments are given that belong to steps, such as `callbacks`, `replace` or
        `obj_optimizer`, ``"auto"``, which is the default, and `taut.Auto` stand for ``"advi"``,
        with ``step_size="auto"`` if neither `n` nor an optimizer is given.
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
    total_grad_norm_constraint, step_size, backend, include_transformed
        As in `taut.ADVI.fit`.
    batch_size
        Rows of the data that a step reads, of a model that is written for all of them. The
        automatic fit looks at some of these batches first, and then at all rows.
    rows
        Which data have rows, if that is not plain, or a source to read them from.
    shuffle, replace, more_replacements, require_total_size
        As in `taut.ADVI.fit`.
    max_seconds
        Of methods that end by themselves: when to end in any case, with the best so far.

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
    ...     approx = taut.fit(random_seed=1, progressbar=False)
    >>> draws = approx.sample(2000, random_seed=1)
    >>> print(f"{float(draws['posterior']['mu'].mean()):.1f}")
    2.0
    """
    if is_model(n):
        model, n = _first_is_model(model, n), None
    _check_plain(locals())
    # Looked at here, and so used up where it is a generator.
    callbacks = None if callbacks is None else as_callbacks(callbacks)
    given = {
        "n": n, "score": score, "callbacks": callbacks, "progressbar_theme": progressbar_theme,
        "obj_n_mc": obj_n_mc, "obj_optimizer": obj_optimizer,
        "total_grad_norm_constraint": total_grad_norm_constraint, "step_size": step_size,
        "backend": backend, "batch_size": batch_size, "rows": rows,
        "more_replacements": more_replacements, "max_seconds": max_seconds,
    }  # fmt: skip
    how = {name: value for name, value in given.items() if value is not None}
    how |= _unlike(shuffle=(shuffle, True), replace=(replace, False))
    how |= _unlike(require_total_size=(require_total_size, True))
    begin, method = _begin(random_seed, start, start_sigma), _as_name(method)
    if method == "auto" and (start_sigma or inf_kwargs or _not_taken(Auto, how)):
        method = "advi"
        how |= _own_step_size(how)
    with never_lost():
        inference = _chosen(method, model, how, begin, inf_kwargs)
        how["include_transformed"] = include_transformed
        return inference.fit(progressbar=progressbar, **how)


def _chosen(
    method: Any, model: Any, how: dict[str, Any], begin: dict[str, Any], inf_kwargs: Any
) -> AnyInference:
    """Build the object of the method, and complete what its `fit` is given."""
    inference = _inference(method, model, inf_kwargs=inf_kwargs, **begin)
    if method == "auto" and not _has_all_rows(inference.approx.target):
        # Batches that only steps can read.
        lift = inference.approx.timing.lift
        inference = _inference("advi", model, inf_kwargs=inf_kwargs, **begin)
        inference.approx.timing.lift += lift
        how.update(_own_step_size(how))
    _check_taken(inference, how)
    return inference


def _first_is_model(model: Any, first: Any) -> Any:
    """Take what stands first, where PyMC has `n`, for the model that it is."""
    if model is not None:
        raise ArgumentError(
            "The model is given twice: first, where n stands, and as model. Write "
            "taut.fit(n, method, model=model)."
        )
    return first


def _check_plain(given: Mapping[str, Any]) -> None:
    """Refuse flags and collections that are none, before anything is built."""
    for name in ("progressbar", "include_transformed", "shuffle", "replace", "require_total_size"):
        as_flag(name, given[name])
    if given["score"] is not None:
        as_flag("score", given["score"])
    check_mapping("inf_kwargs", given["inf_kwargs"], "{'gradient': 'path'}")
    check_mapping("start", given["start"], "{'mu': 1.0}")
    check_mapping("start_sigma", given["start_sigma"], "{'mu': 0.1}")
    as_seconds("max_seconds", given["max_seconds"])
    words = {"n": "n, the number of steps,", "batch_size": "batch_size", "obj_n_mc": "obj_n_mc"}
    for name, said in words.items():
        if given[name] is not None:
            as_positive(said, given[name])


def _begin(random_seed: Any, start: Any, start_sigma: Any) -> dict[str, Any]:
    return {"random_seed": random_seed, "start": start, "start_sigma": start_sigma}


def _as_name(method: Any) -> Any:
    """Give "auto" for all ways to write it, so that one rule holds for them."""
    auto = method is Auto or (isinstance(method, str) and method.lower() == "auto")
    return "auto" if auto else method


def _has_all_rows(target: Target) -> bool:
    return isinstance(target.batches, AllRows) or bool(jax.tree.leaves(target.whole))


def _own_step_size(how: Mapping[str, Any]) -> dict[str, Any]:
    """Let a fit by steps choose its step size where neither it nor their number is given."""
    return {} if {"n", "obj_optimizer", "step_size"} & how.keys() else {"step_size": "auto"}


def _unlike(**values: tuple[Any, Any]) -> dict[str, Any]:
    """Keep what is not its default."""
    return {name: value for name, (value, default) in values.items() if value != default}


def _not_taken(method: type[AnyInference], how: Mapping[str, Any]) -> list[str]:
    taken = inspect.signature(method.fit).parameters
    return [name for name in how if name not in taken]


def _check_taken(inference: AnyInference, how: Mapping[str, Any]) -> None:
    unknown = _not_taken(type(inference), how)
    if unknown == ["max_seconds"]:
        raise ArgumentError(
            f"{type(inference).__name__} is given a number of steps, not seconds: n=10_000."
        )
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

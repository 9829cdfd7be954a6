"""The front door."""

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields
from typing import Any, Literal

import jax

from taut.approximation import Approximation, keeps_the_fit, says_nothing_is_fitted
from taut.arguments import as_count, as_flag, as_positive, as_seconds, check_mapping
from taut.batches import AllRows
from taut.callbacks import as_callbacks
from taut.engine import AnyDevices, as_devices, never_lost
from taut.errors import ArgumentError, MethodError
from taut.frontend import is_model, nearest
from taut.method import (
    ADVI,
    METHODS,
    AnyInference,
    Auto,
    Inference,
    Marginal,
    MarginalInBatches,
    Setup,
    given,
    made,
    not_taken,
    refuse_more,
)
from taut.rows import AbstractRows
from taut.target import Target


def fit(
    n: Any = None,
    method: str | type[AnyInference] | AnyInference | None = "auto",
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
    groups: str | None = None,
    shuffle: bool = True,
    replace: bool = False,
    more_replacements: Mapping[Any, Any] | None = None,
    require_total_size: bool = True,
    max_seconds: float | None = None,
    checkpoint: str | os.PathLike[str] | None = None,
    every: int | str | None = None,
    devices: AnyDevices = None,
    **more: Any,
) -> Approximation:
    """Approximate the posterior of a PyMC model.

    By default the method is chosen by the posterior: see `taut.Auto`. ``approx.diagnose()`` says
    how far to trust the result.

    Parameters
    ----------
    n
        Steps, by default 10 000; where a fit ends by itself the most of them: 100 000 with
        ``step_size="auto"``, and blocks of 32 gradients with ``"auto"``. 0 steps give what a fit
        by steps starts from. A model that stands here is the model.
    method
        A name, in any case (an unknown one gets an error that lists all), a class such as
        `taut.ADVI`, or an object of one, which then has its model and start already. Where
        arguments are given that belong to steps, such as `callbacks`, `replace` or
        `obj_optimizer`, ``"auto"``, which is the default, `taut.Auto` and `None` stand for
        ``"advi"``, with ``step_size="auto"`` if neither `n` nor an optimizer is given.
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
    groups
        The data that tell the group of each row, such as ``"g"`` for ``a[g]``, of a model with
        latents of groups: batches are then whole groups, whose latents are integrated out, and the
        result is that of the globals. See `taut.MarginalInBatches`.
    shuffle, replace, more_replacements, require_total_size
        As in `taut.ADVI.fit`.
    max_seconds
        Of methods that end by themselves: when to end in any case, with the best so far.
    checkpoint
        A folder that keeps the fit while it is under way, made for its user alone. After a kill
        `taut.resume` goes on from what it holds, to the same result.
    every
        Seconds between two states that are kept, such as ``"60s"``, the default; or steps, where
        the method takes steps.
    devices
        Over which rows are spread: ``"all"``, how many, a `jax.sharding.Mesh` of one axis, or some
        of ``jax.devices()``; by default the one that JAX takes. The result is that of one device,
        but for rounding.
    **more
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
    StorageError
        The folder of checkpoints holds a fit already, or can not be used.

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
    refuse_more(fit, more)
    if is_model(n):
        model, n = _first_is_model(model, n), None
    # Looked at here, and so used up where it is a generator.
    callbacks = None if callbacks is None else as_callbacks(callbacks)
    how = given(
        n=n, score=score, callbacks=callbacks, progressbar=progressbar,
        progressbar_theme=progressbar_theme, obj_n_mc=obj_n_mc, obj_optimizer=obj_optimizer,
        total_grad_norm_constraint=total_grad_norm_constraint, step_size=step_size,
        backend=backend, include_transformed=include_transformed, batch_size=batch_size, rows=rows,
        groups=groups, shuffle=shuffle, replace=replace, more_replacements=more_replacements,
        require_total_size=require_total_size, max_seconds=max_seconds, checkpoint=checkpoint,
        every=every, devices=devices,
    )  # fmt: skip
    _check_plain(how, inf_kwargs)
    return _fit(method, Setup(model, random_seed, start, start_sigma), how, dict(inf_kwargs or {}))


def _fit(
    method: Any, setup: Setup, how: Mapping[str, Any], own: Mapping[str, Any]
) -> Approximation:
    """Fit with the arguments that are given: of the fit, and the method's own."""
    chosen = method_for(method, setup, how, own)
    with says_nothing_is_fitted(), never_lost():
        inference = _inference(chosen, setup, own)
        if chosen is Auto and not _has_all_rows(inference.approx.target):
            # Batches that only steps can read.
            inference = ADVI.of(inference.approx)
    if _is_automatic(method) and isinstance(inference, ADVI):
        how = {**how, **_own_step_size(how)}
    _check_taken(inference, how)
    arguments: Any = inference.takes(**how)
    # Around the other: a Ctrl-C that was lost and is raised at its end has the fit with it.
    with keeps_the_fit(inference.approx, KeyboardInterrupt), never_lost():
        try:
            return inference.fit_with(arguments)
        finally:
            if isinstance(inference, Inference) and inference is not chosen:
                # Nobody can go on with its rows.
                inference.close()


def method_for(
    method: Any, setup: Setup, how: Mapping[str, Any], own: Mapping[str, Any]
) -> type[AnyInference] | AnyInference:
    """Choose the class, or keep the object that is given.

    The automatic method, however it is written, stands for ADVI where arguments are given that
    belong to steps. Latents are integrated out in batches of groups where the data that tell these
    are named, or batches are asked of the method that integrates latents out.

    Raises
    ------
    MethodError
        There is no such method.
    """
    chosen = Auto if _is_automatic(method) else _known(method)
    is_marginal = chosen is Marginal
    by_groups = "groups" in how and (is_marginal or chosen is Auto)
    if by_groups or (is_marginal and "batch_size" in how):
        return MarginalInBatches
    if not _is_automatic(method):
        return chosen
    steps = setup.start_sigma or own or not_taken(Auto.takes, how) or how.get("n") == 0
    return ADVI if steps else Auto


def _is_automatic(method: Any) -> bool:
    if isinstance(method, str):
        return method.lower() == Auto.name
    return method is None or method is Auto


def _first_is_model(model: Any, first: Any) -> Any:
    """Take what stands first, where PyMC has `n`, for the model that it is."""
    if model is not None:
        raise ArgumentError(
            "The model is given twice: first, where n stands, and as model. Write "
            "taut.fit(n, method, model=model)."
        )
    return first


def _check_plain(how: Mapping[str, Any], inf_kwargs: Any) -> None:
    """Refuse numbers and collections that are none, before anything is built."""
    if "score" in how:
        as_flag("score", how["score"])
    check_mapping("inf_kwargs", inf_kwargs, "{'gradient': 'path'}")
    as_seconds("max_seconds", how.get("max_seconds"))
    as_count("n, the number of steps,", how.get("n", 0))
    as_devices(how.get("devices"))
    for name in {"batch_size", "obj_n_mc"} & how.keys():
        as_positive(name, how[name])


def _has_all_rows(target: Target) -> bool:
    return isinstance(target.batches, AllRows) or bool(jax.tree.leaves(target.whole))


def _own_step_size(how: Mapping[str, Any]) -> dict[str, Any]:
    """Let a fit by steps choose its step size where neither it nor their number is given."""
    return {} if {"n", "obj_optimizer", "step_size"} & how.keys() else {"step_size": "auto"}


def _check_taken(inference: AnyInference, how: Mapping[str, Any]) -> None:
    unknown = not_taken(inference.takes, how)
    if unknown == ["max_seconds"]:
        raise ArgumentError(
            f"{type(inference).__name__} is given a number of steps, not seconds: n=10_000."
        )
    if "groups" in unknown:
        raise ArgumentError(
            f"{type(inference).__name__} reads batches of rows, whatever their group: it does not "
            'take groups. Leave that out, or method: method="marginal" is the one that does.'
        )
    if unknown:
        raise ArgumentError(
            f"{type(inference).__name__} ends by itself, on all rows: it does not take "
            f"{', '.join(unknown)}. Leave that out, or choose a method that takes steps, such as "
            'method="advi".'
        )


def _inference(
    chosen: type[AnyInference] | AnyInference, setup: Setup, own: Mapping[str, Any]
) -> AnyInference:
    """Make the object, unless it is there already."""
    begin = {f.name: getattr(setup, f.name) for f in fields(setup)}
    arguments = {**own, **{name: value for name, value in begin.items() if value is not None}}
    if isinstance(chosen, type):
        return made(chosen, arguments)
    if arguments:
        raise ArgumentError(
            f"method is a {type(chosen).__name__} object, which has its own "
            f"{', '.join(arguments)}. Give them where that object is made."
        )
    return chosen


def _known(method: Any) -> type[AnyInference] | AnyInference:
    known = ", ".join(map(repr, sorted(METHODS)))
    if isinstance(method, str):
        if method.lower() in METHODS:
            return METHODS[method.lower()]
        raise MethodError(
            f"There is no method {method!r}{nearest(method, METHODS)}. Methods are: {known}."
        )
    if isinstance(method, AnyInference) or (
        isinstance(method, type) and issubclass(method, AnyInference)
    ):
        return method
    raise MethodError(
        f"method must be one of {known}, a class such as taut.ADVI, or an object of one; got "
        f"{method!r} ({type(method).__name__})."
    )

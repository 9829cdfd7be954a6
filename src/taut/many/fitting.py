"""One model, fitted to many data sets."""

from collections.abc import Callable, Hashable, Iterator, Mapping
from typing import Any

from taut import seed
from taut.approximation import Approximation
from taut.arguments import as_flag, check_mapping
from taut.engine import AnyDevices, Devices, as_devices, never_lost, single_threaded
from taut.errors import ArgumentError, DataSetError, silent, warn
from taut.fit import fit
from taut.frontend import AbstractSource, as_source
from taut.many.by_key import by_key
from taut.many.many_fits import FAILED, UNTRUSTED, ManyFits
from taut.many.member import Member, is_known
from taut.many.seeds import seed_of
from taut.many.side_by_side import side_by_side
from taut.progress import INTERRUPTED, CountedProgress

# Data sets from which on programs of chains side by side are worth their compilation, and up to how
# many dimensions.
_MANY, _SMALL = 30, 64

Fit = Approximation | Exception


def fit_many(
    model: Any,
    datasets: Any,
    *,
    by: str | None = None,
    random_seed: Any = None,
    rows: Mapping[str, int] | None = None,
    together: bool | None = None,
    devices: AnyDevices = None,
    progressbar: bool = True,
    **how: Any,
) -> ManyFits:
    """Fit one model to many data sets: to each on its own, by programs that all of them share.

    The model is lifted and compiled once, not once for each data set or length: rows are filled up
    to a power of two, 64 at least, by rows that do not count. What is no number of rows, such as
    how many groups a hierarchy has, is that of the model: build it with the most groups there are,
    and those that a data set has no rows of follow their prior and change nothing of the others.
    Deterministic variables with a value for each row are left out of draws; `ManyFits.on_model` has
    them.

    Parameters
    ----------
    model
        A `pymc.Model` whose data are `pymc.Data`, or what variables observe. Its own data say which
        shapes there are.
    datasets
        A dict or a list of dicts ``{name of data: array}``, or a `pandas.DataFrame` or an
        `xarray.Dataset` with `by`. A variable that observes data may stand for these. Data that are
        not given stay as the model has them, if these have as many rows.
    by
        The column of a DataFrame, or the dim or coordinate of a Dataset, that tells data sets
        apart; their names of data are those of columns or variables.
    random_seed
        Decides all fits: each by this seed and its own key alone, whatever else is there.
    rows
        Which data have rows, and along which axis, if that is not plain: ``{"X": 0, "y": 0}``.
    together
        Whether fits advance side by side, as chains in programs of their own that are compiled
        first, and only those that do not settle are fitted one by one: a tenth of the time. It
        takes the automatic method, up to 64 dimensions, no angles, and a density without jumps. By
        default from 30 data sets on, of hierarchies and other models with unknown scales.
    devices
        That fits which advance side by side are spread over, as in `taut.fit`. Fits one by one are
        on the first.
    progressbar
        Whether one is shown.
    **how
        Further arguments of `taut.fit`, such as `method` or `start`.

    Returns
    -------
    ManyFits
        By key an `Approximation`, or the error of a data set that does not fit the model or could
        not be fitted, which spoils no other. After Ctrl-C what is done, and what is ``waiting``.

    Raises
    ------
    ArgumentError
        An argument makes no sense.
    ModelError
        The model can not be fitted as it is written, or not to data sets of other lengths.

    Warns
    -----
    UserWarning
        Some are not to be trusted, or have failed.

    Examples
    --------
    >>> import numpy as np, pandas as pd, pymc as pm, taut
    >>> table = pd.DataFrame({"site": ["a", "a", "b"], "y_obs": [1.0, 2.0, 5.0]})
    >>> with pm.Model() as model:
    ...     y_obs = pm.Data("y_obs", np.zeros(2))
    ...     mu = pm.Normal("mu", 0.0, 10.0)
    ...     y = pm.Normal("y", mu, 1.0, observed=y_obs)
    >>> many = taut.fit_many(model, table, by="site", random_seed=1, progressbar=False)
    >>> many
    <ManyFits of 2 data sets: 2 trusted>
    >>> many.to_datatree(random_seed=1)["posterior"]["mu"].mean(("chain", "draw")).round(1).values
    array([1.5, 4.9])
    """
    as_flag("progressbar", progressbar)
    check_mapping("rows", rows, "{'X': 0, 'y': 0}")
    refused = {"callbacks", "checkpoint", "every", "batch_size", "more_replacements"} & how.keys()
    if refused:
        raise ArgumentError(f"fit_many does not take {', '.join(sorted(refused))}.")
    source, on = as_source(model), as_devices(devices)
    sets, largest = source.data_sets(rows), source.target().largest_matrix
    found = by_key(datasets, by, sets.names)
    entropy = seed.entropy(random_seed)
    seeds = {key: seed_of(entropy, key) for key in found}
    progress = CountedProgress(len(found), shown=progressbar)
    fits: dict[Hashable, Fit] = {}
    try:
        with never_lost(), single_threaded(largest):
            for key, one in _fits(source, sets.one, found, seeds, how, together, on):
                fits[key] = one
                progress.update(len(fits))
    except KeyboardInterrupt:
        # What is done is the result.
        pass
    waiting = tuple(key for key in found if key not in fits)
    fits = {key: fits[key] for key in found if key in fits}
    many = ManyFits(fits, by or "key", seeds, waiting, sets.left_out)
    progress.finish(len(fits), repr(many))
    _warn(many)
    return many


def _fits(
    source: AbstractSource,
    source_of: Callable[[Mapping[str, Any]], AbstractSource],
    found: Mapping[Hashable, Any],
    seeds: Mapping[Hashable, int],
    how: Mapping[str, Any],
    together: bool | None,
    devices: Devices | None,
) -> Iterator[tuple[Hashable, Fit]]:
    """Fit data sets, side by side or one after another, until Ctrl-C."""
    sources: dict[Hashable, AbstractSource] = {}
    for key, values in found.items():
        try:
            sources[key] = source_of(_checked(values))
        except Exception as error:
            yield key, _kept(error)
    can = _can_be_together(source, how)
    if together and not can:
        raise ArgumentError(
            "together=True is for the automatic method without further arguments, of a model of up "
            f"to {_SMALL} dimensions, without angles and jumps. Leave together out."
        )
    if together is None:
        target = source.target()
        has_scales = target.conditionals is not None or not is_known(target)
        together = can and has_scales and len(found) >= _MANY
    if devices is not None and devices.spans_processes:
        raise ArgumentError(
            "fit_many is spread over devices of one process, and some of these belong to others. "
            "Give each process its own data sets, and devices=jax.local_devices()."
        )
    if devices is not None and not together:
        raise ArgumentError(
            "devices spreads fits that advance side by side, and these would be fitted one by one: "
            "devices has no effect. Leave it out, or write together=True where that is possible."
        )
    if together:
        members = [Member(key, one, seeds[key]) for key, one in sources.items()]
        for member, fit_ in side_by_side([one for one in members if one.is_ready()], devices):
            if fit_ is not None:
                del sources[member.key]
                yield member.key, fit_
    for key, one in sources.items():
        fit_ = _fitted(one, seeds[key], how)
        if isinstance(fit_, Approximation) and fit_.stopped == INTERRUPTED:
            return
        yield key, fit_


def _can_be_together(source: AbstractSource, how: Mapping[str, Any]) -> bool:
    """Whether chains side by side can do what is asked for."""
    target = source.target()
    plain = not how and not target.circular and not source.discontinuities()
    return plain and target.dim <= _SMALL


def _fitted(source: AbstractSource, random_seed: int, how: Mapping[str, Any]) -> Fit:
    """Fit one data set; what is wrong with it is its result."""
    try:
        with silent():
            return fit(model=source, random_seed=random_seed, progressbar=False, **how)
    except ArgumentError:
        # What is wrong with an argument is wrong for all.
        raise
    except Exception as error:
        return _kept(error)


def _kept(error: Exception) -> Exception:
    """Return an error without the frames of the fit, which hold its arrays."""
    return error.with_traceback(None)


def _checked(values: Any) -> Mapping[str, Any]:
    if not isinstance(values, Mapping):
        raise DataSetError(
            f"A data set must be a dict, such as {{'y': y}}, got {type(values).__name__}."
        )
    return values


def _warn(many: ManyFits) -> None:
    failed, unsure = many.count(FAILED), many.count(UNTRUSTED)
    if failed or unsure:
        warn(
            f"Of {len(many):,d} fits {unsure:,d} are not trusted and {failed:,d} failed: "
            "print(many) shows which and why."
        )

"""PyMC's `sample`, answered by draws of a fit for a while."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from threading import Lock
from typing import Any

import pymc
import xarray as xr

import taut
from taut.errors import ArgumentError

_OWN = pymc.sample
# Whether a call comes from inside of a block: other threads sample as before.
_INSIDE: ContextVar[tuple[list[taut.Approximation], Mapping[str, Any]] | None] = ContextVar(
    "sampling_by_fit", default=None
)
_BLOCKS: list[object] = []
_CHANGING = Lock()


@contextmanager
def sampling_by_fit(**how: Any) -> Iterator[list[taut.Approximation]]:
    """Let packages that call ``pymc.sample`` get draws of a fit by taut, inside a ``with`` block.

    Each call is answered by one chain of as many draws as it asks for. What it says of chains, such
    as ``tune``, ``chains`` or ``target_accept``, has no meaning then. Other threads sample as
    before; so does what a package has imported by ``from pymc import sample``.

    Parameters
    ----------
    **how
        Arguments of every `taut.fit` inside, such as ``method``. Model, seed and whether a bar is
        shown are those of the call, unless they stand here.

    Yields
    ------
    list of Approximation
        The fits, in turn, for their reports.

    Raises
    ------
    ArgumentError
        A call asks for what a fit does not give.

    Examples
    --------
    >>> import pymc as pm
    >>> from taut.pymc import sampling_by_fit
    >>> with sampling_by_fit(progressbar=False) as fits, pm.Model():
    ...     x = pm.Normal("x", 3.0, 0.1)
    ...     draws = pm.sample(draws=200, tune=500, random_seed=1)
    >>> draws["posterior"].sizes["draw"], fits[0].trusted
    (200, True)
    """
    fits: list[taut.Approximation] = []
    block, token = object(), _INSIDE.set((fits, how))
    try:
        _begin(block)
        yield fits
    finally:
        _end(block)
        _INSIDE.reset(token)


def _begin(block: object) -> None:
    with _CHANGING:
        _BLOCKS.append(block)
        pymc.sample = _sample


def _end(block: object) -> None:
    with _CHANGING:
        _BLOCKS.remove(block)
        if not _BLOCKS:
            pymc.sample = _OWN


def _sample(draws: int = 1000, *args: Any, **given: Any) -> Any:
    """Stand for ``pymc.sample``."""
    inside = _INSIDE.get()
    if inside is None:
        return _OWN(draws, *args, **given)
    _check(args, given)
    fits, how = inside
    told = {name: given[name] for name in ("model", "random_seed") if name in given}
    approx = taut.fit(**{**told, "progressbar": bool(given.get("progressbar", True)), **how})
    fits.append(approx)
    tree = approx.sample(draws, random_seed=given.get("random_seed"))
    tree["posterior"].attrs["verdict"] = str(approx.report.verdict)
    return _chosen(tree, given.get("var_names"))


def _check(args: tuple[Any, ...], given: Mapping[str, Any]) -> None:
    if args:
        raise ArgumentError(f"pymc.sample takes the number of draws by place, and got {args} too.")
    if not given.get("return_inferencedata", True):
        raise ArgumentError(
            "Draws of a fit are no MultiTrace: leave return_inferencedata=False out, or call "
            "taut.fit, whose approximation has sample(return_inferencedata=False)."
        )
    if dict(given.get("idata_kwargs") or {}).get("log_likelihood"):
        raise ArgumentError(
            "Draws of a fit come without log likelihoods: leave idata_kwargs out, and call "
            "pymc.compute_log_likelihood with the draws."
        )


def _chosen(tree: xr.DataTree, names: Any) -> xr.DataTree:
    """Leave the variables that are asked for."""
    if names is not None:
        tree["posterior"] = tree["posterior"].to_dataset()[list(names)]
    return tree

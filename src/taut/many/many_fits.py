"""Fits of one model to many data sets."""

import itertools
from collections import Counter
from collections.abc import Hashable, Iterator, Mapping
from typing import Any, final

import numpy as np
import pandas as pd
import xarray as xr

from taut.approximation import Approximation, stacked_draws
from taut.arguments import as_positive
from taut.errors import ArgumentError, NotFittedError
from taut.tables import Rows, as_html, as_text

# How a fit has come out.
TRUSTED, UNTRUSTED, UNCHECKED, FAILED = "trusted", "not trusted", "not checked", "failed"
_ORDER = FAILED, UNTRUSTED, UNCHECKED, TRUSTED
# Data sets that a table shows, those that need a look first.
_SHOWN = 12
# Characters of an error in a table.
_LONGEST = 160
# Ends of the interval that a summary gives, as in ArviZ.
_ENDS = (0.055, 0.945)


@final
class ManyFits(Mapping[Hashable, Approximation | Exception]):
    """The fits of one model to many data sets, by the keys of these.

    What stands at a key is an `Approximation`, or the error with which its data set was refused or
    its fit ended.

    Parameters
    ----------
    fits
        By key, in the order of the data sets.
    dim
        What keys are called in results.
    seeds
        The seed of each fit.
    waiting
        Keys that were left when Ctrl-C came.
    left_out
        Deterministic variables that draws are without, since they have a value for each row.

    Examples
    --------
    >>> import numpy as np, pymc as pm, taut
    >>> with pm.Model() as model:
    ...     y_obs = pm.Data("y_obs", np.zeros(3))
    ...     mu = pm.Normal("mu", 0.0, 10.0)
    ...     y = pm.Normal("y", mu, 1.0, observed=y_obs)
    >>> sets = {"a": {"y_obs": np.array([1.0, 2.0])}, "b": {"y_obs": np.array([7.0])}}
    >>> many = taut.fit_many(model, sets, random_seed=1, progressbar=False)
    >>> many.trusted.sel(key="a").item(), many.errors
    (True, {})
    >>> print(many.summary(random_seed=1)["mean"].round(1).loc["b"])
    element
    mu    7.0
    Name: mean, dtype: float64
    """

    def __init__(
        self,
        fits: Mapping[Hashable, Approximation | Exception],
        dim: str,
        seeds: Mapping[Hashable, int],
        waiting: tuple[Hashable, ...] = (),
        left_out: tuple[str, ...] = (),
    ) -> None:
        self._fits, self._dim = dict(fits), dim
        self.seeds, self.waiting, self.left_out = dict(seeds), waiting, left_out

    def __getitem__(self, key: Hashable) -> Approximation | Exception:
        return self._fits[key]

    def __iter__(self) -> Iterator[Hashable]:
        return iter(self._fits)

    def __len__(self) -> int:
        return len(self._fits)

    @property
    def fitted(self) -> dict[Hashable, Approximation]:
        """The approximations, without those that failed."""
        return {key: fit for key, fit in self._fits.items() if isinstance(fit, Approximation)}

    @property
    def errors(self) -> dict[Hashable, Exception]:
        """Why data sets were refused, or fits failed."""
        return {key: fit for key, fit in self._fits.items() if isinstance(fit, Exception)}

    @property
    def trusted(self) -> xr.DataArray:
        """Whether each fit is to be trusted; one that failed is not."""
        values = [isinstance(fit, Approximation) and fit.trusted for fit in self._fits.values()]
        coords = {self._dim: _index(self._fits)}
        return xr.DataArray(np.array(values, bool), dims=self._dim, coords=coords, name="trusted")

    def to_datatree(self, draws: int = 500, *, random_seed: Any = None) -> xr.DataTree:
        """Draw from each fit.

        Parameters
        ----------
        draws
            How many of each.
        random_seed
            Seed of the draws; without it each call gives fresh ones.

        Returns
        -------
        xarray.DataTree
            ``posterior``, with the key as the first dim, of the data sets that were fitted, and
            ``fits``, of all: ``trusted``, and in words the ``verdict`` or the error.

        Raises
        ------
        NotFittedError
            No data set could be fitted.
        """
        posterior = xr.Dataset(self._drawn(draws, random_seed))
        verdicts = np.array([_in_words(fit) for fit in self._fits.values()])
        fits = xr.Dataset({"trusted": self.trusted, "verdict": (self._dim, verdicts)})
        posterior.attrs["inference_library"] = "taut"
        return xr.DataTree.from_dict({"posterior": posterior, "fits": fits})

    def summary(self, draws: int = 2000, *, random_seed: Any = None) -> pd.DataFrame:
        """Tabulate means, standard deviations and intervals of the constrained variables.

        Parameters
        ----------
        draws
            How many they are computed of.
        random_seed
            As in `to_datatree`.

        Returns
        -------
        pandas.DataFrame
            A row for each data set that was fitted and each element: ``mean``, ``sd``, the ends of
            the central interval of 89 %, and whether the fit is ``trusted``. Of the others
            `errors` says why they are not there.

        Raises
        ------
        NotFittedError
            No data set could be fitted.
        """
        drawn, trusted = self._drawn(draws, random_seed), self.trusted
        tables = [_tabulated(array, self._dim) for array in drawn.values()]
        table = pd.concat(tables).sort_index(level=0, sort_remaining=False, key=self._order)
        keys = table.index.get_level_values(0)
        return table.assign(trusted=trusted.sel({self._dim: list(keys)}).to_numpy())

    def _order(self, keys: pd.Index) -> pd.Index:
        """Return the places of keys among data sets."""
        places = {key: place for place, key in enumerate(self._fits)}
        return pd.Index([places[key] for key in keys])

    def on_model(self, key: Hashable) -> Approximation:
        """Put the data of one fit into the model, and return the fit of the model itself.

        That one has what the others have not: log likelihoods, predictions, expressions, and
        deterministic variables with a value for each row.

        Parameters
        ----------
        key
            Of the data set.

        Raises
        ------
        ArgumentError
            It was not fitted, or observes what is no `pymc.Data`.
        """
        fit = self._fits[key]
        if not isinstance(fit, Approximation):
            raise ArgumentError(f"{key!r} was not fitted: {fit}")
        return Approximation.of_contents(fit.source.in_model(), fit.contents())

    def _drawn(self, draws: int, random_seed: Any) -> dict[str, xr.DataArray]:
        fitted, draws = self.fitted, as_positive("draws", draws)
        if not fitted:
            raise NotFittedError(
                "None of the data sets could be fitted; the first error: "
                f"{next(iter(self.errors.values()), 'there was no time for one')}"
            )
        stacked = stacked_draws(list(fitted.values()), draws, random_seed)
        named = {name: array.rename(fit=self._dim) for name, array in stacked.items()}
        index = _index(fitted)
        return {name: array.assign_coords({self._dim: index}) for name, array in named.items()}

    @property
    def _counts(self) -> str:
        counts = Counter(map(_state, self._fits.values()))
        counts["not begun"] = len(self.waiting)
        known = (TRUSTED, UNTRUSTED, UNCHECKED, FAILED, "not begun")
        return ", ".join(f"{counts[state]:,d} {state}" for state in known if counts[state])

    def count(self, state: str) -> int:
        """Count the fits that have come out so: ``"trusted"``, ``"failed"``, and the like."""
        return sum(_state(fit) == state for fit in self._fits.values())

    def __repr__(self) -> str:
        return f"<ManyFits of {len(self):,d} data sets: {self._counts}>"

    def __str__(self) -> str:
        return as_text(repr(self), self._table())

    def _repr_html_(self) -> str:
        return as_html(repr(self), self._table())

    def _table(self) -> Rows:
        """Show those first that need a look."""
        rank = {key: _ORDER.index(_state(fit)) for key, fit in self._fits.items()}
        keys = sorted(self._fits, key=lambda key: rank[key])[:_SHOWN]
        width = max((len(str(key)) for key in keys), default=0)
        rows = [(str(key).ljust(width), _in_words(self._fits[key])) for key in keys]
        more = len(self._fits) - len(keys)
        return [*rows, (f"and {more:,d} more", "")] if more else rows


def _index(keys: Mapping[Hashable, Any]) -> pd.Index:
    return pd.Index(list(keys), tupleize_cols=False)


def _state(fit: Approximation | Exception) -> str:
    """Say how a fit has come out; nobody has judged those of methods that take steps."""
    if isinstance(fit, Exception):
        return FAILED
    if fit.trusted:
        return TRUSTED
    return UNCHECKED if fit.journal.outcome is None else UNTRUSTED


def _in_words(fit: Approximation | Exception) -> str:
    if isinstance(fit, Exception):
        return f"failed: {' '.join(str(fit).split()) or type(fit).__name__}"[:_LONGEST]
    return str(fit.report.verdict)


def _tabulated(array: xr.DataArray, dim: str) -> pd.DataFrame:
    """Tabulate one variable: a row for each fit and element."""
    values = array.to_numpy()[:, 0]
    flat = values.reshape(*values.shape[:2], -1)
    low, high = np.quantile(flat, _ENDS, axis=1)
    found = {"mean": flat.mean(axis=1), "sd": flat.std(axis=1), "eti89_lb": low, "eti89_ub": high}
    index = pd.MultiIndex.from_product(
        [array.indexes[dim], _elements(array)], names=[dim, "element"]
    )
    return pd.DataFrame({name: one.ravel() for name, one in found.items()}, index=index)


def _elements(array: xr.DataArray) -> list[str]:
    """Name the elements of a variable by their coordinates."""
    dims = array.dims[3:]
    if not dims:
        return [str(array.name)]
    # What has no labels is numbered.
    labels = [array[dim].to_numpy() for dim in dims]
    return [f"{array.name}[{', '.join(map(str, one))}]" for one in itertools.product(*labels)]

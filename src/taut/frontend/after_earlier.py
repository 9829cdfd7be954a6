"""A model with some rows, after earlier ones for which a quadratic stands."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, final

import numpy as np
from jaxtyping import Float

from taut.errors import ArgumentError
from taut.frontend.base import AbstractDataSet, AbstractDataSets, AbstractSource
from taut.target import (
    Batching,
    Description,
    Factors,
    Quadratic,
    RowFactors,
    Simulations,
    StepData,
    Target,
    with_quadratic,
)

_NOT_IN_GROUPS = (
    "Batches of groups are of a model and all of its rows, and here a quadratic stands for earlier "
    "ones. Fit all rows together."
)
_NOT_DRAWN = (
    "This fit follows others, and earlier rows stand in it as a quadratic, which no data can be "
    "drawn from. Simulate from the model: taut.vsbc(model)."
)


@final
@dataclass(frozen=True, eq=False)
class Earlier:
    r"""What is known of the likelihood of earlier rows.

    Parameters
    ----------
    quadratic
        Their log likelihood, up to a constant.
    fits
        How many fits they were seen in.
    effective
        The smallest share of draws that is effective where the rows of a fit correct their
        quadratic by weights.
    widened
        The largest logarithm of what they multiply a standard deviation with.
    drift
        The second moments of the gradients that they leave out at draws of that fit, one of which a
        later posterior is near to, summed over fits. With its covariance :math:`\Sigma` on both
        sides they are the square of how far its mean may be off.
    variance
        The largest of each element in these fits; infinite where an element is of none.
    """

    quadratic: Quadratic
    fits: int = 0
    effective: float = 1.0
    widened: float = 0.0
    drift: Float[np.ndarray, "dim dim"] = field(default_factory=lambda: np.zeros((0, 0)))
    variance: Float[np.ndarray, " dim"] = field(default_factory=lambda: np.zeros(0))

    def __add__(self, other: "Earlier") -> "Earlier":
        """Add what is known of others."""
        return Earlier(
            self.quadratic + other.quadratic,
            self.fits + other.fits,
            min(self.effective, other.effective),
            max(self.widened, other.widened),
            self.drift + other.drift,
            np.maximum(self.variance, other.variance),
        )

    @classmethod
    def nothing(cls, dim: int) -> "Earlier":
        """Return what is known before any rows."""
        return cls(Quadratic.flat(dim), drift=np.zeros((dim, dim)), variance=np.zeros(dim))


@final
class AfterEarlier(AbstractSource):
    """A model with a data set, after earlier ones.

    Parameters
    ----------
    model_source
        The model, with whatever data it holds.
    rows
        The model with the data set.
    earlier
        What stands for earlier rows.
    told
        Which data have rows, as the user said.
    """

    def __init__(
        self,
        model_source: AbstractSource,
        rows: AbstractDataSet,
        earlier: Earlier,
        told: Mapping[str, int] | None,
    ) -> None:
        self._source, self._rows = model_source, rows
        self.earlier, self._told = earlier, told

    @classmethod
    def of(
        cls,
        model_source: AbstractSource,
        values: Mapping[str, Any],
        earlier: Earlier | None,
        told: Mapping[str, int] | None,
    ) -> "AfterEarlier":
        """Look at a data set as one of several that follow one another.

        Parameters
        ----------
        model_source
            The model.
        values
            The data set, by the names of the model's data; what is left out stays the model's own.
        earlier
            What stands for earlier ones; `None` where there are none.
        told
            Which data have rows, as the user said; `None` for those that are found.

        Raises
        ------
        ArgumentError
            The likelihood is no sum over rows, so that earlier ones can not be told from new ones.
        DataSetError
            The data set does not fit the model.
        """
        sets = model_source.data_sets(told)
        if sets.whole:
            named = ", ".join(map(repr, sets.whole))
            # What else it says is of batches.
            why = f": {sets.reason.partition('. ')[0]}" if sets.reason else ""
            raise ArgumentError(
                f"{named} is not observed row by row{why}. Earlier rows can be added to only where "
                "the likelihood is a sum over rows: say which data have rows, rows={'y': 0}, "
                "observe an array with one row for each part of the data, or fit all data together."
            )
        rows = sets.one(values)
        dim = rows.target().space.dim
        return cls(model_source, rows, earlier or Earlier.nothing(dim), told)

    @property
    def model(self) -> Any:
        """The PyMC model, which holds whatever data a user has set."""
        return getattr(self._source, "model", None)

    @property
    def told(self) -> Mapping[str, int] | None:
        """Which data have rows, as the user said."""
        return self._told

    def target(self) -> Target:
        return with_quadratic(self._rows.target(), self.earlier.quadratic)

    def without_rows(self) -> Target:
        """Return the target without the likelihood of the rows, earlier ones left in."""
        return with_quadratic(self._rows.without_rows(), self.earlier.quadratic)

    def next(
        self, values: Mapping[str, Any], earlier: Earlier, told: Mapping[str, int] | None
    ) -> "AfterEarlier":
        """Return the model with the data set that follows."""
        return AfterEarlier.of(self._source, values, earlier, told or self._told)

    def stepping(
        self, target: Target, batching: Batching, start: np.ndarray, random_seed: int
    ) -> StepData:
        return self._rows.stepping(target, batching, start, random_seed)

    def start(self, values: Mapping[str, Any] | None, seed: int) -> np.ndarray:
        return self._source.start(values, seed)

    def start_sigma(self, values: Mapping[str, Any] | None) -> np.ndarray:
        return self._source.start_sigma(values)

    def prior_points(self, count: int, seed: int) -> np.ndarray | None:
        return self._source.prior_points(count, seed)

    def observed_factors(self) -> Mapping[str, Any]:
        return self._source.observed_factors()

    def factors(self) -> Factors | None:
        return None

    def row_factors(self, rows: Mapping[str, int] | None, latents: Mapping[str, int]) -> RowFactors:
        raise ArgumentError(_NOT_IN_GROUPS)

    def globals_alone(self, latents: Sequence[str]) -> AbstractSource:
        raise ArgumentError(_NOT_IN_GROUPS)

    def slot_name(self, variable: Any) -> str:
        return self._source.slot_name(variable)

    def simulations(self, datasets: int, random_seed: int) -> Simulations:
        raise ArgumentError(_NOT_DRAWN)

    def simulated(self, datasets: int, random_seed: int) -> tuple[np.ndarray, Iterator[Any]]:
        raise ArgumentError(_NOT_DRAWN)

    def histogram(self, trace: Any) -> np.ndarray:
        return self._source.histogram(trace)

    def blame(self, z: np.ndarray) -> str | None:
        return self._rows.blame(z)

    def log_density(self, z: np.ndarray) -> tuple[float, float] | None:
        known = self._rows.log_density(z)
        if known is None:
            return None
        added = float(self.earlier.quadratic(np.asarray(z, float)))
        return known[0] + added, known[1] + abs(added)

    def discontinuities(self) -> tuple[str, ...]:
        return self._rows.discontinuities()

    def description(self) -> Description:
        return self._rows.description()

    def portable(self) -> "PortableAfterEarlier":
        return PortableAfterEarlier(
            (self._source.portable(), self._rows.portable(), self.earlier, self._told)
        )

    def data_sets(self, rows: Mapping[str, int] | None) -> AbstractDataSets:
        return self._source.data_sets(rows)

    def in_model(self) -> "AfterEarlier":
        return self


@final
class PortableAfterEarlier:
    """A model with a data set after earlier ones, on its way to another process.

    Parameters
    ----------
    content
        What it is made of again.
    """

    def __init__(self, content: tuple[Any, ...]) -> None:
        self._content = content

    def __reduce__(self) -> Any:
        return AfterEarlier, self._content

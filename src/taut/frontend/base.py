"""What a fit needs to know of the model behind a target."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from taut.target import (
    Batching,
    Description,
    Factors,
    RowFactors,
    Simulations,
    StepData,
    Target,
)

# How `AbstractSource.blame` begins where a density is not infinite, but has no value at all.
NOT_EVALUATED = "  - it can not be evaluated"


class AbstractSource(ABC):
    """A model of some kind, seen from inference.

    Attributes
    ----------
    has_density
        Whether there is a model, and not only what a saved fit tells of it.
    no_expressions
        Why there is no PyMC model, and so no expression of its variables, where there is none.
    integrated_out
        Names of the latents that are, in the unconstrained space.
    """

    integrated_out: tuple[str, ...] = ()
    has_density: ClassVar[bool] = True
    no_expressions: ClassVar[str] = (
        "This is a fit of a target that was written by hand: there are no variables of PyTensor "
        "that expressions could be made of. Evaluate functions at approx.sample() instead."
    )

    @abstractmethod
    def target(self) -> Target:
        """Return the target with the model's data of this moment."""

    @abstractmethod
    def stepping(
        self, target: Target, batching: Batching, start: np.ndarray, random_seed: int
    ) -> StepData:
        """Return what the steps of a fit read.

        Parameters
        ----------
        target
            The target with all rows, of this moment.
        batching
            The arguments of the fit.
        start
            Where it begins, in the unconstrained space.
        random_seed
            Of the batches.
        """

    @abstractmethod
    def start(self, values: Mapping[str, Any] | None, seed: int) -> np.ndarray:
        """Return a start point in the unconstrained space, of values for some variables or none."""

    @abstractmethod
    def start_sigma(self, values: Mapping[str, Any] | None) -> np.ndarray:
        """Return the scale to start with, in the unconstrained space; NaN where none is given."""

    @abstractmethod
    def prior_points(self, count: int, seed: int) -> np.ndarray | None:
        """Draw points of the prior in the unconstrained space, one a row.

        NaN where a variable's prior is improper; `None` where there is nothing to draw.
        """

    @abstractmethod
    def observed_factors(self) -> Mapping[str, Any]:
        """Return the log density of each observed variable as an expression, not summed."""

    @abstractmethod
    def factors(self) -> Factors | None:
        """Return the terms that the log density sums; `None` where they can not be told apart."""

    @abstractmethod
    def row_factors(self, rows: Mapping[str, int] | None, latents: Mapping[str, int]) -> RowFactors:
        """Return the terms that the log density sums, as a function of rows.

        Parameters
        ----------
        rows
            Which data have rows, and along which axis; `None` for those that are found.
        latents
            Names of variables with an element for each of any number of groups, in the
            unconstrained space, with their axis of these; empty for the model's own number.

        Raises
        ------
        ArgumentError
            There is no PyMC model.
        ModelError
            The density is no sum over rows of one kind.
        """

    @abstractmethod
    def globals_alone(self, latents: Sequence[str]) -> "AbstractSource":
        """Return what is left of the model where latents are integrated out.

        Parameters
        ----------
        latents
            Their names in the unconstrained space.

        Raises
        ------
        ArgumentError
            There is no PyMC model.
        """

    @abstractmethod
    def slot_name(self, variable: Any) -> str:
        """Return the name a variable, or its name, has in the unconstrained space."""

    @abstractmethod
    def simulations(self, datasets: int, random_seed: int) -> Simulations:
        """Draw data sets from the model, with the parameters each comes from."""

    @abstractmethod
    def simulated(self, datasets: int, random_seed: int) -> tuple[np.ndarray, Iterator[Any]]:
        """Draw data sets, and return the parameters of each, one a row, and a model observing each.

        The data sets are those of `simulations`.
        """

    @abstractmethod
    def histogram(self, trace: Any) -> np.ndarray:
        """Lay draws of a container out as a matrix in the unconstrained space."""

    @abstractmethod
    def blame(self, z: np.ndarray) -> str | None:
        """Name the terms of the density that are not finite at a point; `None` if all are."""

    @abstractmethod
    def log_density(self, z: np.ndarray) -> tuple[float, float] | None:
        """Evaluate the log density by other means than JAX, on all rows.

        Returned with the sum of the sizes of its terms, which rounding is measured by; `None` where
        there are no such means.
        """

    @abstractmethod
    def discontinuities(self) -> tuple[str, ...]:
        """Name what can make the density jump or be flat, and supports that move.

        Only a model's graph tells; of a target that was written by hand nothing is known.
        """

    @abstractmethod
    def description(self) -> Description:
        """Describe the model as a saved fit keeps it, to know it again."""

    @abstractmethod
    def portable(self) -> Any:
        """Return what pickles in its place, and comes back as a source.

        Raises
        ------
        StorageError
            The model can not be pickled.
        """

    @abstractmethod
    def data_sets(self, rows: Mapping[str, int] | None) -> "AbstractDataSets":
        """Return what makes a source of each of many data sets.

        Parameters
        ----------
        rows
            Which data have rows, and along which axis; `None` for those that are found.

        Raises
        ------
        ModelError
            The model can not be written for data sets of different lengths.
        """

    @abstractmethod
    def in_model(self) -> "AbstractSource":
        """Put the data of one of many data sets into the model, and return that; itself if it is.

        Raises
        ------
        ArgumentError
            They can not be put there.
        """


class AbstractDataSet(AbstractSource):
    """A model with one of many data sets."""

    @abstractmethod
    def without_rows(self) -> Target:
        """Return the target without the likelihood of rows; programs are those of `target`."""


class AbstractDataSets(ABC):
    """Makes a source of each data set of a model; all of them share what is compiled.

    Attributes
    ----------
    names
        The data that a data set may give.
    left_out
        Deterministic variables that draws are without, since they have a value for each row.
    whole
        Observed variables that are no sum over rows.
    reason
        Why data sets have to have the model's own number of rows, if they do.
    """

    names: frozenset[str]
    left_out: tuple[str, ...]
    whole: tuple[str, ...]
    reason: str | None

    @abstractmethod
    def one(self, values: Mapping[str, Any]) -> AbstractDataSet:
        """Return the model with one data set.

        Parameters
        ----------
        values
            Arrays by the names of the model's data; what is not given stays as the model has it.

        Raises
        ------
        DataSetError
            The model has no such data, or they do not fit.
        """

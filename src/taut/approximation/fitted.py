"""What the functions of an approximation ask of it."""

from typing import Any, Protocol, Self

import numpy as np

from taut.approximation.contents import Contents
from taut.approximation.kept_report import KeptReport
from taut.approximation.record import Record
from taut.approximation.state import State
from taut.approximation.symbolic import Symbolic
from taut.family import AbstractFamily
from taut.frontend import AbstractSource
from taut.target import Target


class Fitted(Protocol):
    """An approximation, for those functions that are its methods.

    Each stands in the module of its kind; the class lists them. They read the state and the
    record, and write neither.
    """

    random_seed: int
    kept_report: KeptReport

    @property
    def source(self) -> AbstractSource:
        """The model, as inference sees it."""
        ...

    @property
    def model(self) -> Any:
        """The PyMC model, `None` for a target written by hand."""
        ...

    @property
    def state(self) -> State:
        """What was reached, with what a user has written since."""
        ...

    @property
    def record(self) -> Record:
        """How it was reached."""
        ...

    @property
    def family(self) -> AbstractFamily:
        """The approximation's density."""
        ...

    @property
    def target(self) -> Target:
        """The log density that is approximated."""
        ...

    @property
    def symbolic(self) -> Symbolic:
        """PyTensor's views, and lifted expressions."""
        ...

    def contents(self) -> Contents:
        """What outlives the process."""
        ...

    def words(self, random_seed: Any) -> np.ndarray:
        """Return the key words of the stream that a seed, or the next call, draws from."""
        ...

    def alike(self, family: AbstractFamily, record: Record) -> Self:
        """Return another approximation of the same target."""
        ...

    def following(
        self, source: AbstractSource, family: AbstractFamily, record: Record, random_seed: int
    ) -> Self:
        """Return an approximation of what follows: a model with other rows."""
        ...

"""What the constructors of all methods share."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, final

from taut.approximation import Approximation, Group
from taut.arguments import check_mapping
from taut.engine import refuse_forked


@final
@dataclass(frozen=True)
class Setup:
    """Which model is fitted, and where a fit of all its variables begins.

    Parameters
    ----------
    model
        A PyMC model, by default the one on the context, or a `taut.Target`.
    random_seed
        Decides the fit, and the draws that are given no seed of their own.
    start
        Values to start from, by variable.
    start_sigma
        Standard deviations to start with, by variable, in the unconstrained space.
    """

    model: Any = None
    random_seed: Any = None
    start: Mapping[str, Any] | None = None
    start_sigma: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        check_mapping("start", self.start, "{'mu': 1.0}")
        check_mapping("start_sigma", self.start_sigma, "{'mu': 0.1}")

    def approximation(self, vfam: str, **group: Any) -> Approximation:
        """Return an approximation of all variables by one family; see `taut.Group`."""
        # Before the model is lifted, which runs small programs of JAX's own.
        refuse_forked("A fit")
        one = Group(None, vfam, start=self.start, start_sigma=self.start_sigma, **group)
        return Approximation([one], model=self.model, random_seed=self.random_seed)

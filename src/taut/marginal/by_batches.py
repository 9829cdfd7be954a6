"""A marginal density whose latents and rows come in batches of groups."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, final

import jax
import numpy as np
from jaxtyping import Array, Bool, Float

from taut.engine import Timing, clock, in_parallel, threads_for
from taut.marginal.group_terms import GlobalTerms
from taut.marginal.grouped_model import GroupedModel
from taut.marginal.grouped_rows import GroupedRows
from taut.marginal.integrand import difference_of_precisions
from taut.marginal.plate_field import PlateField
from taut.marginal.quadrature import Integrated, Nodes, nodes_for, nodes_of_normal, quadrature
from taut.rows import GroupBatch
from taut.target import Target

Vector = Float[np.ndarray, " globals"]
Points = Float[np.ndarray, "points globals"]

# How far apart precisions may be, by their size, that are said not to depend on the latents.
_SAME = 1e-8
# Nodes of a group up to which they are doubled.
_MOST_NODES = 5000
# Operations of a row at a node, about.
_OPERATIONS = 30


@dataclass(frozen=True)
class _Job:
    """A point at which a batch is evaluated, and how."""

    point: int
    with_slope: bool
    doubled: bool


@final
class BatchedMarginal:
    r"""The density of the globals, with the latents of groups integrated out batch by batch.

    .. math:: \log p(y, \theta) = \log p(\theta) + \sum_b \sum_{g \in b} \log \int p(y_g, u_g \mid
              \theta) \, du_g

    Parameters
    ----------
    model
        The model on batches of groups.
    rows
        Where batches come from.
    target
        Of the model with its own groups: keeps the programs.
    start
        Its unknowns, where searches begin.
    timing
        Is charged with the seconds.

    Attributes
    ----------
    passes
        How often rows were read.
    evaluations
        Points at which a batch was evaluated.
    """

    def __init__(
        self,
        model: GroupedModel,
        rows: GroupedRows,
        target: Target,
        start: np.ndarray,
        timing: Timing,
    ) -> None:
        self.model, self.rows, self.target = model, rows, target
        self._timing, self._check_time = timing, _no_limit
        self._start = start.astype(target.dtype)
        self._outer, _ = model.places(model.levels)
        self.passes = self.evaluations = self._doublings = 0
        self._nodes, self._doubled = nodes_for(model.each)
        self.is_normal = False

    @property
    def nodes(self) -> Nodes:
        """Of the integrals."""
        return self._nodes

    @property
    def words(self) -> str:
        """What is integrated out, and how."""
        names = ", ".join(self.model.latents)
        each = "exactly" if self.is_normal else f"by {self._nodes.count} nodes each"
        return f"groups of {self.model.each} ({names}), {each}"

    def batches(self) -> Iterator[tuple[GroupBatch, PlateField]]:
        """Read all rows once, in batches, with the density of each."""
        self.passes += 1
        for batch in self.rows.read():
            yield batch, self.field(batch)

    def field(self, batch: GroupBatch) -> PlateField:
        """Return the density of a batch."""
        with self.target.precision():
            return self.model.field(batch)

    def look_at(self, field: PlateField) -> None:
        """Find out whether latents are normal given the globals: fewer nodes are enough then."""
        begin = self._begin(field)
        away = begin + np.random.default_rng(0).normal(size=(2, len(begin)))
        theta = self._start[self._outer]
        found = self._run(difference_of_precisions, field, theta, away.astype(self.target.dtype))
        self.is_normal = float(found) < _SAME
        if self.is_normal:
            self._nodes = nodes_of_normal(self.model.each)

    def refine(self) -> bool:
        """Double the nodes from here on; return whether so many can be taken."""
        if self.is_normal:
            return False
        few, many = nodes_for(self.model.each, self._doublings + 1)
        if len(many.x) > _MOST_NODES:
            return False
        self._nodes, self._doubled, self._doublings = few, many, self._doublings + 1
        return True

    def at(
        self,
        field: PlateField,
        theta: Vector,
        *,
        with_slope: bool = False,
        doubled: bool = False,
        begin: Any = None,
    ) -> Integrated:
        """Integrate the latents of a batch out at a point.

        Parameters
        ----------
        field
            The density of the batch.
        theta
            The globals.
        with_slope
            Whether the gradient is needed.
        doubled
            Whether to take twice the nodes.
        begin
            Where the search for modes begins.
        """
        self._check_time()
        self.evaluations += 1
        nodes = self._doubled if doubled and not self.is_normal else self._nodes
        begin = self._begin(field) if begin is None else begin
        at = theta.astype(self.target.dtype), begin
        return self._run(quadrature, field, nodes, with_slope, *at)

    def outer(self, theta: Vector) -> tuple[float, Vector]:
        """Evaluate the prior of the globals, and what else reads no group, and its gradient."""
        z, factors = self._start.copy(), self.model.factors
        z[self._outer] = theta
        found = self._run(_value_and_slope, self.model.global_terms, z, factors.data, factors.own)
        return float(found[0]), np.asarray(found[1], float)[self._outer]

    def sums(
        self, points: Points, with_slope: Bool[np.ndarray, " points"], doubled: Sequence[int] = ()
    ) -> tuple[Float[np.ndarray, " points"], Points, Float[np.ndarray, " doubled"]]:
        """Evaluate the density at several points, by one pass over the rows.

        Parameters
        ----------
        points
            The globals; the search for modes begins at the modes of the first.
        with_slope
            Of which of these the gradient is needed; it is zero at the others.
        doubled
            Numbers of points at which twice the nodes are taken, too.

        Returns
        -------
        tuple
            Values, gradients, and the values by twice the nodes.
        """
        outer = [self.outer(theta) for theta in points]
        values = np.array([value for value, _ in outer])
        slopes = np.array([slope for _, slope in outer]) * with_slope[:, None]
        jobs = [_Job(i, bool(slope), False) for i, slope in enumerate(with_slope)]
        jobs += [_Job(i, False, True) for i in doubled]
        more = values[list(doubled)]
        for number, (batch, field) in enumerate(self.batches()):
            found = self._each(field, points, jobs, self._threads(batch) if number else 1)
            values += [value for value, _ in found[: len(points)]]
            slopes += [slope for _, slope in found[: len(points)]]
            more += [value for value, _ in found[len(points) :]]
        return values, slopes, more

    def _each(
        self, field: PlateField, points: Points, jobs: Sequence["_Job"], threads: int
    ) -> list[tuple[float, Vector]]:
        """Evaluate a batch at points, the first of which tells where modes are."""

        def evaluate(job: _Job, begin: Any, timing: Any = None) -> Integrated:
            nodes = self._doubled if job.doubled else self._nodes
            at = points[job.point].astype(self.target.dtype), begin
            return self.target.programs(
                quadrature, field, nodes, job.with_slope, *at, timing=timing
            )

        first, *others = jobs
        self._check_time()
        self.evaluations += len(jobs)
        found = evaluate(first, self._begin(field), self._timing)
        known = [(float(found.marginal.value), np.asarray(found.marginal.slope, float))]
        begin = found.marginal.mode

        def result(job: _Job) -> tuple[float, Vector]:
            one = evaluate(job, begin).marginal
            return float(one.value), np.asarray(one.slope, float)

        # The sums are taken in one order, so that they do not depend on the threads.
        with clock(self._timing, "run"):
            return known + in_parallel(result, others, threads)

    def _threads(self, batch: GroupBatch) -> int:
        return threads_for(len(batch.index) * int(self._nodes.count) * _OPERATIONS)

    def run_at(
        self, function: Any, field: PlateField, theta: Vector, begin: Any, *more: Any
    ) -> Any:
        """Run a function of a density, nodes, globals and where modes are sought as a program."""
        begin = self._begin(field) if begin is None else begin
        at = theta.astype(self.target.dtype), begin
        return self._run(function, field, self._nodes, *at, *more)

    @contextmanager
    def within(self, check_time: Callable[[], None]) -> Iterator[None]:
        """Let a limit of time end what is evaluated inside, by an exception."""
        self._check_time = check_time
        try:
            yield
        finally:
            self._check_time = _no_limit

    def _begin(self, field: PlateField) -> Float[np.ndarray, " latents"]:
        return self.model.begin(field.groups.shape[0]).astype(self.target.dtype)

    def _run(self, function: Any, *args: Any) -> Any:
        return self.target.programs(function, *args, timing=self._timing)


def _value_and_slope(terms: GlobalTerms, z: Array, data: Any, rows: Any) -> tuple[Array, Array]:
    return jax.value_and_grad(terms)(z, data, rows)


def _no_limit() -> None:
    """Let everything take its time."""

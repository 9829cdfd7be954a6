"""The result of a fit."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, final

import jax
import numpy as np
from jaxtyping import Float

from taut import seed
from taut.approximation.constrained_moments import constrained_table
from taut.approximation.contents import Contents, copied
from taut.approximation.draws import sample, sample_dict_fn, unconstrained_draws
from taut.approximation.evaluation import elbo, log_densities
from taut.approximation.expressions import (
    cov,
    datalogp,
    evaluate,
    evaluate_over_trace,
    expressions,
    histogram,
    keep_scale,
    logp,
    logq,
    mean,
    params,
    rslice,
    sample_node,
    scale_cost_to_minibatch,
    set_size_and_deterministic,
    shared_params,
    std,
    symbolic_normalizing_constant,
    symbolic_random,
    varlogp,
)
from taut.approximation.group_latents import write_latents
from taut.approximation.groups import Group, assemble, model_of
from taut.approximation.kept_report import KeptReport
from taut.approximation.linear_response import linear_response
from taut.approximation.log_likelihood import log_likelihood
from taut.approximation.moments import mean_data, parameters, read, std_data
from taut.approximation.nuts_start import nuts_start
from taut.approximation.predictive import predict
from taut.approximation.prior import as_prior
from taut.approximation.record import WRITTEN, Record
from taut.approximation.repairing import repair
from taut.approximation.saving import save
from taut.approximation.state import State
from taut.approximation.summary import report, summary, trusted
from taut.approximation.symbolic import Symbolic
from taut.approximation.trust import diagnose
from taut.approximation.updating import update
from taut.descent import Stand
from taut.diagnose import Journal
from taut.engine import Timing, building
from taut.family import AbstractFamily, with_parameter
from taut.frontend import AbstractSource, as_source
from taut.tables import as_html, as_text
from taut.target import StepData, Target


@final
class Approximation:
    r"""A density :math:`q(z)` in place of a posterior, with all that a user reads off it.

    It follows the fit it belongs to: after ``refine``, and inside callbacks, it shows the
    parameters of that moment.

    Parameters
    ----------
    groups
        Which variables get which family; see `taut.Group`. Together they have every variable.
    model
        A PyMC model, by default that of the groups or the one on the context, or a `taut.Target`.
    random_seed
        Decides start points that are random, and the draws that are given no seed of their own.

    Raises
    ------
    GroupError
        The groups overlap, or leave a variable out.

    Examples
    --------
    >>> import pymc as pm, taut
    >>> with pm.Model():
    ...     mu = pm.Normal("mu", 1.0, 2.0)
    ...     approx = taut.fit(random_seed=1, progressbar=False)
    >>> draws = approx.sample(200, random_seed=1)
    >>> draws["posterior"]["mu"].sizes["draw"]
    200
    """

    def __init__(
        self, groups: Sequence[Group], *, model: Any = None, random_seed: Any = None
    ) -> None:
        timing = Timing()
        with building(timing, "lift"):
            self._source = as_source(model_of(groups, model))
            self.random_seed = seed.entropy(random_seed)
            target = self._source.target()
            start_seed = int(seed.key_words(self.random_seed, seed.START)[0])
            family = assemble(groups, self._source, target.space, target.dtype, start_seed)
        self._begin(State(family, target), Record(timing=timing))

    def _begin(self, state: State, record: Record) -> None:
        self._state, self._record, self._calls = state, record, 0
        self.kept_report = KeptReport()
        self.symbolic = Symbolic(
            self.model, state.target.space, self._read, self._write, self.random_seed
        )

    def publish(self, state: State | None = None, record: Record | None = None) -> None:
        """Show what a fit has reached, and how; nothing else writes either.

        Parameters
        ----------
        state, record
            `None` for those of before.
        """
        self._record = self._record if record is None else record
        before, self._state = self._state, self._state if state is None else state
        if self._state.family is not before.family:
            self._follow(before.family)

    def show(self, family: AbstractFamily, stand: Stand | None = None) -> None:
        """Show other parameters; for those who write a method or a family.

        Parameters
        ----------
        family
            The density with these parameters.
        stand
            Where the fit stands among states that are looked at in turn.
        """
        self.publish(self._state.at(family, stand))

    def alike(self, family: AbstractFamily, record: Record) -> "Approximation":
        """Return another approximation of the same target."""
        state = self._state.at(family)
        return self._made(self._source, self.random_seed, state, record)

    def following(
        self, source: AbstractSource, family: AbstractFamily, record: Record, random_seed: int
    ) -> "Approximation":
        """Return an approximation of what follows: a model with other rows."""
        return self._made(source, random_seed, State(family, source.target()), record)

    @classmethod
    def of_contents(cls, source: AbstractSource, contents: Contents) -> "Approximation":
        """Make one of what has outlived its process, and of its model."""
        state, seed, calls = contents.state(source), contents.random_seed, contents.calls
        return cls._made(source, seed, state, contents.record, calls)

    @classmethod
    def _made(
        cls, source: AbstractSource, random_seed: int, state: State, record: Record, calls: int = 0
    ) -> "Approximation":
        made = cls.__new__(cls)
        made._source, made.random_seed = source, random_seed
        made._begin(state, record)
        made._calls = calls
        return made

    def contents(self) -> Contents:
        """What outlives the process."""
        return Contents.of(self.state, self._record, self.random_seed, self._calls)

    def __reduce__(self) -> Any:
        return Approximation.of_contents, (self._source.portable(), self.contents())

    def __copy__(self) -> "Approximation":
        return self.__deepcopy__({})

    def __deepcopy__(self, memo: dict[int, Any]) -> "Approximation":
        # Of the same model, with the programs that are compiled for it.
        record = copied(self._record)
        return self._made(self._source, self.random_seed, self.state, record, self._calls)

    sample = sample
    sample_dict_fn = sample_dict_fn
    unconstrained_draws = unconstrained_draws
    log_likelihood = log_likelihood
    elbo = elbo
    diagnose = diagnose
    repair = repair
    as_prior = as_prior
    update = update
    linear_response = linear_response
    nuts_start = nuts_start
    save = save
    write_latents = write_latents
    predict = predict
    summary = summary
    evaluate = evaluate
    evaluate_over_trace = evaluate_over_trace
    sample_node = sample_node
    set_size_and_deterministic = set_size_and_deterministic
    rslice = rslice

    report = property(report)
    trusted = property(trusted)
    parameters = property(parameters)
    mean_data = property(mean_data)
    std_data = property(std_data)
    mean = property(mean)
    std = property(std)
    cov = property(cov)
    params = property(params)
    histogram = property(histogram)
    scale_cost_to_minibatch = property(scale_cost_to_minibatch, keep_scale)
    shared_params = property(shared_params)
    expressions = property(expressions)
    symbolic_random = property(symbolic_random)
    symbolic_normalizing_constant = property(symbolic_normalizing_constant)
    logp = property(logp)
    logq = property(logq)
    varlogp = property(varlogp)
    datalogp = property(datalogp)

    @property
    def state(self) -> State:
        """What was reached, with what was written to shared variables since."""
        self.symbolic.take_up_written()
        return self._state

    @property
    def record(self) -> Record:
        """How it was reached."""
        return self._record

    @property
    def source(self) -> AbstractSource:
        """The model, as inference sees it."""
        return self._source

    @property
    def model(self) -> Any:
        """The PyMC model, `None` for a target written by hand."""
        return getattr(self._source, "model", None)

    @property
    def family(self) -> AbstractFamily:
        """The approximation's density, with parameters as JAX arrays."""
        return self.state.family

    @property
    def target(self) -> Target:
        """The log density that is approximated."""
        return self._state.target

    @property
    def stepping(self) -> StepData | None:
        """What the steps of the last fit read, if it took any."""
        return self._state.stepping

    @property
    def method(self) -> str | None:
        """The method's name; `None` before a fit."""
        return self._record.method

    @property
    def hist(self) -> Float[np.ndarray, " steps"]:
        """The loss of each step, in nats, at the scale of all rows."""
        return self._record.hist

    @property
    def stopped(self) -> str | None:
        """Why the last fit ended."""
        return self._record.stopped

    @property
    def skipped(self) -> int:
        """Steps that were not taken, because the loss or the new parameters were not finite."""
        return self._record.skipped

    @property
    def timing(self) -> Timing:
        """Where the seconds of the fit went."""
        return self._record.timing

    @property
    def journal(self) -> Journal:
        """What the fit did, stage by stage, and its verdict."""
        return self._record.journal

    @property
    def include_transformed(self) -> bool:
        """Whether `sample` puts unconstrained variables into its ``posterior`` by default."""
        return self._record.include_transformed

    @property
    def ndim(self) -> int:
        """Elements of the unconstrained vector."""
        return self.target.dim

    @property
    def ddim(self) -> int:
        """The same as `ndim`."""
        return self.target.dim

    @property
    def ordering(self) -> dict[str, tuple[str, slice, tuple[int, ...], str]]:
        """For each value variable its name, slice of the flat vector, shape and dtype."""
        return {
            slot.name: (slot.name, slot.slice, slot.shape, self.target.dtype)
            for slot in self.target.space
        }

    def words(self, random_seed: Any) -> np.ndarray:
        """Return the key words of the stream that a seed, or the next call, draws from."""
        if random_seed is not None:
            return seed.key_words(seed.entropy(random_seed), seed.DRAWS)
        self._calls += 1
        return seed.key_words(self.random_seed, seed.DRAWS, self._calls)

    def log_densities(self, z: Float[np.ndarray, "points dim"]) -> Float[np.ndarray, " points"]:
        """Evaluate the log density of the model at points, on all rows."""
        return log_densities(self._state, z)

    def __repr__(self) -> str:
        variables = len(self.target.space.slots)
        return (
            f"<Approximation {type(self.family).__name__} of {variables} "
            f"{'variable' if variables == 1 else 'variables'} ({self.ndim} dimensions): "
            f"{self._record.words}>"
        )

    def __str__(self) -> str:
        return as_text(repr(self), constrained_table(self.state, self.random_seed))

    def _repr_html_(self) -> str:
        return as_html(repr(self), constrained_table(self.state, self.random_seed))

    def _read(self, names: Any) -> Any:
        return read(self._state, names)

    def _write(self, name: str, value: Any) -> None:
        """Go on with a parameter that was written, of which nothing is known."""
        state = self.state
        family = with_parameter(state.family, name, value)
        record = replace(self._record, journal=Journal(), stopped=WRITTEN)
        self.publish(self._state.at(family), record)

    def _follow(self, before: AbstractFamily) -> None:
        if not self.symbolic.is_made:
            return
        if jax.tree.structure(self._state.family) != jax.tree.structure(before):
            # Views are of parameters that are there no more.
            self.symbolic.forget()
        self.symbolic.refresh()

"""The result of a fit."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

import jax
import numpy as np

from taut import seed
from taut.compilation import Timing, clock
from taut.diagnose import Journal
from taut.drawing import (
    block_for,
    draw_block,
    evaluate_at,
    evaluate_block,
    in_blocks,
    read_off,
)
from taut.errors import ArgumentError
from taut.evaluation import Estimate, elbo, streamed_log_likelihood
from taut.family import AbstractFamily, Particles
from taut.frontend import Stepping, Streamed, as_source
from taut.group import Group, assemble
from taut.printing import Rows, as_html, as_text, moments_table
from taut.progress import average
from taut.target import Target


class Approximation:
    r"""A density :math:`q(z)` in place of a posterior, with all that a user reads off it.

    It follows the fit it belongs to: after ``refine``, and inside callbacks, it shows the
    parameters of that moment.

    Parameters
    ----------
    groups
        Which variables get which family; see `taut.Group`. Together they have every variable.
    model
        A PyMC model, by default the one on the context, or a `taut.Target`.
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
    ...     approx = taut.fit(3000, random_seed=1, progressbar=False)
    >>> draws = approx.sample(200, random_seed=1)
    >>> draws["posterior"]["mu"].sizes["draw"]
    200
    """

    def __init__(
        self, groups: Sequence[Group], *, model: Any = None, random_seed: Any = None
    ) -> None:
        self.timing = Timing()
        with clock(self.timing, "lift"):
            self.source = as_source(model)
            self.random_seed = seed.entropy(random_seed)
            self._target = self.source.target()
            start_seed = int(seed.words(self.random_seed, seed.START)[0])
            self._family = assemble(
                groups, self.source, self._target.space, self._target.dtype, start_seed
            )
        self._in_64_bits = np.dtype(self._target.dtype).itemsize == 8
        self._calls = 0
        self._views: Any = None
        self._expressions: Any = None
        self._lifted: Any = None
        self.method: str | None = None
        self.hist: np.ndarray = np.empty(0)
        self.include_transformed = False
        self.stopped: str | None = None
        self.skipped = 0
        self.stepping: Stepping | None = None
        self.journal = Journal()

    def update(self, family: AbstractFamily) -> None:
        """Show other parameters; for those who write a method."""
        self._family = family
        if self._views is not None:
            self._views.refresh()

    def retarget(self, target: Target) -> None:
        """Go on with the data of another moment; for those who write a method."""
        self._target = target

    def unconstrained_draws(self, draws: int, random_seed: Any = None) -> np.ndarray:
        """Draw flat vectors in the unconstrained space, one a row."""
        drawn = self._draw(draws, random_seed)["unconstrained"]
        return np.stack(
            [self._target.space.ravel({k: v[i] for k, v in drawn.items()}) for i in range(draws)]
        )

    @property
    def model(self) -> Any:
        """The PyMC model, `None` for a target written by hand."""
        return getattr(self.source, "model", None)

    @property
    def family(self) -> AbstractFamily:
        """The approximation's density, with parameters as JAX arrays."""
        return self._family

    @property
    def target(self) -> Target:
        """The log density that is approximated."""
        return self._target

    @property
    def ndim(self) -> int:
        """Elements of the unconstrained vector."""
        return self._target.dim

    @property
    def ddim(self) -> int:
        """The same as `ndim`."""
        return self._target.dim

    @property
    def ordering(self) -> dict[str, tuple[str, slice, tuple[int, ...], str]]:
        """For each value variable its name, slice of the flat vector, shape and dtype."""
        return {
            slot.name: (slot.name, slot.slice, slot.shape, self._target.dtype)
            for slot in self._target.space
        }

    @property
    def parameters(self) -> dict[str, np.ndarray]:
        """The parameters by name, in NumPy."""
        return self._read(self._parameter_names)

    @property
    def shared_params(self) -> dict[str, Any]:
        """The parameters as PyTensor shared variables that follow the fit."""
        return {name: self._view(name) for name in self._parameter_names}

    @property
    def params(self) -> list[Any]:
        """The values of `shared_params`."""
        return list(self.shared_params.values())

    @property
    def mean(self) -> Any:
        """Mean of q in the unconstrained space, as a PyTensor vector that follows the fit."""
        return self._view("mean")

    @property
    def std(self) -> Any:
        """Standard deviations of q in the unconstrained space, likewise."""
        return self._view("std")

    @property
    def cov(self) -> Any:
        """Covariance of q in the unconstrained space, as a PyTensor matrix; O(dim²) memory."""
        return self._view("cov")

    @property
    def mean_data(self) -> Any:
        """Mean of q by variable, in the unconstrained space, as an `xarray.Dataset`."""
        return self._dataset(self._moment("mean"))

    @property
    def std_data(self) -> Any:
        """Standard deviations of q by variable, in the unconstrained space, likewise."""
        return self._dataset(self._moment("std"))

    def sample(
        self,
        draws: int = 500,
        *,
        random_seed: Any = None,
        return_inferencedata: bool = True,
        include_transformed: bool | None = None,
    ) -> Any:
        """Draw from the approximation.

        Parameters
        ----------
        draws
            How many. With the same seed, fewer draws are the first of more.
        random_seed
            Seed of the draws; without it each call gives fresh ones, which the seed of the fit
            decides.
        return_inferencedata
            Whether to return a `xarray.DataTree` for ArviZ, or a `pymc` MultiTrace.
        include_transformed
            Whether the group ``posterior`` holds the unconstrained variables too; by default what
            the fit was told.

        Returns
        -------
        xarray.DataTree
            One chain, in the groups ``posterior`` (constrained variables and deterministics, with
            dims and coords), ``unconstrained_posterior``, ``sample_stats`` (``lp``: log joint
            density of the model, ``log_q``: log density of q, both in the unconstrained space, in
            nats), ``fit`` (``loss`` by step), ``observed_data`` and ``constant_data``.

        Raises
        ------
        ArgumentError
            `draws` is not a positive integer.
        """
        _check_draws(draws)
        drawn = self._draw(int(draws), random_seed)
        if not return_inferencedata:
            from taut.frontend.pymc.trace import multi_trace

            return multi_trace(self.model, drawn["unconstrained"] | drawn["constrained"])
        if include_transformed is None:
            include_transformed = self.include_transformed
        from taut.result import draws_to_datatree

        return draws_to_datatree(self, drawn, include_transformed)

    def elbo(
        self, draws: int = 1000, *, rows: Literal["all"] = "all", random_seed: Any = None
    ) -> Estimate:
        r"""Estimate the evidence lower bound from fresh draws, on all rows.

        .. math:: \mathrm{ELBO} = E_q[\log p(y, z) - \log q(z)]

        In nats, in the unconstrained space, with its own sign: a lower bound of the log evidence.
        Rows of a source are read once, in the blocks of the fit.

        Parameters
        ----------
        draws
            How many.
        rows
            Only ``"all"``: the history has the estimates from batches.
        random_seed
            As in `sample`.

        Returns
        -------
        Estimate
            With ``mean`` and its standard error ``se``; ``float(...)`` gives the mean.

        Raises
        ------
        ArgumentError
            The approximation has no density, as particles.
        RowsError
            Rows can not be read.
        """
        _check_draws(draws)
        if rows != "all":
            raise ArgumentError(f'rows must be "all", got {rows!r}.')
        words = self._draw_words(random_seed)
        return elbo(self._family, self._target, self._streamed, draws, words)

    def log_likelihood(self, draws: int = 500, *, random_seed: Any = None) -> Any:
        """Draw, and evaluate the log likelihood of each row at each draw.

        Parameters
        ----------
        draws
            How many. The result has draws times rows numbers for each observed variable.
        random_seed
            As in `sample`, which gives the same draws for the same seed.

        Returns
        -------
        xarray.DataTree
            What `sample` returns, and the group ``log_likelihood`` with all rows of each observed
            variable, as `arviz_stats.loo` and ``waic`` take it.

        Raises
        ------
        ArgumentError
            The model has no observed variable.
        RowsError
            Rows can not be read.

        Examples
        --------
        >>> import arviz_stats, numpy as np, pymc as pm, taut
        >>> with pm.Model():
        ...     mu = pm.Normal("mu", 0.0, 10.0)
        ...     y = pm.Normal("y", mu, 1.0, observed=np.linspace(-2.0, 2.0, 50))
        ...     approx = taut.fit(5000, random_seed=1, progressbar=False,
        ...                       obj_optimizer=taut.adam(learning_rate=0.02))
        >>> tree = approx.log_likelihood(1000, random_seed=1)
        >>> round(float(arviz_stats.loo(tree).elpd))
        -82
        """
        random_seed = self._draw_words(random_seed) if random_seed is None else random_seed
        tree = self.sample(draws, random_seed=random_seed)
        if self._streamed is not None:
            z = self.unconstrained_draws(draws, random_seed)
            with self._target.precision():
                values = streamed_log_likelihood(self._streamed, z)
        else:
            nodes = self.source.observed_factors()
            if not nodes:
                raise ArgumentError("The model has no observed variable, and so no likelihood.")
            found = self._evaluate(list(nodes.values()), draws, {}, random_seed)
            values = dict(zip(nodes, found, strict=True))
        from taut.result import with_log_likelihood

        return with_log_likelihood(tree, values, self._target.labels)

    def sample_node(
        self,
        node: Any,
        size: Any = None,
        deterministic: Any = False,
        more_replacements: Mapping[Any, Any] | None = None,
    ) -> Any:
        """Replace the model's random variables in an expression by draws.

        Parameters
        ----------
        node
            A PyTensor expression of variables of the model, or a list of them, which then share
            their draws.
        size
            `None` for one draw, or how many along a new first axis: an integer or a symbolic
            integer scalar, whose value is given at evaluation.
        deterministic
            Whether the mean of q takes the place of draws; may be symbolic.
        more_replacements
            Other variables to replace, such as ``{Xt: X_test}``, by arrays or expressions of the
            same rank and of any length.

        Returns
        -------
        TensorVariable or list
            Expressions that follow the fit: what they evaluate to changes when it goes on.
            Repeated ``.eval()`` gives the same draws again; ``size=N`` gives N independent ones.

        Raises
        ------
        ArgumentError
            The node is of another model, the size no scalar, or a replacement does not fit.

        Examples
        --------
        >>> import pymc as pm, taut
        >>> with pm.Model():
        ...     x = pm.Normal("x", 3.0, 0.1)
        ...     approx = taut.fit(2000, random_seed=1, progressbar=False,
        ...                       obj_optimizer=taut.adam(learning_rate=0.02))
        >>> approx.sample_node(x**2, size=50).shape.eval()
        array([50])
        """
        return self.expressions.sample_node(node, size, deterministic, more_replacements)

    def evaluate(
        self,
        node: Any,
        draws: int = 1000,
        more_replacements: Mapping[Any, Any] | None = None,
        random_seed: Any = None,
    ) -> Any:
        """Evaluate an expression at draws of the approximation, on JAX.

        The same as `sample_node` with a size, at once: PyTensor's default backend compiles for
        many seconds where this takes one, and milliseconds from the second call on.

        Parameters
        ----------
        node
            A PyTensor expression of variables of the model, or a list of them, which then share
            their draws.
        draws
            How many.
        more_replacements
            Other variables to replace, as in `sample_node`; new arrays of the same shapes compile
            nothing.
        random_seed
            As in `sample`.

        Returns
        -------
        xarray.DataArray or list
            With the axes ``chain`` and ``draw`` first.

        Examples
        --------
        >>> import pymc as pm, taut
        >>> with pm.Model(coords={"side": ["left", "right"]}):
        ...     x = pm.Normal("x", 3.0, 0.1, dims="side")
        ...     approx = taut.fit(2000, random_seed=1, progressbar=False)
        >>> approx.evaluate(x**2, draws=50).shape
        (1, 50, 2)
        """
        _check_draws(draws)
        nodes = list(node) if isinstance(node, list | tuple) else [node]
        values = self._evaluate(nodes, draws, dict(more_replacements or {}), random_seed)
        from taut.result import label_draws

        labelled = [
            label_draws(value, node.name, self._target.labels)
            for node, value in zip(nodes, values, strict=True)
        ]
        return labelled if isinstance(node, list | tuple) else labelled[0]

    def _evaluate(
        self,
        nodes: list[Any],
        draws: int,
        given: Mapping[Any, Any],
        random_seed: Any,
    ) -> Sequence[np.ndarray]:
        lifted = self._lift(nodes, given)
        if lifted.function is None:
            z = self.unconstrained_draws(draws, random_seed)
            values = lifted.by_pytensor(z, given)
        else:
            data = lifted.arrays(given)
            values = in_blocks(
                self._target, draws, self._draw_words(random_seed), evaluate_block, lifted,
                self._family, data, block=block_for(data),
            )  # fmt: skip
        return values

    def evaluate_over_trace(self, node: Any) -> Any:
        """Evaluate an expression at every particle of an `Empirical`, in their order.

        Raises
        ------
        ArgumentError
            The approximation has no particles.
        """
        if not isinstance(self._family, Particles):
            raise ArgumentError(
                f"evaluate_over_trace needs particles, and this is a {type(self._family).__name__}."
                " Use evaluate or sample_node."
            )
        nodes = list(node) if isinstance(node, list | tuple) else [node]
        lifted = self._lift(nodes, {})
        histogram = self.parameters["histogram"]
        if lifted.function is None:
            values = lifted.by_pytensor(histogram, {})
        else:
            with self._target.precision():
                values = self._target.programs(
                    Timing(), evaluate_at, lifted, histogram, lifted.arrays({})
                )
        values = [np.asarray(value) for value in values]
        return values if isinstance(node, list | tuple) else values[0]

    @property
    def symbolic_normalizing_constant(self) -> Any:
        """PyTensor scalar: rows over batch rows in the last fit, by which PyMC divides its loss.

        The largest, where variables have different ones; 1 where steps use all rows. What PyMC
        calls ``hist`` is ``approx.hist / approx.symbolic_normalizing_constant.eval()``.
        """
        from taut.frontend.pymc.views import constant

        return constant(1.0 if self.stepping is None else self.stepping.scale)

    @property
    def expressions(self) -> Any:
        """Builder of PyTensor expressions over the approximation."""
        if self._expressions is None:
            from taut.frontend.pymc.expressions import Expressions

            self._expressions = Expressions(
                self.model, self._target.space, self._family, self._view, self.random_seed
            )
        return self._expressions

    @property
    def symbolic_random(self) -> Any:
        """Draws as a PyTensor matrix: one row, unless `set_size_and_deterministic` says more."""
        return self.expressions.symbolic_random

    def set_size_and_deterministic(
        self, node: Any, s: Any, d: Any = False, more_replacements: Any = None
    ) -> Any:
        """Say of an expression of `symbolic_random`, `rslice`, `logp` … how many draws it has."""
        return self.expressions.set_size_and_deterministic(node, s, d, more_replacements)

    def rslice(self, name: str) -> Any:
        """Draws of one value variable as a PyTensor expression, along a first axis."""
        return self.expressions.rslice(name)

    @property
    def logq(self) -> Any:
        """PyTensor scalar: mean over the draws of log q."""
        return self.expressions.logq()

    @property
    def varlogp(self) -> Any:
        """PyTensor scalar: mean over the draws of the log prior, log Jacobian included."""
        return self.expressions.expectation(self.model.varlogp)

    @property
    def datalogp(self) -> Any:
        """PyTensor scalar: mean over the draws of the log likelihood and the potentials."""
        return self.expressions.expectation(self.model.datalogp)

    @property
    def logp(self) -> Any:
        """PyTensor scalar: mean over the draws of the model's log joint density."""
        return self.expressions.expectation(self.model.varlogp + self.model.datalogp)

    def sample_dict_fn(self, draws: int = 100, *, random_seed: Any = None) -> dict[str, np.ndarray]:
        """Draw raw arrays by value variable, in the unconstrained space."""
        _check_draws(draws)
        return self._draw(draws, random_seed)["unconstrained"]

    def __repr__(self) -> str:
        family = type(self._family).__name__
        loss = f", average loss {average(self.hist):,.5g}" if len(self.hist) else ""
        variables = "variable" if len(self._target.space.slots) == 1 else "variables"
        return (
            f"<Approximation {family} of {len(self._target.space.slots)} {variables} "
            f"({self.ndim} dimensions): {len(self.hist):,d} steps{loss}>"
        )

    def __str__(self) -> str:
        return as_text(repr(self), self._table())

    def _repr_html_(self) -> str:
        return as_html(repr(self), self._table())

    def _table(self) -> Rows:
        return moments_table(self._target.space, self._moment("mean"), self._moment("std"))

    @property
    def _streamed(self) -> Streamed | None:
        """Rows that were read from a source, if the last fit read them."""
        return None if self.stepping is None else self.stepping.streamed

    def _draw(self, draws: int, random_seed: Any) -> dict[str, Any]:
        words = self._draw_words(random_seed)
        drawn = in_blocks(self._target, draws, words, draw_block, self._family, self._target)
        if self._streamed is not None:
            # The density on the few rows the model holds is none of the posterior.
            drawn["lp"] = np.full(draws, np.nan)
        return drawn

    def _draw_words(self, random_seed: Any) -> np.ndarray:
        if random_seed is not None:
            return seed.words(seed.entropy(random_seed), seed.DRAWS)
        self._calls += 1
        return seed.words(self.random_seed, seed.DRAWS, self._calls)

    def _lift(self, nodes: list[Any], given: Mapping[Any, Any]) -> Any:
        if self._lifted is None:
            from taut.frontend.pymc.evaluate import LiftedExpressions

            self._lifted = LiftedExpressions(self.model, self._target.space)
        with self._target.precision():
            return self._lifted(nodes, given)

    @property
    def _parameter_names(self) -> tuple[str, ...]:
        return tuple(jax.eval_shape(self._family.parameters))

    def _moment(self, name: str) -> np.ndarray:
        return self._read([name])[name]

    def _read(self, names: Iterable[str]) -> dict[str, np.ndarray]:
        """Read moments and parameters, all by one program."""
        # Not target.precision(): a bound method of an equinox module costs 50 µs to look up, and
        # callbacks may come here at every step.
        with jax.enable_x64(self._in_64_bits):
            values = self._target.programs(Timing(), read_off, tuple(names), self._family)
        return {name: np.asarray(value) for name, value in values.items()}

    def _view(self, name: str) -> Any:
        if self._views is None:
            from taut.frontend.pymc.views import Views

            self._views = Views(self._read)
        return self._views[name]

    def _dataset(self, flat: np.ndarray) -> Any:
        from taut.result import to_dataset

        return to_dataset(self._target.space.unravel(flat), self._target.labels)


def _check_draws(draws: Any) -> None:
    if not isinstance(draws, int | np.integer) or isinstance(draws, bool) or draws < 1:
        raise ArgumentError(f"draws must be a positive integer, got {draws!r}.")

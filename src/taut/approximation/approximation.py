"""The result of a fit."""

import copy
from collections.abc import Iterable, Sequence
from typing import Any, Literal

import jax
import numpy as np

from taut import seed
from taut.approximation.drawing import all_of, read_off
from taut.approximation.evaluation import elbo, log_densities, streamed_log_likelihood
from taut.approximation.groups import Group, assemble
from taut.approximation.linear_response import LinearResponse, linear_response
from taut.approximation.moments import moments_table
from taut.approximation.nuts_start import NutsStart, nuts_start
from taut.approximation.symbolic import AbstractSymbolic
from taut.approximation.trust import diagnosed, repaired
from taut.arguments import as_flag, as_positive
from taut.diagnose import Estimate, Journal, Report
from taut.engine import Timing, accounted, building
from taut.errors import ArgumentError, RowsError
from taut.family import AbstractFamily
from taut.frontend import as_source
from taut.progress import average
from taut.tables import Rows, as_html, as_text
from taut.target import Stepping, Streamed, Target

# Why a fit ended whose parameters are others by now.
_WRITTEN = "its parameters were written by hand"
# Rows that draws may read for their densities, and rows from which on fewer draws are weighed.
_MOST_READ, _MANY_ROWS, _WEIGHED, _FEW_WEIGHED = 100_000_000, 50_000, 2000, 500


class Approximation(AbstractSymbolic):
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
    ...     approx = taut.fit(random_seed=1, progressbar=False)
    >>> draws = approx.sample(200, random_seed=1)
    >>> draws["posterior"]["mu"].sizes["draw"]
    200
    """

    def __init__(
        self, groups: Sequence[Group], *, model: Any = None, random_seed: Any = None
    ) -> None:
        self.timing = Timing()
        with building(self.timing, "lift"):
            self.source = as_source(model)
            self.random_seed = seed.entropy(random_seed)
            self._target = self.source.target()
            start_seed = int(seed.words(self.random_seed, seed.START)[0])
            self._family = assemble(
                groups, self.source, self._target.space, self._target.dtype, start_seed
            )
        self._calls = 0
        self.method: str | None = None
        self.hist: np.ndarray = np.empty(0)
        self.include_transformed = False
        self.stopped: str | None = None
        self.skipped = 0
        self.stepping: Stepping | None = None
        self.journal = Journal()

    def update(self, family: AbstractFamily) -> None:
        """Show other parameters; for those who write a method."""
        if jax.tree.structure(family) != jax.tree.structure(self._family):
            # Views are of parameters that are there no more.
            self._forget_views()
        self._family = family
        self._refresh_views()

    def _take_parameters(self, family: AbstractFamily) -> None:
        self.update(family)
        self.journal, self.stopped = Journal(), _WRITTEN

    def retarget(self, target: Target) -> None:
        """Go on with the data of another moment; for those who write a method."""
        self._target = target

    def unconstrained_draws(self, draws: int, random_seed: Any = None) -> np.ndarray:
        """Draw flat vectors in the unconstrained space, one a row."""
        draws = as_positive("draws", draws)
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
        self._take_up_written()
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
        importance: Literal["psis"] | None = None,
    ) -> Any:
        """Draw from the approximation, or by its means from the posterior.

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
        importance
            ``"psis"`` for draws that are closer to the posterior than the approximation is: of
            four times as many draws, and at least 4000, these are chosen by Pareto smoothed
            importance weights (`taut.diagnose.psis`), by systematic resampling. Costs as many
            evaluations of the log density. Draws may repeat, and more draws have not the fewer
            among them. ``sample_stats`` has the ``log_weight`` of each draw, and as attributes
            ``khat``, ``khat_se``, ``importance_ess`` and ``importance_draws``.

        Returns
        -------
        xarray.DataTree
            One chain, in the groups ``posterior`` (constrained variables and deterministics, with
            dims and coords), ``unconstrained_posterior``, ``sample_stats`` (``log_q``: log density
            of q, and ``lp``: log joint density of the model, both in the unconstrained space, in
            nats; ``lp`` is left out where it would read a source, or more than 10⁸ rows), ``fit``
            (``loss`` by step), ``observed_data`` and ``constant_data``.

        Raises
        ------
        ArgumentError
            `draws` is not a positive integer, or weights are asked for of particles, which have
            no density.
        NotFiniteError
            The log density at some draw is no weight.

        Warns
        -----
        UserWarning
            k-hat is above 0.7, and weights do not make up for the distance to the posterior.
        """
        draws = as_positive("draws", draws)
        if importance not in (None, "psis"):
            raise ArgumentError(f'importance must be None or "psis", got {importance!r}.')
        weights = None
        if importance is None:
            drawn = self._draw(draws, random_seed)
        else:
            from taut.approximation.importance import importance_draws

            words = self._draw_words(random_seed)
            drawn, weights = importance_draws(
                self.family, self._target, self._streamed, draws, words
            )
        if not as_flag("return_inferencedata", return_inferencedata):
            from taut.frontend.pymc import multi_trace

            return multi_trace(self.model, drawn["unconstrained"] | drawn["constrained"])
        shown = self.include_transformed if include_transformed is None else include_transformed
        include_transformed = as_flag("include_transformed", shown)
        from taut.approximation.datatree import draws_to_datatree

        return draws_to_datatree(self, drawn, include_transformed, weights)

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
            There is no density, as of a repair's draws: `log_likelihood` compares such fits.
        RowsError
            Rows can not be read.
        """
        draws = as_positive("draws", draws)
        if rows != "all":
            raise ArgumentError(f'rows must be "all", got {rows!r}.')
        words = self._draw_words(random_seed)
        return elbo(self.family, self._target, self._streamed, draws, words)

    def diagnose(
        self, draws: int | None = None, *, chains: bool = True, random_seed: Any = None
    ) -> Report:
        r"""Find out whether the fit can be trusted.

        Fresh draws are weighed against the density. Where the weights are even they are the judge;
        else short Hamiltonian chains start at the draws: what moves was wrong by at least as much.
        An automatic fit has been judged already. What decides is in `taut.diagnose.Criteria`.

        Parameters
        ----------
        draws
            How many are weighed; by default 2 000, or 500 where each reads over 50 000 rows.
        chains
            Whether chains may run, about 30 000 gradients; without them nothing is trusted that
            has not been checked before, or has even weights.
        random_seed
            As in `sample`.

        Returns
        -------
        Report
            With `verdict`, `trusted`, and all that they rest on; prints as a table.

        Raises
        ------
        ArgumentError
            `draws` is not a positive integer.

        References
        ----------
        Wang, Kasprzak, Huggins (2023), A targeted accuracy diagnostic for variational
        approximations. Yao, Vehtari, Simpson, Gelman (2018), Yes, but did it work?

        Examples
        --------
        >>> import numpy as np, pymc as pm, taut
        >>> with pm.Model():
        ...     mu = pm.Normal("mu", 0.0, 10.0)
        ...     y = pm.Normal("y", mu, 1.0, observed=np.array([1.5, 2.5, 2.0]))
        ...     approx = taut.fit(random_seed=1, progressbar=False)
        >>> approx.diagnose(random_seed=1).trusted
        True
        """
        if draws is None:
            draws = _WEIGHED if self._rows <= _MANY_ROWS else _FEW_WEIGHED
        draws, chains = as_positive("draws", draws), as_flag("chains", chains)
        return diagnosed(self, draws, self._draw_words(random_seed), chains=chains)

    def repair(self, rounds: int = 8, *, random_seed: Any = None) -> "Approximation":
        """Go on with short chains from draws of the fit until nothing shifts.

        Parameters
        ----------
        rounds
            Of 64 chains and 60 transitions, later ones of more, each of which learns the
            coordinates of the next. A round takes about 10 000 to 100 000 gradients.
        random_seed
            Decides the chains.

        Returns
        -------
        Approximation
            A new one, whose draws are those of the chains; its `diagnose` says whether they have
            settled.

        Examples
        --------
        >>> import pymc as pm, taut
        >>> with pm.Model():
        ...     x = pm.Normal("x", 0.0, 1.0, shape=2)
        ...     y = pm.Normal("y", x[0] * x[1], 0.5, observed=1.0)
        ...     approx = taut.fit(2000, method="advi", random_seed=1, progressbar=False)
        >>> repaired = approx.repair(random_seed=1)
        >>> type(repaired.family).__name__
        'Particles'
        """
        rounds, words = as_positive("rounds", rounds), self._draw_words(random_seed)
        other = self._alike()
        with accounted(other.timing):
            other.update(repaired(self, rounds, words, other.journal, other.timing))
        other.stopped = str(other.journal.verdict)
        return other

    def _alike(self) -> "Approximation":
        """Begin another approximation of the same target."""
        other = copy.copy(self)
        other.timing, other.journal, other.method = Timing(), Journal(), f"{self.method}, repaired"
        other.hist, other.skipped = np.empty(0), 0
        other._forget_views()
        return other

    def log_densities(self, z: np.ndarray) -> np.ndarray:
        """Evaluate the log density of the model at points, on all rows."""
        return log_densities(self._target, self._streamed, z)

    def linear_response(self, draws: int = 200, *, random_seed: Any = None) -> LinearResponse:
        r"""Correct the covariance of a Gaussian fit by the response of its mean.

        .. math:: \Sigma_{\mathrm{LR}} = G H^{-1} G^\top

        Mean field's standard deviations are too small where the posterior is correlated, and it
        has no correlations; both come back to first order, and exactly where the posterior is
        Gaussian. Means stay as good or bad as they are. Use it on a fit by ``"advi"`` in place of
        one by ``"fullrank_advi"``, in particular in many dimensions.

        First some steps of Newton's method find the optimum of the ELBO on draws that are fixed;
        H is its Hessian there. A product with H costs two gradients for each draw. Where there
        are at most 1200 parameters, 600 dimensions of mean field, H is inverted by as many
        products; else each column of the covariance takes a run of conjugate gradients. No array
        of dim x dim is made but by ``cov()`` and ``approximation``.

        Parameters
        ----------
        draws
            How many; families with correlations use at least four for each dimension.
        random_seed
            As in `sample`.

        Returns
        -------
        taut.approximation.linear_response.LinearResponse
            With ``cov()``, ``std`` by variable, ``std_of(names)``, ``times(vector)``, and
            ``approximation``, a full-rank Gaussian to sample from.

        Raises
        ------
        ArgumentError
            The approximation is not Gaussian.
        RowsError
            Rows are read from a source, which holds no second derivatives.

        References
        ----------
        Giordano, Broderick, Jordan (2018), Covariances, Robustness, and Variational Bayes.
        Giordano, Ingram, Broderick (2024), Black Box Variational Inference with a Deterministic
        Objective.

        Examples
        --------
        >>> import numpy as np, pymc as pm, taut
        >>> cov = np.array([[1.0, 0.9], [0.9, 1.0]])
        >>> with pm.Model():
        ...     x = pm.MvNormal("x", np.zeros(2), cov)
        ...     approx = taut.fit(3000, method="advi", random_seed=1, progressbar=False)
        >>> np.round(approx.linear_response().cov(), 4)
        array([[1. , 0.9],
               [0.9, 1. ]])
        """
        draws = as_positive("draws", draws)
        if self._streamed is not None:
            raise RowsError(
                "linear_response needs all rows in memory, and those of this fit are read from a "
                "source. Give it a model of a subset of rows, or correct draws by "
                'approx.sample(importance="psis").'
            )
        words = self._draw_words(random_seed)
        return linear_response(self, draws, np.random.default_rng(words))

    def nuts_start(self, chains: int = 4, *, random_seed: Any = None) -> NutsStart:
        """Go on with NUTS where the fit is not to be trusted: start points, and a mass matrix.

        Parameters
        ----------
        chains
            How many. Each starts at a draw of q whose log density is finite.
        random_seed
            As in `sample`.

        Returns
        -------
        taut.approximation.nuts_start.NutsStart
            ``pymc()`` gives arguments for `pymc.sample`, ``nutpie_model()`` what `nutpie.sample`
            takes, ``nutpie()`` arguments for `nutpie.compile_pymc_model`; ``points``, ``mean``,
            ``std`` and ``cov`` are for others.

        Raises
        ------
        ArgumentError
            `chains` is not a positive integer, or the target was written by hand.
        RowsError, NotFiniteError
            The model has only batches of the rows, or too few draws have a finite log density.
        """
        return nuts_start(self, chains, self._draw_words(random_seed))

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
        ...     approx = taut.fit(random_seed=1, progressbar=False)
        >>> tree = approx.log_likelihood(1000, random_seed=1)
        >>> round(float(arviz_stats.loo(tree).elpd))
        -82
        """
        random_seed = self._draw_words(random_seed) if random_seed is None else random_seed
        draws = as_positive("draws", draws)
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
        from taut.approximation.datatree import with_log_likelihood

        return with_log_likelihood(tree, values, self._target.labels)

    def sample_dict_fn(self, draws: int = 100, *, random_seed: Any = None) -> dict[str, np.ndarray]:
        """Draw raw arrays by value variable, in the unconstrained space."""
        draws = as_positive("draws", draws)
        return self._draw(draws, random_seed)["unconstrained"]

    def __repr__(self) -> str:
        family = type(self.family).__name__
        variables = "variable" if len(self._target.space.slots) == 1 else "variables"
        return (
            f"<Approximation {family} of {len(self._target.space.slots)} {variables} "
            f"({self.ndim} dimensions): {self._state()}>"
        )

    def _state(self) -> str:
        """Say in a few words how the fit went."""
        if self.stopped == _WRITTEN:
            return _WRITTEN
        if self.journal.outcome is not None:
            trusted = "trusted" if self.journal.verdict.trusted else "not trusted"
            elbo = self.journal.elbo
            return trusted if elbo is None else f"{trusted}, ELBO {elbo:,.5g}"
        loss = f", average loss {average(self.hist):,.5g}" if len(self.hist) else ""
        return f"{len(self.hist):,d} steps{loss}"

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

    @property
    def _rows(self) -> int:
        """Rows that one evaluation of the density reads."""
        if self._streamed is not None:
            return self._streamed.partition.rows
        return self._target.rows_of(self._target.whole)

    def _draw(self, draws: int, random_seed: Any) -> dict[str, Any]:
        words = self._draw_words(random_seed)
        drawn = all_of(self._target, self.family, draws, words)
        # The density on the few rows that a model of a source holds is none of the posterior.
        known = self._streamed is None and draws * self._rows <= _MOST_READ
        lp = self.log_densities(drawn["z"]) if known else np.full(draws, np.nan)
        return drawn | {"lp": lp}

    def _draw_words(self, random_seed: Any) -> np.ndarray:
        if random_seed is not None:
            return seed.words(seed.entropy(random_seed), seed.DRAWS)
        self._calls += 1
        return seed.words(self.random_seed, seed.DRAWS, self._calls)

    def _moment(self, name: str) -> np.ndarray:
        return self._read([name])[name]

    def _read(self, names: Iterable[str]) -> dict[str, np.ndarray]:
        """Read moments and parameters, all by one program; callbacks may do so at every step."""
        values = self._target.programs(read_off, tuple(names), self.family)
        return {name: np.asarray(value) for name, value in values.items()}

    def _dataset(self, flat: np.ndarray) -> Any:
        from taut.approximation.datatree import to_dataset

        return to_dataset(self._target.space.unravel(flat), self._target.labels)

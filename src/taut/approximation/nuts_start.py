"""Where NUTS goes on from a fit: start points and a mass matrix."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from taut.approximation.drawing import all_of, read_off
from taut.approximation.evaluation import log_densities
from taut.approximation.fitted import Fitted
from taut.approximation.moments import moments_table
from taut.approximation.nutpie_model import nutpie_model
from taut.approximation.nuts_coordinates import Affine, GivenGlobals, NutsCoordinates
from taut.approximation.state import State
from taut.arguments import as_positive
from taut.batches import AllRows
from taut.errors import ArgumentError, NotFiniteError, RowsError
from taut.family import Structured
from taut.tables import Rows, as_html, as_text
from taut.target import Space, Target

# Draws to choose from; as many as a program makes at once.
_POOL = 250
# Up to so many dimensions the mass matrix may be dense.
_DENSE = 500


@dataclass(frozen=True, eq=False, repr=False)
class NutsStart:
    r"""Start points and a mass matrix for NUTS; made by ``approx.nuts_start()``.

    The inverse mass matrix is the covariance of q in the unconstrained space, which makes a
    posterior like q round. It is dense up to 500 dimensions where q has correlations, else
    diagonal. Where latents were integrated out, `nutpie_model` has them in coordinates given the
    globals, at any number of them.

    Parameters
    ----------
    model
        The PyMC model.
    target
        Its log density on a flat vector, with the value variables in the order in which PyMC and
        nutpie have them.
    chains
        How many.
    draws
        Draws of q by free variable, in its own space, at which the density is finite.
    z
        The same in the unconstrained space, one a row.
    mean, std
        Moments of q, in the unconstrained space.
    cov
        Its covariance; `None` where the mass matrix is diagonal.
    given
        q where it has latents given globals, else `None`.

    Examples
    --------
    >>> import numpy as np, pymc as pm, taut
    >>> with pm.Model():
    ...     x = pm.MvNormal("x", np.zeros(2), np.array([[1.0, 0.9], [0.9, 1.0]]))
    ...     approx = taut.fit(method="batch_match", random_seed=1, progressbar=False)
    >>> start = approx.nuts_start(2, random_seed=1)
    >>> start
    <NutsStart of 2 chains: dense mass matrix of 2 dimensions>
    >>> trace = pm.sample(100, tune=100, **start.pymc(), cores=1, random_seed=1,
    ...                   progressbar=False, quiet=True)
    >>> trace["posterior"]["x"].shape
    (2, 100, 2)
    """

    model: Any
    target: Target
    chains: int
    draws: Mapping[str, np.ndarray]
    z: Float[np.ndarray, "draws dim"]
    mean: Float[np.ndarray, " dim"]
    std: Float[np.ndarray, " dim"]
    cov: Float[np.ndarray, "dim dim"] | None
    given: Structured | None = None

    @property
    def space(self) -> Space:
        """Which slice of the flat vector belongs to which value variable."""
        return self.target.space

    @property
    def points(self) -> list[dict[str, np.ndarray]]:
        """A draw of q for each chain, as ``pm.sample(initvals=...)`` takes them.

        They serve PyMC's other samplers too:
        ``pm.sample(chains=4, initvals=start.points, nuts_sampler="numpyro")``.
        """
        return [
            {name: values[chain] for name, values in self.draws.items()}
            for chain in range(self.chains)
        ]

    def pymc(self, **nuts: Any) -> dict[str, Any]:
        """Return arguments for `pymc.sample`: ``pm.sample(**start.pymc(), draws=1000)``.

        These are ``model``, ``chains``, ``initvals`` and ``step``, a `pymc.NUTS` whose mass matrix
        counts as at least 50 draws and is adapted further in the warm-up. Make them anew for each
        call: the step keeps what it has learnt. A step is PyMC's own, which no other
        ``nuts_sampler`` takes.

        Parameters
        ----------
        **nuts
            More arguments of `pymc.NUTS`, such as ``target_accept=0.95``.
        """
        from taut.frontend.pymc import nuts_step

        return {
            "model": self.model,
            "chains": self.chains,
            "initvals": self.points,
            "step": nuts_step(self.model, self.mean, self.std, self.cov, nuts),
        }

    def nutpie(self) -> dict[str, Any]:
        """Return arguments for `nutpie.compile_pymc_model`: each chain starts at a draw of q.

        These are start points alone; for the mass matrix too see `nutpie_model`. The draws go into
        the compiled model, without jitter, and the seed of a chain chooses among them::

            compiled = nutpie.compile_pymc_model(model, **start.nutpie())
            trace = nutpie.sample(compiled, chains=4)

        or ``pm.sample(nuts_sampler="nutpie", compile_kwargs=start.nutpie())``.
        """
        from taut.frontend.pymc import random_start

        return {"initial_points": random_start(self.draws), "jitter_rvs": set()}

    def nutpie_model(self) -> Any:
        r"""Build a model of nutpie, in coordinates in which the mass matrix is the identity.

        nutpie takes no mass matrix: it finds a diagonal one by itself. So it gets the log density
        of x, where :math:`z = \mu + R x` and :math:`R R^\top` is the covariance of q, on JAX,
        and adapts what is left to adapt::

            trace = nutpie.sample(start.nutpie_model(), chains=4)

        Where q has many latents given a few globals (`taut.family.Structured`) x are the globals in
        such coordinates, and what is random of the latents given them:
        :math:`u = m(\theta) + D(\theta) H^{-1/2} x_u`.

        Draws are of the model's variables in their own space, deterministic ones too.

        Raises
        ------
        ModuleNotFoundError
            nutpie is not installed.
        """
        return nutpie_model(self.target, self.z, self._coordinates())

    def _coordinates(self) -> NutsCoordinates:
        if self.given is not None:
            found = GivenGlobals.of(self.given, self.target.dtype)
            if found is not None:
                return found
        return Affine(self.mean, self.std if self.cov is None else np.linalg.cholesky(self.cov))

    def __repr__(self) -> str:
        kind = "diagonal" if self.cov is None else "dense"
        chains = "1 chain" if self.chains == 1 else f"{self.chains} chains"
        given = "" if self.given is None else ", for nutpie latents given globals"
        return f"<NutsStart of {chains}: {kind} mass matrix of {self.space.dim} dimensions{given}>"

    def __str__(self) -> str:
        return as_text(repr(self), self._table())

    def _repr_html_(self) -> str:
        return as_html(repr(self), self._table())

    def _table(self) -> Rows:
        return moments_table(self.space, self.mean, self.std)


def nuts_start(approx: Fitted, chains: int = 4, *, random_seed: Any = None) -> NutsStart:
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
    state, model = approx.state, approx.model
    if not approx.source.has_density:
        raise ArgumentError(approx.source.no_expressions)
    _check(model, state, chains)
    draws, z = _finite_draws(model, state, int(chains), approx.words(random_seed))
    given = state.family if isinstance(state.family, Structured) else None
    return NutsStart(model, state.target, int(chains), draws, z, *_moments(state), given)


def _check(model: Any, state: State, chains: Any) -> None:
    as_positive("chains", chains)
    if model is None:
        raise ArgumentError(
            "nuts_start needs a PyMC model, and this is a fit of a target that was written by "
            "hand. A sampler of JAX functions can start at approx.unconstrained_draws(4), with "
            "approx.family.cov() as its inverse mass matrix."
        )
    if state.streamed is not None or not isinstance(state.target.batches, AllRows):
        raise RowsError(
            "NUTS reads all rows at each step, and this model has only batches of them. Write "
            "the model for all rows, in memory, and fit that: taut.fit(batch_size=...)."
        )


def _finite_draws(
    model: Any, state: State, chains: int, words: np.ndarray
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Draw values of the free variables, and z, at which the density is finite for PyMC too."""
    from taut.frontend.pymc import as_pymc_starts, free_values

    target, count = state.target, max(_POOL, 2 * chains)
    drawn = all_of(target, state.family, count, words)
    values = free_values(model, drawn["unconstrained"] | drawn["constrained"])
    starts = as_pymc_starts(model, values, target.space)
    densities = log_densities(state, drawn["z"])
    finite = np.isfinite(densities) & np.isfinite(starts).all(axis=1)
    if finite.sum() < chains:
        raise NotFiniteError(
            f"Only {finite.sum()} of {count} draws of the fit have a finite log density, and "
            f"{chains} chains have to start. Fit again, with a smaller learning rate or another "
            "method, or let PyMC choose its start points."
        )
    return {name: array[finite] for name, array in values.items()}, starts[finite]


def _moments(state: State) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Read mean, standard deviations, and a covariance if there is more to it than those."""
    target = state.target
    names = ("mean", "std", "cov") if target.space.dim <= _DENSE else ("mean", "std")
    read = target.programs(read_off, names, state.family)
    moments = {name: np.asarray(value, float) for name, value in read.items()}
    # A scale that is none, as of one particle, is PyMC's own.
    usable = np.isfinite(moments["std"]) & (moments["std"] > 0)
    std = np.where(usable, moments["std"], 1.0)
    return moments["mean"], std, _dense(moments["cov"], std) if "cov" in moments else None


def _dense(cov: np.ndarray, std: np.ndarray) -> np.ndarray | None:
    """Return the covariance, or `None` if it is diagonal or, as of few particles, singular."""
    correlation = cov / std / std[:, None]
    away = correlation - np.eye(len(std))
    if not np.isfinite(away).all() or np.abs(away).max(initial=0.0) < 1e-10:
        return None
    return cov if np.linalg.eigvalsh(correlation)[0] > 1e-8 else None

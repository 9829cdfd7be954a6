"""The result of a fit."""

from collections.abc import Iterable, Mapping
from typing import Any

import jax
import numpy as np
from jaxtyping import Array, PyTree

from taut import seed
from taut.compilation import Timing
from taut.draws import map_draws
from taut.errors import ArgumentError
from taut.family import AbstractFamily
from taut.frontend import AbstractSource
from taut.progress import average
from taut.target import Target
from taut.types import AnyArray

# Draws made by one call of the program, which so serves every number of them.
_BLOCK = 250


class Approximation:
    r"""A density :math:`q(z)` in place of a posterior, with all that a user reads off it.

    It follows the fit it belongs to: after ``refine``, and inside callbacks, it shows the
    parameters of that moment.

    Parameters
    ----------
    source
        The model.
    target
        Its log density.
    family
        The approximation's density.
    random_seed
        One integer; draws that are given no seed of their own come from it.
    method
        What fits it, for the result's attributes.

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
        self,
        source: AbstractSource,
        target: Target,
        family: AbstractFamily,
        random_seed: int,
        method: str,
    ) -> None:
        self._source, self._target, self._family = source, target, family
        self._seed, self._calls, self._method = random_seed, 0, method
        self._views: Any = None
        self._in_64_bits = np.dtype(target.dtype).itemsize == 8
        self.hist: np.ndarray = np.empty(0)
        self.timing = Timing()
        self.include_transformed = False
        self.stopped: str | None = None
        self.skipped = 0

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
        return getattr(self._source, "model", None)

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
        if not isinstance(draws, int | np.integer) or isinstance(draws, bool) or draws < 1:
            raise ArgumentError(f"draws must be a positive integer, got {draws!r}.")
        drawn = self._draw(int(draws), random_seed)
        if not return_inferencedata:
            from taut.frontend.pymc.trace import multi_trace

            return multi_trace(self.model, drawn["unconstrained"] | drawn["constrained"])
        if include_transformed is None:
            include_transformed = self.include_transformed
        from taut.result import draws_to_datatree

        return draws_to_datatree(self, drawn, include_transformed)

    def attributes(self) -> dict[str, Any]:
        """Describe the fit, for the attributes of what is made of it."""
        return {
            "inference_library": "taut",
            "inference_method": "variational inference",
            "variational_method": self._method,
            "variational_family": type(self._family).__name__,
            "steps": len(self.hist),
            "skipped_steps": self.skipped,
            "stopped": self.stopped or "not fitted",
            "fitting_time": self.timing.total,
        }

    def data_groups(self) -> dict[str, dict[str, np.ndarray]]:
        """Collect the model's data by the group ArviZ has them in."""
        if self.model is None:
            return {}
        from taut.frontend.pymc.trace import data_groups

        return data_groups(self.model)

    def __repr__(self) -> str:
        family = type(self._family).__name__
        loss = f", average loss {average(self.hist):,.5g}" if len(self.hist) else ""
        variables = "variable" if len(self._target.space.slots) == 1 else "variables"
        return (
            f"<Approximation {family} of {len(self._target.space.slots)} {variables} "
            f"({self.ndim} dimensions): {len(self.hist):,d} steps{loss}>"
        )

    def __str__(self) -> str:
        return "\n".join([repr(self), *(" ".join(row) for row in self._table())])

    def _repr_html_(self) -> str:
        from html import escape

        rows = "".join(
            "<tr>" + "".join(f"<td>{escape(cell.strip())}</td>" for cell in row) + "</tr>"
            for row in self._table()
        )
        return f"<p>{escape(repr(self))}</p><table>{rows}</table>"

    def _table(self, longest: int = 12) -> list[tuple[str, ...]]:
        """Lay out mean and sd of the first elements in the unconstrained space."""
        mean, std = self._moment("mean"), self._moment("std")
        shown = range(min(longest, self.ndim))
        names = ["unconstrained", *(self._target.space.element_name(i) for i in shown)]
        width = max(map(len, names))
        rows = [(names[0].ljust(width), f"{'mean':>10}", f"{'sd':>10}")]
        rows += [
            (name.ljust(width), f"{mean[i]:10.4g}", f"{std[i]:10.4g}")
            for i, name in zip(shown, names[1:], strict=True)
        ]
        if self.ndim > longest:
            rows.append((f"… {self.ndim - longest} more".ljust(width), "", ""))
        return rows

    def _draw(self, draws: int, random_seed: Any) -> dict[str, Any]:
        """Draw in blocks of one program, and cut the last block."""
        if random_seed is None:
            self._calls += 1
            words = seed.words(self._seed, seed.DRAWS, self._calls)
        else:
            words = seed.words(seed.entropy(random_seed), seed.DRAWS)
        blocks = []
        with self._target.precision():
            for first in range(0, draws, _BLOCK):
                block = self._target.programs(
                    Timing(),
                    _draw_block,
                    self._family,
                    self._target,
                    words,
                    np.int32(first),
                )
                blocks.append(jax.tree.map(np.asarray, block))
        return jax.tree.map(lambda *parts: np.concatenate(parts)[:draws], *blocks)

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
            values = self._target.programs(Timing(), _read_off, tuple(names), self._family)
        return {name: np.asarray(value) for name, value in values.items()}

    def _view(self, name: str) -> Any:
        if self._views is None:
            from taut.frontend.pymc.views import Views

            self._views = Views(self._read)
        return self._views[name]

    def _dataset(self, flat: np.ndarray) -> Any:
        from taut.result import to_dataset

        return to_dataset(self._target.space.unravel(flat), self._target.labels)


def _read_off(names: tuple[str, ...], family: AbstractFamily) -> dict[str, AnyArray]:
    """Evaluate what is named; moments go before parameters of the same name."""
    moments = {"mean": family.mean, "std": family.std, "cov": family.cov}
    return {n: moments[n]() if n in moments else family.parameters()[n] for n in names}


def _draw_block(
    family: AbstractFamily, target: Target, key_words: Array, first: Array
) -> Mapping[str, PyTree]:
    """Make a block of draws with their densities; the noise of a draw depends on its number."""
    key = seed.key(key_words)
    keys = jax.vmap(lambda i: jax.random.fold_in(key, first + i))(np.arange(_BLOCK))
    z, log_q = jax.vmap(family.sample_and_log_prob)(keys)
    rows = target.rows_of(target.batches.all())
    return {
        "unconstrained": jax.vmap(target.space.unravel)(z),
        "constrained": map_draws(target.constrain, z, rows),
        "lp": map_draws(target.log_density, z, rows),
        "log_q": log_q,
    }

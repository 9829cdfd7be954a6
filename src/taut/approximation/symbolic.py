"""An approximation in expressions: PyTensor's view of it, and expressions at its draws."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import jax
import numpy as np

from taut.approximation.drawing import evaluate_at, evaluated, sampled
from taut.approximation.noise import words_of
from taut.arguments import as_positive
from taut.errors import ArgumentError
from taut.family import AbstractFamily, Particles, with_parameter
from taut.target import Stepping, Target


class AbstractSymbolic(ABC):
    """What PyTensor expressions and an approximation have to do with one another.

    All of it follows the fit: shared variables are refreshed when the parameters change.
    """

    random_seed: int
    stepping: Stepping | None
    # Made when they are first asked for, since each loads PyTensor or compiles.
    _views: Any = None
    _expressions: Any = None
    _lifted: Any = None

    @property
    @abstractmethod
    def model(self) -> Any:
        """The PyMC model, `None` for a target written by hand."""

    @property
    @abstractmethod
    def family(self) -> AbstractFamily:
        """The approximation's density, with parameters as JAX arrays."""

    @property
    @abstractmethod
    def target(self) -> Target:
        """The log density that is approximated."""

    @property
    @abstractmethod
    def parameters(self) -> dict[str, np.ndarray]:
        """The parameters by name, in NumPy."""

    @abstractmethod
    def unconstrained_draws(self, draws: int, random_seed: Any = None) -> np.ndarray:
        """Draw flat vectors in the unconstrained space, one a row."""

    @abstractmethod
    def _draw_words(self, random_seed: Any) -> np.ndarray:
        """Give the key words of the stream that a seed, or the next call, draws from."""

    @abstractmethod
    def _read(self, names: Iterable[str]) -> dict[str, np.ndarray]:
        """Read moments and parameters."""

    @property
    def shared_params(self) -> dict[str, Any]:
        """The parameters as PyTensor shared variables that follow the fit.

        What is written to them, by ``set_value`` or the ``updates`` of a PyTensor function, are the
        parameters from then on: of draws, moments and densities, and of a fit that goes on, in a
        callback too. A verdict on those before is forgotten.

        Examples
        --------
        >>> import numpy as np, pymc as pm, taut
        >>> with pm.Model():
        ...     x = pm.Normal("x", shape=2)
        ...     approx = taut.MeanField()
        >>> approx.shared_params["mu"].set_value(np.array([9.0, -9.0]))
        >>> print(approx.mean.eval())
        [ 9. -9.]
        """
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
        ...     approx = taut.fit(random_seed=1, progressbar=False)
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
        many seconds where this takes one, and milliseconds from the second call on. Random
        variables that the expression has of its own, such as ``pm.Normal.dist(mu, sigma)``, draw
        anew for each draw.

        Parameters
        ----------
        node
            A PyTensor expression of variables of the model, or a list of them, which then share
            their draws, and the noise of random variables that stand in several of them.
        draws
            How many.
        more_replacements
            Other variables to replace, as in `sample_node`; new arrays of the same shapes compile
            nothing.
        random_seed
            As in `sample`; decides noise of the expression's own, too.

        Returns
        -------
        xarray.DataArray or list
            With the axes ``chain`` and ``draw`` first.

        Examples
        --------
        >>> import pymc as pm, taut
        >>> with pm.Model(coords={"side": ["left", "right"]}):
        ...     x = pm.Normal("x", 3.0, 0.1, dims="side")
        ...     approx = taut.fit(random_seed=1, progressbar=False)
        >>> approx.evaluate(x**2, draws=50).shape
        (1, 50, 2)
        """
        draws = as_positive("draws", draws)
        nodes = list(node) if isinstance(node, list | tuple) else [node]
        values = self._evaluate(nodes, draws, dict(more_replacements or {}), random_seed)
        from taut.approximation.datatree import label_draws

        labelled = [
            label_draws(value, node.name, self.target.labels)
            for node, value in zip(nodes, values, strict=True)
        ]
        return labelled if isinstance(node, list | tuple) else labelled[0]

    def evaluate_over_trace(self, node: Any, *, random_seed: Any = None) -> Any:
        """Evaluate an expression at every particle of an `Empirical`, in their order.

        Parameters
        ----------
        node
            As in `evaluate`.
        random_seed
            Decides the noise of random variables that the expression has of its own.

        Raises
        ------
        ArgumentError
            The approximation has no particles.
        """
        if not isinstance(self.family, Particles):
            raise ArgumentError(
                f"evaluate_over_trace needs particles, and this is a {type(self.family).__name__}."
                " Use evaluate or sample_node."
            )
        nodes = list(node) if isinstance(node, list | tuple) else [node]
        values = self._over_particles(self._lift(nodes, {}), random_seed)
        return values if isinstance(node, list | tuple) else values[0]

    def _over_particles(self, lifted: Any, random_seed: Any) -> list[np.ndarray]:
        histogram, generators = self.parameters["histogram"], len(lifted.generators)
        # Without noise there is no call to count.
        key_words = self._draw_words(random_seed if generators else 0)
        own = words_of(key_words, np.arange(len(histogram)), generators)
        if lifted.function is None:
            return lifted.by_pytensor(histogram, own, {})
        with self.target.precision():
            data = lifted.arrays({})
        values = self.target.programs(evaluate_at, lifted, histogram, own, data)
        return [np.asarray(value) for value in values]

    @property
    def symbolic_normalizing_constant(self) -> Any:
        """PyTensor scalar: rows over batch rows in the last fit, by which PyMC divides its loss.

        The largest, where variables have different ones; 1 where steps use all rows. What PyMC
        calls ``hist`` is ``approx.hist / approx.symbolic_normalizing_constant.eval()``.
        """
        from taut.frontend.pymc.expressions import constant

        return constant(1.0 if self.stepping is None else self.stepping.scale)

    @property
    def expressions(self) -> Any:
        """Builder of PyTensor expressions over the approximation."""
        if self._expressions is None:
            from taut.frontend.pymc.expressions import Expressions

            self._expressions = Expressions(
                self.model, self.target.space, self.family, self._view, self.random_seed
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

    @abstractmethod
    def _take_parameters(self, family: AbstractFamily) -> None:
        """Go on with parameters that a user has written."""

    def _write(self, name: str, value: Any) -> None:
        """Take a parameter that was written to its shared variable."""
        self._take_parameters(with_parameter(self.family, name, value))

    def _take_up_written(self) -> None:
        """Take parameters that a function of PyTensor has written to their shared variables."""
        for name, value in {} if self._views is None else self._views.written().items():
            try:
                self._write(name, value)
            except ArgumentError:
                self._refresh_views()
                raise

    def _forget_views(self) -> None:
        """Make them anew, for parameters of one's own."""
        self._views = self._expressions = self._lifted = None

    def _refresh_views(self) -> None:
        """Show other parameters."""
        if self._views is not None:
            self._views.refresh()

    @property
    def _parameter_names(self) -> tuple[str, ...]:
        return tuple(jax.eval_shape(self.family.parameters))

    def _evaluate(
        self,
        nodes: list[Any],
        draws: int,
        given: Mapping[Any, Any],
        random_seed: Any,
    ) -> Sequence[np.ndarray]:
        lifted, key_words = self._lift(nodes, given), self._draw_words(random_seed)
        if lifted.function is not None:
            with self.target.precision():
                data = lifted.arrays(given)
            return evaluated(self.target, self.family, draws, key_words, lifted, data)
        z, _ = sampled(self.target, self.family, draws, key_words)
        own = words_of(key_words, np.arange(draws), len(lifted.generators))
        return lifted.by_pytensor(z, own, given)

    def _lift(self, nodes: list[Any], given: Mapping[Any, Any]) -> Any:
        if self._lifted is None:
            from taut.frontend.pymc.expressions import LiftedExpressions

            self._lifted = LiftedExpressions(self.model, self.target.space)
        with self.target.precision():
            return self._lifted(nodes, given)

    def _view(self, name: str) -> Any:
        if self._views is None:
            from taut.frontend.pymc.expressions import Views

            self._views = Views(self._read, self._write)
        return self._views[name]

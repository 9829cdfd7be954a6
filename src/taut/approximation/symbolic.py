"""PyTensor's views of an approximation, and what was lifted of expressions at its draws."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, final

import numpy as np

from taut.engine import Same
from taut.errors import ArgumentError
from taut.target import Space

Read = Callable[[Iterable[str]], Mapping[str, np.ndarray]]


@final
class Symbolic:
    """Shared variables that follow the parameters, and expressions; made when first asked for.

    Each loads PyTensor, or compiles.

    Parameters
    ----------
    model
        The PyMC model.
    space
        Names the elements of the unconstrained vector.
    read
        Gives moments and parameters of this moment by name.
    write
        Takes a parameter that was written to its view.
    random_seed
        Decides the draws of expressions.
    """

    def __init__(
        self,
        model: Any,
        space: Space,
        read: Read,
        write: Callable[[str, Any], None],
        random_seed: int,
    ) -> None:
        self._model, self._space, self._random_seed = model, space, random_seed
        self._read, self._write = read, write
        self._views: Any = None
        self._expressions: Any = None
        self._lifted: Any = None
        self._predicted: dict[Any, list[Any]] = {}

    def view(self, name: str) -> Any:
        """Return a moment or a parameter as a shared variable."""
        if self._views is None:
            from taut.frontend.pymc.expressions import Views

            self._views = Views(self._read, self._write)
        return self._views[name]

    def expressions(self, family: Any) -> Any:
        """Return the builder of PyTensor expressions over a family of these parameters."""
        if self._expressions is None:
            from taut.frontend.pymc.expressions import Expressions

            self._expressions = Expressions(
                self._model, self._space, family, self.view, self._random_seed
            )
        return self._expressions

    def lift(self, nodes: list[Any], given: Mapping[Any, Any]) -> Any:
        """Return expressions as a function of JAX."""
        if self._lifted is None:
            from taut.frontend.pymc.expressions import LiftedExpressions

            self._lifted = LiftedExpressions(self._model, self._space)
        return self._lifted(nodes, given)

    def predicted(self, names: Iterable[str]) -> list[Any]:
        """Return expressions in which observed variables are drawn anew, the same at each call."""
        from taut.frontend.pymc.expressions import predicted

        names = tuple(names)
        observed = (names, *map(Same, self._model.observed_RVs))
        if observed not in self._predicted:
            self._predicted[observed] = predicted(self._model, names)
        return self._predicted[observed]

    @property
    def is_made(self) -> bool:
        """Whether anybody has asked for a view or an expression."""
        made = self._views, self._expressions, self._lifted
        return any(one is not None for one in made)

    def take_up_written(self) -> None:
        """Write parameters that a function of PyTensor has written to their shared variables."""
        for name, value in {} if self._views is None else self._views.written().items():
            try:
                self._write(name, value)
            except ArgumentError:
                self.refresh()
                raise

    def refresh(self) -> None:
        """Show other parameters of the same family."""
        if self._views is not None:
            self._views.refresh()

    def forget(self) -> None:
        """Make all anew, for parameters of another family."""
        self._views = self._expressions = self._lifted = None

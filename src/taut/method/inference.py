"""The inference objects a user holds, with PyMC's calls."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from taut.approximation import Approximation
from taut.errors import ArgumentError
from taut.method.base import AbstractMethod
from taut.method.descent import Descent
from taut.method.session import Session
from taut.objective import AbstractObjective
from taut.optimizer import as_optimizer
from taut.progress import AbstractProgress, RichProgress, SilentProgress


class Inference(ABC):
    """A fit that can be run, looked at, and gone on with."""

    _session: Session

    @abstractmethod
    def _objective(self, n_mc: int | None) -> AbstractObjective:
        """Give the objective, estimated from so many draws a step; `None` for its default."""

    @property
    def approx(self) -> Approximation:
        """The approximation; before the fit, the one it starts from."""
        return self._session.approx

    @property
    def hist(self) -> np.ndarray:
        """The loss of each step so far: the negative ELBO, in nats, at the scale of all rows."""
        return self._session.hist

    def fit(
        self,
        n: int = 10_000,
        score: bool | None = None,
        callbacks: Iterable[Callable[..., Any]] | None = None,
        progressbar: bool = True,
        progressbar_theme: Any = None,
        *,
        obj_n_mc: int | None = None,
        obj_optimizer: Any = None,
        total_grad_norm_constraint: float | None = None,
        backend: str | None = None,
        include_transformed: bool = False,
    ) -> Approximation:
        """Take `n` steps from the parameters of this moment, with a fresh optimizer.

        Parameters
        ----------
        n
            Steps.
        score
            ``False`` keeps no history and gives callbacks `None` for losses.
        callbacks
            Called as ``callback(approx, losses, i)``; see `taut.callbacks.Callback`.
        progressbar
            Whether to show one.
        progressbar_theme
            A `rich.theme.Theme`.
        obj_n_mc
            Draws for one gradient; by default 1 for the ELBO.
        obj_optimizer
            One of `taut`'s optimizers, or any `optax.GradientTransformation`; by default
            ``taut.adagrad_window()``, as in PyMC.
        total_grad_norm_constraint
            Bound of the gradient's total norm.
        backend
            Only ``"jax"``, which taut runs on; for calls written for PyMC.
        include_transformed
            Whether ``approx.sample`` puts unconstrained variables into its ``posterior``.

        Returns
        -------
        Approximation
            The same object as `approx`.

        Raises
        ------
        ArgumentError, OptimizerError
            An argument makes no sense.
        NotFiniteError
            The density is not finite at the start, or stops being so; `approx` keeps the last
            good parameters.
        """
        if backend not in (None, "jax"):
            raise ArgumentError(f'taut runs on JAX alone: backend must be "jax", got {backend!r}.')
        method = _descent(
            self._objective(None if obj_n_mc is None else _positive("obj_n_mc", obj_n_mc)),
            obj_optimizer,
            total_grad_norm_constraint,
        )
        self.approx.include_transformed = include_transformed
        progress = _progress(progressbar, progressbar_theme)
        return self._session.fit(method, n, callbacks, score is not False, progress)

    def refine(
        self, n: int, progressbar: bool = True, progressbar_theme: Any = None
    ) -> Approximation:
        """Take `n` more steps where the last fit ended: history, count and optimizer go on.

        Raises
        ------
        NotFittedError
            Nothing has been fitted yet.
        """
        return self._session.refine(n, _progress(progressbar, progressbar_theme))


def _descent(objective: AbstractObjective, optimizer: Any, max_norm: Any) -> AbstractMethod:
    if max_norm is not None:
        if not isinstance(max_norm, int | float | np.number) or not max_norm > 0:
            raise ArgumentError(
                f"total_grad_norm_constraint must be a number > 0, got {max_norm!r}."
            )
        max_norm = np.asarray(max_norm, float)
    return Descent(objective, as_optimizer(optimizer), max_norm)


def _positive(name: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
        raise ArgumentError(f"{name} must be a positive integer, got {value!r}.")
    return int(value)


def _progress(shown: bool, theme: Any) -> AbstractProgress:
    return RichProgress(theme) if shown else SilentProgress()

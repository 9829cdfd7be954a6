"""The inference objects a user holds, with PyMC's calls."""

import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, ClassVar, Literal

import equinox as eqx
import jax
import numpy as np
from optax.contrib import adopt

from taut.approximation import Approximation, as_checkpoint, keeps_the_fit
from taut.arguments import as_flag, as_positive
from taut.descent import AbstractStepper, AutoStep, Descent
from taut.engine import AnyDevices, accounted, refuse_forked, tells
from taut.errors import ArgumentError
from taut.family import AbstractFamily, has_density
from taut.method.fit_arguments import StepArguments
from taut.method.of_pymc import refuse_more
from taut.method.session import Session
from taut.objective import AbstractObjective
from taut.optimizer import AbstractOptimizer, adam, as_optimizer
from taut.progress import as_progress
from taut.rows import AbstractRows

_STEPS, _CAP = 10_000, 100_000
# What is scaled by the step size that is found. A short memory of squared gradients, because their
# scale changes by orders of magnitude on the way from the start. ADOPT divides a gradient by the
# root of those before it; Adam's has the gradient itself in it, so that where gradients are skewed
# steps cancel at a place where gradients do not, at any step size. But ADOPT is the less stable.
_ADAM = adam(learning_rate=1.0, beta2=0.99)
_ADOPT = as_optimizer(adopt(learning_rate=1.0, b2=0.99))


class Inference(ABC):
    """A fit that can be run, looked at, and gone on with."""

    # What `taut.fit` finds it by; `None` for what needs an approximation to begin with.
    name: ClassVar[str | None] = None
    takes: ClassVar[type[StepArguments]] = StepArguments
    _session: Session
    # Where `fit` is given none of its own; `None` for PyMC's, and for no bound.
    _optimizer: AbstractOptimizer | None = None
    _max_norm: float | None = None

    @abstractmethod
    def _objective(self, n_mc: int | None) -> AbstractObjective:
        """Return the objective, estimated from so many draws a step; `None` for its default."""

    def _begin(self, approx: Approximation) -> None:
        """Take up what is fitted; what every constructor ends with."""
        self._session = Session(type(self).__name__, approx)

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
        n: int | None = None,
        score: bool | None = None,
        callbacks: Iterable[Callable[..., Any]] | None = None,
        progressbar: bool = True,
        progressbar_theme: Any = None,
        *,
        obj_n_mc: int | None = None,
        obj_optimizer: Any = None,
        total_grad_norm_constraint: float | None = None,
        step_size: Literal["auto"] | None = None,
        backend: str | None = None,
        include_transformed: bool = False,
        batch_size: int | None = None,
        rows: Mapping[str, int] | AbstractRows | None = None,
        shuffle: bool = True,
        replace: bool = False,
        more_replacements: Mapping[Any, Any] | None = None,
        require_total_size: bool = True,
        checkpoint: str | os.PathLike[str] | None = None,
        every: int | str | None = None,
        devices: AnyDevices = None,
        **more: Any,
    ) -> Approximation:
        """Take `n` steps from the parameters of this moment, with a fresh optimizer.

        Parameters
        ----------
        n
            Steps, by default 10 000; 0 for what it starts from. With ``step_size="auto"`` the
            most of them, by default 100 000.
        score
            ``False`` keeps no history and gives callbacks `None` for losses.
        callbacks
            Called as ``callback(approx, losses, i)``; see `taut.callbacks.Callback`.
        progressbar
            Whether to show one.
        progressbar_theme
            A `rich.theme.Theme`.
        obj_n_mc
            Draws for one gradient; by default 1 for the ELBO, and 32 for `taut.FlowVI`.
        obj_optimizer
            One of `taut`'s optimizers, or any `optax.GradientTransformation`; by default
            ``taut.adagrad_window()``, as in PyMC, where the method has none of its own.
        total_grad_norm_constraint
            Bound of the gradient's total norm.
        step_size
            ``"auto"`` finds it: Adam at step sizes that fall, each until its iterates are
            stationary, which are then averaged; the fit ends when half the step size leads to
            the same average, and ``approx.stopped`` says so. No learning rate and no `n` need to
            be guessed; see `taut.descent.AutoStep`. It goes with every objective and every
            approximation that has a density, which particles have not. ``gradient="path"`` is
            faster where the family contains the posterior, as full rank nearly does, and slower
            where correlations are missed.
        backend
            Only ``"jax"``, which taut runs on; for calls written for PyMC.
        include_transformed
            Whether ``approx.sample`` puts unconstrained variables into its ``posterior``.
        batch_size
            Rows of the data that a step reads, of a model that is written for all of them. Rows
            are the first axis of each observed variable; arrays that go with them are found by
            their dims, or by their length. The likelihood is scaled to all rows, and it is
            checked that the batches of an epoch add up to them. Batches are made equal: 1 000
            rows in batches of 300 are four of 250.
        rows
            For the names of all data with rows the axis of these, such as ``{"X": 0, "y": 0}``,
            where lengths and dims mislead; or a source such as `taut.ParquetRows`, whose rows
            are read in place of the model's own.
        shuffle
            Whether epochs have an order of their own, or all the one of the data.
        replace
            Whether rows are drawn with replacement, without epochs.
        more_replacements
            What takes the place of variables in each step, such as ``{full_data: minibatch}``
            with a `taut.Minibatch` of the same data.
        require_total_size
            ``False`` allows a variable that is observed by a `taut.Minibatch` and has no
            ``total_size``.
        checkpoint
            A folder that keeps the fit while it is under way, made for its user alone. After a
            kill `taut.resume` goes on from what it holds, to the same result.
        every
            Steps, or seconds such as ``"60s"``, the default, between two states that are kept.
        devices
            Over which rows are spread: ``"all"``, how many, a `jax.sharding.Mesh` of one axis, or
            some of ``jax.devices()``; by default the one that JAX takes. Each device evaluates its
            part of a step's rows, and they add up value and gradient; parameters, and what has no
            rows, all of them have. Steps and draws are those of one device, but for rounding.
        **more
            Names of PyMC's that have no use on JAX, for the sake of an error that says what does
            the same.

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
        ModelError
            The likelihood does not factor over rows, or ``total_size`` is missing.
        RowsError
            Rows can not be read; `approx` keeps the last good parameters.
        StorageError
            The folder of checkpoints holds a fit already, or can not be used; or an optimizer or
            callback can not be pickled.
        """
        refuse_more(self.fit, more)
        return self.fit_with(
            StepArguments(
                n=n, score=score, callbacks=callbacks, progressbar=progressbar,
                progressbar_theme=progressbar_theme, obj_n_mc=obj_n_mc,
                obj_optimizer=obj_optimizer, step_size=step_size, backend=backend,
                total_grad_norm_constraint=total_grad_norm_constraint,
                include_transformed=include_transformed, batch_size=batch_size, rows=rows,
                shuffle=shuffle, replace=replace, more_replacements=more_replacements,
                require_total_size=require_total_size, checkpoint=checkpoint, every=every,
                devices=devices,
            )
        )  # fmt: skip

    def close(self) -> None:
        """Let go of the rows of a source, and of the thread that reads them ahead.

        Ctrl-C, an exception, and a fit that says itself when it is done do so too. `refine` begins
        to read again where the steps ended, which takes the reading of a part of an epoch.
        """
        self._session.close()

    def fit_with(self, given: StepArguments) -> Approximation:
        """Do the same with all arguments in one record."""
        refuse_forked("A fit")
        batching = given.batching
        stepper = self._stepper(given)
        n = given.n
        if n is None:
            n = _STEPS if given.step_size is None else _CAP
        shows = as_flag("progressbar", given.progressbar) and tells(batching.devices)
        progress = as_progress(shows, given.progressbar_theme)
        shown = as_flag("include_transformed", given.include_transformed)
        scored = given.score is None or as_flag("score", given.score)
        checkpoint = as_checkpoint(given.checkpoint, given.every, batching.devices)
        if checkpoint is not None:
            checkpoint.begin(batching.source)
        with self._under_way():
            return self._session.fit(
                stepper, n, given.callbacks, scored, progress, batching, shown, checkpoint
            )

    @contextmanager
    def _under_way(self) -> Iterator[None]:
        with (
            keeps_the_fit(self.approx),
            accounted(self.approx.timing),
            self._session.closed_unless_finished(),
        ):
            yield

    def _stepper(self, given: StepArguments) -> AbstractStepper:
        """Descend with an optimizer, or with steps that suit the family and whose size is found."""
        if given.backend not in (None, "jax"):
            raise ArgumentError(
                f'taut runs on JAX alone: backend must be "jax", got {given.backend!r}.'
            )
        n_mc, max_norm = given.obj_n_mc, given.total_grad_norm_constraint
        objective = self._objective(None if n_mc is None else as_positive("obj_n_mc", n_mc))
        max_norm = self._max_norm if max_norm is None else max_norm
        family, optimizer = self.approx.family, given.obj_optimizer
        _check_step_size(given.step_size, optimizer, family)
        if given.step_size is not None:
            return AutoStep(_descent(objective, _unscaled(family), max_norm))
        return _descent(objective, self._optimizer if optimizer is None else optimizer, max_norm)

    def refine(
        self,
        n: int,
        progressbar: bool = True,
        progressbar_theme: Any = None,
        *,
        checkpoint: str | os.PathLike[str] | None = None,
        every: int | str | None = None,
    ) -> Approximation:
        """Take `n` more steps where the last fit ended: history, count and optimizer go on.

        Parameters
        ----------
        n
            More steps.
        progressbar, progressbar_theme, checkpoint, every
            As in `fit`; the folder is another one than that of the fit.

        Raises
        ------
        NotFittedError
            Nothing has been fitted yet.
        StorageError
            As in `fit`.
        """
        refuse_forked("A fit")
        devices = self._session.devices
        kept = as_checkpoint(checkpoint, every, devices)
        shows = as_flag("progressbar", progressbar) and tells(devices)
        if kept is not None:
            kept.begin(self._session.rows)
        with self._under_way():
            return self._session.refine(n, as_progress(shows, progressbar_theme), kept)


def _check_step_size(step_size: Any, optimizer: Any, family: AbstractFamily) -> None:
    if step_size is None:
        return
    if step_size != "auto":
        raise ArgumentError(
            f'step_size must be "auto" or None, got {step_size!r}. A step size of your own is an '
            "optimizer's: obj_optimizer=taut.adam(learning_rate=0.01)."
        )
    if optimizer is not None:
        raise ArgumentError(
            'step_size="auto" brings its own optimizer, whose step size it chooses: leave '
            "obj_optimizer out, or step_size."
        )
    if not has_density(family):
        raise ArgumentError(
            'step_size="auto" averages iterates, and particles have no average: they change '
            "places, and the average of the places of one lies between them. Leave step_size out "
            "and give n and a falling rate, such as obj_optimizer=taut.adam(learning_rate="
            "optax.exponential_decay(0.1, 500, 0.5)), or fit an approximation that has a density, "
            "by taut.ADVI or taut.ASVGD."
        )


def _unscaled(family: AbstractFamily) -> AbstractOptimizer:
    """Choose ADOPT where each number is one element's; with matrices some fits diverge by it."""
    parameters = jax.tree.leaves(eqx.filter(family, eqx.is_inexact_array))
    return _ADOPT if all(leaf.ndim <= 1 for leaf in parameters) else _ADAM


def _descent(objective: AbstractObjective, optimizer: Any, max_norm: Any) -> Descent:
    if max_norm is not None:
        if not isinstance(max_norm, int | float | np.number) or not max_norm > 0:
            raise ArgumentError(
                f"total_grad_norm_constraint must be a number > 0, got {max_norm!r}."
            )
        max_norm = np.asarray(max_norm, float)
    return Descent(objective, as_optimizer(optimizer), max_norm)

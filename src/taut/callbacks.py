"""Callbacks, with PyMC's protocol, and the two that everyone uses."""

import inspect
from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import Any, Literal

import numpy as np
from jaxtyping import PyTree

from taut.arguments import as_number, as_positive, is_positive
from taut.errors import ArgumentError


class AbstractObserver(ABC):
    """Looks on at a loop, between chunks of steps."""

    @abstractmethod
    def next_look(self, done: int) -> int:
        """Return the first step after `done` that it wants to look at."""

    @abstractmethod
    def look(self, state: PyTree, losses: np.ndarray) -> None:
        """See the state after as many steps as there are losses."""


class Callback(ABC):
    """Called in a fit as ``callback(approx, losses, i)``, after step `i`.

    Any callable of these three arguments is a callback. `losses` are those of the call of ``fit``
    or ``refine`` under way; `i` counts from 1, and goes on in ``refine``. Raising
    ``StopIteration("reason")`` ends the fit and keeps what was fitted.

    An attribute ``every = k`` asks for calls at steps k, 2k, … only, and the steps between them
    then run on the device in one go; ``first`` asks for a first call at another step. A callable
    without ``every`` is called at every step, and costs what that costs.
    """

    every: int = 1

    @abstractmethod
    def __call__(self, approx: Any, losses: np.ndarray | None, i: int) -> None:
        """Look at the approximation after step `i`."""


class Callbacks(AbstractObserver):
    """The callbacks of one fit, each called when it is due.

    Parameters
    ----------
    callbacks
        What the user gave.
    publish
        Shows a new state to the approximation, before the callbacks look at it.
    approx
        What they are called with.
    offset
        Steps of earlier calls that the count goes on from.
    score
        Whether they get losses, or `None` as PyMC does for ``score=False``.
    """

    def __init__(
        self,
        callbacks: Iterable[Callable[..., Any]] | None,
        publish: Callable[[PyTree], None],
        approx: Any,
        offset: int = 0,
        score: bool = True,
    ) -> None:
        self._callbacks = [(callback, *_schedule(callback)) for callback in callbacks or ()]
        self._publish, self._approx, self._offset, self._score = (
            publish,
            approx,
            offset,
            score,
        )

    def next_look(self, done: int) -> int:
        steps = [_next(done + self._offset, *schedule) for _, *schedule in self._callbacks]
        return min(steps) - self._offset if steps else np.iinfo(np.int32).max

    def look(self, state: PyTree, losses: np.ndarray) -> None:
        self._publish(state)
        i = self._offset + len(losses)
        for callback, every, first in self._callbacks:
            if _next(i - 1, every, first) == i:
                callback(self._approx, losses if self._score else None, i)


class Following(AbstractObserver):
    """Lets another observer look, and then takes up what that has changed.

    Parameters
    ----------
    observer
        Looks first.
    take_up
        Called after each look.
    """

    def __init__(self, observer: AbstractObserver, take_up: Callable[[], None]) -> None:
        self._observer, self._take_up = observer, take_up

    def next_look(self, done: int) -> int:
        return self._observer.next_look(done)

    def look(self, state: PyTree, losses: np.ndarray) -> None:
        try:
            self._observer.look(state, losses)
        finally:
            self._take_up()


def as_callbacks(callbacks: Any) -> tuple[Callable[..., Any], ...]:
    """Take the callbacks of a fit, and refuse what can not be called.

    Raises
    ------
    ArgumentError
        It is no list of callables.
    """
    if callbacks is None:
        return ()
    if callable(callbacks) or not isinstance(callbacks, Iterable):
        raise ArgumentError(
            "callbacks has to be a list of callables: write callbacks=[...]; got "
            f"{callbacks!r} ({type(callbacks).__name__})."
        )
    found = tuple(callbacks)
    for callback in found:
        _schedule(callback)
    return found


def _schedule(callback: Callable[..., Any]) -> tuple[int, int]:
    if not callable(callback):
        raise ArgumentError(
            f"callbacks holds {callback!r}, which can not be called. A callback is a function "
            "callback(approx, losses, i), or an object with such a __call__."
        )
    if isinstance(callback, type):
        # Called as it is, it would take the approximation for the first of its own arguments.
        raise ArgumentError(
            f"callbacks holds a class; make an object of it: {callback.__name__}()."
        )
    # PyMC's own objects count the steps themselves, and take their first look at step 1.
    pymcs = any(cls.__module__.startswith("pymc.") for cls in inspect.getmro(type(callback)))
    every = _steps(callback, "every", 1)
    return every, _steps(callback, "first", 1 if pymcs else every)


def _steps(callback: Callable[..., Any], name: str, default: int) -> int:
    steps = getattr(callback, name, default)
    if not is_positive(steps):
        raise ArgumentError(
            f"{callback!r} has {name}={steps!r}, where a number of steps, 1 or more, is meant."
        )
    return int(steps)


def _next(i: int, every: int, first: int) -> int:
    return first if i < first else (i // every + 1) * every


class CheckParametersConvergence(Callback):
    r"""Stop when the parameters have settled.

    .. math:: \Bigl\| \frac{|\lambda_t - \lambda_{t-k}| + \varepsilon}
              {|\lambda_{t-k}| + \varepsilon} \Bigr\|_{\mathrm{ord}} < \text{tolerance}
              \quad\text{or}\quad \| \, |\lambda_t - \lambda_{t-k}| \, \|_{\mathrm{ord}}
              < \text{tolerance}

    for ``diff="relative"``, with :math:`\varepsilon = 10^{-6}`, or ``diff="absolute"``. The
    parameters are those of the family (for mean field mu and rho), joined to one vector. With
    minibatches their noise never settles; check the loss instead.

    Parameters
    ----------
    every
        Steps :math:`k` between two checks; the first looks back at step 1.
    tolerance
        Bound of the norm.
    diff
        ``"relative"`` or ``"absolute"``.
    ord
        The norm's order, as in `numpy.linalg.norm`.

    Examples
    --------
    >>> from taut.callbacks import CheckParametersConvergence
    >>> CheckParametersConvergence(every=50, diff="absolute", tolerance=1e-4).every
    50
    """

    first = 1

    def __init__(
        self,
        every: int = 100,
        tolerance: float = 1e-3,
        diff: Literal["relative", "absolute"] = "relative",
        ord: float = np.inf,
    ) -> None:
        if diff not in ("relative", "absolute"):
            raise ArgumentError(f'diff must be "relative" or "absolute", got {diff!r}.')
        self.every, self.diff, self.ord = as_positive("every", every), diff, ord
        self.tolerance = as_number("tolerance", tolerance)
        self._previous: np.ndarray | None = None

    def __call__(self, approx: Any, losses: np.ndarray | None, i: int) -> None:
        current = np.concatenate([np.ravel(p) for p in approx.parameters.values()])
        previous, self._previous = self._previous, current
        if previous is None or len(previous) != len(current):
            return
        delta = np.abs(current - previous)
        if self.diff == "relative":
            delta = (delta + 1e-6) / (np.abs(previous) + 1e-6)
        if np.linalg.norm(delta, self.ord) < self.tolerance:
            raise StopIteration(f"Convergence achieved at {i}")


class Tracker(Callback):
    """Record what functions return, while a fit goes on.

    A function that can be called without arguments is; any other is called as
    ``function(approx, losses, i)``, and so is one of any arguments, such as ``lambda *t: t[-1]``,
    that fails without. What a function raises is raised.

    Parameters
    ----------
    every
        Steps between two records.
    **functions
        Functions by the name their record gets.

    Examples
    --------
    >>> import time
    >>> from taut.callbacks import Tracker
    >>> tracker = Tracker(seconds=time.perf_counter, step=lambda approx, losses, i: i)
    >>> tracker(None, None, 1)
    >>> tracker["step"]
    [1]
    """

    def __init__(self, *, every: int = 1, **functions: Callable[..., Any]) -> None:
        self.every = as_positive("every", every)
        for name, function in functions.items():
            if not callable(function):
                raise ArgumentError(
                    f"{name} must be a function whose results are recorded, such as "
                    f"approx.mean.eval; got {function!r}."
                )
        self._functions = {name: (f, _way_to_call(f)) for name, f in functions.items()}
        self.hist: dict[str, list[Any]] = defaultdict(list)

    def __call__(self, approx: Any, losses: np.ndarray | None, i: int) -> None:
        for name, (function, call) in self._functions.items():
            self.hist[name].append(call(function, approx, losses, i))

    def record(self, approx: Any, losses: np.ndarray | None, i: int) -> None:
        """Record once, by hand."""
        self(approx, losses, i)

    def clear(self) -> None:
        """Forget all records."""
        self.hist = defaultdict(list)

    def __getitem__(self, name: str) -> list[Any]:
        if name not in self._functions:
            raise KeyError(f"{name!r} is not tracked; there are {sorted(self._functions)}")
        return self.hist[name]


def _way_to_call(function: Callable[..., Any]) -> Callable[..., Any]:
    try:
        signature = inspect.signature(function)
        signature.bind()
    except TypeError:
        return _with_arguments
    except ValueError:
        # Built-in functions without a signature, such as time.time, take none as a rule.
        return _without_arguments
    kinds = [parameter.kind for parameter in signature.parameters.values()]
    return _either if inspect.Parameter.VAR_POSITIONAL in kinds else _without_arguments


def _without_arguments(function: Callable[..., Any], *_: Any) -> Any:
    return function()


def _with_arguments(function: Callable[..., Any], *given: Any) -> Any:
    return function(*given)


def _either(function: Callable[..., Any], *given: Any) -> Any:
    try:
        return function()
    except StopIteration:
        raise
    except Exception:
        # Its signature does not say how it is meant.
        return function(*given)

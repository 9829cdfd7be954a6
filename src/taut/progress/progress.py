"""Progress of a fit, told to a person or to nobody."""

import logging
import time
from abc import ABC, abstractmethod
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    TaskID,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.theme import Theme

from taut.arguments import as_flag
from taut.progress.screens import screen_of

# How a fit ends, unless a callback has words of its own for it.
FINISHED, INTERRUPTED, NOT_FINITE = "finished", "interrupted", "not finite"

_LOGGER = logging.getLogger("taut")
# Losses an average is taken over, as in PyMC.
_WINDOW = 1000
_SECONDS_BETWEEN_UPDATES = 0.25
# Colours of the last line and of the bar beside it.
_GOOD, _BAD = "green", "yellow"


class AbstractProgress(ABC):
    """Is told how a fit goes."""

    @abstractmethod
    def start(self, steps: int | None) -> None:
        """A fit of so many steps begins, or one that ends by itself."""

    @abstractmethod
    def update(self, losses: np.ndarray, stage: str = "") -> None:
        """So many steps are done, with these losses; what a fit that has stages is at."""

    @abstractmethod
    def finish(self, losses: np.ndarray, stopped: str | None) -> None:
        """The fit has ended, and why."""


class SilentProgress(AbstractProgress):
    """Logs the last line, and shows nothing."""

    def start(self, steps: int | None) -> None:
        self._steps = steps

    def update(self, losses: np.ndarray, stage: str = "") -> None:
        """Show nothing."""

    def finish(self, losses: np.ndarray, stopped: str | None) -> None:
        _LOGGER.info(last_line(losses, self._steps, stopped))


class RichProgress(AbstractProgress):
    """A bar with speed, loss and time left, in terminals and notebooks.

    Parameters
    ----------
    theme
        Colours of the bar.
    console
        Where it is drawn; by default standard output, as PyMC's bar is.
    """

    def __init__(self, theme: Theme | None = None, console: Console | None = None) -> None:
        self._screen = screen_of(console or Console(theme=theme), theme)

    def start(self, steps: int | None) -> None:
        self._steps, self._last, self._begin = steps, -np.inf, time.perf_counter()
        self._drawn = BarColumn(bar_width=24)
        counted: tuple[ProgressColumn, ...] = (
            TaskProgressColumn(),
            TextColumn("{task.fields[speed]}"),
            TimeRemainingColumn(),
        )
        # How long one takes that ends by itself is not known, nor are its iterations of one length.
        self._bar = Progress(
            TextColumn("Fitting"),
            self._drawn,
            *((TimeElapsedColumn(),) if steps is None else counted),
            TextColumn("{task.fields[loss]}"),
            console=self._screen.console,
            auto_refresh=False,
        )
        self._task: TaskID = self._bar.add_task("", total=steps, loss="", speed="compiling")
        self._screen.begin(self._bar)

    def update(self, losses: np.ndarray, stage: str = "") -> None:
        now = time.perf_counter()
        if now - self._last < _SECONDS_BETWEEN_UPDATES:
            return
        if self._last == -np.inf:
            # The first chunk has waited for the compiler; speed is counted from here.
            self._begin, self._counted = now, len(losses)
        self._last = now
        self._show(losses, now, stage)

    def finish(self, losses: np.ndarray, stopped: str | None) -> None:
        style = style_of(stopped)
        if self._steps is None:
            # Through, whatever came of it.
            self._bar.update(self._task, total=max(len(losses), 1), completed=max(len(losses), 1))
            self._drawn.finished_style = style or self._drawn.finished_style
        if self._last > -np.inf:
            self._show(losses, time.perf_counter(), "")
        self._screen.end(self._bar, last_line(losses, self._steps, stopped), style)

    def _show(self, losses: np.ndarray, now: float, stage: str) -> None:
        steps, seconds = len(losses) - self._counted, now - self._begin
        speed = f"{steps / seconds:,.0f} steps/s" if steps and seconds > 0 else ""
        if self._steps is None:
            loss = ", ".join(filter(None, [stage, f"Loss = {losses[-1]:,.5g}"]))
        else:
            loss = f"Average Loss = {average(losses):,.5g}"
        self._bar.update(self._task, completed=len(losses), loss=loss, speed=speed)
        self._screen.show(self._bar)


class CountedProgress:
    """A bar for many fits, or none.

    Parameters
    ----------
    total
        How many there are.
    shown
        Whether there is a bar.
    console
        Where it is drawn; by default standard output.
    """

    def __init__(self, total: int, *, shown: bool, console: Console | None = None) -> None:
        self._total, self._shown, self._last = total, shown, -np.inf
        if not shown:
            return
        self._screen = screen_of(console or Console())
        self._bar = Progress(
            TextColumn("Fitting"),
            BarColumn(bar_width=24),
            TextColumn("{task.completed} of {task.total}"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}"),
            console=self._screen.console,
            auto_refresh=False,
        )
        self._task: TaskID = self._bar.add_task("", total=total, note="")
        self._screen.begin(self._bar)

    def update(self, done: int, note: str = "") -> None:
        """So many are done."""
        now = time.perf_counter()
        if self._shown and now - self._last >= _SECONDS_BETWEEN_UPDATES:
            self._last = now
            self._bar.update(self._task, completed=done, note=note)
            self._screen.show(self._bar)

    def finish(self, done: int, line: str) -> None:
        """The fits have ended."""
        if self._shown:
            self._bar.update(self._task, completed=done, note="")
            self._screen.end(self._bar, line)
        else:
            _LOGGER.info(line)


def average(losses: np.ndarray) -> float:
    """Average the finite ones among the last losses."""
    window = losses[-_WINDOW:]
    window = window[np.isfinite(window)]
    return float(window.mean()) if len(window) else float("nan")


def last_line(losses: np.ndarray, steps: int | None, stopped: str | None) -> str:
    """Say how a fit ended, in PyMC's words; a reason of its own has a line of its own."""
    done = len(losses)
    if steps == 0:
        return "Finished: no steps were asked for"
    if steps is None:
        value = f"Loss = {losses[-1] if done else np.nan:,.5g}"
        if stopped in (None, INTERRUPTED):
            return f"Interrupted after {done:,d} iterations: {value}"
        # Its verdict comes first, if it has one.
        return f"{stopped}\nFinished after {done:,d} iterations: {value}"
    if steps < 10:
        value = f"Loss = {losses[-1] if done else np.nan:,.5g}"
    else:
        value = f"Average Loss = {average(losses):,.5g}"
    if stopped == FINISHED:
        return f"Finished [100%]: {value}"
    line = f"Interrupted at {done:,d} [{100 * done // max(steps, 1)}%]: {value}"
    return line if stopped in (None, INTERRUPTED) else f"{line}\n{stopped}"


def style_of(stopped: str | None) -> str | None:
    """Return the colour of how a fit ended; none where a callback has words for it."""
    if stopped in (None, INTERRUPTED, NOT_FINITE) or str(stopped).startswith("not trusted"):
        return _BAD
    return _GOOD if stopped == FINISHED or str(stopped).startswith("trusted") else None


def as_progress(shown: Any, theme: Any) -> AbstractProgress:
    """Make a bar, or none."""
    return RichProgress(theme) if as_flag("progressbar", shown) else SilentProgress()

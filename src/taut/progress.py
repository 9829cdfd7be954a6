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
    TaskID,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)
from rich.theme import Theme

from taut.arguments import as_flag

# How a fit ends, unless a callback has words of its own for it.
FINISHED, INTERRUPTED, NOT_FINITE = "finished", "interrupted", "not finite"

_LOGGER = logging.getLogger("taut")
# Losses an average is taken over, as in PyMC.
_WINDOW = 1000
_SECONDS_BETWEEN_UPDATES = 0.25


class AbstractProgress(ABC):
    """Is told how a fit goes."""

    @abstractmethod
    def start(self, steps: int | None) -> None:
        """A fit of so many steps begins, or one that ends by itself."""

    @abstractmethod
    def update(self, losses: np.ndarray) -> None:
        """So many steps are done, with these losses."""

    @abstractmethod
    def finish(self, losses: np.ndarray, stopped: str | None) -> None:
        """The fit has ended, and why."""


class SilentProgress(AbstractProgress):
    """Logs the last line, and shows nothing."""

    def start(self, steps: int | None) -> None:
        self._steps = steps

    def update(self, losses: np.ndarray) -> None:
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
        self._console = console or Console(theme=theme)

    def start(self, steps: int | None) -> None:
        self._steps, self._last, self._begin = steps, -np.inf, time.perf_counter()
        self._bar = Progress(
            TextColumn("Fitting"),
            BarColumn(bar_width=24),
            TaskProgressColumn(),
            TextColumn("{task.fields[speed]}"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[loss]}"),
            console=self._console,
            auto_refresh=False,
        )
        self._task: TaskID = self._bar.add_task("", total=steps, loss="", speed="compiling")
        self._bar.start()
        self._bar.refresh()

    def update(self, losses: np.ndarray) -> None:
        now = time.perf_counter()
        if now - self._last < _SECONDS_BETWEEN_UPDATES:
            return
        if self._last == -np.inf:
            # The first chunk has waited for the compiler; speed is counted from here.
            self._begin, self._counted = now, len(losses)
        self._last = now
        self._show(losses, now)

    def finish(self, losses: np.ndarray, stopped: str | None) -> None:
        if self._last > -np.inf:
            self._show(losses, time.perf_counter())
        self._bar.stop()
        # A callback's reason is shown as it is, brackets included.
        line = last_line(losses, self._steps, stopped)
        self._console.print(line, highlight=False, markup=False)

    def _show(self, losses: np.ndarray, now: float) -> None:
        steps = len(losses) - self._counted
        seconds = now - self._begin
        speed = f"{steps / seconds:,.0f} steps/s" if steps and seconds > 0 else ""
        loss = f"Average Loss = {average(losses):,.5g}"
        self._bar.update(self._task, completed=len(losses), loss=loss, speed=speed, refresh=True)


def average(losses: np.ndarray) -> float:
    """Average the finite ones among the last losses."""
    window = losses[-_WINDOW:]
    window = window[np.isfinite(window)]
    return float(window.mean()) if len(window) else float("nan")


def last_line(losses: np.ndarray, steps: int | None, stopped: str | None) -> str:
    """Say how a fit ended, in PyMC's words; a reason of its own goes to a second line."""
    done = len(losses)
    if steps == 0:
        return "Finished: no steps were asked for"
    if steps is None:
        value = f"Loss = {losses[-1] if done else np.nan:,.5g}"
        head = "Interrupted" if stopped in (None, INTERRUPTED) else "Finished"
        reason = "" if head == "Interrupted" else f"\n{stopped}"
        return f"{head} after {done:,d} iterations: {value}{reason}"
    if steps < 10:
        value = f"Loss = {losses[-1] if done else np.nan:,.5g}"
    else:
        value = f"Average Loss = {average(losses):,.5g}"
    if stopped == FINISHED:
        return f"Finished [100%]: {value}"
    line = f"Interrupted at {done:,d} [{100 * done // max(steps, 1)}%]: {value}"
    return line if stopped in (None, INTERRUPTED) else f"{line}\n{stopped}"


def as_progress(shown: Any, theme: Any) -> AbstractProgress:
    """Make a bar, or none."""
    return RichProgress(theme) if as_flag("progressbar", shown) else SilentProgress()

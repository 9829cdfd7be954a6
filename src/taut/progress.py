"""Progress of a fit, told to a person or to nobody."""

import html
import io
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
# Characters of a line in a notebook.
_NOTEBOOK_WIDTH = 100


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


class AbstractScreen(ABC):
    """Where a bar is drawn."""

    console: Console

    @abstractmethod
    def begin(self, bar: Progress) -> None:
        """Draw it for the first time."""

    @abstractmethod
    def show(self, bar: Progress) -> None:
        """Draw it anew."""

    @abstractmethod
    def end(self, bar: Progress, line: str) -> None:
        """Leave it as it is, with a last line."""


class TerminalScreen(AbstractScreen):
    """A terminal, or a file.

    Parameters
    ----------
    console
        Where it is drawn.
    """

    def __init__(self, console: Console) -> None:
        self.console = console

    def begin(self, bar: Progress) -> None:
        bar.start()
        bar.refresh()

    def show(self, bar: Progress) -> None:
        bar.refresh()

    def end(self, bar: Progress, line: str) -> None:
        bar.stop()
        # A callback's reason is shown as it is, brackets included.
        self.console.print(line, highlight=False, markup=False)


class NotebookScreen(AbstractScreen):
    """An output of a notebook that is updated in its place, which needs no ipywidgets."""

    def __init__(self) -> None:
        # It makes text of the bar; nothing is seen of it.
        self.console = Console(file=io.StringIO(), width=_NOTEBOOK_WIDTH, force_jupyter=False)

    def begin(self, bar: Progress) -> None:
        from IPython.display import display

        self._handle: Any = display(self._drawn(bar), raw=True, display_id=True)

    def show(self, bar: Progress) -> None:
        self._handle.update(self._drawn(bar), raw=True)

    def end(self, bar: Progress, line: str) -> None:
        self._handle.update(self._drawn(bar, line), raw=True)

    def _drawn(self, bar: Progress, *lines: str) -> dict[str, str]:
        with self.console.capture() as captured:
            self.console.print(bar.get_renderable())
        text = "\n".join([captured.get().rstrip(), *lines])
        # Without it JupyterLab breaks lines at the width of the window.
        style = "margin: 0; white-space: pre-wrap; line-height: normal"
        return {
            "text/plain": text,
            "text/html": f'<pre style="{style}">{html.escape(text)}</pre>',
        }


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
        console = console or Console(theme=theme)
        self._screen = NotebookScreen() if console.is_jupyter else TerminalScreen(console)

    def start(self, steps: int | None) -> None:
        self._steps, self._last, self._begin = steps, -np.inf, time.perf_counter()
        self._bar = Progress(
            TextColumn("Fitting"),
            BarColumn(bar_width=24),
            TaskProgressColumn(),
            TextColumn("{task.fields[speed]}"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[loss]}"),
            console=self._screen.console,
            auto_refresh=False,
        )
        self._task: TaskID = self._bar.add_task("", total=steps, loss="", speed="compiling")
        self._screen.begin(self._bar)

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
        self._screen.end(self._bar, last_line(losses, self._steps, stopped))

    def _show(self, losses: np.ndarray, now: float) -> None:
        steps = len(losses) - self._counted
        seconds = now - self._begin
        # Iterations of a fit that ends by itself are of any length.
        counted = steps and seconds > 0 and self._steps is not None
        speed = f"{steps / seconds:,.0f} steps/s" if counted else ""
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
        console = console or Console()
        self._screen = NotebookScreen() if console.is_jupyter else TerminalScreen(console)
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

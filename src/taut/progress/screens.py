"""Where bars are drawn: in a terminal, a file, or a notebook."""

import io
from abc import ABC, abstractmethod
from typing import Any

from rich.console import Console
from rich.progress import Progress
from rich.theme import Theme

# Characters of a line in a notebook.
_NOTEBOOK_WIDTH = 100
# Without it JupyterLab breaks lines at the width of the window.
_FORMAT = '<pre style="margin: 0; white-space: pre-wrap; line-height: normal">{code}</pre>'


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
    def end(self, bar: Progress, line: str, style: str | None = None) -> None:
        """Leave it as it is, with last lines, the first of them in a colour."""


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

    def end(self, bar: Progress, line: str, style: str | None = None) -> None:
        bar.stop()
        _print(self.console, line, style)


class NotebookScreen(AbstractScreen):
    """An output of a notebook that is updated in its place, which needs no ipywidgets.

    Parameters
    ----------
    theme
        Colours of the bar.
    """

    def __init__(self, theme: Theme | None = None) -> None:
        # It makes text and HTML of the bar; nothing is seen of it.
        self.console = Console(
            file=io.StringIO(), width=_NOTEBOOK_WIDTH, force_jupyter=False, record=True, theme=theme
        )

    def begin(self, bar: Progress) -> None:
        from IPython.display import display

        self._handle: Any = display(self._drawn(bar), raw=True, display_id=True)

    def show(self, bar: Progress) -> None:
        self._handle.update(self._drawn(bar), raw=True)

    def end(self, bar: Progress, line: str, style: str | None = None) -> None:
        self._handle.update(self._drawn(bar, line, style), raw=True)

    def _drawn(self, bar: Progress, line: str = "", style: str | None = None) -> dict[str, str]:
        self.console.print(bar.get_renderable())
        if line:
            _print(self.console, line, style)
        text = self.console.export_text(clear=False).rstrip()
        code = self.console.export_html(code_format="{code}", inline_styles=True).rstrip()
        return {"text/plain": text, "text/html": _FORMAT.format(code=code)}


def _print(console: Console, line: str, style: str | None) -> None:
    """Print as it is, since a callback's reason may have brackets; lines after the first plain."""
    first, *more = line.split("\n")
    console.print(first, style=style, highlight=False, markup=False, soft_wrap=True)
    for one in more:
        console.print(one, highlight=False, markup=False, soft_wrap=True)


def screen_of(console: Console, theme: Theme | None = None) -> AbstractScreen:
    """Return that of a console, or of the notebook that it runs in."""
    return NotebookScreen(theme) if console.is_jupyter else TerminalScreen(console)

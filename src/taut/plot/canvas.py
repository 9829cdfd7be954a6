"""What pictures are drawn on: panels of a plotting backend of ArviZ."""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any, final

import numpy as np

from taut.errors import ArgumentError

# What marks a value that is as it should be, one that is not, and what it is compared with.
GOOD, BAD, QUIET = "C0", "C1", "B3"
# In an inch, on a screen; and what Plotly leaves at the sides, above and below, of any figure.
_DOTS, _MARGINS = 100, (160, 180)


@final
@dataclass(frozen=True)
class Canvas:
    """Panels side by side, and the functions of the backend that draw on them.

    Parameters
    ----------
    collection
        An `arviz_plots.PlotCollection` with a panel for each name.
    draw
        The module of its backend: ``line``, ``scatter``, ``hline`` and so on.
    """

    collection: Any
    draw: Any

    def panel(self, name: str) -> Any:
        """Return what the backend's functions take as the target."""
        return self.collection.get_target(name, {})

    def entitle(self, name: str, title: str, x: str = "", y: str = "") -> None:
        """Write a title above a panel, and beside its axes what they are."""
        self.draw.title(title, self.panel(name))
        if x:
            self.draw.xlabel(x, self.panel(name))
        if y:
            self.draw.ylabel(y, self.panel(name))

    def band(self, name: str, low: float, high: float) -> None:
        """Shade what is allowed, or what noise explains, over the width of a panel."""
        self.draw.hspan(low, high, self.panel(name), color=QUIET, alpha=0.25)

    def estimate(
        self, name: str, row: int, value: float, se: float, color: str, width: float = 1.5
    ) -> None:
        """Draw an estimate in a row of a panel: a point, and a line of two standard errors."""
        ends = np.array([value - 2 * se, value + 2 * se])
        self.draw.line(ends, np.array([row, row]), self.panel(name), color=color, width=width)
        self.draw.scatter(np.array([value]), np.array([row]), self.panel(name), color=color)

    def beside(self, name: str, labels: Sequence[str]) -> None:
        """Label rows of a panel from the top downwards."""
        rows = np.arange(len(labels))
        self.draw.yticks(rows, list(labels), self.panel(name))
        self.draw.ylim((len(labels) - 0.4, -0.6), self.panel(name))


def canvas(
    names: Sequence[str],
    size: tuple[float, float],
    backend: str | None,
    columns: int = 4,
) -> Canvas:
    """Make panels, one a name.

    Parameters
    ----------
    names
        Of the panels.
    size
        Width and height of all of them together, in inches.
    backend
        As in ArviZ, by default ``rcParams["plot.backend"]``.
    columns
        Panels in a row.

    Raises
    ------
    ArgumentError
        There is no such backend.
    """
    import arviz_base
    import arviz_plots
    import xarray as xr

    backend = arviz_base.rcParams["plot.backend"] if backend is None else backend
    if backend not in ("matplotlib", "bokeh", "plotly", "none"):
        raise ArgumentError(
            f'backend must be "matplotlib", "bokeh", "plotly" or "none", got {backend!r}.'
        )
    try:
        draw = import_module(f"arviz_plots.backend.{backend}")
    except ImportError as error:
        raise ImportError(
            f"{backend} is not all installed: pip install {_package(backend)}, or name another "
            "backend."
        ) from error
    collection = arviz_plots.PlotCollection.wrap(
        xr.Dataset({name: xr.DataArray(0.0) for name in names}),
        cols=["__variable__"],
        col_wrap=columns,
        backend=backend,
        figure_kwargs=_figure(size, backend),
    )
    return Canvas(collection, draw)


def _figure(size: tuple[float, float], backend: str) -> dict[str, Any]:
    """Return the size of a figure in what its backend counts in, and its layout."""
    if backend == "matplotlib":
        return {"figsize": size, "figsize_units": "inches", "layout": "constrained"}
    beside = _MARGINS if backend == "plotly" else (0, 0)
    sides = tuple(_DOTS * side + margin for side, margin in zip(size, beside, strict=True))
    return {"figsize": sides, "figsize_units": "dots"}


def _package(backend: str) -> str:
    return '"taut[plots]"' if backend == "matplotlib" else f'"arviz-plots[{backend}]"'

"""The two pictures of a run."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.methods import METHODS
from benchmarks.proving.summary import GOOD, MethodSummary

# Larger errors are drawn here, at the end of the axis.
_LARGEST = 100.0
_SMALLEST = 0.01
_COLUMNS = 5
_COLORS = {
    "taut": "C3", "pymc": "C0", "extras": "C9", "numpyro": "C2", "blackjax": "C1", "nutpie": "k",
}  # fmt: skip


def error_against_seconds(found: Sequence[MethodSummary], path: Path) -> None:
    """Draw each method in a panel of its own, all others behind it."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot as plt

    rows = math.ceil(len(found) / _COLUMNS)
    figure, axes = plt.subplots(
        rows, _COLUMNS, figsize=(2.4 * _COLUMNS, 2.1 * rows), sharex=True, sharey=True,
        layout="constrained", squeeze=False,
    )  # fmt: skip
    everything = np.concatenate([_points(one) for one in found])
    for panel, one in zip(axes.flat, found, strict=False):
        panel.scatter(*everything.T, s=4, color="0.88")
        panel.scatter(*_points(one).T, s=12, color=_color(one))
        panel.axhline(GOOD, color="0.5", linewidth=0.6)
        panel.set(xscale="log", yscale="log", ylim=(_SMALLEST, 1.5 * _LARGEST))
        panel.set_title(one.method, fontsize=8)
    for panel in list(axes.flat)[len(found) :]:
        panel.set_axis_off()
    figure.supxlabel("seconds from call to draws", fontsize=9)
    figure.supylabel(f"worst error of a mean (sd) or |log sd ratio|; {_LARGEST:g}: so much or more",
                     fontsize=9)  # fmt: skip
    _save(figure, path)


def share_within_error(found: Sequence[MethodSummary], path: Path) -> None:
    """Draw, by method, on which share of the posteriors the error is within a bound."""
    import matplotlib

    matplotlib.use("agg")
    from matplotlib import pyplot as plt

    figure, panel = plt.subplots(figsize=(8.5, 5.0), layout="constrained")
    bounds = np.geomspace(_SMALLEST, _LARGEST, 300)
    styles = ("-", "--", ":", "-.", (0, (5, 1, 1, 1, 1, 1)))
    drawn: dict[str, int] = {}
    for one in found:
        library = METHODS[one.method].library
        style = styles[drawn.get(library, 0) % len(styles)]
        drawn[library] = drawn.get(library, 0) + 1
        share = [one.share_within(bound) for bound in bounds]
        panel.plot(bounds, share, color=_color(one), linestyle=style, label=one.method)
    panel.axvline(GOOD, color="0.5", linewidth=0.6)
    panel.set(xscale="log", ylim=(0, 1.02), ylabel="share of the posteriors it was run on",
              xlabel="worst error of a mean (sd) or |log sd ratio|")  # fmt: skip
    panel.legend(fontsize=7, loc="center left", bbox_to_anchor=(1.0, 0.5))
    _save(figure, path)


def _points(one: MethodSummary) -> np.ndarray:
    """Seconds and error on each posterior that has seconds."""
    pairs = [
        (seconds, min(cell.error, _LARGEST))
        for cell in one.cells.values()
        if (seconds := cell.median_of("seconds")) is not None
    ]
    return np.array(pairs, float).reshape(-1, 2)


def _color(one: MethodSummary) -> str:
    return _COLORS[METHODS[one.method].library]


def _save(figure: Any, path: Path) -> None:
    from matplotlib import pyplot as plt

    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)
    plt.close(figure)

"""Pictures as a part of HTML."""

import base64
import io
from importlib.util import find_spec
from typing import Any

from taut.plot.khat import plot_khat
from taut.plot.shifts import plot_shift
from taut.plot.shown import Reported
from taut.plot.timeline import plot_journal

# Dots per inch, of pictures in a notebook.
_DENSITY = 80


def pictures_of(report: Reported) -> str:
    """Draw the two pictures that matter of a report, where Matplotlib is installed.

    Parameters
    ----------
    report
        What chains shifted, or else k-hat, and the stages, as far as there are such.

    Returns
    -------
    str
        Elements of HTML; empty where there is nothing to draw, or nothing to draw it by.
    """
    if find_spec("matplotlib") is None:
        return ""
    found = []
    if report.check is not None:
        found.append(_image(plot_shift(report, backend="matplotlib"), "shifts by short chains"))
    elif report.khats:
        found.append(_image(plot_khat(report, backend="matplotlib"), "k-hat of means"))
    if report.journal.stages:
        found.append(_image(plot_journal(report, backend="matplotlib"), "stages of the fit"))
    return "".join(found)


def _image(collection: Any, alt: str) -> str:
    """Write a picture as an element, and close its figure, which would be shown once more."""
    import matplotlib.pyplot as plt

    figure, written = collection.viz["figure"].item(), io.BytesIO()
    figure.savefig(written, format="png", dpi=_DENSITY)
    plt.close(figure)
    data = base64.b64encode(written.getvalue()).decode()
    return f'<img alt="{alt}" style="max-width: 100%" src="data:image/png;base64,{data}">'

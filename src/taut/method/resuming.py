"""Going on with a fit that was killed."""

import os
from contextlib import closing
from dataclasses import replace
from typing import Any

from taut.approximation import (
    Approximation,
    Found,
    RepairCall,
    check_model,
    keeps_the_fit,
    unpacked,
)
from taut.arguments import as_flag
from taut.engine import accounted, never_lost, refuse_forked, tells
from taut.frontend import AbstractSource, as_source
from taut.method.direct import unpacked_inference
from taut.method.session import unpacked_session
from taut.progress import as_progress


def resume(
    folder: str | os.PathLike[str],
    *,
    model: Any = None,
    progressbar: bool = True,
    progressbar_theme: Any = None,
) -> Approximation:
    """Go on with a fit, or a repair, from the folder that it was given as `checkpoint`.

    The result is that of a fit that was not stopped, to the last bit. A fit that had ended is
    returned as it was. What it was given, its optimizer, callbacks and source of rows among it, is
    pickled in the folder: resume only what you, or somebody you trust, has written.

    Parameters
    ----------
    folder
        The folder.
    model
        The PyMC model, or `taut.Target`, that is fitted, built again; by default the one on the
        context.
    progressbar, progressbar_theme
        As in `taut.ADVI.fit`.

    Returns
    -------
    Approximation
        As of `taut.fit`, or of `repair`.

    Raises
    ------
    StorageError
        There is no fit in the folder, it is damaged, or it is of another model or other rows of a
        source; the message says what differs.
    RowsError
        A source's rows can not be read, or have changed.

    Warns
    -----
    UserWarning
        The model has other data, or other numbers in it.

    Examples
    --------
    >>> import pathlib, tempfile, pymc as pm, taut
    >>> def impatient(approx, losses, i):
    ...     if not (folder / "patience").exists():
    ...         raise KeyboardInterrupt
    >>> impatient.every, how = 300, {"random_seed": 1, "progressbar": False}
    >>> with tempfile.TemporaryDirectory() as temporary, pm.Model():
    ...     folder, x = pathlib.Path(temporary), pm.Normal("x", 3.0, 0.1)
    ...     some = taut.fit(1000, "advi", callbacks=[impatient], checkpoint=folder / "fit", **how)
    ...     (folder / "patience").touch()
    ...     rest = taut.resume(folder / "fit", progressbar=False)
    ...     whole = taut.fit(1000, "advi", **how)
    >>> len(some.hist), bool((rest.hist == whole.hist).all())
    (300, True)
    """
    refuse_forked("A fit")
    found = Found(folder)
    source = as_source(model)
    check_model(found.path, found.description, source.description())
    with never_lost():
        return _resumed(found, source, progressbar, progressbar_theme)


def _resumed(found: Found, source: AbstractSource, progressbar: bool, theme: Any) -> Approximation:
    approx, kept = unpacked(source, found.content, Approximation.of_contents)
    if found.ended:
        return approx
    if isinstance(kept, RepairCall):
        found.checkpoint.go_on(approx.state.source_of_rows, found.rows)
        return kept.run(approx, found.checkpoint)
    if isinstance(kept, tuple):
        kind, own, given = kept
        found.checkpoint.go_on(given.batching.source, found.rows)
        given = replace(given, progressbar=progressbar, progressbar_theme=theme)
        return unpacked_inference(kind, approx, own).go_on(given, found.checkpoint)
    session = unpacked_session(approx, kept)
    checkpoint = found.checkpoint.on(session.devices)
    checkpoint.go_on(session.rows, found.rows)
    progressbar = as_flag("progressbar", progressbar) and tells(session.devices)
    with keeps_the_fit(approx), accounted(approx.timing), closing(session):
        return session.resume(as_progress(progressbar, theme), checkpoint)

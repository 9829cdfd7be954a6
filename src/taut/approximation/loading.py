"""A fit from a file."""

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from taut.approximation.approximation import Approximation
from taut.approximation.contents import Contents
from taut.approximation.saving import FORMAT, VERSION
from taut.approximation.stored_classes import codec
from taut.errors import StorageError, warn
from taut.frontend import AbsentModel, AbstractSource, AfterEarlier, as_source
from taut.rows import AbstractRows
from taut.storage import read_archive
from taut.target import Batching, Description, Labels


def load(
    path: str | os.PathLike[str], *, model: Any = None, rows: AbstractRows | None = None
) -> Approximation:
    """Read a fit that ``approx.save`` wrote.

    With its model it is the approximation that was saved: the same seeds give the same draws, to
    the last bit, and it can be judged, repaired and gone on with. Without the model there are
    draws, moments, the history and the report; what needs the log density or expressions of the
    model says so.

    Parameters
    ----------
    path
        Of the file.
    model
        The PyMC model, or `taut.Target`, that was fitted, built again. The model on the context is
        not looked for.
    rows
        The source of rows, for a fit whose rows were read from one.

    Returns
    -------
    Approximation
        Without a model it draws those variables in their own space that need nothing of the model
        for that, and all of them in the unconstrained space.

    Raises
    ------
    StorageError
        The file is damaged or no saved fit, is of a later version of taut, or is the fit of another
        model; the message says what differs.
    OSError
        The file can not be opened.

    Warns
    -----
    UserWarning
        The model has other data, or other numbers in it, than the one that was fitted.

    Examples
    --------
    >>> import pathlib, tempfile, numpy as np, pymc as pm, taut
    >>> with pm.Model() as model:
    ...     sigma = pm.HalfNormal("sigma")
    ...     approx = taut.fit(random_seed=1, progressbar=False)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "sigma.fit")
    ...     approx.save(path)
    ...     again, alone = taut.load(path, model=model), taut.load(path)
    >>> draws = [fit.sample(9, random_seed=1)["posterior"]["sigma"] for fit in (again, alone)]
    >>> bool((draws[0] == approx.sample(9, random_seed=1)["posterior"]["sigma"]).all())
    True
    >>> bool(np.allclose(*draws))
    True
    """
    place = Path(path).expanduser()
    archive = read_archive(place)
    _check_head(place, archive.text)
    names = "model", "labels", "jumps", "fit", "earlier", "rows", "latents"
    found = codec().decode(
        {name: archive.text[name] for name in names if name in archive.text}, archive.arrays
    )
    fit = found["fit"]
    batching = _batching(place, fit.pop("batch_size"), fit.pop("shuffle"), model, rows)
    contents = Contents(**fit, batching=batching)
    return Approximation.of_contents(_source(place, found, model), contents)


def _source(path: Path, found: dict[str, Any], model: Any) -> AbstractSource:
    if model is None:
        return AbsentModel(found["model"], _labels(found["labels"]), found["jumps"])
    source = as_source(model)
    if found.get("latents"):
        source = source.globals_alone(found["latents"])
    check_model(path, found["model"], source.description())
    if "earlier" not in found:
        return source
    return AfterEarlier.of(source, {}, found["earlier"], found["rows"])


def _check_head(path: Path, text: dict[str, Any]) -> None:
    if text.get("format") != FORMAT:
        raise StorageError(f"{path} is no saved fit: its format is {text.get('format')!r}.")
    if not isinstance(text.get("version"), int) or text["version"] > VERSION:
        raise StorageError(
            f"{path} is of version {text.get('version')} of the format, and this taut reads up to "
            f"{VERSION}. It was written by {text.get('made_by')}: update taut."
        )


def _batching(
    path: Path, batch_size: int | None, shuffle: bool | None, model: Any, rows: AbstractRows | None
) -> Batching | None:
    """Say how rows are read that are not the model's."""
    if rows is not None and batch_size is None:
        raise StorageError(f"The fit in {path} read no rows from a source: leave rows out.")
    if batch_size is None or model is None:
        return None
    if rows is None:
        raise StorageError(
            f"The fit in {path} read its rows from a source, which the file does not hold. Give it "
            "again: taut.load(path, model=model, rows=taut.ParquetRows(...))."
        )
    return Batching(batch_size, rows, shuffle=bool(shuffle))


def check_model(path: Path, fitted: Description, given: Description) -> None:
    """Refuse another model, and warn of other data."""
    differences = fitted.differences(given)
    if differences:
        raise StorageError(
            f"The fit in {path} is of another model: {'; '.join(differences)}. Build the model as "
            "it was when it was fitted, or leave it out: taut.load(path)."
        )
    other = fitted.other_data(given)
    if other:
        warn(
            "The model has other data, or other numbers in it, than the one whose fit is in "
            f"{path}: {', '.join(other)}. Draws are those of the fit; what the density says, as in "
            "diagnose, is of the model that is here."
        )


def _labels(labels: Labels) -> Labels:
    coords = {name: np.asarray(values) for name, values in labels.coords.items()}
    return replace(labels, coords=coords)

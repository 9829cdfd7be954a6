"""A fit as a file."""

import os
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from taut.approximation.contents import Contents
from taut.approximation.fitted import Fitted
from taut.approximation.stored_classes import codec
from taut.frontend import AfterEarlier
from taut.storage import Archive, write_archive
from taut.target import Labels

# What a file says it is, and the version of what is in it: of a fit of rows alone, or else after
# others or of globals alone.
FORMAT, VERSION, _OF_ROWS = "taut approximation", 2, 1
_PACKAGES = ("taut", "jax", "pymc", "pytensor", "numpy")


def save(approx: Fitted, path: str | os.PathLike[str]) -> None:
    """Write the fit to a file, which `taut.load` reads.

    The file holds all that the fit has reached, and how: parameters, history, seeds, timing, the
    journal with its verdict. It does not hold the model, but its variables and fingerprints of its
    data, by which `taut.load` knows it again. It is a zip of JSON and of arrays as `numpy.save`
    writes them; nothing in it can be executed. What was at its place before is replaced at once, or
    stays if the file can not be written whole.

    Parameters
    ----------
    path
        Of the file, whose name is taken as it is.

    Raises
    ------
    StorageError
        The approximation is of a class that taut can not write, or something that is no file is at
        that place.
    OSError
        The disk is full, or the folder is not there or can not be written to.

    Examples
    --------
    >>> import pathlib, tempfile, pymc as pm, taut
    >>> with pm.Model() as model:
    ...     x = pm.Normal("x", 3.0, 0.1)
    ...     approx = taut.fit(random_seed=1, progressbar=False)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = pathlib.Path(folder, "x.fit")
    ...     approx.save(path)
    ...     again = taut.load(path, model=model)
    >>> again.diagnose().trusted
    True
    """
    contents, source = approx.contents(), approx.source
    after = source if isinstance(source, AfterEarlier) else None
    text, arrays = codec().encode({
        "model": approx.source.description(),
        "labels": _plain(approx.target.labels),
        "jumps": approx.source.discontinuities(),
        "fit": _fields(contents),
        **({} if after is None else {"earlier": after.earlier, "rows": after.told}),
        **({"latents": list(source.integrated_out)} if source.integrated_out else {}),
    })  # fmt: skip
    made_by = {package: version(package) for package in _PACKAGES}
    number = VERSION if after is not None or source.integrated_out else _OF_ROWS
    head = {"format": FORMAT, "version": number, "made_by": made_by}
    write_archive(Path(path).expanduser(), Archive(head | text, arrays))


def _fields(contents: Contents) -> dict[str, Any]:
    batching = contents.batching
    return {
        "family": contents.family,
        "record": contents.record,
        "random_seed": contents.random_seed,
        "calls": contents.calls,
        "scale": contents.scale,
        "batch_size": None if batching is None else batching.batch_size,
        "shuffle": None if batching is None else batching.shuffle,
    }


def _plain(labels: Labels) -> Labels:
    """Write coordinates that are Python objects as lists of numbers and words."""
    coords = {name: _as_plain(np.asarray(values)) for name, values in labels.coords.items()}
    return Labels(dict(labels.dims), coords)


def _as_plain(values: np.ndarray) -> Any:
    if not values.dtype.hasobject:
        return values
    return [v if isinstance(v, str | int | float) else str(v) for v in values.tolist()]

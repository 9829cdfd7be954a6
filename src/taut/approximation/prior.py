"""What a fit leaves to the fits that come: its posterior, as the prior of other rows."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, final

from taut.approximation.fitted import Fitted
from taut.approximation.seen_rows import ready, seen
from taut.approximation.stored_classes import codec
from taut.engine import single_threaded
from taut.errors import StorageError
from taut.frontend import Earlier
from taut.storage import Archive, read_archive, write_archive
from taut.tables import as_text
from taut.target import Variable

_FORMAT, _VERSION = "taut prior", 1


@final
@dataclass(frozen=True, eq=False, repr=False)
class Prior:
    r"""The posterior of rows that were seen, for models of rows that come; made by `as_prior`.

    .. math:: p(z \mid y_{\mathrm{seen}}) \propto p(z)\, e^{\ell(z)}

    with the model's own prior :math:`p(z)` and a quadratic :math:`\ell` in the unconstrained
    space, which stands for the log likelihood of the rows that were seen.

    Parameters
    ----------
    variables
        The free variables, in the order of the unconstrained vector.
    labels
        Of the elements of each variable along each of its dims, where there are labels.
    earlier
        What is known of the rows.

    Examples
    --------
    >>> import numpy as np, pymc as pm, taut
    >>> def model_of(y):
    ...     with pm.Model() as model:
    ...         mu = pm.Normal("mu", 0.0, 10.0)
    ...         pm.Normal("y", mu, 1.0, observed=np.array(y))
    ...     return model
    >>> prior = taut.fit(model=model_of([1.5, 2.5]), random_seed=1, progressbar=False).as_prior()
    >>> february = prior.add_to(model_of([2.0, 4.0]))
    >>> approx = taut.fit(model=february, random_seed=1, progressbar=False)
    >>> print(approx.mean_data["mu"].round(1).item())
    2.5
    """

    variables: tuple[Variable, ...]
    labels: Mapping[str, tuple[tuple[str, ...], ...]]
    earlier: Earlier

    def add_to(self, model: Any, name: str = "earlier_rows") -> Any:
        """Add the log likelihood of the rows that were seen to a model, as a `pymc.Potential`.

        The model keeps its prior, so that with this its prior is the posterior of those rows:
        for `taut.fit`, and for `pymc.sample` as well. It has the variables of the fit, and may
        have others. A variable with coordinates may have more elements than then, or in another
        order: those that were seen are found by their labels.

        Parameters
        ----------
        model
            A PyMC model.
        name
            Of the potential.

        Returns
        -------
        pymc.Model
            The same model.

        Raises
        ------
        ArgumentError
            A variable of the fit is not in the model, or has another shape or transform.
        """
        from taut.frontend.pymc import add_earlier_rows

        add_earlier_rows(model, self.variables, self.labels, self.earlier, name)
        return model

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write it to a file, which `Prior.load` reads; see `taut.Approximation.save`.

        Parameters
        ----------
        path
            Of the file.

        Raises
        ------
        StorageError
            Something that is no file is at that place.
        OSError
            The disk is full, or the folder is not there or can not be written to.
        """
        content = {"variables": self.variables, "labels": self.labels, "earlier": self.earlier}
        text, arrays = codec().encode(content)
        head = {"format": _FORMAT, "version": _VERSION}
        write_archive(Path(path).expanduser(), Archive(head | text, arrays))

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Read what `save` wrote.

        Parameters
        ----------
        path
            Of the file.

        Raises
        ------
        StorageError
            The file is damaged, or holds something else.
        OSError
            The file can not be opened.
        """
        place = Path(path).expanduser()
        archive = read_archive(place)
        if archive.text.get("format") != _FORMAT or archive.text.get("version") != _VERSION:
            raise StorageError(
                f"{place} is no prior that this taut can read: its format is "
                f"{archive.text.get('format')!r}, version {archive.text.get('version')!r}."
            )
        fields = {name: archive.text[name] for name in ("variables", "labels", "earlier")}
        return cls(**codec().decode(fields, archive.arrays))

    def __repr__(self) -> str:
        names = ", ".join(one.name for one in self.variables)
        return f"<Prior of {names}, with the rows of {self.earlier.fits} fits>"

    def __str__(self) -> str:
        share = f"{self.earlier.effective:.0%}"
        return as_text(repr(self), [("effective draws, by what the quadratic leaves out:", share)])


def as_prior(
    approx: Fitted, *, rows: Mapping[str, int] | None = None, random_seed: Any = None
) -> Prior:
    """Return the posterior as a prior for rows that come.

    What is kept of the rows of the fit is their log likelihood as a quadratic, with the slope and
    the curvature that it has on average over the posterior: as much as a Gaussian takes of it.
    ``approx.update`` does so by itself.

    Parameters
    ----------
    rows
        Which data have rows, and along which axis, if that is not plain: ``{"X": 0, "y": 0}``.
    random_seed
        Of the draws over which is averaged.

    Returns
    -------
    Prior
        To add to other models, and to save.

    Raises
    ------
    ArgumentError
        The likelihood is no sum over rows, the rows are not at hand, or there are more than 1 000
        unknowns.
    NotFiniteError
        The likelihood is not finite around the fit.
    """
    words = approx.words(random_seed)
    source = ready(approx, rows)
    with single_threaded(approx.target.largest_matrix):
        earlier = seen(approx.state, source, words)
    from taut.frontend.pymc import earlier_rows_in, element_labels

    known = earlier_rows_in(source.model, approx.target.space)
    variables = source.description().variables
    labels = element_labels(source.model, variables)
    return Prior(variables, labels, earlier if known is None else known + earlier)

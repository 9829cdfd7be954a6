"""Fits of one model to many data sets."""

from taut.many.fitting import fit_many as fit_many
from taut.many.many_fits import ManyFits as ManyFits

__all__ = ["ManyFits", "fit_many"]

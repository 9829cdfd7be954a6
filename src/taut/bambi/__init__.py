"""Models of Bambi, fitted by taut and handed back to Bambi."""

from taut.bambi.fit import fit as fit

__all__ = [
    "fit",
]

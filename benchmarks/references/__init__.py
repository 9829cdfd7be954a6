"""The known answers: ``python -m benchmarks references`` makes them."""

from benchmarks.references.base import LIMITS, Reference
from benchmarks.references.store import load, path_of, save

__all__ = ["LIMITS", "Reference", "load", "path_of", "save"]

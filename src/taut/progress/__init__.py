"""Progress of fits, told to a person or to nobody."""

from taut.progress.progress import FINISHED as FINISHED
from taut.progress.progress import INTERRUPTED as INTERRUPTED
from taut.progress.progress import NOT_FINITE as NOT_FINITE
from taut.progress.progress import AbstractProgress as AbstractProgress
from taut.progress.progress import CountedProgress as CountedProgress
from taut.progress.progress import RichProgress as RichProgress
from taut.progress.progress import SilentProgress as SilentProgress
from taut.progress.progress import as_progress as as_progress
from taut.progress.progress import average as average
from taut.progress.progress import last_line as last_line
from taut.progress.progress import style_of as style_of

__all__ = [
    "FINISHED",
    "INTERRUPTED",
    "NOT_FINITE",
    "AbstractProgress",
    "CountedProgress",
    "RichProgress",
    "SilentProgress",
    "as_progress",
    "average",
    "last_line",
    "style_of",
]

"""Whatever ends a fit, what was fitted goes with it."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from taut.approximation import Approximation

_NOTE = "What was fitted is kept: this exception's attribute `approx` is the approximation."


@contextmanager
def keeps_the_fit(approx: Approximation) -> Iterator[None]:
    """Let every exception that is raised inside carry the approximation, and say so."""
    try:
        yield
    except BaseException as error:
        # Classes with slots take no attribute.
        with suppress(AttributeError):
            error.approx = approx  # pyright: ignore[reportAttributeAccessIssue]
            if _NOTE not in getattr(error, "__notes__", ()):
                error.add_note(_NOTE)
        raise


def in_words(error: BaseException) -> str:
    """Say in a line what ended a fit."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]

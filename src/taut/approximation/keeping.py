"""Whatever ends a fit, what was fitted goes with it."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress

from taut.approximation.fitted import Fitted

NOTHING_FITTED = (
    "Nothing was fitted: Ctrl-C came before the first step, and the approximation is where the fit "
    "begins."
)
_NOTE = "What was fitted is kept: this exception's attribute `approx` is the approximation."
_NOTHING = (
    "Nothing was fitted before it: this exception's attribute `approx` is where the fit begins."
)
_NO_APPROXIMATION = "Nothing was fitted before it."


@contextmanager
def keeps_the_fit(approx: Fitted, kind: type[BaseException] = BaseException) -> Iterator[None]:
    """Let every exception of a kind that is raised inside carry the approximation, and say so."""
    try:
        yield
    except kind as error:
        # Classes with slots take no attribute.
        with suppress(AttributeError):
            error.approx = approx  # pyright: ignore[reportAttributeAccessIssue]
            _note(error, _NOTHING if approx.record.stopped is None else _NOTE)
        raise


@contextmanager
def says_nothing_is_fitted() -> Iterator[None]:
    """Let a Ctrl-C say that it came before there was anything."""
    try:
        yield
    except KeyboardInterrupt as error:
        _note(error, _NO_APPROXIMATION)
        raise


def _note(error: BaseException, note: str) -> None:
    """Add a note, unless somebody inside has said how it stands."""
    if not {_NOTE, _NOTHING, _NO_APPROXIMATION} & {*getattr(error, "__notes__", ())}:
        error.add_note(note)


def in_words(error: BaseException) -> str:
    """Say in a line what ended a fit."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]

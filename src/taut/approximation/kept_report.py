"""The report on a fit, which is computed once."""

from typing import Any, final

from taut.approximation.record import Record
from taut.approximation.state import State
from taut.diagnose import Report


@final
class KeptReport:
    """Keeps the report on a state, until there is another state or record."""

    def __init__(self) -> None:
        self._kept: tuple[State, Record, Report] | None = None
        self._latest: tuple[State, Record, Report] | None = None

    def of(self, state: State, record: Record) -> Report | None:
        """Return the report that was kept of just these; `None` where there is none."""
        return _if_of(self._kept, state, record)

    def latest(self, state: State, record: Record) -> Report | None:
        """Return the last report of just these, of any number of draws."""
        return _if_of(self._latest, state, record)

    def keep(self, state: State, record: Record, report: Report, *, as_usual: bool) -> None:
        """Keep a report in place of the one before; one that was asked for as usual for `of`."""
        self._latest = state, record, report
        if as_usual:
            self._kept = self._latest


def _if_of(kept: tuple[State, Record, Report] | None, state: State, record: Record) -> Any:
    return kept[2] if kept is not None and kept[0] is state and kept[1] is record else None

"""The report on a fit, which is computed once."""

from typing import final

from taut.approximation.record import Record
from taut.approximation.state import State
from taut.diagnose import Report


@final
class KeptReport:
    """Keeps the report on a state, until there is another state or record."""

    def __init__(self) -> None:
        self._kept: tuple[State, Record, Report] | None = None

    def of(self, state: State, record: Record) -> Report | None:
        """Return the report that was kept of just these; `None` where there is none."""
        if self._kept is None or self._kept[0] is not state or self._kept[1] is not record:
            return None
        return self._kept[2]

    def keep(self, state: State, record: Record, report: Report) -> None:
        """Keep a report in place of the one before."""
        self._kept = state, record, report

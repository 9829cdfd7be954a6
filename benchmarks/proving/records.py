"""A run as a file of JSON lines: heads that say where it was made, and a record for each fit."""

import json
from collections.abc import Container, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

Key = tuple[str, str, int]
OK, CRASH, NOT_FINITE, TIME_OUT = "ok", "crash", "not finite", "time-out"


@dataclass(frozen=True)
class Record:
    """One fit of one posterior by one method.

    Parameters
    ----------
    posterior, method, seed
        What was fitted, by what.
    status
        ``"ok"``, ``"crash"``, ``"not finite"`` or ``"time-out"``; all but the first are failures.
    message
        Of a failure.
    seconds, cpu_seconds
        From call to draws, compilation included and imports apart.
    compile_seconds
        Of `seconds`, those in which JAX traced, lowered or compiled, PyTensor rewrote or made code,
        or numba compiled.
    second_seconds, second_cpu_seconds
        Of a second fit of the same model in the same process; where seeds share one, the others
        have this alone.
    imports_seconds
        From the start of the process until everything is imported, PyMC included.
    gradients
        Evaluations of the gradient, where the library tells.
    peak_mb, imports_mb
        Largest resident memory of the process, after the fit and after the imports.
    draws
        How many the errors are of.
    elbo, khat
        Where `q` has a density.
    trusted
        Whether the library says that the fit can be trusted; `None` where it says nothing.
    verdict
        Why, in its words.
    effective
        Independent draws that would tell the worst mean as well.
    errors
        `benchmarks.measures.Errors`, by name.
    """

    posterior: str
    method: str
    seed: int
    status: str
    message: str = ""
    seconds: float | None = None
    cpu_seconds: float | None = None
    compile_seconds: float | None = None
    second_seconds: float | None = None
    second_cpu_seconds: float | None = None
    imports_seconds: float | None = None
    gradients: int | None = None
    peak_mb: float | None = None
    imports_mb: float | None = None
    draws: int | None = None
    elbo: float | None = None
    khat: float | None = None
    trusted: bool | None = None
    verdict: str = ""
    effective: float | None = None
    errors: Mapping[str, Any] = field(default_factory=dict)

    @property
    def key(self) -> Key:
        """What tells one record from another."""
        return self.posterior, self.method, self.seed

    @property
    def is_ok(self) -> bool:
        """Whether there are finite draws, in time."""
        return self.status == OK


@dataclass
class Run:
    """All records of a file."""

    heads: list[dict[str, Any]] = field(default_factory=list)
    records: dict[Key, Record] = field(default_factory=dict)

    @property
    def posteriors(self) -> list[str]:
        """Their names, in the order of the file."""
        return list(dict.fromkeys(record.posterior for record in self.records.values()))

    @property
    def methods(self) -> list[str]:
        """Their names, in the order of the file."""
        return list(dict.fromkeys(record.method for record in self.records.values()))

    def only(self, posteriors: Container[str]) -> "Run":
        """Keep the fits of some posteriors."""
        kept = {key: r for key, r in self.records.items() if r.posterior in posteriors}
        return Run(self.heads, kept)

    def of(self, posterior: str, method: str) -> list[Record]:
        """Return the records of one posterior and method: one for each seed."""
        return [r for r in self.records.values() if (r.posterior, r.method) == (posterior, method)]


def read(path: Path) -> Run:
    """Read a run; a line that was cut off when the run was stopped is left out."""
    run = Run()
    for line in path.read_text().splitlines():
        try:
            told = json.loads(line)
        except json.JSONDecodeError:
            continue
        if "head" in told:
            run.heads.append(told["head"])
        else:
            record = Record(**told)
            run.records[record.key] = record
    return run


def write_head(path: Path, head: Mapping[str, Any]) -> None:
    """Begin a run, or go on with one."""
    _write(path, {"head": dict(head)})


def write(path: Path, record: Record) -> None:
    """Add a record."""
    _write(path, asdict(record))


def _write(path: Path, told: Mapping[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    begun = path.read_bytes()[-1:] if path.exists() else b"\n"
    with path.open("a") as file:
        # A line that a stopped run left half written must not spoil the next one.
        file.write(("" if begun == b"\n" else "\n") + json.dumps(told) + "\n")

"""The automatic fit beside NUTS: pairs, ratios, goals."""

from pathlib import Path
from typing import Any

import pytest

from benchmarks.posteriors import GALLERY, ODD, POSTERIORS
from benchmarks.proving import chains_command, records
from benchmarks.proving.chains import NUTS, pairs, summary, table
from benchmarks.proving.records import Record, Run
from benchmarks.proving.trust import AUTO


def record(method: str, posterior: str = "rasch", **fields: Any) -> Record:
    usual: dict[str, Any] = {
        "cpu_seconds": 4.0, "second_cpu_seconds": 2.0, "trusted": True, "effective": 500.0,
        "errors": {"mean_max": 0.05, "log_sd_max": 0.02},
    }  # fmt: skip
    return Record(posterior, method, 0, records.OK, **(usual | fields))


def run_of(*made: Record) -> Run:
    return Run([], {one.key: one for one in made})


def test_only_what_both_have_fitted_is_a_pair() -> None:
    run = run_of(record(AUTO), record(NUTS), record(AUTO, "two_kinds"), record(NUTS, "latent_gp"))
    assert [pair.taut.posterior for pair in pairs(run)] == ["rasch"]


def test_cpu_seconds_are_counted_in_those_of_nuts() -> None:
    (pair,) = pairs(run_of(record(AUTO), record(NUTS, cpu_seconds=8.0, second_cpu_seconds=0.5)))
    assert pair.first == 0.5
    assert pair.second == 4.0
    assert "1 of 1 are right and trusted. " in summary([pair])
    assert "fewer CPU seconds than compiling and sampling in 1 of 1" in summary([pair])
    assert "over 3 times in 1 of 1" in summary([pair])


@pytest.mark.parametrize(
    "fields", [{"trusted": False}, {"errors": {"mean_max": 0.5, "log_sd_max": 0.0}}]
)
def test_what_is_wrong_or_not_trusted_does_not_count(fields: dict[str, Any]) -> None:
    (pair,) = pairs(run_of(record(AUTO, **fields), record(NUTS)))
    assert not pair.is_right


def test_a_failure_has_a_line_and_no_ratio() -> None:
    failed = Record("rasch", AUTO, 0, records.TIME_OUT, "more than 9 s")
    (pair,) = pairs(run_of(failed, record(NUTS)))
    assert (pair.first, pair.second) == (None, None)
    assert summary([pair]) == "0 of 1 are right and trusted; none was timed twice by both."
    assert "rasch, seed 0" in table([pair])


def test_the_table_has_effective_draws_for_each_second_of_a_second_fit() -> None:
    found = pairs(run_of(record(AUTO), record(NUTS, effective=1000.0, second_cpu_seconds=0.5)))
    assert "250 / 2000" in table(found).replace(",", "")


def test_there_are_twelve_models_of_galleries_and_none_counts_elsewhere() -> None:
    assert len(GALLERY) == 12
    assert not set(GALLERY) & (set(POSTERIORS) | set(ODD))
    assert set(GALLERY) <= set(chains_command.POSTERIORS)


def test_a_run_that_is_there_is_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "chains.jsonl"
    for one in (record(AUTO), record(NUTS)):
        records.write(path, one)
    chains_command.main(["--posteriors", "rasch", "--out", str(path)])
    told = capsys.readouterr().out
    assert "rasch, seed 0" in told
    assert "1 of 1 are right and trusted" in told

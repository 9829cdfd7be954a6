"""The runner survives what methods do, and goes on where it was."""

import sys
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from benchmarks.proving import records, runner
from benchmarks.proving.records import CRASH, OK, TIME_OUT, Record
from benchmarks.proving.runner import Plan

# Stands in for the worker: the posterior's name says what it does.
WORKER = """
import json, sys, time
ok = {"status": "ok", "seconds": 0.1, "errors": {"mean_max": 0.1, "log_sd_max": 0.1}}
method, posterior, seeds = sys.argv[1:4]
print("chatter of a library")
if posterior == "warm-up":
    sys.exit()
if posterior == "crash":
    sys.exit("no such luck")
if posterior == "hang":
    time.sleep(60)
print(json.dumps(ok), flush=True)
if posterior == "hang-later":
    time.sleep(60)
if "," not in seeds:
    print(json.dumps({"second_seconds": 0.05}), flush=True)
for seed in seeds.split(",")[1:]:
    again = {"seed": int(seed), "second_seconds": 0.05}
    print(json.dumps({"status": "ok", "errors": ok["errors"]} | again), flush=True)
    if posterior == "die":
        sys.exit("enough")
"""
SECONDS = 1.0
QUIET = Console(quiet=True)
METHOD = "taut-advi"


@pytest.fixture
def path(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setattr(runner, "_WORKER", (sys.executable, "-c", WORKER))
    monkeypatch.setattr(runner, "_IMPORTS_SECONDS", 1.0)
    return tmp_path / "run.jsonl"


def run(path: Path, *posteriors: str, seeds: int = 1, processes: int = 2) -> records.Run:
    plan = Plan.of(posteriors, [METHOD], seeds, SECONDS, processes)
    runner.run(plan, path, {"cores": 2}, QUIET)
    return records.read(path)


def test_failures_are_records(path: Path) -> None:
    found = run(path, "good", "crash", "hang", "hang-later").records
    by_posterior = {record.posterior: record for record in found.values()}
    assert by_posterior["good"].status == OK
    assert by_posterior["good"].second_seconds == 0.05
    assert by_posterior["crash"].status == CRASH
    assert "no such luck" in by_posterior["crash"].message
    assert by_posterior["hang"].status == TIME_OUT
    # A time-out of the second fit loses nothing of the first.
    assert by_posterior["hang-later"].status == OK
    assert by_posterior["hang-later"].second_seconds is None


def test_what_took_too_long_is_not_tried_with_another_seed(path: Path) -> None:
    found = run(path, "hang", seeds=3, processes=1).records
    assert [record.status for record in found.values()] == [TIME_OUT] * 3
    assert ["not tried" in record.message for record in found.values()] == [False, True, True]


def shared(path: Path, posterior: str) -> list[Record]:
    plan = Plan.of([posterior], [METHOD], 3, SECONDS, 1)
    runner.run(replace(plan, share=True), path, {}, QUIET)
    return list(records.read(path).records.values())


def test_seeds_may_share_a_process(path: Path) -> None:
    run(path, "good")
    found = shared(path, "good")
    assert [(record.seed, record.status) for record in found] == [(0, OK), (1, OK), (2, OK)]
    # The first that was missing is timed with its compilation.
    assert [record.seconds for record in found] == [0.1, 0.1, None]
    assert found[2].second_seconds == 0.05


@pytest.mark.parametrize(
    ("posterior", "statuses"),
    [("hang", [TIME_OUT] * 3), ("hang-later", [OK, TIME_OUT, TIME_OUT]), ("die", [OK, OK, CRASH])],
)
def test_a_shared_process_loses_nothing_that_was_told(
    path: Path, posterior: str, statuses: list[str]
) -> None:
    assert [record.status for record in shared(path, posterior)] == statuses


def test_a_run_goes_on_where_it_was(path: Path) -> None:
    run(path, "good")
    before = path.read_text()
    path.write_text(before + '{"posterior": "cut o')  # stopped while it wrote
    found = run(path, "good", "other")
    assert path.read_text().startswith(before)
    assert list(found.records) == [("good", METHOD, 0), ("other", METHOD, 0)]
    assert found.heads == [{"cores": 2}, {"cores": 2}]


def test_nothing_is_done_twice(path: Path) -> None:
    run(path, "good")
    before = path.read_text()
    run(path, "good")
    assert path.read_text() == before


def test_failures_are_tried_again_when_asked(path: Path) -> None:
    run(path, "good", "crash")
    plan = Plan.of(["good", "crash"], [METHOD], 1, SECONDS, 1)
    before = len(path.read_text().splitlines())
    runner.run(plan, path, {}, QUIET)
    assert len(path.read_text().splitlines()) == before
    runner.run(replace(plan, retry=True), path, {}, QUIET)
    # A head, and the one that failed.
    assert len(path.read_text().splitlines()) == before + 2


def test_one_seed_of_everything_comes_first() -> None:
    plan = Plan.of(["a", "b"], ["m"], 2, 1.0, 1)
    assert plan.keys == [("a", "m", 0), ("b", "m", 0), ("a", "m", 1), ("b", "m", 1)]


def test_records_come_back_as_they_went(tmp_path: Path) -> None:
    record = Record("a", "m", 0, OK, seconds=1.5, errors={"mean_max": 0.1})
    records.write(tmp_path / "run.jsonl", record)
    assert records.read(tmp_path / "run.jsonl").records == {record.key: record}

"""Summaries, tables, pictures and comparisons of a run."""

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.__main__ import main
from benchmarks.proving import records, run_command
from benchmarks.proving.compare import changes, verdict
from benchmarks.proving.records import OK, TIME_OUT, Record, Run
from benchmarks.proving.report_command import into
from benchmarks.proving.summary import Cell, summaries

HEAD = {
    "versions": {"taut": "1"}, "seconds": 60.0, "date": "2026-01-01T00:00", "processor": "some",
    "cores": 2, "python": "3.13",
}  # fmt: skip


def ok(posterior: str, method: str, seed: int, error: float, seconds: float = 1.0) -> Record:
    errors = {"mean_max": error, "log_sd_max": error / 2}
    return Record(
        posterior, method, seed, OK, seconds=seconds, second_seconds=0.5, errors=errors,
        peak_mb=100.0,
    )  # fmt: skip


def failed(posterior: str, method: str, seed: int) -> Record:
    return Record(posterior, method, seed, TIME_OUT, "more than 60 s")


def run_of(*found: Record) -> Run:
    return Run([HEAD], {record.key: record for record in found})


@pytest.fixture
def run() -> Run:
    return run_of(
        *(ok("gamma", "taut-advi", seed, 0.1 + seed) for seed in range(3)),
        ok("banana", "taut-advi", 0, 0.2),
        ok("gamma", "pymc-advi", 0, 2.0),
        failed("banana", "pymc-advi", 0),
    )


def write(path: Path, run: Run) -> Path:
    records.write_head(path, run.heads[0])
    for record in run.records.values():
        records.write(path, record)
    return path


def test_the_error_is_the_median_over_seeds(run: Run) -> None:
    best, _ = summaries(run)
    assert best.method == "taut-advi"
    assert best.cells["gamma"].error == pytest.approx(1.1)
    assert best.good == 0.5


def test_failures_count_as_failures(run: Run) -> None:
    worst = summaries(run)[1]
    assert worst.failures == 1
    assert worst.cells["banana"].failure == TIME_OUT
    assert worst.share_within(1e9) == 0.5


def test_one_failure_of_three_seeds_leaves_a_median() -> None:
    found = Cell((ok("a", "m", 0, 0.1), ok("a", "m", 1, 0.2), failed("a", "m", 2)))
    assert found.error == 0.2
    assert Cell((failed("a", "m", 0), failed("a", "m", 1), ok("a", "m", 2, 0.1))).error == math.inf


def test_the_report_is_a_page_with_two_pictures(run: Run, tmp_path: Path) -> None:
    path = write(tmp_path / "run.jsonl", run)
    main(["report", str(path), "--out", str(tmp_path / "page.md")])
    page = (tmp_path / "page.md").read_text()
    assert "| gamma | 1.10 | 2.00 |" in page
    assert "| banana | 0.20 | *time* |" in page
    assert "stochastic_volatility" in page  # among the references
    assert len(list(tmp_path.glob("*.png"))) == 2
    assert page.count("![") == 2


def test_odd_densities_are_not_counted_among_the_others(run: Run, tmp_path: Path) -> None:
    with_odd = run_of(*run.records.values(), ok("jump", "taut-advi", 0, 9.0))
    for name, what in (("without", run), ("with", with_odd)):
        path = write(tmp_path / f"{name}.jsonl", what)
        main(["report", str(path), "--out", str(tmp_path / f"{name}.md")])
    assert (tmp_path / "with.md").read_text() == (tmp_path / "without.md").read_text()


def test_another_run_may_tell_of_compilation(run: Run, tmp_path: Path) -> None:
    told = replace(ok("gamma", "taut-advi", 0, 0.1, seconds=4.0), compile_seconds=3.0)
    silent = ok("gamma", "pymc-advi", 0, 0.1)
    compiled = write(tmp_path / "compiled.jsonl", run_of(told, silent))
    path, page = write(tmp_path / "run.jsonl", run), tmp_path / "page.md"
    main(["report", str(path), "--compilation", str(compiled), "--out", str(page)])
    assert "| `taut-advi` | 4.00 | 3.00 | 75 % | 0.50 |" in page.read_text()
    assert "| `pymc-advi` | 1.00 |  |  | 0.50 |" in page.read_text()


def test_a_report_takes_the_place_of_the_one_before() -> None:
    page = into(into("# Title\n", "first"), "second") + "the rest"
    assert page.startswith("# Title\n\n<!--")
    assert "first" not in page
    assert "second" in page
    assert page.endswith("the rest")


def test_an_empty_run_has_no_report(tmp_path: Path) -> None:
    (tmp_path / "run.jsonl").write_text(json.dumps({"head": HEAD}))
    with pytest.raises(SystemExit):
        main(["report", str(tmp_path / "run.jsonl")])


def test_comparison_tells_better_from_noise() -> None:
    before = run_of(
        ok("a", "m", 0, 1.0, seconds=10.0), ok("b", "m", 0, 0.10), failed("c", "m", 0),
        ok("d", "m", 0, 0.5),
    )  # fmt: skip
    after = run_of(
        ok("a", "m", 0, 0.2, seconds=5.0), ok("b", "m", 0, 0.14), ok("c", "m", 0, 3.0),
        failed("d", "m", 0), ok("e", "m", 0, 1.0),
    )  # fmt: skip
    paired = {change.posterior: change for change in changes(before, after)}
    assert {name: change.in_error for name, change in paired.items()} == {
        "a": -1, "b": 0, "c": -1, "d": 1,
    }  # fmt: skip
    assert paired["a"].in_seconds == -1
    assert verdict(list(paired.values())).startswith("4 fits in both runs: error smaller in 2")


def test_compare_prints(run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = str(write(tmp_path / "run.jsonl", run))
    main(["compare", path, path])
    assert "4 fits in both runs: error smaller in 0, larger in 0" in capsys.readouterr().out


def test_quick_is_a_third_and_can_be_narrowed() -> None:
    quick = run_command.parse(["--quick"])
    whole = run_command.parse([])
    assert len(quick.posteriors) <= len(whole.posteriors) / 2.5
    assert (quick.seeds, whole.seeds) == (1, 3)
    assert run_command.parse(["--quick", "--seeds", "2"]).seeds == 2
    assert run_command.parse(["--kinds", "scan"]).posteriors == [
        "autoregression", "arma", "predator_prey",
    ]  # fmt: skip


def test_an_unknown_name_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        run_command.parse(["--methods", "taut-advy"])
    assert "choose from taut-auto" in capsys.readouterr().err
    with pytest.raises(SystemExit, match="no command 'runn'"):
        main(["runn"])

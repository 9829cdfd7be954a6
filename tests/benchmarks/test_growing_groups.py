"""The benchmark of groups from a file runs, on a small one."""

import pytest

from benchmarks.growing_groups import main


def test_a_small_file_is_fitted_and_compared(capsys: pytest.CaptureFixture[str]) -> None:
    main(["--groups", "300", "--rows", "3000", "--in-memory"])
    told = capsys.readouterr().out
    assert "3,000 rows of 300 groups" in told
    assert told.count("; trusted") == 2
    assert "latents:" in told

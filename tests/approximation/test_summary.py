"""What is known of a fit without another look at it: its report, its table, its file."""

from pathlib import Path

import numpy as np
import pymc as pm
import pytest
import xarray as xr

import taut
from taut.approximation import trust


@pytest.fixture(scope="module")
def model() -> pm.Model:
    with pm.Model(coords={"side": ["left", "right"]}) as model:
        x = pm.Normal("x", 3.0, 2.0, dims="side")
        pm.HalfNormal("scale", 1.0)
        pm.Normal("y", x, 1.0, observed=np.array([1.0, 2.0]), dims="side")
    return model


def test_a_report_is_that_of_the_fit_and_computes_nothing(
    model: pm.Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    approx = taut.fit(model=model, random_seed=1, progressbar=False)
    monkeypatch.setattr(trust, "log_densities", None)
    assert approx.trusted is approx.report.trusted is True
    assert approx.report.verdict == approx.journal.verdict
    assert "ended" in str(approx.report)


def test_a_fit_by_steps_is_known_when_it_was_diagnosed(model: pm.Model) -> None:
    approx = taut.fit(
        step_size="auto", method="advi", model=model, random_seed=1, progressbar=False
    )
    assert not approx.trusted
    assert "not been checked" in str(approx.report.verdict)
    report = approx.diagnose(random_seed=1)
    assert approx.report is report
    approx.shared_params["mu"].set_value(np.zeros(3))
    assert not approx.trusted


def test_a_summary_has_a_row_for_each_element(model: pm.Model) -> None:
    approx = taut.fit(model=model, random_seed=1, progressbar=False)
    table = approx.summary(4000, random_seed=1, ci_prob=0.9, round_to="none")
    assert set(table.index) == {"x[left]", "x[right]", "scale"}
    assert float(table.loc["x[left]", "mean"]) == pytest.approx(1.4, abs=0.06)
    assert float(table.loc["x[left]", "sd"]) == pytest.approx(0.8**0.5, rel=0.05)
    assert list(approx.summary(100, var_names=["scale"], random_seed=1).index) == ["scale"]


def test_draws_go_to_a_file_and_come_back(model: pm.Model, tmp_path: Path) -> None:
    approx = taut.fit(model=model, random_seed=1, progressbar=False)
    draws = approx.sample(20, random_seed=1)
    draws.to_netcdf(tmp_path / "draws.nc")
    with xr.open_datatree(tmp_path / "draws.nc") as again:
        np.testing.assert_array_equal(again["posterior"]["x"], draws["posterior"]["x"])
        assert list(again["posterior"]["x"]["side"].values) == ["left", "right"]


def test_labels_that_do_not_fit_are_left_out_with_a_warning() -> None:
    with pm.Model(coords={"row": np.arange(20)}) as model:
        x, y = pm.Data("x", np.ones(20)), pm.Data("rows", np.ones(20))
        mean = pm.Deterministic("mean", pm.Normal("b") * x, dims="row")
        pm.Normal("y", mean, 1.0, observed=y)
    model.set_data("x", np.ones(7))
    model.set_data("rows", np.ones(7))
    approx = taut.MeanField(model=model)
    with pytest.warns(UserWarning, match="'row' have 20 labels, and variables have 7"):
        draws = approx.sample(3, random_seed=1)
    assert draws["posterior"]["mean"].sizes == {"chain": 1, "draw": 3, "row": 7}


def test_versions_are_shown(capsys: pytest.CaptureFixture[str]) -> None:
    taut.show_versions()
    shown = capsys.readouterr().out
    for name in ("python", "taut", "pymc", "jax", "devices"):
        assert f"\n{name} " in f"\n{shown}"

"""Pictures show the figures of the fits they are of."""

import sys
from pathlib import Path
from types import SimpleNamespace

import arviz_base
import matplotlib
import numpy as np
import pymc as pm
import pytest

import taut
from taut import plot
from taut.errors import ArgumentError
from taut.plot.loss import moving_average

matplotlib.use("Agg")
pytestmark = pytest.mark.filterwarnings("ignore:FigureCanvasAgg is non-interactive")


@pytest.fixture(scope="module")
def model() -> pm.Model:
    with pm.Model() as model:
        x = pm.Normal("x", 0.0, 1.0, shape=2)
        pm.Normal("y", x[0] * x[1], 0.5, observed=1.0)
    return model


@pytest.fixture(scope="module")
def fitted(model: pm.Model) -> SimpleNamespace:
    advi = taut.ADVI(model=model, random_seed=1)
    tracker = taut.callbacks.Tracker(mean=advi.approx.mean.eval, every=100)
    approx = advi.fit(1000, callbacks=[tracker], progressbar=False)
    approx.diagnose(random_seed=1)
    return SimpleNamespace(approx=approx, tracker=tracker)


def drawn(collection: object, name: str, function: str) -> list[dict[str, np.ndarray]]:
    """What a function of the backend without pictures was called with."""
    return [one for one in collection.get_target(name, {}) if one["function"] == function]


def test_the_average_is_that_of_windows_without_what_is_not_finite() -> None:
    losses = np.arange(200.0)
    at, mean = moving_average(losses)
    np.testing.assert_allclose(mean, at - 1)
    losses[10] = np.nan
    assert np.isfinite(moving_average(losses)[1]).all()


def test_the_loss_is_drawn_with_the_elbo(fitted: SimpleNamespace) -> None:
    picture = plot.plot_loss(fitted.approx, backend="none")
    every, _ = drawn(picture, "loss", "line")
    np.testing.assert_array_equal(every["y"], fitted.approx.hist)
    (band,) = (one for one in picture.get_target("loss", {}) if "ymin" in one)
    mean, se = fitted.approx.report.elbo
    np.testing.assert_allclose([band["ymin"], band["ymax"]], [-mean - 2 * se, -mean + 2 * se])


def test_elbos_stand_in_their_order(fitted: SimpleNamespace, model: pm.Model) -> None:
    start = taut.MeanField(model=model)
    picture = plot.plot_elbo(
        {"start": start, "fit": fitted.approx}, 200, random_seed=1, backend="none"
    )
    shown = [float(one["x"][0]) for one in drawn(picture, "elbo", "scatter")]
    expected = [fit.elbo(200, random_seed=1).mean for fit in (start, fitted.approx)]
    np.testing.assert_allclose(shown, sorted(expected, reverse=True))


def test_records_are_drawn_at_their_steps(fitted: SimpleNamespace) -> None:
    lines = drawn(plot.plot_tracker(fitted.tracker, backend="none"), "mean", "line")
    assert len(lines) == 2
    np.testing.assert_array_equal(lines[0]["x"], np.arange(100, 1001, 100))
    np.testing.assert_allclose(lines[0]["y"], [one[0] for one in fitted.tracker["mean"]])


def test_shifts_are_those_of_the_check_the_worst_first(fitted: SimpleNamespace) -> None:
    check = fitted.approx.report.check
    picture = plot.plot_shift(fitted.approx, backend="none")
    shown = [float(one["x"][0]) for one in drawn(picture, "mean", "scatter")]
    assert sorted(shown) == sorted(check.mean_shift.tolist())
    assert shown[0] == check.mean_shift[check.worst]
    (one,) = drawn(plot.plot_shift(fitted.approx, "x[1]", backend="none"), "spread", "scatter")
    assert float(one["x"][0]) == check.log_sd_shift[1]


def test_khats_are_those_of_the_report(fitted: SimpleNamespace) -> None:
    shown = drawn(plot.plot_khat(fitted.approx.report, backend="none"), "khat", "scatter")
    expected = sorted((k.value for k in fitted.approx.report.khats.values()), reverse=True)
    np.testing.assert_allclose([float(one["x"][0]) for one in shown], np.clip(expected, -0.5, 2.0))


def test_ellipses_hold_their_share_of_a_gaussian(model: pm.Model) -> None:
    approx = taut.MeanField(model=model)
    picture = plot.plot_pair(approx, random_seed=1, backend="none")
    draws = approx.unconstrained_draws(4000, 2)
    inner, outer = drawn(picture, "0,1", "line")
    for line, share in ((inner, 0.5), (outer, 0.94)):
        path = matplotlib.path.Path(np.stack([line["x"], line["y"]], axis=1))
        # Three standard errors of a share of 4 000 draws, and of the moments of as many.
        assert path.contains_points(draws).mean() == pytest.approx(share, abs=0.04)


def test_marginals_of_a_fit_stand_beside_those_of_its_chains(fitted: SimpleNamespace) -> None:
    picture = plot.plot_dist(fitted.approx, chains=True, draws=200, random_seed=1, backend="none")
    assert list(picture.viz["dist"]["x"]["model"].values) == ["taut", "taut, chains"]


def test_a_trace_of_more_chains_stands_beside_a_fit(fitted: SimpleNamespace) -> None:
    """And ArviZ has nothing to warn of, which would be an error here."""
    random = np.random.default_rng(1)
    trace = arviz_base.from_dict({"posterior": {"x": random.normal(size=(4, 100, 2))}})
    both = {"taut": fitted.approx, "NUTS": trace}
    picture = plot.plot_dist(both, draws=300, random_seed=1, backend="none")
    assert list(picture.viz["dist"]["x"]["model"].values) == ["taut", "NUTS"]
    shown = picture.data["x"].sel(model="NUTS")
    for end in (0, -1):
        expected = trace.posterior["x"].isel(chain=end, draw=end)
        np.testing.assert_allclose(shown.isel(chain=0, draw=end), expected)


def test_a_timeline_has_a_bar_for_each_stage(fitted: SimpleNamespace) -> None:
    picture = plot.plot_journal(fitted.approx, backend="none")
    bars = drawn(picture, "journal", "fill_between_y")
    stages = fitted.approx.report.journal.stages
    assert len(bars) == len(stages) > 0
    assert bars[-1]["x"][-1] == pytest.approx(sum(stage.seconds for stage in stages))


def test_a_report_shows_two_pictures_in_a_notebook(
    fitted: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    import matplotlib.pyplot as plt

    before = plt.get_fignums()
    html = fitted.approx.report._repr_html_()
    assert html.count('src="data:image/png;base64,') == 2
    assert plt.get_fignums() == before
    monkeypatch.setattr("taut.plot.images.find_spec", lambda name: None)
    assert "<img" not in fitted.approx.report._repr_html_()


@pytest.mark.parametrize("picture", ["plot_loss", "plot_shift", "plot_khat", "plot_journal"])
def test_what_is_not_there_is_said(picture: str, model: pm.Model) -> None:
    with pytest.raises(ArgumentError, match=r"has no|took no|No \w+"):
        getattr(plot, picture)(taut.MeanField(model=model), backend="none")


def test_a_name_that_is_not_there_is_said(fitted: SimpleNamespace) -> None:
    with pytest.raises(ArgumentError, match="there are x, in the unconstrained space"):
        plot.plot_shift(fitted.approx, "z", backend="none")
    with pytest.raises(ArgumentError, match="backend must be"):
        plot.plot_loss(fitted.approx, backend="paper")


@pytest.mark.parametrize("backend", ["bokeh", "plotly"])
def test_pictures_are_drawn_by_the_other_backends(
    backend: str, fitted: SimpleNamespace, tmp_path: Path
) -> None:
    pictures = {
        "loss": plot.plot_loss(fitted.approx, backend=backend),
        "elbo": plot.plot_elbo({"a": fitted.approx}, 100, random_seed=1, backend=backend),
        "tracker": plot.plot_tracker(fitted.tracker, backend=backend),
        "shift": plot.plot_shift(fitted.approx, backend=backend),
        "khat": plot.plot_khat(fitted.approx.report, backend=backend),
        "pair": plot.plot_pair(fitted.approx, random_seed=1, backend=backend),
        "dist": plot.plot_dist(fitted.approx, draws=100, random_seed=1, backend=backend),
        "journal": plot.plot_journal(fitted.approx, backend=backend),
    }
    for name, picture in pictures.items():
        assert picture.backend == backend
        picture.savefig(tmp_path / f"{name}.html")
        assert backend in (tmp_path / f"{name}.html").read_text().lower()


def test_a_backend_that_is_not_there_is_said_with_how_to_get_it(
    fitted: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "arviz_plots.backend.plotly", None)
    with pytest.raises(ImportError, match=r'pip install "arviz-plots\[plotly\]"'):
        plot.plot_loss(fitted.approx, backend="plotly")

"""What a person is told of a fit, and what nobody is told."""

import io
import logging
import sys
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest
from rich.console import Console
from rich.theme import Theme

import taut
from cases import regression
from taut.errors import NotFiniteError
from taut.progress import (
    FINISHED,
    INTERRUPTED,
    NOT_FINITE,
    RichProgress,
    SilentProgress,
    average,
    last_line,
    style_of,
)

HIDE, SHOW = "\x1b[?25l", "\x1b[?25h"


@pytest.fixture(scope="module")
def target() -> taut.Target:
    """One target for the module, whose tests so share their programs."""
    return regression(3).target()


@pytest.mark.parametrize(
    ("losses", "steps", "stopped", "line"),
    [
        (np.full(2000, 169.86), 2000, FINISHED, "Finished [100%]: Average Loss = 169.86"),
        (np.full(2000, 1234567.0), 2000, FINISHED, "Finished [100%]: Average Loss = 1.2346e+06"),
        (np.full(20, 12345.67), 20, FINISHED, "Finished [100%]: Average Loss = 12,346"),
        (
            np.full(7599, 3.97),
            10_000,
            INTERRUPTED,
            "Interrupted at 7,599 [75%]: Average Loss = 3.97",
        ),
        (np.full(5, 3.97), 100, INTERRUPTED, "Interrupted at 5 [5%]: Average Loss = 3.97"),
        (np.array([5.0, 4.0, 3.0]), 3, FINISHED, "Finished [100%]: Loss = 3"),
        (np.array([5.0, 4.0]), 9, INTERRUPTED, "Interrupted at 2 [22%]: Loss = 4"),
        (np.empty(0), 100, INTERRUPTED, "Interrupted at 0 [0%]: Average Loss = nan"),
        (np.empty(0), 5, INTERRUPTED, "Interrupted at 0 [0%]: Loss = nan"),
        (
            np.full(50, 2.5),
            100,
            "Convergence achieved at 50",
            "Interrupted at 50 [50%]: Average Loss = 2.5\nConvergence achieved at 50",
        ),
        (np.full(9, 1.0), 9, "enough", "Interrupted at 9 [100%]: Loss = 1\nenough"),
        (
            np.full(137, np.inf),
            1000,
            NOT_FINITE,
            "Interrupted at 137 [13%]: Average Loss = nan\nnot finite",
        ),
        (
            np.array([5.0, 4.0]),
            None,
            "trusted: words",
            "trusted: words\nFinished after 2 iterations: Loss = 4",
        ),
        (np.array([5.0, 4.0]), None, INTERRUPTED, "Interrupted after 2 iterations: Loss = 4"),
    ],
)
def test_last_line_is_in_the_words_of_pymc(
    losses: np.ndarray, steps: int | None, stopped: str, line: str
) -> None:
    assert last_line(losses, steps, stopped) == line


def test_average_is_over_the_last_thousand() -> None:
    assert average(np.concatenate([np.full(500, 9.0), np.full(1000, 2.0)])) == 2.0


def test_average_leaves_out_what_is_not_finite() -> None:
    assert average(np.array([1.0, np.nan, 3.0, np.inf, -np.inf])) == 2.0


@pytest.mark.parametrize("losses", [[], [np.nan], [np.inf, np.nan]])
def test_average_of_nothing_is_no_number_and_no_warning(losses: list[float]) -> None:
    assert np.isnan(average(np.array(losses)))


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """A clock that the test sets forward; it stands still else."""
    now = [100.0]
    monkeypatch.setattr("taut.progress.progress.time", SimpleNamespace(perf_counter=lambda: now[0]))

    def forward(seconds: float) -> None:
        now[0] += seconds

    return forward


def terminal(**how: Any) -> tuple[RichProgress, io.StringIO]:
    """A bar on a terminal, and what the terminal shows."""
    file = io.StringIO()
    console = Console(file=file, force_terminal=True, width=120, color_system=None, **how)
    return RichProgress(console=console), file


def test_bar_shows_speed_loss_and_time_left(clock: Callable[[float], None]) -> None:
    bar, file = terminal()
    bar.start(1000)
    assert "compiling" in file.getvalue()
    clock(3.0)
    bar.update(np.full(100, 5.0))
    file.truncate(0)
    clock(0.5)
    bar.update(np.full(600, 5.0))
    # Time spent on compiling the first chunk does not count: 500 steps in half a second.
    for part in ("Fitting", "60%", "1,000 steps/s", "Average Loss = 5", "0:00:"):
        assert part in file.getvalue()


def test_bar_of_a_fit_that_ends_by_itself_has_no_speed(clock: Callable[[float], None]) -> None:
    bar, file = terminal()
    bar.start(None)
    bar.update(np.full(1, 5.0))
    clock(0.5)
    bar.update(np.full(3, 5.0), "batch and match")
    assert "batch and match, Loss = 5" in file.getvalue()
    bar.finish(np.full(3, 5.0), "trusted: words")
    assert file.getvalue().endswith("trusted: words\nFinished after 3 iterations: Loss = 5\n")
    assert "steps/s" not in file.getvalue()


def test_bar_in_a_notebook_is_an_output_that_is_updated(
    clock: Callable[[float], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without ipywidgets, and without a word of rich about them."""
    shown: list[dict[str, str]] = []

    class Handle:
        def update(self, data: dict[str, str], raw: bool) -> None:
            assert raw
            shown.append(data)

    def display(data: dict[str, str], raw: bool, display_id: bool) -> Handle:
        assert display_id
        Handle().update(data, raw)
        return Handle()

    monkeypatch.setattr("IPython.display.display", display)
    monkeypatch.setitem(sys.modules, "ipywidgets", None)
    bar = RichProgress(console=Console(file=io.StringIO(), force_jupyter=True))
    bar.start(1000)
    bar.update(np.full(100, 5.0))
    clock(0.5)
    bar.update(np.full(600, 5.0))
    bar.finish(np.full(600, 5.0), "a < b")
    assert len(shown) == 5
    assert "compiling" in shown[0]["text/plain"]
    assert "60%" in shown[2]["text/plain"]
    assert "1,000 steps/s" in shown[2]["text/html"]
    assert shown[4]["text/plain"].endswith("Interrupted at 600 [60%]: Average Loss = 5\na < b")
    assert shown[4]["text/html"].endswith("a &lt; b</pre>")


@pytest.mark.parametrize(
    ("stopped", "style"),
    [
        (FINISHED, "green"),
        ("trusted: words", "green"),
        ("not trusted: words", "yellow"),
        (INTERRUPTED, "yellow"),
        (NOT_FINITE, "yellow"),
        ("Convergence achieved at 50", None),
    ],
)
def test_the_last_line_has_the_colour_of_its_news(stopped: str, style: str | None) -> None:
    assert style_of(stopped) == style
    file = io.StringIO()
    bar = RichProgress(console=Console(file=file, force_terminal=True, color_system="standard"))
    bar.start(None)
    bar.finish(np.full(3, 5.0), stopped)
    codes = {"green": "\x1b[32m", "yellow": "\x1b[33m"}
    news = stopped if stopped != INTERRUPTED else "Interrupted after"
    assert f"{codes.get(style or '', '')}{news}" in file.getvalue()


def test_bar_is_drawn_a_few_times_a_second_at_most(clock: Callable[[float], None]) -> None:
    bar, file = terminal()
    bar.start(1000)
    bar.update(np.full(100, 5.0))
    drawn = file.tell()
    for count in range(101, 110):
        clock(0.01)
        bar.update(np.full(count, 5.0))
    assert file.tell() == drawn
    clock(0.3)
    bar.update(np.full(110, 5.0))
    assert file.tell() > drawn


@pytest.mark.parametrize(
    ("stopped", "last"),
    [
        (FINISHED, ["Finished [100%]: Average Loss = 5"]),
        ("enough [of it/]", ["Interrupted at 50 [100%]: Average Loss = 5", "enough [of it/]"]),
        ("[/bold] [red]", ["Interrupted at 50 [100%]: Average Loss = 5", "[/bold] [red]"]),
    ],
)
def test_bar_ends_with_the_last_line(
    stopped: str, last: list[str], clock: Callable[[float], None]
) -> None:
    bar, file = terminal()
    bar.start(50)
    bar.update(np.full(20, 5.0))
    clock(0.01)
    bar.finish(np.full(50, 5.0), stopped)
    shown = file.getvalue()
    assert shown.count(HIDE) == shown.count(SHOW) == 1
    shown = shown.replace(SHOW, "")
    assert shown.splitlines()[-len(last) :] == last
    # The bar has gone to its end, although the last update came too early to be drawn.
    assert "100%" in shown.splitlines()[-len(last) - 1]


def test_bar_of_a_fit_without_a_step_can_be_ended() -> None:
    bar, file = terminal()
    bar.start(50)
    bar.finish(np.empty(0), INTERRUPTED)
    assert file.getvalue().endswith(f"{SHOW}Interrupted at 0 [0%]: Average Loss = nan\n")


def test_bar_shows_losses_that_are_not_finite_as_no_number(clock: Callable[[float], None]) -> None:
    bar, file = terminal()
    bar.start(50)
    bar.update(np.full(20, np.nan))
    bar.finish(np.full(50, np.nan), NOT_FINITE)
    assert "Average Loss = nan" in file.getvalue()


def test_one_bar_can_serve_two_fits(clock: Callable[[float], None]) -> None:
    bar, file = terminal()
    for steps in (20, 30):
        bar.start(steps)
        bar.update(np.full(10, 5.0))
        bar.finish(np.full(steps, 5.0), FINISHED)
    assert file.getvalue().count("Finished") == 2
    assert file.getvalue().count(HIDE) == file.getvalue().count(SHOW) == 2


def fit(target: taut.Target, n: int = 50, **how: Any) -> taut.Approximation:
    """A fit with a seed."""
    return taut.fit(n, method="advi", model=target, random_seed=1, **how)


def test_a_fit_shows_its_bar_and_last_line(
    target: taut.Target, capfd: pytest.CaptureFixture[str]
) -> None:
    approx = fit(target)
    shown = capfd.readouterr()
    assert "Fitting" in shown.out
    last = f"Finished [100%]: Average Loss = {approx.hist.mean():,.5g}"
    assert shown.out.splitlines()[-1] == last
    assert shown.err == ""


def test_a_fit_takes_a_theme(target: taut.Target, capfd: pytest.CaptureFixture[str]) -> None:
    fit(target, progressbar_theme=Theme({"bar.complete": "red"}))
    assert "Finished" in capfd.readouterr().out


def test_a_fit_without_a_bar_prints_nothing_and_logs_its_end(
    target: taut.Target, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, logger="taut"):
        approx = fit(target, progressbar=False)
    shown = capfd.readouterr()
    assert (shown.out, shown.err) == ("", "")
    last = f"Finished [100%]: Average Loss = {approx.hist.mean():,.5g}"
    assert caplog.record_tuples == [("taut", logging.INFO, last)]


def test_silence_logs_the_reason_of_a_callback(caplog: pytest.LogCaptureFixture) -> None:
    progress = SilentProgress()
    with caplog.at_level(logging.INFO, logger="taut"):
        progress.start(100)
        progress.update(np.full(20, 1.0))
        progress.finish(np.full(20, 1.0), "enough")
    assert caplog.messages == ["Interrupted at 20 [20%]: Average Loss = 1\nenough"]


def nowhere(z: Any, data: Any, batch: Any) -> tuple[Any, Any]:
    """A density that is finite nowhere."""
    return jnp.sum(z) * jnp.nan, jnp.zeros(())


def only_at_zero(z: Any, data: Any, batch: Any) -> tuple[Any, Any]:
    """A density that is finite at the start point alone."""
    return jnp.where(jnp.all(z == 0), 0.0, jnp.nan), jnp.zeros(())


@pytest.mark.parametrize("terms", [nowhere, only_at_zero])
def test_a_fit_that_fails_leaves_no_bar_alive(
    terms: Any, target: taut.Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = io.StringIO()
    monkeypatch.setattr(
        "taut.progress.progress.Console",
        lambda **how: Console(file=file, force_terminal=True, width=120, color_system=None),
    )
    with pytest.raises(NotFiniteError):
        fit(taut.Target(terms, target.space), n=500)
    assert file.getvalue().count(HIDE) == file.getvalue().count(SHOW)
    # Where it fails before the first step, no bar was shown at all.
    assert ("Fitting" in file.getvalue()) == (terms is only_at_zero)


def test_a_callback_that_fails_leaves_no_bar_alive(
    target: taut.Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(approx: Any, losses: Any, i: int) -> None:
        raise RuntimeError("mine")

    file = io.StringIO()
    monkeypatch.setattr(
        "taut.progress.progress.Console",
        lambda **how: Console(file=file, force_terminal=True, width=120, color_system=None),
    )
    with pytest.raises(RuntimeError, match="mine"):
        fit(target, callbacks=[fail])
    assert file.getvalue().count(HIDE) == file.getvalue().count(SHOW) == 1

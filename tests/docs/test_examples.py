"""Every Python block of the README and of docs/ runs, and prints the text block after it."""

import contextlib
import io
import re
from itertools import groupby
from pathlib import Path

import matplotlib
import pytest

import taut

matplotlib.use("Agg")

ROOT = Path(__file__).parents[2]
# Pages that the build of the site writes have no code.
WRITTEN = ROOT / "docs" / "api", ROOT / "docs" / "_build"
FOUND = (p for p in sorted((ROOT / "docs").rglob("*.md")) if not set(p.parents) & set(WRITTEN))
# Fits of the gallery take minutes: the build of the site runs them, and a nightly run compares what
# they print.
PAGES = [
    ROOT / "README.md",
    *(
        pytest.param(p, marks=pytest.mark.nightly) if p.parent.name == "gallery" else p
        for p in FOUND
    ),
]
BLOCKS = re.compile(r"^```python\n(.*?)^```\n(?:\n```text\n(.*?)^```)?", re.MULTILINE | re.DOTALL)
# A report that a page prints beside its blocks: times, and what hangs on rounding, may differ.
REPORT = re.compile(
    r"(?<!```\n)\n```text\n((?:not )?trusted: [^\n]*\n.*?)^```", re.MULTILINE | re.DOTALL
)
FIGURE = re.compile(r"-?\d[\d,.]*|\((?!bound).*?\)|, [a-z_0-9\[\]]+$")


@pytest.mark.filterwarnings("ignore:FigureCanvasAgg is non-interactive")
@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_page_runs_and_prints_what_it_shows(page: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if page.parent.name == "gallery":
        # Where it finds the draws it compares with.
        monkeypatch.chdir(page.parent)
    namespace: dict[str, object] = {}
    for code, shown in BLOCKS.findall(page.read_text()):
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile(code, str(page), "exec"), namespace)
        if shown:
            assert printed.getvalue().rstrip() == shown.rstrip()
        else:
            assert printed.getvalue() == ""
    for shown in REPORT.findall(page.read_text()):
        assert lines(str(namespace["report"])) == lines(shown)


def lines(report: str) -> list[str]:
    """Lines of a report without figures and names; of those that follow each other alike, one."""
    without = (FIGURE.sub("#", line) for line in report.rstrip().splitlines())
    return [line for line, _ in groupby(without)]


def test_reference_names_everything_public() -> None:
    text = (ROOT / "docs" / "reference.md").read_text()
    missing = [name for name in taut.__all__ if f"`taut.{name}" not in text]
    assert missing == []

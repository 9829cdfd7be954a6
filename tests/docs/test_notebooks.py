"""In a notebook a fit shows one bar that ends in a colour, and nothing of it goes to stderr."""

import re
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient

import pages

TUTORIALS = Path(__file__).parents[2] / "docs" / "tutorials"
GREEN = re.compile(r'<span style="color: #(?:008000|729c1f)[^>]*>━{24}</span>')
QUICK = """
import numpy as np, pymc as pm, taut

with pm.Model():
    mu, sigma = pm.Normal("mu", 0.0, 10.0), pm.HalfNormal("sigma")
    pm.Normal("y", mu, sigma, observed=np.array([1.5, 2.5, 2.0, 2.6]))
    taut.fit(random_seed=1)
    taut.fit(2000, method="advi", random_seed=1)
    taut.fit(3000, method="advi", random_seed=1, callbacks=[lambda approx, losses, i: stop(i)])
"""
STOP = """
def stop(i):
    if i == 500:
        raise KeyboardInterrupt
"""
WITHOUT = "import sys\n\nsys.modules['ipywidgets'] = None"


def run(cells: list[str], *, widgets: bool) -> list[Any]:
    """What a notebook of these cells puts out, with ipywidgets or where they are not installed."""
    sources = ([] if widgets else [WITHOUT]) + cells
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(one) for one in sources])
    NotebookClient(book, timeout=300, kernel_name="python3").execute()
    return [output for cell in book.cells for output in cell.outputs]


def bars(outputs: list[Any]) -> list[dict[str, str]]:
    """The bars among them."""
    data = [output["data"] for output in outputs if "data" in output]
    return [one for one in data if one.get("text/plain", "").startswith("Fitting")]


def stderr(outputs: list[Any]) -> str:
    return "".join(output.get("text", "") for output in outputs if output.get("name") == "stderr")


@pytest.mark.parametrize("widgets", [True, False], ids=["ipywidgets", "none"])
def test_bars_end_in_the_colour_of_what_they_say_first(widgets: bool) -> None:
    outputs = run([STOP, QUICK], widgets=widgets)
    assert stderr(outputs) == ""
    automatic, steps, interrupted = bars(outputs)
    assert automatic["text/plain"].splitlines()[1].startswith("trusted: ")
    assert "Finished after" in automatic["text/plain"]
    assert "steps/s" not in automatic["text/plain"]
    assert steps["text/plain"].splitlines()[1].startswith("Finished [100%]: ")
    for bar in (automatic, steps):
        assert GREEN.search(bar["text/html"])
    assert interrupted["text/plain"].splitlines()[1].startswith("Interrupted at ")
    assert not GREEN.search(interrupted["text/html"])


@pytest.mark.nightly
@pytest.mark.parametrize("widgets", [True, False], ids=["ipywidgets", "none"])
@pytest.mark.parametrize("name", ["first-fit", "introduction"])
def test_a_tutorial_with_its_bars_is_a_clean_notebook(name: str, widgets: bool) -> None:
    code = [
        cell.source.replace("progressbar=False", "progressbar=True")
        for cell in pages.read((TUTORIALS / f"{name}.md").read_text()).cells
        if cell.cell_type == "code"
    ]
    outputs = run(code, widgets=widgets)
    assert stderr(outputs) == ""
    found = bars(outputs)
    assert len(found) >= sum(one.count("progressbar=True") for one in code) > 0
    for bar in found:
        first = bar["text/plain"].splitlines()[1]
        assert first.startswith(("trusted: ", "Finished [100%]: ", "Interrupted at "))
        assert first.startswith("Interrupted") or GREEN.search(bar["text/html"])

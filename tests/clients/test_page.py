"""The recipes of the how-to on other packages run, and print what they show."""

import contextlib
import io
import re
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "clients.md"
# By what a section imports; its blocks share their names.
NEEDS = {
    "Bambi": "bambi",
    "PyMC-Marketing": "pymc_marketing",
    "pymc-extras": "pymc_extras",
    "CausalPy": "causalpy",
}
BLOCKS = re.compile(r"^```py\n(.*?)^```\n\n```text\n(.*?)^```", re.MULTILINE | re.DOTALL)


def sections() -> dict[str, str]:
    """The text below each heading that has blocks."""
    parts = re.split(r"^## (.+)$", PAGE.read_text(), flags=re.MULTILINE)
    found = dict(zip(parts[1::2], parts[2::2], strict=True))
    return {title: text for title, text in found.items() if "```py\n" in text}


def test_every_block_of_the_page_is_run() -> None:
    assert sections().keys() == NEEDS.keys()
    for text in sections().values():
        assert len(BLOCKS.findall(text)) == text.count("```py\n")


@pytest.mark.slow
@pytest.mark.parametrize("title", NEEDS)
def test_a_recipe_prints_what_it_shows(title: str) -> None:
    pytest.importorskip(NEEDS[title], reason="runs where the group `clients` is installed")
    namespace: dict[str, object] = {"__name__": "__main__"}
    for code, shown in BLOCKS.findall(sections()[title]):
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile(code, str(PAGE), "exec"), namespace)
        assert printed.getvalue().rstrip().splitlines()[-shown.count("\n") :] == shown.splitlines()

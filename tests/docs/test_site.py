"""The site has a page for each public name, and runs the pages that are written."""

import re
from pathlib import Path

import pages
import taut
from check_links import broken

DOCS = Path(__file__).parents[2] / "docs"
CODE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)


def test_every_public_name_has_a_page_with_its_signature(tmp_path: Path) -> None:
    folder = tmp_path / "api"
    pages.write_api(taut, folder)
    assert {page.stem for page in folder.glob("*.md")} == {*taut.__all__, "index"}
    listed = (folder / "index.md").read_text().splitlines()
    assert [name for name in taut.__all__ if name not in listed] == []
    assert ".. autofunction:: taut.fit" in (folder / "fit.md").read_text()
    # Calls of a method stand where they are looked for, those of other packages' classes do not.
    assert ":inherited-members:" in (folder / "ADVI.md").read_text()
    assert ":inherited-members:" not in (folder / "errors.md").read_text()
    missing = [
        f"{name}.{one}"
        for name in ("callbacks", "diagnose", "errors", "family", "objective", "plot")
        for one in pages.public(getattr(taut, name))
        if f":: taut.{name}.{one}\n" not in (folder / f"{name}.md").read_text()
    ]
    assert missing == []


def test_pages_of_names_that_are_gone_go_too(tmp_path: Path) -> None:
    folder = tmp_path / "api"
    folder.mkdir()
    (folder / "gone.md").write_text("# gone")
    pages.write_api(taut, folder)
    assert not (folder / "gone.md").exists()


def test_blocks_become_cells_and_lose_the_text_they_print() -> None:
    text = (
        "---\nfront: matter\n---\n# Title\n\n```python\nprint(1)\n```\n\n```text\n1\n```\n\nEnd.\n"
    )
    cells = [(cell.cell_type, cell.source.strip()) for cell in pages.read(text).cells]
    assert cells == [("markdown", "# Title"), ("code", "print(1)"), ("markdown", "End.")]
    assert pages.has_code(text)
    assert not pages.has_code("# Title\n\n```text\n1\n```\n")


def test_every_page_is_reached_from_the_first() -> None:
    there = {page for page in DOCS.rglob("*.md") if not {"_build", "api"} & set(page.parts)}
    reached, ahead = set(), [DOCS / "index.md"]
    while ahead:
        page = ahead.pop()
        reached.add(page)
        for tree in re.findall(r"^```{toctree}\n(.*?)^```", page.read_text(), re.M | re.S):
            named = re.findall(r"^[a-z./-]+$", tree, re.MULTILINE)
            found = [(page.parent / f"{name}.md").resolve() for name in named]
            ahead += [one for one in found if one in there]
    assert there - reached == set()


def test_links_of_pages_lead_to_files_and_headings() -> None:
    """As far as can be seen before the site is built; the build checks all links of its HTML."""
    written = (page for page in DOCS.rglob("*.md") if not {"_build", "api"} & set(page.parts))
    texts = {page: CODE.sub("", page.read_text()) for page in written}
    lost, seen = [], 0
    for page, text in texts.items():
        for link in re.findall(r"\]\(([^)\s:]+)\)", text):
            name, _, anchor = link.partition("#")
            target = (page.parent / name).resolve() if name else page
            headings = map(slug, re.findall(r"^#+ (.+)$", texts.get(target, ""), re.MULTILINE))
            seen += 1
            if not target.exists() or (anchor and anchor not in headings):
                lost.append(f"{page.relative_to(DOCS)}: {link}")
    assert lost == []
    assert seen > 30


def slug(heading: str) -> str:
    """The anchor of a heading."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def test_the_check_of_built_pages_finds_what_is_lost(tmp_path: Path) -> None:
    (tmp_path / "below").mkdir()
    (tmp_path / "one.html").write_text(
        '<a href="below/two.html#there">1</a><a href="below/two.html#gone">2</a>'
        '<a href="three.html">3</a><a href="https://elsewhere.org/x">4</a><img src="no.png">'
        '<a href="#here" id="here">5</a>'
    )
    (tmp_path / "below" / "two.html").write_text('<h1 id="there"><a href="../one.html">1</a></h1>')
    assert broken(tmp_path) == [
        "one.html: below/two.html#gone", "one.html: three.html", "one.html: no.png",
    ]  # fmt: skip

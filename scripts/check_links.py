"""Check links between pages of the built site, with their anchors.

`python scripts/check_links.py FOLDER` prints those that lead nowhere, and fails if there
are any. Links to other sites are left alone.
"""

import sys
from collections.abc import Mapping
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

# Templates of the theme, which are no pages.
NO_PAGES = ("webpack-macros.html",)


class Page(HTMLParser):
    """What a page links to, and what in it can be linked to.

    Parameters
    ----------
    text
        Its HTML.
    """

    def __init__(self, text: str) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.links: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note anchors and links."""
        for name, value in attrs:
            if value and name in ("href", "src"):
                self.links.append(value)
            elif value and (name == "id" or (tag == "a" and name == "name")):
                self.anchors.add(value)


def broken(folder: Path) -> list[str]:
    """List links that lead to no file below a folder, or to no anchor of a page there."""
    found = (path for path in sorted(folder.rglob("*.html")) if path.name not in NO_PAGES)
    pages = {path.resolve(): Page(path.read_text()) for path in found}
    return [
        f"{path.relative_to(folder.resolve())}: {link}"
        for path, page in pages.items()
        for link in dict.fromkeys(page.links)
        if not _leads_somewhere(path, link, pages)
    ]


def _leads_somewhere(path: Path, link: str, pages: Mapping[Path, Page]) -> bool:
    parts = urlsplit(link)
    if parts.scheme or parts.netloc:
        return True
    target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
    if target not in pages:
        return target.exists()
    return not parts.fragment or unquote(parts.fragment) in pages[target].anchors


if __name__ == "__main__":
    [site] = map(Path, sys.argv[1:])
    lost = broken(site)
    print("\n".join(lost) or "All links between pages lead somewhere.")
    sys.exit(bool(lost))

"""Tables in a terminal and in a notebook."""

from collections.abc import Sequence
from html import escape

Rows = Sequence[tuple[str, ...]]


def as_text(title: str, rows: Rows) -> str:
    """Write a table below its title."""
    return "\n".join([title, *(" ".join(row) for row in rows)])


def as_html(title: str, rows: Rows) -> str:
    """Write a table below its title, for a notebook."""
    cells = ("".join(f"<td>{escape(cell.strip())}</td>" for cell in row) for row in rows)
    body = "".join(f"<tr>{row}</tr>" for row in cells)
    return f"<p>{escape(title)}</p><table>{body}</table>"

"""Draw the rooms of taut from its imports: which imports which, floor by floor.

Run it with `uv run scripts/draw_rooms.py`. It writes `docs/develop/rooms.md`: some figures, and a
picture in Mermaid, in which an arrow that others imply is left out. A test compares the page with
the imports.
"""

import ast
import sys
from collections.abc import Mapping
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1] / "tests"))

from architecture.rooms import RANKS, room_of
from architecture.source import imports, is_package, paths, trees

PAGE = Path(__file__).resolve().parents[1] / "docs" / "develop" / "rooms.md"
# What a fit by the first method loads, and by the automatic one.
FIRST = ("taut.method.advi", "taut.method.auto")

Graph = Mapping[str, set[str]]


def arrows() -> dict[str, set[str]]:
    """Return what each room imports from other rooms, at any time and for any reason."""
    graph: dict[str, set[str]] = {room: set() for room in RANKS}
    for item in imports():
        if item.package == "taut" and room_of(item.imported) != room_of(item.importer):
            graph[room_of(item.importer)].add(room_of(item.imported))
    return graph


def upward(graph: Graph) -> int:
    """Count the arrows that do not point to a floor below."""
    return sum(RANKS[b] >= RANKS[a] for a, below in graph.items() for b in below)


def reached(graph: Graph, begin: str) -> set[str]:
    """Return all that one node leads to, itself included."""
    found, left = {begin}, [begin]
    while left:
        new = graph.get(left.pop(), set()) - found
        found |= new
        left += new
    return found


def without_implied(graph: Graph) -> dict[str, set[str]]:
    """Leave out arrows to what another arrow of the same room leads to."""
    return {
        room: {b for b in below if not any(b in reached(graph, c) for c in below - {b})}
        for room, below in graph.items()
    }


def figures() -> dict[str, int]:
    """Count what the layout is judged by, and what does not change with each line."""
    graph, root = arrows(), paths()["taut"].parent
    return {
        "rooms": len(RANKS),
        "arrows between them": sum(map(len, graph.values())),
        "arrows that point up": upward(graph),
        "modules in the root": sum(path.parent == root for path in paths().values()),
    }


def more_figures() -> dict[str, int]:
    """Count modules and lines; names that a door hands on lead to the module that has them."""
    lines = [len(path.read_text().splitlines()) for path in paths().values()]
    graph = definers()
    return {
        "modules": len(lines),
        "lines": sum(lines),
        "lines of the longest module": max(lines),
        **{f"modules that {name} reaches": len(reached(graph, name)) for name in FIRST},
    }


def definers() -> dict[str, set[str]]:
    """Return, for each module, those that define what it imports."""
    named = {name: _names(tree) for name, tree in trees().items()}
    return {name: {_definer(one, named) for one in found} for name, found in named.items()}


def _names(tree: ast.Module) -> set[tuple[str, str]]:
    nodes = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    return {(n.module or "", a.name) for n in nodes if n.module in paths() for a in n.names}


def _definer(one: tuple[str, str], named: Mapping[str, set[tuple[str, str]]]) -> str:
    module, name = one
    if f"{module}.{name}" in paths():
        return f"{module}.{name}"
    through = {door: definer for definer, door in named[module]} if is_package(module) else {}
    return _definer((through[name], name), named) if name in through else module


def page() -> str:
    """Write the page."""
    rows = "\n".join(f"| {name} | {count:,d} |" for name, count in figures().items())
    floors: dict[int, list[str]] = {}
    for room, rank in RANKS.items():
        floors.setdefault(rank, []).append(room)
    boxes = "\n".join(_floor(rank, floors[rank]) for rank in sorted(floors, reverse=True))
    kept = without_implied(arrows())
    lines = "\n".join(f"    {a}_ --> {b}_" for a in kept for b in sorted(kept[a]))
    return (
        "# Rooms\n\nDrawn by `uv run scripts/draw_rooms.py` from the imports; an arrow that others "
        "imply is left out.\n[Architecture](architecture.md) says what each room holds.\n\n"
        f"| | |\n|---|---|\n{rows}\n\n```mermaid\nflowchart TD\n{boxes}\n{lines}\n```\n"
    )


def _floor(rank: int, rooms: list[str]) -> str:
    lines = [f"        {room}_[{room}]" for room in rooms]
    return "\n".join([f'    subgraph floor{rank}[" "]', *lines, "    end"])


if __name__ == "__main__":
    PAGE.write_text(page())
    for name, count in {**figures(), **more_figures()}.items():
        print(f"{name}: {count:,d}")

"""Imports point one way, and each dependency stays in its place."""

import re
from collections.abc import Iterable

import pytest

from architecture.rooms import PAGE, RANKS, floors, room_of
from architecture.source import ROOT, Import, imports, is_package, paths
from draw_rooms import PAGE as PICTURE
from draw_rooms import page, upward
from taut import family
from taut.method import registry

# Whose names are those of their modules too, so that a door would hide the one by the other; the
# numbers, which are looked up where they may be changed; and the list of methods, all of which are
# public at the top as well.
NO_DOOR = {
    "taut.calibration.vsbc",
    "taut.diagnose.criteria",
    "taut.diagnose.psis",
    "taut.engine.operations",
    "taut.method.registry",
}
FILES = re.compile(r"`([a-z_0-9/]+/[a-z_0-9]+\.py)`")
HOST = ("gaussian", "modes", "matching", "diagnose")


# Where a dependency may be imported: names of modules, or of packages for all in them.
PLACES = {
    "pymc": ("taut.frontend.pymc", "taut.frontend.select", "taut.pymc"),
    "pytensor": ("taut.frontend.pymc", "taut.pymc"),
    "arviz_base": ("taut.approximation", "taut.diagnose", "taut.plot"),
    "arviz_stats": ("taut.approximation", "taut.diagnose"),
    "arviz_plots": ("taut.approximation", "taut.calibration", "taut.plot"),
    "matplotlib": ("taut.model_structure", "taut.plot"),
    "flowjax": ("taut.family.flow",),
    "nutpie": ("taut.approximation.nutpie_model",),
    "threadpoolctl": ("taut.engine.blas_threads",),
}


def edges() -> dict[str, set[str]]:
    """What each module imports, at any time and for any reason, with the packages that loads."""
    graph: dict[str, set[str]] = {name: set() for name in paths()}
    for item in imports():
        if item.package == "taut":
            loaded = set(_with_packages(item.imported)) - set(_with_packages(item.importer))
            # A package that takes a name from its own module is what packages are for.
            graph[item.importer] |= loaded
    return graph


def _with_packages(name: str) -> Iterable[str]:
    parts = name.split(".")
    return (".".join(parts[: i + 1]) for i in range(len(parts)))


def _ring(graph: dict[str, set[str]]) -> list[str]:
    """Find what lies on rings: take away, again and again, what no ring can go through."""
    left = {name: set(targets) for name, targets in graph.items()}
    while True:
        imported = set().union(*left.values()) & left.keys()
        ends = [name for name in left if name not in imported or not left[name] & left.keys()]
        if not ends:
            return sorted(left)
        for name in ends:
            del left[name]


def _within(name: str, places: Iterable[str]) -> bool:
    return any(name == place or name.startswith(f"{place}.") for place in places)


def _described(found: Iterable[Import]) -> list[str]:
    return [f"{item.importer} imports {item.imported}" for item in found]


def test_modules_import_each_other_in_no_ring() -> None:
    assert _ring(edges()) == []


def test_the_search_for_rings_finds_one() -> None:
    assert _ring({"a": {"b"}, "b": {"c", "d"}, "c": {"b"}, "d": set()}) == ["b", "c"]


def test_the_picture_shows_everyroom_of() -> None:
    assert {room_of(name) for name in paths()} == RANKS.keys()


def test_the_picture_is_drawn_from_the_imports() -> None:
    """`uv run scripts/draw_rooms.py` draws it anew."""
    assert PICTURE.read_text() == page()
    assert upward({"target": {"rows"}, "rows": {"target", "rows"}}) == 2


def test_the_picture_is_read_from_below() -> None:
    assert floors("    floor 1  a  b\n    basement 1 c") == [["c"], ["a", "b"]]


def test_a_room_imports_from_the_floors_below_alone() -> None:
    stray = [
        item
        for item in imports()
        if item.package == "taut"
        and room_of(item.imported) != room_of(item.importer)
        and RANKS[room_of(item.imported)] >= RANKS[room_of(item.importer)]
    ]
    assert _described(stray) == []


def test_a_room_is_entered_by_its_door() -> None:
    beside = [
        item
        for item in imports()
        if item.package == "taut"
        and room_of(item.imported) != room_of(item.importer)
        and item.imported.count(".") > 1
        and not is_package(item.imported)
        and item.imported not in NO_DOOR
    ]
    assert _described(beside) == []


def test_pages_for_developers_name_files_that_are_there() -> None:
    pages = {page: page.read_text() for page in PAGE.parent.glob("*.md")}
    named = [(page.name, f) for page, text in pages.items() for f in FILES.findall(text)]
    assert len(named) > 50
    places = (ROOT, PAGE.parents[2])
    lost = [(p, f) for p, f in named if not any((place / f).exists() for place in places)]
    # What a reader is to write.
    assert lost == [("add-a-family.md", "src/taut/family/laplace.py")]


@pytest.mark.parametrize("room", HOST)
def test_rooms_of_the_host_do_without_jax(room: str) -> None:
    found = [i for i in imports() if room_of(i.importer) == room]
    stray = [i for i in found if i.package in ("jax", "equinox")]
    assert _described(stray) == []


def test_the_page_names_every_module_once() -> None:
    """But for files of methods and families, which it may leave to the reference."""
    on_page = named(PAGE.read_text())
    methods = {getattr(registry, name).__module__ for name in registry.__all__}
    kinds = [thing for thing in vars(family).values() if isinstance(thing, type)]
    listed = methods | {k.__module__ for k in kinds if issubclass(k, family.AbstractFamily)}
    there: dict[str, list[str]] = {}
    for name, path in paths().items():
        if path.stem != "__init__" and not path.stem.startswith("_"):
            folder = path.parent.relative_to(ROOT).as_posix()
            room = "the root" if folder == "." else f"`{folder}/`"
            if name not in listed or path.stem in on_page.get(room, ()):
                there.setdefault(room, []).append(path.stem)
    assert on_page == {room: sorted(modules) for room, modules in there.items()}


def named(page: str) -> dict[str, list[str]]:
    """Read the modules that the table of the page names, by room."""
    table = page.partition("\n| room |")[2].partition("\n\n")[0]
    rows = re.findall(r"^\| (\S.*?) \|.*\| (.*?) *\|$", table, flags=re.MULTILINE)
    cells = {room: sorted(re.findall(r"`(\w+)`", cell)) for room, cell in rows}
    return {room: modules for room, modules in cells.items() if modules}


@pytest.mark.parametrize("package", PLACES)
def test_a_dependency_is_imported_only_in_its_place(package: str) -> None:
    stray = [
        i for i in imports() if i.package == package and not _within(i.importer, PLACES[package])
    ]
    assert _described(stray) == []


def test_pymc_is_looked_up_only_when_a_model_is_given() -> None:
    early = [
        item
        for item in imports()
        if item.importer == "taut.frontend.select" and item.package in ("pymc", "pytensor")
        if not item.late
    ]
    assert _described(early) == []


def test_private_modules_of_jax_are_used_in_one_place() -> None:
    private = [i for i in imports() if i.imported.startswith("jax._src")]
    assert {item.importer for item in private} <= {"taut.engine.jax_private"}


@pytest.mark.parametrize("name", ["pymc.variational", "pymc.sampling.jax", "pymc.sampling_jax"])
def test_what_taut_replaces_is_imported_nowhere(name: str) -> None:
    stray = [item for item in imports() if _within(item.imported, [name])]
    assert _described(stray) == []

"""Imports point one way, and each dependency stays in its place."""

from collections.abc import Iterable

import pytest

from architecture.source import Import, imports, paths

# From the bottom up: a module imports those of lower layers, or of its own.
LAYERS = (
    ("errors", "types", "arguments", "interrupts"),
    (
        "space",
        "seed",
        "equations",
        "one_kernel",
        "work",
        "read_often",
        "draws",
        "progress",
        "threads",
        "kinks",
        "select_masks",
        "select_flow",
        "select_gradients",
    ),
    ("compilation", "batches", "optimizer", "callbacks", "conditionals"),
    ("target", "family"),
    (
        "objective",
        "frontend",
        "loop",
        "noise",
        "drawing",
        "gradients",
        "batch_gradients",
        "normal",
        "control_variates",
        "coordinates",
        "coupling",
        "conditioned",
        "tails",
        "periods",
        "nutpie_model",
        "adaptation",
        "chains",
    ),
    ("group", "evaluation", "minibatch", "symbolic", "printing", "fixed_draws", "calibration"),
    ("diagnose",),
    ("result", "approximation", "single_group", "linear_response", "nuts_start", "trust"),
    ("method",),
    ("fit", "importance", "vsbc"),
    ("",),
    ("pymc",),
)
RANKS = {name: rank for rank, layer in enumerate(LAYERS) for name in layer}

# Where a dependency may be imported: names of modules, or of packages for all in them.
PLACES = {
    "pymc": ("taut.frontend.pymc", "taut.frontend.select", "taut.pymc"),
    "pytensor": ("taut.frontend.pymc",),
    "arviz_base": ("taut.result", "taut.approximation", "taut.plot", "taut.diagnose"),
    "arviz_stats": ("taut.result", "taut.approximation", "taut.plot", "taut.diagnose"),
    "arviz_plots": ("taut.result", "taut.approximation", "taut.plot", "taut.calibration"),
    "matplotlib": ("taut.result", "taut.approximation", "taut.plot", "taut.diagnose"),
    "flowjax": ("taut.family.flow",),
    "nutpie": ("taut.nutpie_model",),
    "threadpoolctl": ("taut.threads",),
}


def edges() -> dict[str, set[str]]:
    """What is loaded when a module is, itself and the packages it lies in left out."""
    graph: dict[str, set[str]] = {name: set() for name in paths()}
    for item in imports():
        if item.package == "taut" and not item.late:
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


def _top(name: str) -> str:
    """Name the module or package right below taut that a module is or lies in."""
    return name.removeprefix("taut").removeprefix(".").partition(".")[0]


def _layer(name: str) -> int:
    return RANKS.get(_top(name), len(LAYERS))


def _described(found: Iterable[Import]) -> list[str]:
    return [f"{item.importer} imports {item.imported}" for item in found]


def test_modules_import_each_other_in_no_ring() -> None:
    assert _ring(edges()) == []


def test_the_search_for_rings_finds_one() -> None:
    assert _ring({"a": {"b"}, "b": {"c", "d"}, "c": {"b"}, "d": set()}) == ["b", "c"]


def test_every_module_has_a_layer() -> None:
    assert {_top(name) for name in paths()} == RANKS.keys()


def test_no_module_imports_from_a_layer_above() -> None:
    upward = [
        item
        for item in imports()
        if item.package == "taut"
        and not item.late
        and _layer(item.imported) > _layer(item.importer)
    ]
    assert _described(upward) == []


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
    assert {item.importer for item in private} <= {"taut.compilation"}


@pytest.mark.parametrize("name", ["pymc.variational", "pymc.sampling.jax", "pymc.sampling_jax"])
def test_what_taut_replaces_is_imported_nowhere(name: str) -> None:
    stray = [item for item in imports() if _within(item.imported, [name])]
    assert _described(stray) == []

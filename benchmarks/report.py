"""Tables for readers, JSON for everything else."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.first_call import FirstCall
from benchmarks.floor import Floor
from benchmarks.models import CASES
from benchmarks.progress_bar import GOAL, BarCost
from benchmarks.speed import Speed

# Cores busy with other programs from which on figures are not to be trusted.
_QUIET = 0.1
# How many times sooner than `pm.fit` the first call of taut is to be done.
_FIRST_CALL_GOALS = {"cold": 5.0, "warm": 2.0, "repeat": None}


@dataclass
class Results:
    """All that one run has measured, by model; a part that was not asked for is empty."""

    machine: Mapping[str, Any]
    settings: Mapping[str, Any]
    busy_cores: dict[str, float | None] = field(default_factory=dict)
    speed: dict[str, dict[str, Speed]] = field(default_factory=dict)
    first_call: dict[str, dict[str, FirstCall]] = field(default_factory=dict)
    progress_bar: dict[str, BarCost] = field(default_factory=dict)
    floor: dict[str, Floor] = field(default_factory=dict)


def write_json(results: Results, path: Path) -> None:
    """Write every figure, and the ratios made of them."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(asdict(results) | {"ratios": ratios(results)}, indent=1) + "\n")


def ratios(results: Results) -> dict[str, dict[str, float]]:
    """Compute, by model, how many times as fast as `pm.fit` taut is; over 1 is faster."""
    found: dict[str, dict[str, float]] = {}
    for name, by_peer in results.speed.items():
        ratio = by_peer["taut"].per_second / by_peer["pymc"].per_second
        found.setdefault(name, {})["steps_per_second"] = ratio
    for name, calls in results.first_call.items():
        for kind in _FIRST_CALL_GOALS:
            ratio = calls["pymc"].seconds(kind) / calls["taut"].seconds(kind)
            found.setdefault(name, {})[kind] = ratio
    return found


def show(results: Results, console: Console) -> None:
    """Print the tables of the parts that were measured."""
    machine = results.machine
    console.print(
        f"{machine['processor']}, {machine['cores']} cores, Python {machine['python']}, "
        + ", ".join(f"{name} {number}" for name, number in machine["versions"].items())
    )
    busiest = max((busy or 0.0 for busy in results.busy_cores.values()), default=0.0)
    if busiest > _QUIET:
        console.print(
            f"[bold red]Other programs kept up to {busiest:.1f} cores busy: the ratios below are "
            "no result. Measure again on a quiet machine."
        )
    tables = {
        _speed_table: results.speed,
        _first_call_table: results.first_call,
        _bar_table: results.progress_bar,
        _floor_table: results.floor,
    }
    for table, measured in tables.items():
        if measured:
            console.print(table(results))


def _speed_table(results: Results) -> Table:
    steps = results.settings["steps"]
    table = _table(
        "Steps per second, steady state",
        ["model", "", "taut", "pm.fit", "ratio", "goal", "spread", "loss taut",
         "loss pm.fit"],
        f"loss: mean of the last 1000 of the first {steps:,d} steps, at the scale of all rows; "
        "spread: slowest minus fastest repetition / median, of the library that varied more",
    )  # fmt: skip
    found = ratios(results)
    for name, by_peer in results.speed.items():
        taut, pymc = by_peer["taut"], by_peer["pymc"]
        table.add_row(
            name, CASES[name].about, f"{taut.per_second:,.0f}", f"{pymc.per_second:,.0f}",
            *_against(found[name]["steps_per_second"], CASES[name].goal),
            f"{100 * max(taut.spread, pymc.spread):.0f} %",
            f"{taut.loss:,.6g}", f"{pymc.loss:,.6g}",
        )  # fmt: skip
    return table


def _first_call_table(results: Results) -> Table:
    columns = ["model", "call", "taut s", "pm.fit s", "ratio", "goal"]
    steps = results.settings["steps"]
    table = _table(
        f"Seconds from call to approximation, {steps:,d} steps",
        columns,
        "cold and warm: first call of a process, without and with compiled code on disk; "
        "repeat: second call",
    )
    found = ratios(results)
    for name, calls in results.first_call.items():
        for kind, goal in _FIRST_CALL_GOALS.items():
            seconds = [f"{calls[peer].seconds(kind):.2f}" for peer in ("taut", "pymc")]
            table.add_row(name, kind, *seconds, *_against(found[name][kind], goal))
        table.add_section()
    return table


def _bar_table(results: Results) -> Table:
    table = _table("Cost of taut's progress bar", ["model", "steps", "s without", "cost", "goal"])
    for name, bar in results.progress_bar.items():
        style = "green" if bar.cost < GOAL else "red"
        table.add_row(
            name, f"{bar.steps:,d}", f"{min(bar.without):.2f}",
            f"[{style}]{100 * bar.cost:+.1f} %[/]", f"< {100 * GOAL:.0f} %",
        )  # fmt: skip
    return table


def _floor_table(results: Results) -> Table:
    table = _table(
        "Distance from the floor",
        ["model", "bytes", "µs at memory", "µs in cache", "taut µs", "x floor", "pm.fit µs",
         "x floor"],
        "bytes a step has to move, and how long a copy of as many takes on one core, at "
        "the bandwidth of main memory and in the cache; x floor: step / copy in the cache",
    )  # fmt: skip
    for name, floor in results.floor.items():
        times: list[str] = []
        for measured in results.speed.get(name, {}).values():
            times += [
                f"{measured.microseconds:,.1f}",
                f"{measured.microseconds / floor.cached_microseconds:,.1f}",
            ]
        table.add_row(
            name, f"{floor.step_bytes:,d}", f"{floor.microseconds:,.2f}",
            f"{floor.cached_microseconds:,.2f}", *times,
        )  # fmt: skip
    return table


def _table(title: str, columns: list[str], caption: str | None = None) -> Table:
    table = Table(title=title, caption=caption, title_justify="left", caption_justify="left")
    text = {"model", "", "call"}
    for column in columns:
        table.add_column(column, justify="left" if column in text else "right")
    return table


def _against(ratio: float, goal: float | None) -> tuple[str, str]:
    """Format a ratio and its goal, coloured by whether it is reached."""
    if goal is None:
        return f"{ratio:.1f}x", ""
    return f"[{'green' if ratio >= goal else 'red'}]{ratio:.1f}x[/]", f"{goal:g}x"

"""Each rule found by measurement says when it was measured, and how to measure it again."""

import re

from architecture.rooms import PAGE
from benchmarks.__main__ import _COMMANDS

PROJECT = PAGE.parents[2]
RULES = re.split(r"^(?=\d+\. )", (PAGE.parent / "measured.md").read_text(), flags=re.MULTILINE)[1:]
SAID = re.compile(r"^ +(Measured|Since) \d{4}-\d\d-\d\d\b", re.MULTILINE)
HOW = ("Again: ", "Held by ", "No command is kept")


def test_rules_are_numbered_in_order() -> None:
    assert [int(rule.partition(".")[0]) for rule in RULES] == list(range(1, len(RULES) + 1))


def test_every_rule_says_when_and_how() -> None:
    assert [rule for rule in RULES if not SAID.search(rule)] == []
    assert [rule for rule in RULES if not any(how in rule for how in HOW)] == []


def test_what_measures_again_is_there() -> None:
    text = " ".join(" ".join(RULES).split())
    tests = re.findall(r"\btests/[\w/]+(?:\.py)?", text)
    assert len(tests) > 20
    assert [name for name in tests if not (PROJECT / name).exists()] == []
    commands = set(re.findall(r"python -m benchmarks ([a-z][a-z-]*)", text))
    assert commands
    assert commands - _COMMANDS.keys() == set()
    modules = re.findall(r"python -m (benchmarks\.\w+)", text)
    assert [m for m in modules if not (PROJECT / f"{m.replace('.', '/')}.py").exists()] == []

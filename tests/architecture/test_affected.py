"""The script that finds the tests which a change concerns."""

import pytest

from affected import ALWAYS, MORE, OTHERS, ROOT, concerned, importers, main

GRAPH = {"a": {"b"}, "b": {"c"}, "c": set(), "d": {"c"}, "e": set()}


def test_a_change_concerns_all_that_lead_to_it() -> None:
    assert importers(GRAPH, ["c"]) == {"a", "b", "c", "d"}
    assert importers(GRAPH, ["c"], direct=True) == {"b", "c", "d"}
    assert importers(GRAPH, []) == set()


def test_a_module_leads_to_the_concerned_its_room_and_of_those_above() -> None:
    found = concerned(["src/taut/chains/coupling.py"])
    assert {"tests/architecture", "tests/canaries", "tests/chains", "tests/diagnose"} <= set(found)
    assert not {"tests/family", "tests/rows", "tests/optimizer", "tests/laws/test_family.py"} & {
        *found
    }
    assert "tests/test_fit.py" in found


def test_direct_importers_are_fewer() -> None:
    direct = concerned(["src/taut/objective/renyi.py"], direct=True)
    assert "tests/laws/test_objective.py" in direct
    assert set(direct) <= set(concerned(["src/taut/objective/renyi.py"]))
    assert "tests/chains" not in direct


def test_tests_lead_to_themselves_and_what_they_share_to_their_folder() -> None:
    assert concerned(["tests/rows/test_arrays.py"]) == ["tests/rows/test_arrays.py"]
    assert concerned(["tests/diagnose/windows.py", "tests/diagnose/test_psis.py"]) == [
        "tests/diagnose"
    ]
    assert concerned(["README.md", "benchmarks/engine/command.py"]) == [
        "tests/benchmarks", "tests/docs",
    ]  # fmt: skip


@pytest.mark.parametrize("file", ["models", "compared", "zoo/registry"])
def test_what_tests_share_leads_to_all_who_import_it(file: str) -> None:
    found = concerned([f"tests/frontend/{file}.py"])
    assert found == ["tests/canaries", "tests/frontend", "tests/zoo"]


def test_what_all_tests_share_concerns_all() -> None:
    assert concerned(["tests/cases.py", "src/taut/seed.py"]) == ["tests"]
    assert concerned(["pyproject.toml"]) == ["tests"]


def test_what_files_lead_to_is_there() -> None:
    named = {name for names in (ALWAYS, *MORE.values(), *OTHERS.values()) for name in names}
    assert [name for name in named if not (ROOT / name).exists()] == []


def test_the_command_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["tests/rows/test_arrays.py"]) == 0
    assert capsys.readouterr().out == "uv run pytest tests/rows/test_arrays.py\n"
    assert main(["LICENSE"]) == 1

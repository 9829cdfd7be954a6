"""Where devices have no effect they are refused, in words."""

from typing import Any

import pytest

from devices.on_four import found_on_four
from devices.refusals import CASES
from taut.errors import TautError


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return found_on_four("refusals", tmp_path_factory.mktemp("found"))


@pytest.mark.parametrize("name", CASES)
def test_what_devices_have_no_effect_on_is_refused(found: dict[str, Any], name: str) -> None:
    error = found[name]
    assert isinstance(error, TautError)
    with pytest.raises(TautError, match=CASES[name][1]):
        raise error

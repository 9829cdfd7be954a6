"""The journal says where a fit stands."""

from types import SimpleNamespace
from typing import Any

from taut.diagnose import Journal


def test_it_says_which_stage_is_on_and_what_it_found() -> None:
    journal, gradients = Journal(), SimpleNamespace(count=0)
    assert journal.now == ""
    counted: Any = gradients
    with journal.stage("batch and match", counted) as stage:
        assert journal.now == "batch and match"
        stage.elbo = -12.345
        assert journal.now == "batch and match, ELBO -12.35"
    assert journal.now == "batch and match is done, ELBO -12.35"

"""Which tests of a run stay together in one process."""

from typing import Any

from xdist.scheduler import LoadScopeScheduling

# Modules whose tests share nothing, and of which some are long: each goes where there is time.
ALONE = (
    "canaries/test_each_method.py",
    "docs/test_docstrings.py",
    "docs/test_examples.py",
)


class ByModule(LoadScopeScheduling):
    """Keep the tests of a module together, so that what they share is made once."""

    def _split_scope(self, nodeid: str) -> str:
        scope: Any = super()._split_scope(nodeid)
        return nodeid if scope.endswith(ALONE) else scope

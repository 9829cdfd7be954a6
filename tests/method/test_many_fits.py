"""Nothing grows from fit to fit; `scripts/many_fits.py` does the same for 1 000 of them."""

from pathlib import Path

import pytest

from many_fits import KINDS, Usage
from taut.engine import parallel
from taut.frontend.pymc import source
from taut.rows import packing

_ROUNDS = 4


def test_many_fits_leave_what_one_leaves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packing, "IN_MEMORY_BYTES", 1000)
    looks = []
    for size in (0, 1) * (_ROUNDS // 2):
        for kind in KINDS.values():
            kind(size, tmp_path)
        looks.append((Usage.now(), len(source._BUILT), parallel._pool.cache_info().currsize))
    # Two sizes have been there by the second look.
    (_, built, pools), (before, _, _), *_, (after, *_) = looks
    assert (after.threads, after.descriptors) == (before.threads, before.descriptors)
    assert after.arrays <= before.arrays + 30
    assert after.programs <= before.programs + 2
    assert [look[1] for look in looks] == [built] * _ROUNDS
    assert [look[2] for look in looks] == [pools] * _ROUNDS
    # The collector's own count, of some hundred thousand: a model has ten thousand.
    assert after.objects - before.objects < 10_000

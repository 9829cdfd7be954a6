"""What holds for every source of rows, and for every feed of batches."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import jax
import numpy as np
import pytest

from cases import FEEDS, SOURCES
from taut.batches import AbstractFeed
from taut.rows.base import load

each_source = pytest.mark.parametrize("name", SOURCES)
each_feed = pytest.mark.parametrize("name", FEEDS)


@each_source
def test_a_source_tells_its_rows_and_columns_before_they_are_read(name: str) -> None:
    source = SOURCES[name]()
    blocks = list(source.blocks(None))
    assert source.rows == 12 == sum(len(block["number"]) for block in blocks)
    assert set(source.columns) == {"number", "pair"}
    for block in blocks:
        for key, column in source.columns.items():
            assert block[key].shape[1:] == column.shape
            assert block[key].dtype == column.dtype


@each_source
def test_rows_come_in_their_order_epoch_after_epoch(name: str) -> None:
    source = SOURCES[name]()
    for _ in range(2):
        blocks = list(source.blocks(None))
        number = np.concatenate([block["number"] for block in blocks])
        np.testing.assert_array_equal(number, np.arange(12))
        np.testing.assert_array_equal(
            np.concatenate([b["pair"] for b in blocks])[:, 1], number + 100
        )


@each_source
def test_a_random_order_has_every_row_once_and_is_decided_by_the_generator(name: str) -> None:
    source = SOURCES[name]()

    def order(seed: int) -> list[float]:
        blocks = list(source.blocks(np.random.default_rng(seed)))
        for block in blocks:
            np.testing.assert_array_equal(block["pair"][:, 0], block["number"])
        return np.concatenate([block["number"] for block in blocks]).tolist()

    assert order(1) == order(1)
    assert sorted(order(2)) == list(range(12))


@pytest.fixture(params=FEEDS)
def feed(request: pytest.FixtureRequest) -> Iterator[AbstractFeed]:
    feed = FEEDS[request.param]()
    yield feed
    feed.close()


def drawn(feed: AbstractFeed, steps: int) -> list[list[float]]:
    """The numbers of the rows of each step."""
    found, step = [], 0
    while step < steps:
        batches, served = feed.at(step)
        assert served >= 1
        draw = jax.jit(lambda batches, step: batches.draw(jax.random.key(0), step))
        for own in range(step, min(step + served, steps)):
            [share] = draw(batches, np.int32(own))
            number, pair = (np.asarray(array) for array in share.arrays)
            np.testing.assert_array_equal(pair[:, 0], number)
            assert float(share.scale) == 3.0
            found.append(number[: len(number) - bool(share.is_short)].tolist())
        step += served
    return found


def test_every_row_is_in_one_batch_of_an_epoch(feed: AbstractFeed) -> None:
    """Of three batches of four rows; 400 steps are more than one transfer of a stream."""
    batches = drawn(feed, 402)
    for first in range(0, 402, 3):
        rows = [row for batch in batches[first : first + 3] for row in batch]
        assert Counter(rows) == Counter(range(12))


@pytest.mark.parametrize("name", ["epochs", "stream"])
def test_shuffled_epochs_differ(name: str) -> None:
    feed = FEEDS[name]()
    batches = drawn(feed, 30)
    feed.close()
    epochs = {tuple(map(tuple, batches[first : first + 3])) for first in range(0, 30, 3)}
    assert len(epochs) > 3


@pytest.mark.parametrize("name", ["epochs in order", "stream in order"])
def test_rows_in_order_are_the_same_in_every_epoch(name: str) -> None:
    feed = FEEDS[name]()
    batches = drawn(feed, 6)
    feed.close()
    assert batches[:3] == batches[3:] == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11]]


def test_what_is_missing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ModuleNotFoundError, match="ZarrRows needs nowhere_to_be, which is not"):
        load("nowhere_to_be.found", "ZarrRows")
    (tmp_path / "half_there.py").write_text("import nowhere_to_be")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="half_there, and that nowhere_to_be, which"):
        load("half_there", "ZarrRows")

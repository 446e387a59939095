"""The write-ahead log of a store that was killed: what SQLite would cut short without a word is refused."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import pytest

from node.store import Store, StoreError
from tests.unit.store.rows import batch_of, record

EVENTS = 9
HEADER = 32


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A store of EVENTS commits as a kill leaves it: some in the file, the others in a log with leftovers behind."""
    store = Store.open(tmp_path / "live.sqlite")
    for number in range(EVENTS):
        store.commit(batch_of(number))
        if number == 5:
            checkpoint(store)
    killed = tmp_path / "store.sqlite"
    for end in ("", "-wal"):
        shutil.copyfile(tmp_path / f"live.sqlite{end}", f"{killed}{end}")
    store.close()
    return killed


def checkpoint(store: Store) -> None:
    """The next commit begins the log anew, over its old frames."""
    store._engine.raw_connection().driver_connection.execute("PRAGMA wal_checkpoint(RESTART)")  # type: ignore[union-attr]


def log_of(path: Path) -> Path:
    return path.with_name(path.name + "-wal")


def opened(path: Path) -> int:
    """How many records there are, all of them as they were written."""
    store = Store.open(path)
    found = [row for _, row in store.records()]
    store.close()
    assert found == [record(number) for number in range(len(found))]
    return len(found)


def test_a_whole_log_with_the_leftovers_of_an_earlier_one_is_read(path: Path) -> None:
    assert opened(path) == EVENTS


@pytest.mark.parametrize("at", range(HEADER))
def test_a_changed_beginning_is_refused_and_left_as_it_is(path: Path, at: int) -> None:
    raw = bytearray(log_of(path).read_bytes())
    raw[at] ^= 4
    log_of(path).write_bytes(raw)
    with pytest.raises(StoreError, match="the beginning of the log was changed") as refused:
        Store.open(path)
    assert refused.value.fatal and refused.value.where.endswith("-wal")
    assert log_of(path).read_bytes() == raw


def test_a_flipped_byte_never_costs_more_than_the_commit_that_a_power_cut_could(path: Path) -> None:
    raw, whole = log_of(path).read_bytes(), path.read_bytes()
    chance, refused, kept = random.Random(11), 0, 0
    for _ in range(60):
        at = chance.randrange(HEADER, len(raw))
        path.write_bytes(whole)
        log_of(path).write_bytes(raw[:at] + bytes([raw[at] ^ 1 << chance.randrange(8)]) + raw[at + 1 :])
        try:
            kept += 1
            assert opened(path) >= EVENTS - 1, at
        except StoreError as fault:
            refused += 1
            assert "durable would be forgotten" in str(fault)
    assert refused > 10 and kept > 10


@pytest.mark.parametrize("kept", [1, HEADER, HEADER + 1, 5_000, 20_000])
def test_a_log_that_was_cut_off_is_what_a_power_cut_leaves(path: Path, kept: int) -> None:
    log_of(path).write_bytes(log_of(path).read_bytes()[:kept])
    assert opened(path) >= 6


def test_a_log_of_nothing_but_zeros_was_never_written(path: Path) -> None:
    log_of(path).write_bytes(bytes(50_000))
    assert opened(path) == 6

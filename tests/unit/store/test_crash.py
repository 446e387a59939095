"""A process killed at any moment of its commits: whatever it had acknowledged is there, nothing is half there."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

import pytest

from node.store import Batch, Store
from node.store_check import check_file
from tests.unit.store.rows import batch_of, entry, record

ROUNDS = 5


def commit_until_killed(path: Path, acknowledged: int) -> None:
    """The child: commits batches of three events and reports each one after it is durable."""
    store = Store.open(path)
    start = sum(1 for _ in store.records())
    for number in range(start, start + 300_000, 3):
        three = [batch_of(each) for each in range(number, number + 3)]
        store.commit(Batch(*(sum((getattr(one, part) for one in three), ()) for part in PARTS)))
        os.write(acknowledged, b".")


PARTS = ("records", "entries", "blobs", "certificates")


def killed_in_the_middle(path: Path, delay_s: float) -> int:
    """How many commits the child had acknowledged when SIGKILL met it."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(reading)
            commit_until_killed(path, writing)
        finally:
            os._exit(1)
    os.close(writing)
    first = os.read(reading, 1)
    time.sleep(delay_s)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    count = len(first)
    while more := os.read(reading, 65_536):
        count += len(more)
    os.close(reading)
    return count


@pytest.mark.skipif(sys.platform != "linux", reason="forks")
def test_a_killed_node_loses_nothing_that_it_acknowledged(tmp_path: Path) -> None:
    path, acknowledged = tmp_path / "store.sqlite", 0
    for round_ in range(ROUNDS):
        acknowledged += killed_in_the_middle(path, 0.01 + 0.013 * round_)
        store = Store.open(path)
        records = [row for _, row in store.records()]
        assert records == [record(number) for number in range(len(records))]
        assert len(records) % 3 == 0, "a batch is there in part"
        assert len(records) >= 3 * acknowledged
        assert store.own_head("alpha", 1) == entry(len(records) - 1, own=True)
        store.close()
        assert check_file(path, every_row=True).records == len(records)
        acknowledged = len(records) // 3

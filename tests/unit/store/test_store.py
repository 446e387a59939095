"""What is committed is there, once, in order, and whole."""

from __future__ import annotations

import sqlite3
import threading
from pathlib import Path

import pytest
import trio
from sqlalchemy.dialects import postgresql

from node.store import Batch, BlobRow, RecordRow, Store, StoreError
from node.store_sql import Statements
from tests.unit.store.rows import NETWORK, batch_of, blob, certificate, entry, record


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store.sqlite"


def test_a_batch_is_there_after_reopening(path: Path) -> None:
    store = Store.open(path)
    store.commit(batch_of(0))
    store.close()
    store = Store.open(path)
    assert list(store.records()) == [(1, record(0))]
    assert store.entries("alpha", 1, 0, 10, 10_000) == [entry(0).raw]
    assert store.blob(blob(0).digest) == blob(0).raw
    assert store.certificate(certificate(0).digest) == certificate(0).raw
    assert store.certificates(-1, 10) == [certificate(0)]


def test_only_the_nodes_user_can_read_the_store(path: Path) -> None:
    store = Store.open(path)
    store.commit(batch_of(0))
    names = ("store.sqlite", "store.sqlite-wal", "store.sqlite-shm", "store.sqlite.lock")
    assert {file.name: file.stat().st_mode & 0o077 for file in path.parent.iterdir()} == dict.fromkeys(names, 0)


def test_every_commit_waits_for_the_disk(path: Path) -> None:
    store = Store.open(path)
    with store._transaction(reads=True) as connection:
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"


def test_records_come_in_order_across_pages_and_after_a_position(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("node.store.PAGE_ROWS", 4)
    store = Store.open(path)
    store.commit(Batch(records=tuple(record(number) for number in range(10))))
    store.commit(Batch(records=(record(10),)))
    assert [position for position, _ in store.records()] == list(range(1, 12))
    assert [row for _, row in store.records(after=8)] == [record(8), record(9), record(10)]


def test_twins_of_one_seq_are_both_kept(path: Path) -> None:
    store = Store.open(path)
    store.commit(Batch(entries=(entry(5, author="liar"), entry(5, author="liar", twin=1))))
    assert set(store.entries("liar", 1, 0, 10, 10_000)) == {
        entry(5, author="liar").raw,
        entry(5, author="liar", twin=1).raw,
    }
    assert store.heads() == [("liar", 1, 5, min(entry(5, author="liar", twin=twin).hash for twin in (0, 1)))]


def test_what_is_stored_already_is_left_as_it_is(path: Path) -> None:
    store = Store.open(path)
    store.commit(batch_of(0))
    store.commit(Batch(entries=(entry(0),), blobs=(blob(0),), certificates=(certificate(0, received_ms=77),)))
    assert store.certificates(-1, 10) == [certificate(0)]
    assert store.own_head("alpha", 1) == entry(0, own=True)


def test_a_second_own_entry_of_one_seq_is_refused_and_stops_the_store(path: Path) -> None:
    store = Store.open(path)
    store.commit(batch_of(0))
    with pytest.raises(StoreError, match="signed twice") as refused:
        store.commit(Batch(records=(record(1),), entries=(entry(0, twin=1, own=True),)))
    assert refused.value.fatal
    with pytest.raises(StoreError):
        store.commit(batch_of(1))
    store.close()
    assert list(Store.open(path).records()) == [(1, record(0))]


def test_an_own_entry_first_heard_from_a_peer_becomes_ours(path: Path) -> None:
    store = Store.open(path)
    store.commit(Batch(entries=(entry(0),)))
    assert store.own_head("alpha", 1) is None
    store.commit(Batch(entries=(entry(0, own=True),)))
    assert store.own_head("alpha", 1) == entry(0, own=True)


def test_a_range_of_entries_keeps_its_limits(path: Path) -> None:
    store = Store.open(path)
    store.commit(Batch(entries=tuple(entry(seq, size=100) for seq in range(20))))
    assert store.entries("alpha", 1, 15, 3, 10_000) == [entry(seq, size=100).raw for seq in (15, 16, 17)]
    assert store.entries("alpha", 1, 15, 100, 10_000, 16) == [entry(seq, size=100).raw for seq in (15, 16)]
    assert len(store.entries("alpha", 1, 0, 100, 350)) == 3
    assert store.entries("alpha", 1, 0, -5, 10_000) == []
    assert store.entries("alpha", 1, 0, 10, 0) == []


def test_heads_name_the_highest_entry_of_each_feed(path: Path) -> None:
    store = Store.open(path)
    store.commit(Batch(entries=(entry(0), entry(9), entry(4), entry(2, author="beta"))))
    assert store.heads() == [("alpha", 1, 9, entry(9).hash), ("beta", 1, 2, entry(2, author="beta").hash)]


def test_certificates_of_one_millisecond_are_never_cut_apart(path: Path) -> None:
    store = Store.open(path)
    rows = [certificate(0, received_ms=5), *(certificate(number, received_ms=6) for number in range(1, 5))]
    store.commit(Batch(certificates=tuple(rows)))
    got = store.certificates(-1, 2)
    assert {row.digest for row in got} == {row.digest for row in rows}
    assert store.certificates(got[-1].received_ms, 2) == []


def test_a_failed_batch_leaves_nothing_and_the_chain_goes_on(path: Path) -> None:
    store = Store.open(path)
    store.commit(batch_of(0))
    with pytest.raises((OverflowError, StoreError)):
        store.commit(Batch(records=(record(1),), entries=(entry(1), entry(1 << 70))))
    store.commit(batch_of(1))
    store.close()
    store = Store.open(path)
    assert [row for _, row in store.records()] == [record(0), record(1)]


def test_an_empty_store_says_so_even_when_bound(path: Path) -> None:
    store = Store.open(path)
    store.bind_network(NETWORK, "alpha")
    assert store.is_empty()
    store.commit(Batch(blobs=(BlobRow(b"d" * 32, b"x"),)))
    assert not store.is_empty()


def test_a_store_belongs_to_one_network_and_one_member(path: Path) -> None:
    store = Store.open(path)
    assert store.network() is None
    store.bind_network(NETWORK, "alpha")
    store.bind_network(NETWORK, "alpha")
    assert (store.network(), store.member()) == (NETWORK, "alpha")
    with pytest.raises(StoreError, match="another network"):
        store.bind_network(b"m" * 32, "alpha")
    with pytest.raises(StoreError, match="another member"):
        store.bind_network(NETWORK, "beta")


def test_two_processes_cannot_share_a_store(path: Path) -> None:
    store = Store.open(path)
    with pytest.raises(StoreError, match="another process"):
        Store.open(path)
    store.close()
    Store.open(path).close()


@pytest.mark.parametrize("name", [":memory:", "sqlite:///:memory:", "sqlite://", ""])
def test_memory_is_no_store(name: str) -> None:
    with pytest.raises(StoreError, match="has no file"):
        Store.open(name)


def test_the_loop_may_call_it_from_any_thread(path: Path) -> None:
    store = Store.open(path)

    async def commit_all() -> None:
        one = trio.CapacityLimiter(1)
        for number in range(5):
            await trio.to_thread.run_sync(store.commit, batch_of(number), limiter=one)

    trio.run(commit_all)
    readers = [threading.Thread(target=lambda: list(store.records())) for _ in range(4)]
    for reader in readers:
        reader.start()
    store.commit(batch_of(5))
    for reader in readers:
        reader.join()
    assert [position for position, _ in store.records()] == [1, 2, 3, 4, 5, 6]


def test_a_full_disk_is_fatal_and_keeps_what_was_committed(path: Path) -> None:
    store = Store.open(path)
    store.commit(batch_of(0))
    with store._transaction() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(StoreError, match="Free space") as full:
        store.commit(Batch(records=(RecordRow(1, 1, bytes(100_000)),)))
    assert full.value.fatal
    with pytest.raises(StoreError):
        store.commit(Batch(records=(RecordRow(1, 1, b"small"),)))
    store.close()
    assert list(Store.open(path).records()) == [(1, record(0))]


def test_a_writer_elsewhere_is_waited_for_and_then_named(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("node.store_engine.BUSY_TIMEOUT_MS", 20)
    store = Store.open(path)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(StoreError, match="write lock") as busy:
        store.commit(batch_of(0))
    assert not busy.value.fatal
    other.execute("ROLLBACK")
    store.commit(batch_of(0))
    other.close()


def test_the_same_statements_are_written_for_postgresql() -> None:
    made = Statements(postgresql.dialect())
    assert "ON CONFLICT (author, key_version, seq, hash) DO NOTHING" in made.entries.sql
    assert "DO UPDATE SET raw = excluded.raw, own = excluded.own" in made.own_entries.sql
    assert made.records.names == ("position", "kind", "version", "body", "chain")


def test_a_server_without_a_driver_is_a_clear_refusal() -> None:
    with pytest.raises(StoreError, match="Install the driver") as refused:
        Store.open("postgresql+pg8000://tocsin:secret@db/tocsin")
    assert "secret" not in str(refused.value)

"""A file that lies is refused or found out; it is never believed."""

from __future__ import annotations

import random
import sqlite3
from pathlib import Path

import pytest

from node.store import Batch, Store, StoreError
from tests.unit.store.rows import NETWORK, batch_of, blob, certificate, entry

EVENTS = 12


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A closed store of EVENTS events, bound to a network: one file, no log."""
    path = tmp_path / "store.sqlite"
    store = Store.open(path)
    store.bind_network(NETWORK, "alpha")
    for number in range(EVENTS):
        store.commit(batch_of(number))
    store.close()
    return path


def changed(path: Path, statement: str) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute(statement)
    connection.close()


def everything(path: Path) -> object:
    """All that a node can ask of the store, or the StoreError that it gets."""
    try:
        store = Store.open(path)
    except StoreError:
        return StoreError
    try:
        kept = [(blob(n).digest, store.blob(blob(n).digest)) for n in range(EVENTS)]
        proofs = [store.certificate(certificate(n).digest) for n in range(EVENTS)]
        feed = (store.heads(), store.own_head("alpha", 1), store.entries("alpha", 1, 0, 100, 1_000_000))
        whose = (store.network(), store.member())
        return list(store.records()), kept, proofs, feed, whose, store.certificates(-1, 100)
    except StoreError:
        return StoreError
    finally:
        store.close()


def test_a_changed_record_is_named(path: Path) -> None:
    changed(path, "UPDATE records SET body = x'00' WHERE position = 7")
    with pytest.raises(StoreError, match="record 7 was changed") as refused:
        Store.open(path)
    assert refused.value.fatal


def test_a_missing_record_is_named(path: Path) -> None:
    changed(path, "DELETE FROM records WHERE position = 4")
    with pytest.raises(StoreError, match="record 4 is missing"):
        Store.open(path)


@pytest.mark.parametrize("table", ["entries", "blobs", "certificates"])
def test_a_changed_row_is_found_at_the_start(path: Path, table: str) -> None:
    changed(path, f"UPDATE {table} SET raw = x'00' WHERE rowid = 3")
    with pytest.raises(StoreError, match=f"row of {table} was changed") as refused:
        Store.open(path)
    assert refused.value.fatal and "tocsin restore" in refused.value.cure


@pytest.mark.parametrize(
    ("table", "column"), [("meta", "value"), ("entries", "raw"), ("blobs", "raw"), ("certificates", "subject")]
)
def test_bytes_that_became_a_text_are_found_though_their_checksum_holds(path: Path, table: str, column: str) -> None:
    changed(path, f"UPDATE {table} SET {column} = CAST({column} AS TEXT)")
    with pytest.raises(StoreError, match="changed on disk"):
        Store.open(path)


def test_a_schema_that_is_no_text_any_more_is_a_damaged_file_and_no_traceback(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b"CREATE TABLE meta", b"CREATE \xd4ABLE meta"))
    with pytest.raises(StoreError, match="is no text") as refused:
        Store.open(path)
    assert refused.value.fatal


def test_a_text_that_is_none_is_damage_and_is_not_quoted(path: Path) -> None:
    changed(path, "UPDATE blobs SET raw = CAST(x'ff5ec4e7' AS TEXT) WHERE rowid = 3")
    with pytest.raises(StoreError, match="a stored text is none") as refused:
        Store.open(path)
    assert refused.value.fatal and "tocsin restore" in refused.value.cure


def test_a_column_that_has_another_name_now_is_damage(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b"chain BLOB NOT NULL", b"chaim BLOB NOT NULL"))
    with pytest.raises(StoreError, match="no such column: chain") as refused:
        Store.open(path)
    assert "tocsin restore" in refused.value.cure


def test_a_row_that_is_changed_under_a_running_node_is_never_given_out(path: Path) -> None:
    store = Store.open(path)
    changed(path, "UPDATE entries SET raw = x'00' WHERE seq = 3")
    with pytest.raises(StoreError, match="EntryRow was changed"):
        store.entries("alpha", 1, 0, 100, 1_000_000)


def test_a_peers_entry_passed_off_as_ours_is_found(path: Path) -> None:
    store = Store.open(path)
    store.commit(Batch(entries=(entry(EVENTS),)))
    store.close()
    changed(path, "UPDATE entries SET own = 1")
    with pytest.raises(StoreError, match="row of entries was changed"):
        Store.open(path)


def test_another_networks_name_written_into_the_file_is_found(path: Path) -> None:
    changed(path, "UPDATE meta SET value = x'00' WHERE key = 'network'")
    with pytest.raises(StoreError, match="whose store this is"):
        Store.open(path)


def test_flipped_bytes_anywhere_are_harmless_or_found(path: Path) -> None:
    whole, truth = path.read_bytes(), everything(path)
    assert truth is not StoreError
    used = [at for at, byte in enumerate(whole) if byte]
    chance, found = random.Random(7), 0
    for _ in range(150):
        at = chance.choice(used)
        flipped = bytearray(whole)
        flipped[at] ^= 1 << chance.randrange(8)
        path.write_bytes(flipped)
        got = everything(path)
        assert got is StoreError or got == truth, f"byte {at} of {len(whole)} changed what the store says"
        found += got is StoreError
    assert found > 50


@pytest.mark.parametrize("kept", [0.2, 0.5, 0.9])
def test_a_torn_file_is_refused(path: Path, kept: float) -> None:
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * kept)])
    with pytest.raises(StoreError) as refused:
        Store.open(path)
    assert refused.value.fatal


def test_a_file_of_noise_is_refused_and_left_alone(path: Path) -> None:
    path.write_bytes(b"no database " * 1_000)
    with pytest.raises(StoreError, match="no database"):
        Store.open(path)
    assert path.read_bytes() == b"no database " * 1_000


def test_another_programs_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "other.sqlite"
    changed(path, "CREATE TABLE theirs (x)")
    before = path.read_bytes()
    with pytest.raises(StoreError, match="not a tocsin store"):
        Store.open(path)
    assert path.read_bytes() == before


def test_the_lock_is_free_again_after_a_refusal(path: Path) -> None:
    whole = path.read_bytes()
    path.write_bytes(b"x" * 4096)
    with pytest.raises(StoreError):
        Store.open(path)
    path.write_bytes(whole)
    store = Store.open(path)
    store.commit(Batch())
    store.close()

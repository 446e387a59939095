"""Back up, lose, restore: nothing is lost twice, and nobody signs twice."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from node import keys, mark
from node.backup import STORE_NAME, backup, fresh_attestation_key, restore
from node.keys import KeyFault, Purpose, Secret
from node.mark import Ruling
from node.store import Batch, Store, StoreError
from protocol.crypto import Signer
from protocol.envelope import open_keyset
from tests.unit.keys.feeds import ALPHA, NETWORK, feed, row, sign_batch, start

FEED = feed(6)
GOVERNANCE = Signer(b"g" * 32)


class Node:
    """A data directory of one member, as `init` makes it, and the copy that its operator keeps elsewhere."""

    def __init__(self, tmp_path: Path) -> None:
        self.home, self.copy = tmp_path / "home", tmp_path / "safe" / "backup.sqlite"
        self.copy.parent.mkdir()
        self.home.mkdir()
        self.mark = keys.mark_path(self.home)
        (self.home / "keys").mkdir()
        keys.write_key(self.home, Purpose.ATTESTATION, Secret(b"k" * 32))
        self.store = self.open()

    def open(self) -> Store:
        self.store = Store.open(self.home / STORE_NAME)
        self.store.bind_network(NETWORK, ALPHA)
        return self.store

    def back_up(self) -> None:
        backup(self.home / STORE_NAME, self.copy)

    def restart_from_backup(self) -> Store:
        self.store.close()
        restore(self.copy, self.home, move_aside=True)
        return self.open()


@pytest.fixture
def node(tmp_path: Path) -> Node:
    return Node(tmp_path)


def test_a_new_node_may_sign_and_goes_on_after_a_restart(node: Node) -> None:
    assert start(node.store, node.mark).ruling is Ruling.MAY_SIGN
    sign_batch(node.store, node.mark, FEED[:2])
    node.store.close()
    assert start(node.open(), node.mark).ruling is Ruling.MAY_SIGN


def test_power_fails_between_mark_and_store(node: Node) -> None:
    sign_batch(node.store, node.mark, FEED[:2])
    sign_batch(node.store, node.mark, FEED[2:4], die=True)
    node.store.close()
    store = node.open()
    verdict = start(store, node.mark)
    assert (verdict.ruling, verdict.raws) == (Ruling.ADOPT, (FEED[2].raw, FEED[3].raw))
    store.commit(Batch(entries=tuple(row(entry) for entry in FEED[2:4])))
    assert start(store, node.mark).ruling is Ruling.MAY_SIGN


def test_a_backup_of_this_very_state_may_go_on(node: Node) -> None:
    sign_batch(node.store, node.mark, FEED[:2])
    node.back_up()
    assert start(node.restart_from_backup(), node.mark).ruling is Ruling.MAY_SIGN


def test_a_backup_from_before_the_last_batch_is_healed_by_the_mark(node: Node) -> None:
    sign_batch(node.store, node.mark, FEED[:2])
    node.back_up()
    sign_batch(node.store, node.mark, FEED[2:5])
    verdict = start(node.restart_from_backup(), node.mark)
    assert verdict.ruling is Ruling.ADOPT
    assert verdict.raws == tuple(entry.raw for entry in FEED[2:5])


def test_an_older_backup_signs_nothing(node: Node) -> None:
    sign_batch(node.store, node.mark, FEED[:2])
    node.back_up()
    sign_batch(node.store, node.mark, FEED[2:4])
    sign_batch(node.store, node.mark, FEED[4:5])
    verdict = start(node.restart_from_backup(), node.mark)
    assert verdict.ruling is Ruling.REFUSE
    assert "signed up to seq 4, the store ends at seq 1" in verdict.reason


def test_a_deleted_store_signs_nothing(node: Node) -> None:
    sign_batch(node.store, node.mark, FEED[:2])
    sign_batch(node.store, node.mark, FEED[2:3])
    node.store.close()
    for file in node.home.glob(f"{STORE_NAME}*"):
        file.unlink()
    assert start(node.open(), node.mark).ruling is Ruling.REFUSE


def test_a_deleted_mark_signs_nothing(node: Node) -> None:
    sign_batch(node.store, node.mark, FEED[:2])
    node.mark.unlink()
    assert start(node.store, node.mark).ruling is Ruling.REFUSE


def test_a_whole_machine_lost_signs_nothing_until_a_fresh_key(node: Node, tmp_path: Path) -> None:
    sign_batch(node.store, node.mark, FEED[:2])
    node.back_up()
    new_home = tmp_path / "new machine"
    new_home.mkdir()
    assert restore(node.copy, new_home) is None
    assert not keys.mark_path(new_home).exists()
    assert start(Store.open(new_home / STORE_NAME), keys.mark_path(new_home)).ruling is Ruling.REFUSE


def test_a_fresh_key_cures_it_and_the_old_key_is_kept(node: Node) -> None:
    sign_batch(node.store, node.mark, FEED[:2])
    node.back_up()
    for at in (2, 3, 4):
        sign_batch(node.store, node.mark, FEED[at : at + 1])
    store = node.restart_from_backup()
    sealed = fresh_attestation_key(node.home, GOVERNANCE, NETWORK, ALPHA, 2, ["12D3KooWalpha"], 99_000)
    assert open_keyset((node.home / "keyset-2.cbor").read_bytes(), NETWORK, GOVERNANCE.public) == sealed
    signer = keys.load_signer(keys.key_path(node.home, Purpose.ATTESTATION), Purpose.ATTESTATION)
    assert (sealed.keyset.version, sealed.keyset.attestation) == (2, signer.public)
    found = mark.read(node.mark)
    assert found == mark.nothing_signed(signer.public, 2)
    assert start(store, node.mark, key=signer, version=2).ruling is Ruling.MAY_SIGN
    assert (node.home / "keys" / "attestation.key.retired").exists()


def test_a_fresh_key_needs_a_higher_version(node: Node) -> None:
    with pytest.raises(KeyFault, match="not above the last"):
        fresh_attestation_key(node.home, GOVERNANCE, NETWORK, ALPHA, 1, [], 99_000)
    assert keys.load_signer(keys.key_path(node.home, Purpose.ATTESTATION), Purpose.ATTESTATION)


def test_a_fresh_key_cures_a_damaged_mark_and_keeps_it(node: Node) -> None:
    node.mark.write_bytes(b"torn")
    fresh_attestation_key(node.home, GOVERNANCE, NETWORK, ALPHA, 2, [], 99_000)
    assert (node.home / "mark.cbor.retired").read_bytes() == b"torn"
    assert mark.read(node.mark) is not None


def test_a_backup_of_a_running_node_is_whole_private_and_one_file(node: Node) -> None:
    sign_batch(node.store, node.mark, FEED[:3])
    node.back_up()
    assert [file.name for file in node.copy.parent.iterdir()] == ["backup.sqlite"]
    assert node.copy.stat().st_mode & 0o777 == 0o600
    copy = Store.open(node.copy)
    assert copy.entries(ALPHA, 1, 0, 10, 10_000) == [entry.raw for entry in FEED[:3]]


def test_a_backup_overwrites_nothing(node: Node) -> None:
    node.copy.write_bytes(b"precious")
    with pytest.raises(StoreError, match="cannot be made"):
        node.back_up()
    assert node.copy.read_bytes() == b"precious"


def test_a_damaged_store_makes_no_backup(node: Node) -> None:
    sign_batch(node.store, node.mark, FEED[:3])
    node.store.close()
    with sqlite3.connect(node.home / STORE_NAME) as connection:
        connection.execute("UPDATE entries SET raw = x'00'")
    connection.close()
    with pytest.raises(StoreError, match="was changed on disk"):
        node.back_up()
    assert not node.copy.exists()


def test_a_damaged_backup_replaces_nothing(node: Node) -> None:
    node.back_up()
    node.store.close()
    node.copy.write_bytes(node.copy.read_bytes()[:5_000])
    with pytest.raises(StoreError):
        restore(node.copy, node.home, move_aside=True)
    assert node.open().network() == NETWORK


def test_a_store_that_stands_is_moved_only_when_told_and_opens_still(node: Node) -> None:
    node.back_up()
    sign_batch(node.store, node.mark, FEED[:3])
    node.store.close()
    with pytest.raises(StoreError, match="move-aside"):
        restore(node.copy, node.home)
    aside = restore(node.copy, node.home, move_aside=True)
    assert aside is not None
    moved = Store.open(aside)
    assert moved.own_head(ALPHA, 1) == row(FEED[2])
    again = restore(node.copy, node.home, move_aside=True)
    assert again not in (None, aside)
    assert node.open().is_empty()


def test_a_running_nodes_store_is_not_replaced(node: Node) -> None:
    node.back_up()
    with pytest.raises(StoreError, match="another process"):
        restore(node.copy, node.home, move_aside=True)

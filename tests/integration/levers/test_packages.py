"""What others published is read only as the lock names it."""

import hashlib

import pytest

from node.testnet.real import packages
from node.testnet.real.packages import Locked, PackageFault, linked, locked


def test_the_lock_names_whole_hashes_and_no_addresses():
    assert {len(one.sha512) for one in locked()} == {64}
    assert "://" not in packages.LOCK.read_text("utf-8")


def test_an_archive_that_was_changed_is_not_read(tmp_path, monkeypatch):
    monkeypatch.setattr(packages, "_FOLDERS", [tmp_path])
    one = Locked("@some/thing", "1.0.0", hashlib.sha512(b"as published").digest())
    one.archive.write_bytes(b"as published")
    assert one.read() == b"as published"
    one.archive.write_bytes(b"as changed")
    with pytest.raises(PackageFault, match="is not what"):
        one.read()


def test_a_missing_archive_says_what_to_run(tmp_path, monkeypatch):
    monkeypatch.setattr(packages, "_FOLDERS", [tmp_path])
    with pytest.raises(PackageFault, match="make levers"):
        Locked("@some/thing", "1.0.0", bytes(64)).read()


def test_libraries_are_linked_into_their_gaps():
    gaps = {"x.sol": {"Logic": [{"start": 1, "length": 20}]}}
    found = {"bytecode": "0x60" + "__$placeholder$__".ljust(40, "0") + "56", "linkReferences": gaps}
    assert linked(found, {"Logic": b"\x11" * 20}) == b"\x60" + b"\x11" * 20 + b"\x56"

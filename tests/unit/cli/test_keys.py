"""`tocsin key …` without a node: files in, files out, and words before anything is sealed."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from governance.chain import Chain, pack_chain
from governance.charter import parse
from node import keys, mark
from node.keys import Purpose
from protocol.crypto import Signer
from protocol.envelope import seal_keyset
from protocol.ids import MemberName, PublicKey
from protocol.messages import KeySet
from tests.unit.cli.test_founding import found
from tests.unit.cli.world import FakeNode, Ran, run

Capsys = pytest.CaptureFixture[str]


@pytest.fixture
def venue(tmp_path: Path, capsys: Capsys) -> Path:
    """A member's directory whose governance key lies elsewhere."""
    charter = found(capsys, tmp_path)
    home = tmp_path / "venue"
    (home / "charter.toml").write_text(charter.read_text())
    (home / "governance.key").rename(tmp_path / "cold.key")
    return home


def key(capsys: Capsys, home: Path, verb: str, *words: object) -> Ran:
    at = ("--config", home / "node.toml") if verb in ("show", "rotate", "publish") else ()
    return run(capsys, "key", verb, *words, *at)


def test_a_key_is_shown_from_the_files(venue: Path, capsys: Capsys) -> None:
    ran = key(capsys, venue, "show", "-o", "json")
    assert [(row["member"], row["version"], row["in_force"]) for row in ran.json["keysets"]] == [("venue", 1, True)]
    assert not ran.json["runs"] and "No node answers" in key(capsys, venue, "show").out
    assert len(key(capsys, venue, "show", "--everybody", "-o", "json").json["keysets"]) == 4


def test_rotation_without_a_node_is_done_on_the_disk(venue: Path, tmp_path: Path, capsys: Capsys) -> None:
    ran = key(capsys, venue, "rotate", "--governance-key", tmp_path / "cold.key", "-o", "json")
    assert ran.json == {"member": "venue", "key_version": 2, "live": False}
    found_mark = mark.read(venue / "data" / "mark.cbor")
    assert found_mark is not None and (found_mark.key_version, found_mark.seq) == (2, mark.NOTHING_SIGNED)
    rows = key(capsys, venue, "show", "-o", "json").json["keysets"]
    assert [(row["version"], row["in_force"]) for row in rows] == [(1, False), (2, True)]


def test_another_members_governance_key_rotates_nothing(venue: Path, tmp_path: Path, capsys: Capsys) -> None:
    before = sorted(path.name for path in (venue / "data" / "keys").iterdir())
    ran = key(capsys, venue, "rotate", "--governance-key", tmp_path / "issuer" / "governance.key")
    assert ran.code == 1 and "is not the governance key of venue" in ran.err
    assert sorted(path.name for path in (venue / "data" / "keys").iterdir()) == before


def test_a_request_is_sealed_elsewhere_and_put_in_force(venue: Path, tmp_path: Path, capsys: Capsys) -> None:
    request = tmp_path / "new.toml"
    assert key(capsys, venue, "rotate", "--request", request, "--transport").code == 0
    assert "SECRET" not in request.read_text().upper()
    assert mark.read(venue / "data" / "mark.cbor").key_version == 1  # type: ignore[union-attr]
    ran = key(capsys, venue, "sign", request, "--governance-key", tmp_path / "cold.key")
    assert ran.code == 0 and "version 2 of venue" in ran.out
    old = keys.load_secret(keys.key_path(venue / "data", Purpose.TRANSPORT), Purpose.TRANSPORT).reveal()
    assert key(capsys, venue, "rotate", "--sealed", tmp_path / "new.cbor").code == 0
    assert keys.load_secret(keys.key_path(venue / "data", Purpose.TRANSPORT), Purpose.TRANSPORT).reveal() == old
    ran = key(capsys, venue, "rotate", "--sealed", tmp_path / "new.cbor")
    assert ran.code == 1 and "version 2 is in use here already" in ran.err


def edited(request: Path, **changes: str) -> Path:
    lines = request.read_text().splitlines()
    for name, value in changes.items():
        lines = [f"{name} = {value}" if line.startswith(f"{name} =") else line for line in lines]
    request.write_text("\n".join(lines) + "\n")
    return request


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"version": "1"}, "of two KeySets of one version the lower hash holds"),
        ({"version": "2", "held": '["1", "4"]'}, "would change nothing: 4 is in force"),
        ({"version": "17", "held": str([str(one) for one in range(1, 17)]).replace("'", '"')}, "16 versions"),
        ({"expires_ms": "1000"}, "lies in the past"),
        ({"expires_ms": str(2**42)}, "is over a year ahead"),
        ({"attestation": f'"{bytes(32).hex()}"'}, "is no point of the prime-order group"),
        ({"attestation": '"00"'}, "is not a byte string of the right size"),
        ({"transport": '["x"]'}, "holds what is no peer id"),
        ({"network": f'"{bytes(32).hex()}"'}, "of another network than the charter"),
        ({"held": '["one"]'}, "holds what is no version"),
        ({"member": '"Venue"'}, "is no name"),
    ],
)
def test_what_would_not_be_taken_is_said_before_anything_is_sealed(
    venue: Path, tmp_path: Path, capsys: Capsys, changes: dict[str, str], says: str
) -> None:
    request = tmp_path / "new.toml"
    key(capsys, venue, "rotate", "--request", request)
    words = ("--governance-key", tmp_path / "cold.key", "--charter", tmp_path / "charter.toml")
    ran = key(capsys, venue, "sign", edited(request, **changes), *words)
    assert ran.code == 1 and says in ran.err, ran.err
    assert not (tmp_path / "new.cbor").exists()


def revoke(capsys: Capsys, tmp_path: Path, *words: object) -> Ran:
    at = ("--governance-key", tmp_path / "cold.key", "--charter", tmp_path / "charter.toml", "-o", "json")
    return run(capsys, "key", "revoke", "venue", *at, *words)


def test_a_revocation_is_the_next_of_what_is_known(venue: Path, tmp_path: Path, capsys: Capsys) -> None:
    one, two, three = (tmp_path / f"{name}.cbor" for name in ("one", "two", "three"))
    assert revoke(capsys, tmp_path, "--out", one).json["version"] == 2
    assert revoke(capsys, tmp_path, "--out", two, "--known", one).json["version"] == 3
    assert revoke(capsys, tmp_path, "--out", three, "--above", "7").json["version"] == 8
    assert "exists" in revoke(capsys, tmp_path, "--out", three).err


def test_a_key_made_beside_the_governance_key_is_carried_to_the_node(
    venue: Path, tmp_path: Path, capsys: Capsys
) -> None:
    out, fresh = tmp_path / "out.cbor", tmp_path / "next.key"
    revoke(capsys, tmp_path, "--out", out, "--key-out", fresh)
    assert fresh.stat().st_mode & 0o77 == 0
    assert "is not here" in key(capsys, venue, "rotate", "--sealed", out).err
    assert key(capsys, venue, "rotate", "--sealed", out, "--key", fresh).code == 0
    signer = keys.load_signer(keys.key_path(venue / "data", Purpose.ATTESTATION), Purpose.ATTESTATION)
    assert signer.public == keys.load_signer(fresh, Purpose.ATTESTATION).public


def test_an_older_version_is_not_put_on_the_disk(venue: Path, tmp_path: Path, capsys: Capsys) -> None:
    request = tmp_path / "new.toml"
    key(capsys, venue, "rotate", "--request", request)
    key(capsys, venue, "sign", request, "--governance-key", tmp_path / "cold.key")
    key(capsys, venue, "rotate", "--governance-key", tmp_path / "cold.key")
    key(capsys, venue, "rotate", "--governance-key", tmp_path / "cold.key")
    ran = key(capsys, venue, "rotate", "--sealed", tmp_path / "new.cbor")
    assert ran.code == 1 and "version 3 of venue is in force" in ran.err


def test_a_statement_is_published_through_the_node(node: FakeNode, tmp_path: Path, capsys: Capsys) -> None:
    body = KeySet(MemberName("b"), 2, PublicKey(Signer(b"h" * 32).public), None, (), 2**42)
    raw = seal_keyset(bytes(32), Signer(b"c" * 32), body).raw  # type: ignore[arg-type]
    (tmp_path / "b.cbor").write_bytes(raw)
    node.answers[("POST", "/statements")] = (200, {"ok": True, "says": "done"})
    ran = run(capsys, "key", "publish", tmp_path / "b.cbor", "--person", "anna", "--config", node.config)
    assert ran.code == 0 and "KeySet of b" in ran.out
    assert node.asked[-1] == ("POST", "/statements", {"sealed": raw.hex(), "person": "anna"})


@pytest.mark.parametrize("raw", [b"", b"\x00", b"x" * 20_000])
def test_a_file_that_is_no_statement_is_told(node: FakeNode, tmp_path: Path, capsys: Capsys, raw: bytes) -> None:
    (tmp_path / "b.cbor").write_bytes(raw)
    ran = run(capsys, "key", "publish", tmp_path / "b.cbor", "--config", node.config)
    assert ran.code == 1 and "is no sealed KeySet" in ran.err and not node.asked


@pytest.fixture
def joiner(tmp_path: Path, capsys: Capsys) -> Path:
    """Of a member that no charter names: it applied, and starts from a chain."""
    charter = found(capsys, tmp_path)
    read = parse(charter.read_text())
    (tmp_path / "network.cbor").write_bytes(pack_chain(Chain(charter.read_text(), (), (), tuple(read.sealed))))
    home, trust = tmp_path / "late", read.epoch0().hash.hex()
    assert run(capsys, "init", "late", "--dir", home, "--addr", "/ip4/127.0.0.1/tcp/4001").code == 0
    words = (tmp_path / "network.cbor", "--dir", home, "--trust", trust)
    application = tmp_path / "late.toml"
    assert run(capsys, "member", "apply", *words, "--out", application).code == 0
    assert run(capsys, "join", *words, "--application", application).code == 0
    return home


def test_who_joined_rotates_under_the_key_that_it_applied_with(joiner: Path, tmp_path: Path, capsys: Capsys) -> None:
    theirs = tmp_path / "venue" / "governance.key"
    ran = key(capsys, joiner, "rotate", "--governance-key", theirs)
    assert ran.code == 1 and "is not the governance key of late" in ran.err
    ran = key(capsys, joiner, "rotate", "-o", "json")
    assert ran.code == 0, ran.err
    assert ran.json == {"member": "late", "key_version": 2, "live": False}
    rows = key(capsys, joiner, "show", "-o", "json").json["keysets"]
    assert [(row["member"], row["version"]) for row in rows] == [("late", 1), ("late", 2)]


def test_who_joined_gets_a_fresh_key_after_a_lost_store(joiner: Path, capsys: Capsys) -> None:
    ran = run(capsys, "restore", "--fresh-key", "--config", joiner / "node.toml", "-o", "json")
    assert ran.code == 0 and ran.json["key_version"] == 2, ran.err


def test_a_chain_says_whose_key_may_revoke(joiner: Path, tmp_path: Path, capsys: Capsys) -> None:
    chain, trust = tmp_path / "network.cbor", parse((joiner / "charter.toml").read_text()).epoch0().hash.hex()
    cold = ("--governance-key", tmp_path / "venue" / "governance.key", "--network", chain)
    ran = key(capsys, tmp_path, "revoke", "venue", *cold, "--out", tmp_path / "r.cbor")
    assert ran.code == 2 and "add --trust HASH" in ran.err
    ran = key(capsys, tmp_path, "revoke", "venue", *cold, "--trust", trust, "--out", tmp_path / "r.cbor", "-o", "json")
    assert (ran.code, ran.json["version"]) == (0, 2), ran.err
    ran = key(capsys, tmp_path, "revoke", "late", *cold, "--trust", trust)
    assert ran.code == 1 and "late has no seat in epoch 0 of it" in ran.err


def test_the_doctor_and_the_list_tell_of_a_key_that_expires(venue: Path, tmp_path: Path, capsys: Capsys) -> None:
    key(capsys, venue, "rotate", "--governance-key", tmp_path / "cold.key", "--term", "6d")
    assert "expires in 5 days" in key(capsys, venue, "show").out
    assert "note   seat     the KeySet of this node expires in 5 days" in _doctor(capsys, venue)


def test_the_doctor_tells_of_a_key_that_has_expired(venue: Path, tmp_path: Path, capsys: Capsys) -> None:
    key(capsys, venue, "rotate", "--governance-key", tmp_path / "cold.key", "--term", "50ms")
    time.sleep(0.1)
    assert "FAULT  seat     the KeySet has expired" in _doctor(capsys, venue)


def _doctor(capsys: Capsys, home: Path) -> Any:
    return run(capsys, "doctor", "--config", home / "node.toml").out

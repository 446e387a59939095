"""What a contract is told of an attestation: the golden file, and the two ways to a body's hash."""

from __future__ import annotations

import json
from pathlib import Path

from protocol.envelope import parse_entry
from protocol.ids import MemberName, NetworkId
from protocol.limits import NAME_CHARS_MAX
from protocol.messages import KeySet
from protocol.onchain import author_word, body_hash, evm_keys, sealed_body_hash, subject_key, submit_by_ms
from tests.tidy import make_vectors

GOLDEN = json.loads((make_vectors.VECTORS / "onchain.json").read_text())
WORDS = {one["what"]: one for one in GOLDEN["words"]}


def test_the_golden_file_holds() -> None:
    assert Path(make_vectors.VECTORS / "onchain.json").read_text() == make_vectors.text_of(make_vectors.onchain())
    for one in WORDS.values():
        entry = parse_entry(bytes.fromhex(one["sealed"]), NetworkId(bytes.fromhex(GOLDEN["network"]))).entry
        assert one["told"] == {
            "body_hash": sealed_body_hash(bytes.fromhex(one["sealed"])).hex(),
            "subject_key": subject_key(entry.body.subject).hex(),
            "author": author_word(entry.author).hex(),
            "submit_by_ms": submit_by_ms(entry.issued_ms, entry.body.expires_ms),
        }


def test_who_is_about_to_seal_derives_what_readers_derive() -> None:
    for name in ("attestation", "attestation-with-evm-signature", "attestation-withdrawn"):
        assert body_hash(make_vectors.BODIES[name]).hex() == WORDS[name]["told"]["body_hash"]


def test_the_signature_is_not_under_the_hash_and_all_else_is() -> None:
    signed, plain = (make_vectors.BODIES[f"attestation{end}"] for end in ("-with-evm-signature", ""))
    assert body_hash(signed) != body_hash(plain)  # by_person differs
    assert body_hash(make_vectors.replace(signed, by_person=False)) == body_hash(plain)


def test_fields_of_a_later_version_are_under_the_hash() -> None:
    later, now = (WORDS[f"attestation{end}"]["told"] for end in ("-of-a-later-version", "-with-evm-signature"))
    assert later["body_hash"] != now["body_hash"]
    assert later["subject_key"] == now["subject_key"]


def test_the_longest_name_fills_its_word() -> None:
    assert author_word(MemberName("x" * NAME_CHARS_MAX)) == b"x" * 32


def test_nothing_is_submitted_past_its_expiry() -> None:
    assert submit_by_ms(1_000, 1_000_000) == 601_000
    assert submit_by_ms(1_000, 5_000) == 5_000


def keyset(version: int, evm: bytes | None, expires_ms: int = 1_000) -> KeySet:
    return KeySet(MemberName("a"), version, make_vectors.hot("issuer").public, evm, (), expires_ms)


def test_the_newest_keyset_says_which_evm_key_or_that_there_is_none() -> None:
    first, second, none = keyset(1, b"\x01" * 20), keyset(2, b"\x02" * 20), keyset(3, None)
    assert evm_keys([second, first], 0) == {"a": b"\x02" * 20}
    assert evm_keys([first, second, none], 0) == {}


def test_an_expired_keyset_names_no_key_and_no_older_one_instead() -> None:
    old, new = keyset(1, b"\x01" * 20, 9_000), keyset(2, b"\x02" * 20, 1_000)
    assert evm_keys([old, new], 999) == {"a": b"\x02" * 20}
    assert evm_keys([old, new], 1_000) == {}

"""The golden files stay byte for byte, and each is true by itself: read from the file, not from what made it."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from protocol import codec
from protocol.crypto import Signer, sha256, verify
from protocol.envelope import (
    check_charter_signature,
    domain_tag,
    open_keyset,
    parse_entry,
    verify_entry,
)
from protocol.errors import ProtocolError
from protocol.evidence import claim_of, open_claim
from protocol.feed import Feed, is_equivocation
from protocol.frames import pack_frame, parse_frame
from protocol.ids import Digest, EpochHash, MemberName, NetworkId, PublicKey
from protocol.membership import DEFAULT_FORMULAS, evaluate
from protocol.messages import Claim, EntryKind, Level, value_hash
from protocol.quorum import certificate_id, check_certificate, parse_certificate
from protocol.subjects import from_text, parse_subject
from tests.tidy import make_vectors

MADE = make_vectors.vectors()
FILES = sorted(make_vectors.VECTORS.glob("*.json"))


def read(path: Path) -> Any:
    return json.loads(path.read_text())


def named(start: str) -> list[Path]:
    return [path for path in FILES if path.name.startswith(start)]


def raw(value: str) -> bytes:
    return bytes.fromhex(value)


def test_the_code_makes_the_golden_files_byte_for_byte() -> None:
    assert {path.stem for path in FILES} == set(MADE)
    changed = [path.name for path in FILES if path.read_text() != make_vectors.text_of(MADE[path.stem])]
    assert changed == []


def test_no_golden_file_ever_changes() -> None:
    """Their digests as first published: code and files changed together would be seen here."""
    lines = make_vectors.FIRST_SEEN.read_text().splitlines()
    published = {name: digest for digest, name in (line.split() for line in lines)}
    now = {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in FILES}
    assert now == published


@pytest.mark.parametrize("path", named("entry-"), ids=lambda path: path.stem)
def test_an_entry_says_what_its_file_says(path: Path) -> None:
    vector = read(path)
    parsed = parse_entry(raw(vector["sealed"]), NetworkId(raw(vector["network"])))
    assert parsed.hash.hex() == vector["hash"] == hashlib.sha256(raw(vector["to_be_signed"])).hexdigest()
    assert make_vectors.plain(parsed.entry) == vector["entry"]
    key = Signer(raw(vector["seed"])).public
    assert verify_entry(parsed, key).raw.hex() == vector["sealed"]
    assert verify(key, raw(vector["to_be_signed"]), raw(vector["signature"]))
    aad = codec.encode([vector["domain_tag"], raw(vector["network"])])
    signed = codec.encode(["Signature1", raw("a10127"), aad, raw(vector["payload"])])
    assert signed.hex() == vector["to_be_signed"]


def test_every_kind_of_entry_has_a_file() -> None:
    kinds = {read(path)["entry"]["kind"] for path in named("entry-")}
    assert set(EntryKind) <= kinds
    assert kinds - set(EntryKind) == {42}
    tags = {read(path)["domain_tag"] for path in named("entry-")}
    assert {domain_tag(kind) for kind in kinds} == tags


@pytest.mark.parametrize("path", named("keyset"), ids=lambda path: path.stem)
def test_a_keyset_opens_under_its_governance_key(path: Path) -> None:
    vector = read(path)
    sealed = open_keyset(raw(vector["sealed"]), NetworkId(raw(vector["network"])), PublicKey(raw(vector["governance"])))
    assert sealed.hash.hex() == vector["hash"]
    assert make_vectors.plain(sealed.keyset) == vector["keyset"]
    assert Signer(raw(vector["governance_seed"])).public.hex() == vector["governance"]


def test_a_founders_signature_holds() -> None:
    vector = read(make_vectors.VECTORS / "charter-signature.json")
    network, key = NetworkId(raw(vector["network"])), PublicKey(raw(vector["governance"]))
    assert check_charter_signature(network, key, raw(vector["signature"]))


@pytest.mark.parametrize("path", named("certificate-"), ids=lambda path: path.stem)
def test_a_certificate_proves_its_level_offline(path: Path) -> None:
    vector = read(path)
    certificate = parse_certificate(raw(vector["raw"]))
    checked = check_certificate(certificate, raw(vector["raw"]), make_vectors.epoch(), lambda name, version: None)
    assert checked.digest.hex() == vector["digest"]
    assert list(checked.groups) == vector["groups"]
    assert (checked.ends_ms, checked.newest_issued_ms) == (vector["ends_ms"], vector["newest_issued_ms"])
    id_ = certificate_id(EpochHash(certificate.epoch), certificate.topic, certificate.level)
    assert id_.hex() == vector["id"]


@pytest.mark.parametrize("path", named("claim-"), ids=lambda path: path.stem)
def test_a_claim_names_its_blob_and_its_inputs(path: Path) -> None:
    vector = read(path)
    told = vector["claim"]
    claim = Claim(told["type"], raw(told["id"]), Digest(raw(told["digest"])))
    inputs = open_claim(claim, raw(vector["blob"]))
    assert claim_of(inputs).blob.hex() == vector["blob"]
    assert sha256(raw(vector["blob"])) == claim.digest


@pytest.mark.parametrize("path", named("equivocation"), ids=lambda path: path.stem)
def test_equivocations_are_proofs_and_others_are_none(path: Path) -> None:
    vector = read(path)
    network, key = NetworkId(raw(vector["network"])), PublicKey(raw(vector["key"]))
    entries = {
        name: verify_entry(parse_entry(raw(one["sealed"]), network), key) for name, one in vector["entries"].items()
    }
    assert all(is_equivocation(entries[a], entries[b]) for a, b in vector["proofs"])
    assert not any(is_equivocation(entries[a], entries[b]) for a, b in vector["no_proofs"])
    assert all(value_hash(raw(value)).hex() == said for value, said in vector.get("value_hashes", {}).items())
    if "head_of_first_and_rival" not in vector:
        return
    feed = Feed(MemberName("issuer"), 1)
    feed.add(entries["first"])
    feed.add(entries["rival"])
    assert feed.top_hash.hex() == vector["head_of_first_and_rival"]


@pytest.mark.parametrize("path", named("frame-"), ids=lambda path: path.stem)
def test_a_frame_says_what_its_file_says(path: Path) -> None:
    vector = read(path)
    frame = parse_frame(raw(vector["raw"]))
    assert make_vectors.plain(frame) == vector["frame"]
    assert pack_frame(frame).hex() == vector["raw"]


def test_every_type_of_frame_has_a_file() -> None:
    numbers = {codec.decode(raw(read(path)["raw"]), bytes_max=1 << 20)[0] for path in named("frame-")}
    assert numbers == {*range(1, 11), 16, 17}


def test_subjects_are_the_same_as_text_and_as_bytes() -> None:
    for one in read(make_vectors.VECTORS / "subjects.json")["subjects"]:
        assert from_text(one["text"]) == parse_subject(raw(one["raw"]))


def test_what_is_refused_is_refused_with_its_code() -> None:
    for one in read(make_vectors.VECTORS / "refused.json")["cbor"]:
        with pytest.raises(ProtocolError) as caught:
            codec.decode(raw(one["raw"]), bytes_max=1 << 20)
        assert caught.value.code.word == one["code"], one["what"]


def test_thresholds_are_those_of_the_default_formulas() -> None:
    vector = read(make_vectors.VECTORS / "thresholds.json")
    for row in vector["rows"]:
        for level, formula in DEFAULT_FORMULAS.items():
            assert evaluate(formula, row["n"]) == row[Level(level).name.lower()]

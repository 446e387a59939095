"""The COSE working group's examples: we sign RFC 9052's Sig_structure, in a profile that is narrower on purpose."""

from __future__ import annotations

from typing import Any

import cbor2
import pytest

from protocol import codec, envelope
from protocol.crypto import KEY_BYTES, Signer, is_sound_key, verify
from protocol.envelope import PROTECTED, parse_entry
from protocol.errors import Code, ProtocolError
from protocol.ids import NetworkId, PublicKey
from tests.vectors.foreign import cose_examples

NETWORK = NetworkId(bytes(32))
ED25519 = "eddsa-examples/eddsa-sig-01.json"
ED448 = "eddsa-examples/eddsa-sig-02.json"
COUNTERSIGNED = ["countersign/signed1-01.json", "countersign/signed1-02.json", "countersign1/signed1-01.json"]
"""COSE_Sign1 too, with a countersignature in the unprotected header: the main signature is an ordinary one."""


def sign1() -> dict[str, dict[str, Any]]:
    """Every example of one signer (they write `sign0` for COSE_Sign1)."""
    return {name: one for name, one in cose_examples().items() if "sign0" in one["input"]}


def curve(example: dict[str, Any]) -> str:
    return str(example["input"]["sign0"]["key"]["crv"])


def parts(example: dict[str, Any]) -> list[Any]:
    value = cbor2.loads(bytes.fromhex(example["output"]["cbor"]))
    return list(value.value if isinstance(value, cbor2.CBORTag) else value)


def to_be_signed(example: dict[str, Any]) -> bytes:
    return bytes.fromhex(example["intermediates"]["ToBeSign_hex"])


def aad_of(example: dict[str, Any]) -> bytes:
    return bytes.fromhex(example["input"]["sign0"].get("external", ""))


def ours(protected: bytes, aad: bytes, payload: bytes, monkeypatch: pytest.MonkeyPatch) -> bytes:
    """What `envelope._to_be_signed` makes: its tag and network give the aad, so both are put out of the way."""
    monkeypatch.setattr(envelope, "PROTECTED", protected)
    # what is written once has our header in it
    plain = getattr(envelope._signed_ahead, "__wrapped__", envelope._signed_ahead)
    monkeypatch.setattr(envelope, "_signed_ahead", plain)
    written = envelope._to_be_signed("", NETWORK, payload)
    inner = codec.encode(["", NETWORK])
    return written.replace(codec.encode(inner), codec.encode(aad), 1)


def test_there_are_as_many_as_were_counted() -> None:
    told = sign1()
    assert len(told) == 20
    assert [name for name, one in told.items() if curve(one) == "Ed25519"] == [*COUNTERSIGNED, ED25519]
    assert [name for name, one in told.items() if curve(one) == "Ed448"] == [ED448]


def test_our_sig_structure_is_theirs_byte_for_byte(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the algorithm: the bytes to be signed do not depend on it."""
    differs = []
    for name, example in sign1().items():
        if "fail" in name or "failures" in example["input"]:
            continue
        protected, _, payload, _ = parts(example)
        if ours(protected, aad_of(example), payload, monkeypatch) != to_be_signed(example):
            differs.append(name)
    assert differs == []


@pytest.mark.parametrize("name", [ED25519, *COUNTERSIGNED])
def test_their_ed25519_signature_is_the_one_we_make_and_take(name: str) -> None:
    example = cose_examples()[name]
    key = example["input"]["sign0"]["key"]
    signer = Signer(bytes.fromhex(key["d_hex"]))
    signature = parts(example)[3]
    assert signer.public.hex() == key["x_hex"]
    assert signer.sign(to_be_signed(example)) == signature
    assert verify(signer.public, to_be_signed(example), signature)
    assert is_sound_key(signer.public)


def test_ed448_under_the_same_algorithm_number_is_nothing_here() -> None:
    """alg −8 names both curves; the lengths of key and signature tell them apart before anything is computed."""
    example = cose_examples()[ED448]
    key, signature = bytes.fromhex(example["input"]["sign0"]["key"]["x_hex"]), parts(example)[3]
    assert len(key) != KEY_BYTES
    assert not verify(PublicKey(key), to_be_signed(example), signature)
    assert parts(example)[0] == PROTECTED


NARROWER = {
    "as it was published, with COSE's tag": (lambda raw, p: raw, Code.NOT_CANONICAL),
    "without the tag: an unprotected header and another protected one": (lambda raw, p: raw[1:], Code.BAD_ENVELOPE),
    "with the unprotected header emptied": (lambda raw, p: codec.encode([p[0], {}, p[2], p[3]]), Code.BAD_ENVELOPE),
    "with our protected header and their unprotected one": (
        lambda raw, p: codec.encode([PROTECTED, p[1], p[2], p[3]]),
        Code.BAD_ENVELOPE,
    ),
    "with our headers: its payload is a text of theirs and no entry": (
        lambda raw, p: codec.encode([PROTECTED, {}, p[2], p[3]]),
        Code.NOT_CANONICAL,
    ),
}


@pytest.mark.parametrize("what", NARROWER)
def test_our_profile_refuses_the_ed25519_example(what: str) -> None:
    example = cose_examples()[ED25519]
    change, code = NARROWER[what]
    with pytest.raises(ProtocolError) as caught:
        parse_entry(change(bytes.fromhex(example["output"]["cbor"]), parts(example)), NETWORK)
    assert caught.value.code is code


def test_no_example_of_the_working_group_is_an_entry_of_ours() -> None:
    taken = []
    for name, example in cose_examples().items():
        try:
            parse_entry(bytes.fromhex(example["output"]["cbor"]), NETWORK)
            taken.append(name)
        except ProtocolError:
            continue
    assert taken == []

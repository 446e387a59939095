"""Project Wycheproof's Ed25519 vectors: our one verifier says what they say, on every one."""

from __future__ import annotations

from collections import Counter

import pytest

from protocol.crypto import is_sound_key, verify
from protocol.ids import PublicKey
from tests.vectors.foreign import wycheproof_ed25519

KINDS_OF_FAULT = {
    "CompressedSignature": 4,
    "InvalidEncoding": 22,
    "InvalidKtv": 1,
    "InvalidSignature": 20,
    "SignatureMalleability": 8,
    "SignatureWithGarbage": 5,
    "TruncatedSignature": 3,
}
"""Flag → how many invalid tests carry it: a newer file with other ones is looked at, not taken over blindly."""


def test_every_verdict_is_theirs() -> None:
    differs = [
        (test["tcId"], test["flags"], test["result"])
        for key, test in wycheproof_ed25519()
        if verify(PublicKey(key), bytes.fromhex(test["msg"]), bytes.fromhex(test["sig"]))
        is not (test["result"] == "valid")
    ]
    assert differs == []


def test_none_of_theirs_leaves_the_verdict_open() -> None:
    """`acceptable` would be a signature on which honest verifiers split; this file has none."""
    assert Counter(test["result"] for _, test in wycheproof_ed25519()) == {"valid": 88, "invalid": 63}


@pytest.mark.parametrize("fault", KINDS_OF_FAULT)
def test_each_kind_of_fault_is_refused_as_often_as_it_stands_there(fault: str) -> None:
    marked = [
        (key, test) for key, test in wycheproof_ed25519() if fault in test["flags"] and test["result"] == "invalid"
    ]
    refused = [
        1 for key, test in marked if not verify(PublicKey(key), bytes.fromhex(test["msg"]), bytes.fromhex(test["sig"]))
    ]
    assert len(refused) == len(marked) == KINDS_OF_FAULT[fault]


def test_every_key_of_theirs_could_be_delegated() -> None:
    """All are ordinary points: their faults are in signatures, so the key check neither helps nor hides."""
    assert [key.hex() for key, _ in wycheproof_ed25519() if not is_sound_key(key)] == []

"""One verifier for all, so that peers cannot split over a strange signature; keys are checked when delegated."""

from __future__ import annotations

import copy
import gzip
import json
import pickle
from typing import Any

import pytest

from protocol.crypto import Signer, is_sound_key, verify
from protocol.errors import Code, ProtocolError
from protocol.ids import PublicKey
from tests.unit.protocol.world import real_data

SIGNER = Signer(bytes(range(32)))
P = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
Point = tuple[int, int]


def add(one: Point, other: Point) -> Point:
    """Edwards addition, slow and by the book."""
    (x1, y1), (x2, y2) = one, other
    k = D * x1 * x2 * y1 * y2
    x = (x1 * y2 + x2 * y1) * pow(1 + k, P - 2, P) % P
    y = (y1 * y2 + x1 * x2) * pow(1 - k, P - 2, P) % P
    return x, y


def times(count: int, point: Point) -> Point:
    result = (0, 1)
    while count:
        if count & 1:
            result = add(result, point)
        point = add(point, point)
        count >>= 1
    return result


def point_of(raw: bytes) -> Point:
    y = int.from_bytes(raw, "little") & ((1 << 255) - 1)
    square = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * pow(2, (P - 1) // 4, P) % P
    return (P - x if x & 1 != raw[31] >> 7 else x), y


def bytes_of(point: Point) -> bytes:
    return (point[1] | (point[0] & 1) << 255).to_bytes(32, "little")


SMALL_ORDER = [
    "0100000000000000000000000000000000000000000000000000000000000000",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0000000000000000000000000000000000000000000000000000000000000080",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
]
TORSION = point_of(bytes.fromhex(SMALL_ORDER[4]))


def test_a_signature_holds_for_its_message_and_key_alone() -> None:
    signature = SIGNER.sign(b"fire")
    assert verify(SIGNER.public, b"fire", signature)
    assert not verify(SIGNER.public, b"water", signature)
    assert not verify(Signer(bytes(32)).public, b"fire", signature)


def test_signing_is_deterministic() -> None:
    assert SIGNER.sign(b"fire") == SIGNER.sign(b"fire")


@pytest.mark.parametrize("length", [0, 1, 63, 65, 128])
def test_a_signature_of_another_length_is_refused(length: int) -> None:
    assert not verify(SIGNER.public, b"fire", (SIGNER.sign(b"fire") * 2)[:length])


@pytest.mark.parametrize("length", [0, 31, 33])
def test_a_key_of_another_length_is_refused(length: int) -> None:
    assert not verify(PublicKey((SIGNER.public * 2)[:length]), b"fire", SIGNER.sign(b"fire"))
    assert not is_sound_key((SIGNER.public * 2)[:length])


def test_a_malleated_signature_is_refused() -> None:
    signature = SIGNER.sign(b"fire")
    other_s = (int.from_bytes(signature[32:], "little") + ORDER).to_bytes(32, "little")
    assert not verify(SIGNER.public, b"fire", signature[:32] + other_s)


def test_an_ordinary_key_is_sound() -> None:
    assert is_sound_key(SIGNER.public)


@pytest.mark.parametrize("raw", SMALL_ORDER)
def test_a_small_order_key_is_not_sound_and_proves_nothing(raw: str) -> None:
    key = bytes.fromhex(raw)
    assert not is_sound_key(key)
    assert not verify(PublicKey(key), b"anything", key + bytes(32))


@pytest.mark.parametrize("multiple", range(1, 8))
def test_a_mixed_order_key_is_not_sound(multiple: int) -> None:
    mixed = bytes_of(add(point_of(SIGNER.public), times(multiple, TORSION)))
    assert not is_sound_key(mixed)


def test_a_key_off_the_curve_or_not_reduced_is_not_sound() -> None:
    assert not is_sound_key((2).to_bytes(32, "little"))
    assert not is_sound_key(b"\xff" * 32)


def test_a_private_key_is_not_shown_copied_or_pickled() -> None:
    assert bytes(range(32)).hex() not in repr(SIGNER)
    with pytest.raises(TypeError):
        pickle.dumps(SIGNER)
    with pytest.raises(TypeError):
        copy.copy(SIGNER)


def test_a_seed_of_another_length_is_refused() -> None:
    with pytest.raises(ProtocolError) as caught:
        Signer(b"short")
    assert caught.value.code is Code.BAD_KEY
    assert "short" not in str(caught.value)


def wycheproof() -> list[tuple[bytes, dict[str, Any]]]:
    with gzip.open(real_data("interop/wycheproof_ed25519_test.json.gz")) as packed:
        groups = json.load(packed)["testGroups"]
    return [(bytes.fromhex(group["publicKey"]["pk"]), test) for group in groups for test in group["tests"]]


def test_project_wycheproof_agrees_on_every_signature() -> None:
    tests = wycheproof()
    wrong = [
        test["tcId"]
        for key, test in tests
        if verify(PublicKey(key), bytes.fromhex(test["msg"]), bytes.fromhex(test["sig"])) != (test["result"] == "valid")
    ]
    assert wrong == []
    assert len(tests) >= 150

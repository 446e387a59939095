"""Keys and signatures that no honest library makes: refused where a key is delegated, and where one is verified."""

from __future__ import annotations

import pytest

from governance.charter import Parameters, check
from governance.genesis import Charter
from protocol.crypto import is_sound_key, verify
from protocol.envelope import open_keyset, parse_entry, seal_entry, seal_keyset, verify_entry
from protocol.errors import Code, ProtocolError
from protocol.ids import ZERO_HASH, GroupName, MemberName, PublicKey
from protocol.membership import Member
from protocol.messages import Heartbeat
from tests.tidy.make_vectors import EPOCH, NETWORK, NOW, cold, hot, keyset, seed
from tests.vectors.edwards import (
    BASE,
    IDENTITY,
    ORDER,
    TORSION,
    P,
    add,
    bytes_of,
    challenge,
    point_of,
    secret_scalar,
    sign_with,
    small_order_encodings,
    times,
)

SMALL = small_order_encodings()
HONEST = point_of(hot("issuer").public) or IDENTITY
MIXED = {f"plus {at} times the torsion generator": bytes_of(add(HONEST, TORSION[at])) for at in range(1, 8)}
OFF = {
    "not on the curve": (2).to_bytes(32, "little"),
    "y = 2^255 - 1": b"\xff" * 31 + b"\x7f",
    "y = p + 3, a point that is not reduced": (P + 3).to_bytes(32, "little"),
    "y = p + 4, a point that is not reduced": (P + 4).to_bytes(32, "little"),
}
STRANGE = SMALL | MIXED | OFF
MESSAGE = b"the bridge is forged"


def test_they_are_what_they_are_called() -> None:
    assert all(times(8, point) == IDENTITY for point in TORSION)
    assert len(set(TORSION)) == 8
    assert len(set(SMALL.values())) == 14
    assert bytes_of(times(secret_scalar(seed("issuer", "attestation")), BASE)) == hot("issuer").public
    mixed = point_of(MIXED["plus 1 times the torsion generator"]) or IDENTITY
    assert times(ORDER, mixed) != IDENTITY != times(8, mixed)


@pytest.mark.parametrize("what", STRANGE)
def test_a_keyset_cannot_delegate_it(what: str) -> None:
    raw = seal_keyset(NETWORK, cold("issuer"), keyset("issuer", attestation=PublicKey(STRANGE[what]))).raw
    with pytest.raises(ProtocolError) as caught:
        open_keyset(raw, NETWORK, cold("issuer").public)
    assert caught.value.code is Code.BAD_KEY


@pytest.mark.parametrize("what", STRANGE)
def test_a_charter_cannot_name_it(what: str) -> None:
    name = MemberName("issuer")
    charter = Charter(Parameters("n", NOW), (Member(name, GroupName(name), PublicKey(STRANGE[what])),))
    faults = check(charter, NOW, signatures=False).faults
    assert [fault.where for fault in faults if "prime-order" in fault.what] == ["member issuer.governance"]


@pytest.mark.parametrize("what", SMALL)
def test_a_small_order_key_verifies_nothing(what: str) -> None:
    """With S = 0 and R the identity or the key's own negative the equation itself would hold for some messages."""
    for point in TORSION:
        assert not verify(PublicKey(SMALL[what]), MESSAGE, bytes_of(point) + bytes(32))


@pytest.mark.parametrize("at", range(1, 8))
def test_a_signature_under_a_mixed_order_key_may_hold_so_the_key_itself_is_refused(at: int) -> None:
    """Found by trying: where the challenge is a multiple of 8 the cofactorless equation holds for A + T as for A."""
    key, scalar = bytes_of(add(HONEST, TORSION[at])), secret_scalar(seed("issuer", "attestation"))
    r, nonce, number = bytes_of(times(5, BASE)), 5, 0
    while challenge(r, key, b"%d" % number) % 8:
        number += 1
    s = (nonce + challenge(r, key, b"%d" % number) * scalar) % ORDER
    assert verify(PublicKey(key), b"%d" % number, r + s.to_bytes(32, "little"))
    assert not is_sound_key(key)


SIGNATURES = {
    "S plus the group order": lambda good, s: good[:32] + (s + ORDER).to_bytes(32, "little"),
    "S plus eight times the group order": lambda good, s: good[:32] + (s + 8 * ORDER).to_bytes(32, "little"),
    "S of all ones": lambda good, s: good[:32] + b"\xff" * 32,
    "S of nothing": lambda good, s: good[:32] + bytes(32),
    "S exactly the group order, R its own": lambda good, s: good[:32] + ORDER.to_bytes(32, "little"),
    "R off the curve": lambda good, s: (2).to_bytes(32, "little") + good[32:],
    "R with the other sign": lambda good, s: good[:31] + bytes([good[31] ^ 128]) + good[32:],
    "R and S the wrong way round": lambda good, s: good[32:] + good[:32],
}


def heartbeat() -> tuple[bytes, bytes]:
    """(sealed, signed bytes)"""
    sealed = seal_entry(
        NETWORK, hot("issuer"), author=MemberName("issuer"), key_version=1, seq=0, prev=ZERO_HASH, issued_ms=NOW,
        body=Heartbeat(EPOCH),
    )  # fmt: skip
    return sealed.raw, parse_entry(sealed.raw, NETWORK).to_be_signed


def refused_with(signature: bytes) -> Code | None:
    raw, _ = heartbeat()
    try:
        verify_entry(parse_entry(raw[:-64] + signature, NETWORK), hot("issuer").public)
    except ProtocolError as error:
        return error.code
    return None


@pytest.mark.parametrize("what", SIGNATURES)
def test_another_form_of_a_good_signature_is_refused(what: str) -> None:
    good = heartbeat()[0][-64:]
    assert refused_with(good) is None
    changed = SIGNATURES[what](good, int.from_bytes(good[32:], "little"))
    assert refused_with(changed) is Code.BAD_SIGNATURE


@pytest.mark.parametrize("what", SMALL)
def test_an_r_of_small_order_is_refused_even_where_the_equation_holds(what: str) -> None:
    """R = T and S = k·a: whoever multiplies by the cofactor, or takes the identity for R, would accept."""
    _, signed = heartbeat()
    assert refused_with(sign_with(SMALL[what], 0, seed("issuer", "attestation"), signed)) is Code.BAD_SIGNATURE


@pytest.mark.parametrize("at", range(8))
def test_an_r_with_a_part_of_small_order_is_refused(at: int) -> None:
    """R = 5·B + T: a cofactored verifier would take all eight, ours the one without T: one rule, no split."""
    _, signed = heartbeat()
    r = bytes_of(add(times(5, BASE), TORSION[at]))
    code = refused_with(sign_with(r, 5, seed("issuer", "attestation"), signed))
    assert code is (Code.BAD_SIGNATURE if at else None)

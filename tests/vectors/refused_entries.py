"""Entries and KeySets that must be refused, one fault each. The maker of refused-entries.json and -keysets.json."""

from __future__ import annotations

from typing import Any

from protocol.codec import encode
from protocol.envelope import KEYSET_TAG, domain_tag
from protocol.limits import ENTRY_BYTES_MAX
from tests.tidy.make_vectors import EPOCH, NETWORK, NOW, TOKEN, cold, hot, seed
from tests.vectors.edwards import (
    BASE,
    ORDER,
    TORSION,
    P,
    add,
    bytes_of,
    point_of,
    sign_with,
    small_order_encodings,
    times,
)
from tests.vectors.sealing import (
    ATTESTATION,
    HEARTBEAT,
    Raw,
    body,
    cbor,
    entry,
    keyset_fields,
    of_kind,
    sealed_keyset,
    to_be_signed,
)

Rows = list[tuple[str, bytes, str]]
GOOD = entry(HEARTBEAT)
PAYLOAD = cbor(HEARTBEAT)
SIGNED = to_be_signed(domain_tag(5), PAYLOAD)
CLAIM: dict[Any, Any] = ATTESTATION[7][6][0]
RELEASE: dict[Any, Any] = {1: EPOCH, 2: TOKEN.raw, 3: 34, 4: NOW - 1, 5: []}
OTHER_NETWORK = bytes(32)


def with_signature(signature: bytes) -> bytes:
    return GOOD[:-64] + signature


def nested(depth: int) -> bytes:
    """An unknown kind whose body's deepest item lies `depth` below the payload."""
    return entry(of_kind(42, Raw(b"\xa1\x01" + b"\x81" * (depth - 2) + b"\x00")))


def itemised(count: int) -> bytes:
    """A payload of `count` data items: 14 keys and values, the map itself, and an array in the body of kind 42."""
    inner = count - 17
    return entry(of_kind(42, {1: Raw(b"\x99" + inner.to_bytes(2, "big") + bytes(inner))}))


SOUND = [
    ("a Heartbeat", GOOD),
    (
        "an optional field of a later version in the entry and in the body",
        entry(HEARTBEAT | {7: {1: EPOCH, 64: "x"}, 64: None}),
    ),
    ("a threat of a later version, carried and never counted", entry(body(threat=255))),
    (
        "the largest seq and key_version, an author of 32 characters",
        entry(HEARTBEAT | {1: "a" * 32, 2: 16_000_000, 3: 2**63 - 1}),
    ),
    ("no claims, no sources, no detector", entry(body(claims=[], sources=[], detector=""))),
    ("a Release of the very moment it is issued", entry(of_kind(2, RELEASE | {4: NOW}))),
    ("64 code points of more bytes than characters", entry(body(incident="\U0001f514" * 64))),
    ("an unknown kind, nested as deep as is taken", nested(12)),
    ("an unknown kind with as many items as are taken", itemised(8192)),
]


def envelopes() -> Rows:
    start = b"\x84\x43\xa1\x01\x27"
    return [
        ("the tag of COSE_Sign1", b"\xd2" + GOOD, "not-canonical"),
        ("an array of indefinite length", b"\x9f" + GOOD[1:] + b"\xff", "not-canonical"),
        ("an array head longer than needed", b"\x98\x04" + GOOD[1:], "not-canonical"),
        ("a byte string head longer than needed", b"\x84\x58\x03" + GOOD[2:], "not-canonical"),
        ("an unprotected header of indefinite length", start + b"\xbf\xff" + GOOD[6:], "not-canonical"),
        ("a byte behind it", GOOD + b"\x00", "not-canonical"),
        ("its last byte missing", GOOD[:-1], "not-canonical"),
        ("nothing at all", b"", "not-canonical"),
        ("a map instead of an array", b"\xa0", "bad-envelope"),
        ("an array of three", cbor([b"\xa1\x01\x27", {}, PAYLOAD]), "bad-envelope"),
        ("an array of five", b"\x85" + GOOD[1:] + b"\x00", "bad-envelope"),
        ("an empty protected header", entry(HEARTBEAT, protected=b""), "bad-envelope"),
        ("ES256 in the protected header", entry(HEARTBEAT, protected=b"\xa1\x01\x26"), "bad-envelope"),
        ("a content type beside the algorithm", entry(HEARTBEAT, protected=b"\xa2\x01\x27\x03\x00"), "bad-envelope"),
        ("the algorithm spelt longer", entry(HEARTBEAT, protected=b"\xa1\x01\x38\x07"), "bad-envelope"),
        ("the protected header as a map", b"\x84\xa1\x01\x27" + GOOD[5:], "bad-envelope"),
        ("a kid in the unprotected header", entry(HEARTBEAT, unprotected={4: b"11"}), "bad-envelope"),
        ("a detached payload", cbor([b"\xa1\x01\x27", {}, None, GOOD[-64:]]), "bad-envelope"),
        ("the payload as a map", cbor([b"\xa1\x01\x27", {}, HEARTBEAT, GOOD[-64:]]), "bad-envelope"),
        ("a signature of 63 bytes", cbor([b"\xa1\x01\x27", {}, PAYLOAD, GOOD[-64:-1]]), "bad-envelope"),
        ("a signature of 65 bytes", cbor([b"\xa1\x01\x27", {}, PAYLOAD, GOOD[-64:] + b"\x00"]), "bad-envelope"),
        ("one byte more than an entry may have", GOOD + bytes(ENTRY_BYTES_MAX + 1 - len(GOOD)), "oversized"),
    ]


def payloads() -> Rows:
    """Canonical envelope, true seal, another form of the payload."""
    first, rest = PAYLOAD[:9], PAYLOAD[9:]
    long_key, float_time = Raw(b"\x18\x01"), Raw(b"\xfb" + b"\x42\x79\xe7\x04\x48\x80\x00\x00")
    tagged, undefined = Raw(b"\xc1" + encode(NOW)), Raw(b"\xf7")
    return [
        ("an empty payload", entry(b""), "not-canonical"),
        ("a byte behind the payload", entry(PAYLOAD + b"\x00"), "not-canonical"),
        ("keys out of order", entry(first[:1] + rest[:2] + first[1:] + rest[2:]), "not-canonical"),
        ("a key twice", entry(b"\xa8" + first[1:] + first[1:] + rest), "not-canonical"),
        (
            "a key longer than needed",
            entry(cbor({long_key: "issuer", **HEARTBEAT})[:1] + b"\x18" + PAYLOAD[1:]),
            "not-canonical",
        ),
        ("a seq longer than needed", entry(HEARTBEAT | {3: Raw(b"\x18\x00")}), "not-canonical"),
        ("a time as a float", entry(HEARTBEAT | {5: float_time}), "not-canonical"),
        ("a time with the tag of a time", entry(HEARTBEAT | {5: tagged}), "not-canonical"),
        ("a seq as a bignum", entry(HEARTBEAT | {3: Raw(b"\xc2\x41\x05")}), "not-canonical"),
        ("an author of indefinite length", entry(HEARTBEAT | {1: Raw(b"\x7f\x66issuer\xff")}), "not-canonical"),
        ("an author that is not UTF-8", entry(HEARTBEAT | {1: Raw(b"\x62\xc3\x28")}), "not-canonical"),
        ("a body that is undefined", entry(HEARTBEAT | {7: undefined}), "not-canonical"),
        ("a simple value without a meaning", entry(HEARTBEAT | {7: Raw(b"\xf0")}), "not-canonical"),
        ("a text for a key", entry(HEARTBEAT | {Raw(b"\x61\x78"): 0}), "not-canonical"),
        ("a negative key", entry(HEARTBEAT | {Raw(b"\x20"): 0}), "not-canonical"),
        ("a subject written longer than needed", entry(body(subject=b"\x98\x05" + TOKEN.raw[1:])), "not-canonical"),
        ("nested one deeper than is taken", nested(13), "not-canonical"),
        ("one item more than is taken", itemised(8193), "not-canonical"),
        ("a payload that is no map", entry(b"\x80"), "bad-shape"),
    ]


def fields() -> Rows:
    """Canonical and sealed; a field is not what its table says."""
    without = {key: one for key, one in HEARTBEAT.items() if key != 4}
    made: list[tuple[str, dict[Any, Any], str]] = [
        ("a field missing", without, "bad-shape"),
        ("an author of no characters", HEARTBEAT | {1: ""}, "bad-shape"),
        ("an author of 33 characters", HEARTBEAT | {1: "a" * 33}, "bad-shape"),
        ("an author in capitals", HEARTBEAT | {1: "Issuer"}, "bad-shape"),
        ("an author as bytes", HEARTBEAT | {1: b"issuer"}, "bad-shape"),
        ("a key_version above its bound", HEARTBEAT | {2: 16_000_001}, "bad-shape"),
        ("a seq of 2^63", HEARTBEAT | {3: 2**63}, "bad-shape"),
        ("a seq below zero", HEARTBEAT | {3: -1}, "bad-shape"),
        ("a seq that is true", HEARTBEAT | {3: True}, "bad-shape"),
        ("a prev of 31 bytes", HEARTBEAT | {4: bytes(31)}, "bad-shape"),
        ("a time as a text", HEARTBEAT | {5: str(NOW)}, "bad-shape"),
        ("a kind of 256", HEARTBEAT | {6: 256}, "bad-shape"),
        ("a body that is an array", HEARTBEAT | {7: [EPOCH]}, "bad-shape"),
        ("a body that is null", HEARTBEAT | {7: None}, "bad-shape"),
        ("a body of an unknown kind that is no map", of_kind(42, []), "bad-shape"),
        ("a critical field of a later version in the entry", HEARTBEAT | {8: 0}, "unknown-critical"),
        ("the key 0 in the entry", {0: 0} | HEARTBEAT, "unknown-critical"),
        ("a critical field of a later version in the body", HEARTBEAT | {7: {1: EPOCH, 63: 0}}, "unknown-critical"),
        ("a critical field of a later version in a claim", body(claims=[CLAIM | {4: 0}]), "unknown-critical"),
        ("an unknown Level", body(level=5), "bad-shape"),
        ("a Level as a text", body(level="GUARD"), "bad-shape"),
        ("an unknown Basis", body(basis=0), "bad-shape"),
        ("an unknown Tlp", body(tlp=5), "bad-shape"),
        ("a threat of 256", body(threat=256), "bad-shape"),
        ("a subject as a text", body(subject="eip155:1"), "bad-shape"),
        ("a subject of an unknown kind", body(subject=encode([11, "x"])), "bad-shape"),
        ("nine claims", body(claims=[CLAIM] * 9), "bad-shape"),
        ("a claim as an array", body(claims=[list(CLAIM.values())]), "bad-shape"),
        ("five sources", body(sources=["a"] * 5), "bad-shape"),
        ("a source of no characters", body(sources=[""]), "bad-shape"),
        ("a detector of 65 characters", body(detector="d" * 65), "bad-shape"),
        ("a since_ms below zero", body(since_ms=-1), "bad-shape"),
        ("by_person as a number", body(by_person=1), "bad-shape"),
        ("an evm_sig of 64 bytes", body(evm_sig=bytes(64)), "bad-shape"),
        ("an evm_sig that is null instead of left out", ATTESTATION | {7: ATTESTATION[7] | {14: None}}, "bad-shape"),
        ("a Release dated after its own issue", of_kind(2, RELEASE | {4: NOW + 1}), "bad-shape"),
        ("an ActionReport with a short key", of_kind(3, {1: bytes(31), 2: "", 3: ""}), "bad-shape"),
        ("a Manifest of one thing that is no list", of_kind(4, {1: TOKEN.raw}), "bad-shape"),
        ("a Notice of 4097 characters", of_kind(6, {1: "n" * 4097, 2: 1}), "bad-shape"),
        ("a Statement of nothing", of_kind(7, {1: b""}), "bad-shape"),
    ]
    return [(what, entry(told), code) for what, told, code in made]


def seals() -> Rows:
    s, own = int.from_bytes(GOOD[-32:], "little"), seed("issuer", "attestation")
    mixed = bytes_of(add(times(5, BASE), TORSION[1]))
    made = [
        ("sealed by another key", entry(HEARTBEAT, signer=hot("venue"))),
        ("sealed by the governance key", entry(HEARTBEAT, signer=cold("issuer"))),
        ("sealed for another network", entry(HEARTBEAT, network=OTHER_NETWORK)),
        ("sealed under the tag of another kind", entry(HEARTBEAT, tag=domain_tag(6))),
        ("sealed under the tag of a KeySet", entry(HEARTBEAT, tag=KEYSET_TAG)),
        ("a vote sealed under a tag of its number", entry(of_kind(9, {}), tag="tocsin/1/kind-9")),
        ("the seal of another entry", with_signature(entry(HEARTBEAT | {3: 1})[-64:])),
        ("a signature of zeros", with_signature(bytes(64))),
        ("S plus the group order", with_signature(GOOD[-64:-32] + (s + ORDER).to_bytes(32, "little"))),
        ("an R off the curve", with_signature((2).to_bytes(32, "little") + GOOD[-32:])),
        (
            "an R with a part of order 8, which a cofactored check takes",
            with_signature(sign_with(mixed, 5, own, SIGNED)),
        ),
        (
            "an R of small order, for which the equation holds",
            with_signature(sign_with(bytes_of(TORSION[0]), 0, own, SIGNED)),
        ),
        ("an R that is not reduced", with_signature(sign_with((P + 1).to_bytes(32, "little"), 0, own, SIGNED))),
    ]
    return [(what, raw, "bad-signature") for what, raw in made]


def refused_entries() -> dict[str, Any]:
    return {
        "network": NETWORK.hex(),
        "key": hot("issuer").public.hex(),
        "sound": [{"what": what, "raw": raw.hex()} for what, raw in SOUND],
        "refused": shown(envelopes() + payloads() + fields() + seals()),
    }


def shown(rows: Rows) -> list[dict[str, str]]:
    return [{"what": what, "raw": raw.hex(), "code": code} for what, raw, code in rows]


def strange_keys() -> dict[str, bytes]:
    """What a KeySet must not delegate: every encoding of a point of small order, mixed orders, no points."""
    honest = point_of(hot("issuer").public) or BASE
    mixed = {f"the member's own key plus {at} times that": bytes_of(add(honest, TORSION[at])) for at in range(1, 8)}
    others = {
        "no point of the curve": (2).to_bytes(32, "little"),
        "a y that is not reduced": (P + 4).to_bytes(32, "little"),
    }
    return small_order_encodings() | mixed | others


def refused_keysets() -> dict[str, Any]:
    good = sealed_keyset(keyset_fields())
    rows: Rows = [
        (f"delegates {what}", sealed_keyset(keyset_fields(attestation=key)), "bad-key")
        for what, key in strange_keys().items()
    ]
    rows += [
        ("sealed by the attestation key", sealed_keyset(keyset_fields(), signer=hot("issuer")), "bad-signature"),
        ("sealed for another network", sealed_keyset(keyset_fields(), network=OTHER_NETWORK), "bad-signature"),
        ("sealed under the tag of a Heartbeat", sealed_keyset(keyset_fields(), tag=domain_tag(5)), "bad-signature"),
        ("S of nothing", good[:-32] + bytes(32), "bad-signature"),
        ("an EVM address of 19 bytes", sealed_keyset(keyset_fields(evm=bytes(19))), "bad-shape"),
        ("five peer ids", sealed_keyset(keyset_fields(transport=["12345678"] * 5)), "bad-shape"),
        ("a peer id of seven characters", sealed_keyset(keyset_fields(transport=["1234567"])), "bad-shape"),
        ("a version above its bound", sealed_keyset(keyset_fields(version=16_000_001)), "bad-shape"),
        ("a key of 31 bytes", sealed_keyset(keyset_fields(attestation=bytes(31))), "bad-shape"),
        ("no end", sealed_keyset(keyset_fields(expires_ms=None)), "bad-shape"),
        ("a critical field of a later version", sealed_keyset(keyset_fields() | {7: 0}), "unknown-critical"),
        ("a kid in the unprotected header", sealed_keyset(keyset_fields(), unprotected={4: b""}), "bad-envelope"),
        ("the tag of COSE_Sign1", b"\xd2" + good, "not-canonical"),
        ("an end longer than needed", sealed_keyset(keyset_fields(expires_ms=Raw(b"\x18\x00"))), "not-canonical"),
    ]
    return {
        "network": NETWORK.hex(),
        "member": "issuer",
        "governance": cold("issuer").public.hex(),
        "sound": [
            {"what": "as its member sealed it", "raw": good.hex()},
            {"what": "an optional field of a later version", "raw": sealed_keyset(keyset_fields() | {64: [1]}).hex()},
        ],
        "refused": shown(rows),
    }

"""Frames, claims, subjects, formulas and arrivals that must be refused, one fault each."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from protocol.codec import decode, encode
from protocol.crypto import sha256
from protocol.envelope import SealedKeySet, seal_keyset
from protocol.evidence import claim_of
from protocol.frames import CertificateFrame, Entries, Hello, KeySets, pack_frame
from protocol.ids import Digest, NetworkId
from protocol.limits import SKEW_AHEAD_MS_MAX
from protocol.membership import evaluate
from protocol.messages import Claim, Heartbeat
from tests.tidy.make_vectors import EPOCH, FORGED, NAMES, NETWORK, NOW, SUBJECTS, cold, delegated, keyset, word
from tests.tidy.make_vectors import plain as shown
from tests.vectors.counted import EPOCHS, HOUR, certificate, says, shown_epoch
from tests.vectors.sealing import HEARTBEAT, Raw, cbor, entry

BEAT = word("issuer", Heartbeat(EPOCH)).raw
D32 = bytes(32)
HEAD: dict[Any, Any] = {1: "issuer", 2: 1, 3: 0, 4: 0, 5: D32}


def refused_frames() -> dict[str, Any]:
    made: list[tuple[str, Any, str]] = [
        ("a type of a later version", [11, {}], "unknown-critical"),
        ("the type 0", [0, {}], "unknown-critical"),
        ("a critical field of a later version", [10, {1: [D32], 2: 0}], "unknown-critical"),
        ("a critical field of a later version in a head", [6, {1: [HEAD | {6: 0}], 2: []}], "unknown-critical"),
        ("a frame that is a map", {1: [D32]}, "bad-shape"),
        ("a frame of one", [10], "bad-shape"),
        ("a frame of three", [10, {1: [D32]}, 0], "bad-shape"),
        ("a type as a text", ["10", {1: [D32]}], "bad-shape"),
        ("fields as an array", [10, [D32]], "bad-shape"),
        ("a Hello without a network", [1, {2: 1, 3: []}], "bad-shape"),
        ("a Hello of version 1001", [1, {1: D32, 2: 1001, 3: []}], "bad-shape"),
        ("no entries", [2, {1: []}], "bad-shape"),
        ("65 entries", [2, {1: [b"\x00"] * 65}], "bad-shape"),
        ("an entry of 16385 bytes", [2, {1: [bytes(16385)]}], "bad-shape"),
        ("a blob of nothing", [3, {1: [b""]}], "bad-shape"),
        ("a certificate of nothing", [4, {1: b""}], "bad-shape"),
        ("no KeySets", [5, {1: []}], "bad-shape"),
        ("257 certificates shown", [10, {1: [D32] * 257}], "bad-shape"),
        ("a head with a short hash", [6, {1: [HEAD | {5: bytes(31)}], 2: []}], "bad-shape"),
        ("a head of an author in capitals", [6, {1: [HEAD | {1: "Issuer"}], 2: []}], "bad-shape"),
        ("a want from 2^63", [7, {1: "issuer", 2: 1, 3: 2**63, 4: 0}], "bad-shape"),
        ("a want below zero", [7, {1: "issuer", 2: 1, 3: -1, 4: 0}], "bad-shape"),
        ("65 blobs wanted", [8, {1: [D32] * 65}], "bad-shape"),
        ("no certificates wanted", [9, {1: []}], "bad-shape"),
        ("a frame behind a frame", Raw(cbor([10, {1: [D32]}]) * 2), "not-canonical"),
        ("a type longer than needed", Raw(b"\x82\x18\x0a" + cbor({1: [D32]})), "not-canonical"),
        ("half a frame", Raw(cbor([10, {1: [D32]}])[:-1]), "not-canonical"),
    ]
    sound = [
        ("an optional field of a later version", [10, {1: [D32], 64: 0}]),
        ("the same in a head", [6, {1: [HEAD | {64: None}], 2: []}]),
        ("256 certificates shown", [10, {1: [D32] * 256}]),
        ("heads of nobody", [6, {1: [], 2: []}]),
    ]
    return shown_rows(sound, made)


def shown_rows(sound: list[tuple[str, Any]], refused: list[tuple[str, Any, str]]) -> dict[str, Any]:
    return {
        "sound": [{"what": what, "raw": cbor(one).hex()} for what, one in sound],
        "refused": [{"what": what, "raw": cbor(one).hex(), "code": code} for what, one, code in refused],
    }


def refused_claims() -> dict[str, Any]:
    good = claim_of(FORGED)
    kind, blob = good.claim.type, good.blob
    fields: dict[Any, Any] = decode(blob, bytes_max=9999)[1]

    def named(raw: bytes, **changes: Any) -> tuple[Claim, bytes]:
        return replace(good.claim, digest=Digest(sha256(raw)), **changes), raw

    made: list[tuple[str, tuple[Claim, bytes], str]] = [
        ("another digest", (replace(good.claim, digest=Digest(D32)), blob), "bad-claim"),
        ("another type than the blob's", (replace(good.claim, type="evm-log"), blob), "bad-claim"),
        ("another id", (replace(good.claim, id=D32), blob), "bad-claim"),
        ("the id of another message", named(claim_of(replace(FORGED, nonce=309)).blob), "bad-claim"),
        ("a blob of three", named(encode([kind, fields, 0])), "bad-claim"),
        ("a blob that is a map", named(encode(fields)), "bad-claim"),
        (
            "a type that is unknown here",
            named(encode(["a-later-type", {1: 0}]), type="a-later-type"),
            "unknown-claim-type",
        ),
        ("a nonce as a number", named(encode([kind, fields | {7: 308}])), "bad-shape"),
        ("a word of 31 bytes", named(encode([kind, fields | {9: bytes(31)}])), "bad-shape"),
        ("an escrow of 32 bytes", named(encode([kind, fields | {2: bytes(32)}])), "bad-shape"),
        ("a chain in another form", named(encode([kind, fields | {1: "eip155:01"}])), "bad-shape"),
        ("no recipient", named(encode([kind, {key: one for key, one in fields.items() if key != 8}])), "bad-shape"),
        ("a critical field of a later version", named(encode([kind, fields | {10: 0}])), "unknown-critical"),
        ("a log_index longer than needed", named(cbor([kind, fields | {4: Raw(b"\x18\x03")}])), "not-canonical"),
        ("a byte behind the blob", named(blob + b"\x00"), "not-canonical"),
    ]
    later, blob_of_later = named(encode([kind, fields | {64: "later"}]))
    return {
        "sound": [
            {"what": "as it is", "claim": shown(good.claim), "blob": blob.hex()},
            {
                "what": "an optional field of a later version: another digest, the same id",
                "claim": shown(later),
                "blob": blob_of_later.hex(),
            },
        ],
        "refused": [
            {"what": what, "claim": shown(claim), "blob": raw.hex(), "code": code} for what, (claim, raw), code in made
        ],
    }


def refused_subjects() -> dict[str, Any]:
    chain, raw20 = ["eip155", "1"], bytes(20)
    made: list[tuple[str, Any, str]] = [
        ("no kind", [], "bad-shape"),
        ("the kind 0", [0, *chain], "bad-shape"),
        ("a kind of a later version", [11, *chain], "bad-shape"),
        ("a kind as a text", ["1", *chain], "bad-shape"),
        ("a text", "eip155:1", "bad-shape"),
        ("a part too many", [1, *chain, "x"], "bad-shape"),
        ("a part too few", [2, *chain], "bad-shape"),
        ("a namespace of two", [1, "ei", "1"], "bad-shape"),
        ("a namespace in capitals", [1, "EIP155", "1"], "bad-shape"),
        ("a namespace of nine", [1, "abcdefghi", "1"], "bad-shape"),
        ("a reference of 33", [1, "cosmos", "c" * 33], "bad-shape"),
        ("a reference with a point", [1, "cosmos", "a.b"], "bad-shape"),
        ("a reference with a line end", [1, "cosmos", "a\n"], "bad-shape"),
        ("an eip155 reference with a leading zero", [1, "eip155", "01"], "bad-shape"),
        ("an eip155 reference in hexadecimal", [1, "eip155", "a"], "bad-shape"),
        ("an address of 19 bytes on eip155", [2, *chain, bytes(19)], "bad-shape"),
        ("an address as a text", [2, *chain, "0x" + raw20.hex()], "bad-shape"),
        ("an address of nothing", [2, "cosmos", "hub", b""], "bad-shape"),
        ("an address of 65 bytes", [2, "cosmos", "hub", bytes(65)], "bad-shape"),
        ("an erc20 of 32 bytes", [3, *chain, "erc20", bytes(32)], "bad-shape"),
        ("a slip44 with a leading zero", [3, *chain, "slip44", b"\x00\x3c"], "bad-shape"),
        ("a slip44 of five bytes", [3, *chain, "slip44", b"\x01" * 5], "bad-shape"),
        ("a transaction of 31 bytes", [4, *chain, bytes(31)], "bad-shape"),
        ("a market without an id", [5, *chain, raw20, b""], "bad-shape"),
        ("a bridge to a far chain with a leading zero", [6, *chain, raw20, "eip155", "0130"], "bad-shape"),
        ("an oracle of 21 bytes", [7, *chain, bytes(21)], "bad-shape"),
        ("a domain in capitals", [8, "Example.org"], "bad-shape"),
        ("a domain of one label", [8, "localhost"], "bad-shape"),
        ("a domain with a final dot", [8, "example.org."], "bad-shape"),
        ("a label that ends with a hyphen", [8, "a-.example"], "bad-shape"),
        ("a label of 64", [8, "a" * 64 + ".example"], "bad-shape"),
        ("a domain of 201 characters", [8, "a." * 97 + "example"], "bad-shape"),
        ("a package with a qualifier", [9, "pkg:npm/name@1?a=b"], "bad-shape"),
        ("a package with a subpath", [9, "pkg:npm/name@1#a"], "bad-shape"),
        ("a package of a type in capitals", [9, "pkg:NPM/name"], "bad-shape"),
        ("a package escaped in lower case", [9, "pkg:npm/%2fname"], "bad-shape"),
        ("a package escaped without need", [9, "pkg:npm/%6Eame"], "bad-shape"),
        ("an npm name in capitals", [9, "pkg:npm/Name"], "bad-shape"),
        ("a pypi name with an underscore", [9, "pkg:pypi/a_b"], "bad-shape"),
        ("a package without a name", [9, "pkg:npm"], "bad-shape"),
        ("a credential of 31 bytes", [10, bytes(31)], "bad-shape"),
        ("a kind longer than needed", Raw(b"\x83\x18\x01" + cbor(chain)[1:]), "not-canonical"),
        ("an array of indefinite length", Raw(b"\x9f" + SUBJECTS[0].raw[1:] + b"\xff"), "not-canonical"),
        ("a byte behind it", Raw(SUBJECTS[0].raw + b"\x00"), "not-canonical"),
        ("one byte more than a subject may have", Raw(bytes(257)), "oversized"),
    ]
    sound = [
        ("a chain that is not EVM", [1, "bip122", "000000000019d6689c085ae165831e93"]),
        ("the EVM chain 0", [1, "eip155", "0"]),
        ("an address of 64 bytes elsewhere", [2, "cosmos", "hub", bytes(64)]),
        ("an asset of another namespace on EVM", [3, *chain, "erc721", bytes(52)]),
        ("an erc20 elsewhere", [3, "cosmos", "hub", "erc20", b"x"]),
        ("the coin type 0", [3, *chain, "slip44", b"\x00"]),
        ("a market id of one byte", [5, *chain, raw20, b"\x00"]),
        ("a bridge to a chain that is not EVM", [6, *chain, raw20, "cosmos", "hub"]),
        ("a label of 63", [8, "a" * 63 + ".x--y.z"]),
        ("a domain that begins with a digit", [8, "0x.1.example"]),
        ("a Go package in capitals", [9, "pkg:golang/github.com/BurntSushi/toml@v1.0.0"]),
        ("an escape that is needed, a version with an epoch", [9, "pkg:deb/debian/a%2Bb@1:2.0-3"]),
        ("a pypi name with a hyphen, a version with an underscore", [9, "pkg:pypi/a-b@1_0"]),
    ]
    return shown_rows(sound, made)


FORMULAS = {
    "nothing": "",
    "an unknown name": "N",
    "a float": "1.5",
    "a division": "n / 2",
    "a floor division": "n // 2",
    "a power": "2 ** 3",
    "a remainder": "n % 2",
    "a number above 256": "257",
    "a number of four digits": "0001",
    "a leading zero": "07",
    "a hexadecimal": "0x10",
    "an underscore": "1_0",
    "a sign": "-1",
    "max of one": "max(n)",
    "max of nothing": "max()",
    "a comma after the last": "max(n, f,)",
    "nothing but spaces": "  ",
    "a number before a name": "2n",
    "two numbers": "1 2",
    "a call of a number": "2(n)",
    "two zeros": "00",
    "the name of a function in parentheses": "(max)(n, f)",
    "two values in parentheses": "(n, f)",
    "parentheses of nothing": "()",
    "an argument that is many": "max(*n, f)",
    "another function": "abs(n, f)",
    "a comparison": "n > f",
    "two formulas": "n, f",
    "an open parenthesis": "(n + f",
    "nothing between two signs": "n + + ",
    "a comment": "n # f",
    "a line end": "n\n",
    "a full-width digit": "１",
    "a look-alike letter": "ｎ",
    "65 characters": "n + " * 16 + "n",
}


def refused_formulas() -> dict[str, Any]:
    sound = (
        "Q",
        "max(2, f + 1)",
        "min(n, f + 2, 256)",
        "2 * (f + 1) - 1",
        "n-f",
        "  n ",
        "max(1, min(n, Q), f)",
        "max (0, 1)",
    )
    return {
        "sound": [{"formula": one, "n": 7, "value": evaluate(one, 7)} for one in sound],
        "refused": [{"what": what, "formula": one, "code": "bad-charter"} for what, one in FORMULAS.items()],
    }


def expired() -> SealedKeySet:
    return seal_keyset(NETWORK, cold("lender-b"), keyset("lender-b", version=2, expires_ms=NOW - 1))


def known() -> list[bytes]:
    """The KeySets that the receiver of an arrival has."""
    return [*(delegated(name).raw for name in NAMES), expired().raw]


def arrivals() -> list[tuple[str, bytes, list[str]]]:
    """(what, frame, codes of the refusals in the order of the frame)"""
    stranger = seal_keyset(NETWORK, cold("stranger"), keyset("stranger"))
    forged = seal_keyset(NETWORK, cold("venue"), keyset("lender-a", version=2))
    later = [seal_keyset(NETWORK, cold("lender-a"), keyset("lender-a", version=at)).raw for at in range(2, 18)]
    ahead = NOW + SKEW_AHEAD_MS_MAX
    under_expired = entry(HEARTBEAT | {1: "lender-b", 2: 2}, "lender-b")
    entries: dict[str, tuple[list[bytes], list[str]]] = {
        "a Heartbeat": ([BEAT], []),
        "an opinion": ([says("issuer").raw], []),
        "a seal of another key": ([entry(HEARTBEAT, "venue")], ["bad-signature"]),
        "an entry of another network": ([entry(HEARTBEAT, network=bytes(32))], ["bad-signature"]),
        "a stranger's entry": ([word("stranger", Heartbeat(EPOCH)).raw], ["unknown-author"]),
        "an entry under a version that is not known": ([entry(HEARTBEAT | {2: 7})], ["unknown-key"]),
        "an entry under a KeySet that had expired": ([under_expired], ["bad-key"]),
        "an entry that is none": ([b"\x80"], ["bad-envelope"]),
        "one bad entry costs the others nothing": ([b"\x80", BEAT, b"\xf7"], ["bad-envelope", "not-canonical"]),
        "a lease above the bound, kept and not counted": (
            [says("issuer", expires_ms=NOW + 6 * HOUR + 1).raw],
            ["lease-too-long"],
        ),
        "older than its first issue, kept and not counted": (
            [says("issuer", since_ms=NOW + 1).raw],
            ["lease-too-long"],
        ),
        "from as far ahead as is taken": ([says("issuer", at_ms=ahead).raw], []),
        "from further ahead, kept and not counted": ([says("issuer", at_ms=ahead + 1).raw], ["from-the-future"]),
    }
    made = [(what, pack_frame(Entries(tuple(raws))), codes) for what, (raws, codes) in entries.items()]
    three = [says(name) for name in NAMES[:3]]
    return [
        *made,
        ("a Hello", pack_frame(Hello(NETWORK, 1, ())), []),
        ("a Hello of another network", pack_frame(Hello(NetworkId(D32), 1, ())), ["foreign-network"]),
        ("a KeySet of no member", pack_frame(KeySets((stranger.raw,))), ["unknown-author"]),
        ("a KeySet that another key sealed", pack_frame(KeySets((forged.raw,))), ["bad-signature"]),
        ("one KeySet more than a member may have", pack_frame(KeySets(tuple(later))), ["author-over-budget"]),
        ("a certificate", pack_frame(CertificateFrame(certificate(three))), []),
        (
            "a certificate of another epoch",
            pack_frame(CertificateFrame(certificate(three, epoch=D32))),
            ["wrong-epoch"],
        ),
        (
            "a certificate short of a group",
            pack_frame(CertificateFrame(certificate(three[:2]))),
            ["short-of-threshold"],
        ),
        ("a frame of a later version", encode([11, {}]), ["unknown-critical"]),
    ]


def refused_arrivals() -> dict[str, Any]:
    return {
        "now_ms": NOW,
        "epoch": shown_epoch(EPOCHS["four"]),
        "keysets": [raw.hex() for raw in known()],
        "arrivals": [{"what": what, "frame": raw.hex(), "codes": codes} for what, raw, codes in arrivals()],
    }

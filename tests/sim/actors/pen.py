"""A liar's own pen: the wire format written from protocol/README.md, with no line of the honest nodes' code.

A liar that shared their code could only say what that code can say. Maps have integer keys; times are ms.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

import cbor2
from nacl.signing import SigningKey

ZERO = bytes(32)
ATTESTATION, RELEASE, REPORT, MANIFEST, HEARTBEAT, NOTICE, STATEMENT, PROPOSE, PREPARE, COMMIT = range(1, 11)
NONE, WATCH, GUARD, ISOLATE, HALT = range(5)
HEARSAY, OBSERVED, VERIFIED = 1, 2, 3
_TAGS = ("attestation", "release", "action-report", "manifest", "heartbeat", "notice", "statement")
_VOTES = ("propose", "prepare", "commit")
HEADER = bytes.fromhex("a10127")
SHORTFALL = "evm-supply-above-backing"


def cbor(value: Any) -> bytes:
    return cbor2.dumps(value, canonical=True)


def sha(raw: bytes) -> bytes:
    return hashlib.sha256(raw).digest()


@lru_cache(maxsize=512)
def key_of(words: str) -> SigningKey:
    """The stage's keys come from words: `hot NAME VERSION`, `cold NAME`."""
    return SigningKey(sha(words.encode()))


def tag_of(kind: int) -> str:
    known = (*_TAGS, *_VOTES)
    return f"tocsin/1/{known[kind - 1] if 1 <= kind <= len(known) else f'kind-{kind}'}"


def cose(key: SigningKey, tag: str, network: bytes, payload: bytes) -> tuple[bytes, bytes]:
    """(sealed, hash)"""
    signed = cbor(["Signature1", HEADER, cbor([tag, network]), payload])
    return cbor([HEADER, {}, payload, key.sign(signed).signature]), sha(signed)


class Pen:
    """One feed of one member. `say` goes on with it; `seal` writes anything, anywhere in it."""

    def __init__(self, name: str, network: bytes, version: int = 0) -> None:
        self.name, self.network, self.version = name, network, version
        self.key = key_of(f"hot {name} {version}")
        self.seq, self.head, self.before = -1, ZERO, ZERO
        self.kept: dict[int, bytes] = {}

    def seal(
        self, kind: int, body: dict[int, Any], issued_ms: int, seq: int, prev: bytes, network: bytes = b""
    ) -> tuple[bytes, bytes]:
        payload = {1: self.name, 2: self.version, 3: seq, 4: prev, 5: issued_ms, 6: kind, 7: body}
        return cose(self.key, tag_of(kind), network or self.network, cbor(payload))

    def say(self, kind: int, body: dict[int, Any], issued_ms: int) -> bytes:
        raw, named = self.seal(kind, body, issued_ms, self.seq + 1, self.head)
        self.seq, self.before, self.head = self.seq + 1, self.head, named
        self.kept[self.seq] = raw
        return raw

    def other(self, kind: int, body: dict[int, Any], issued_ms: int) -> bytes:
        """Another payload at the seq that was used last."""
        return self.seal(kind, body, issued_ms, max(self.seq, 0), self.before)[0]


def keyset(name: str, version: int, network: bytes, expires_ms: int, transport: Iterable[str]) -> bytes:
    public = bytes(key_of(f"hot {name} {version}").verify_key)
    body = {1: name, 2: version, 3: public, 5: list(transport), 6: expires_ms}
    return cose(key_of(f"cold {name}"), "tocsin/1/keyset", network, cbor(body))[0]


# bodies
def attestation(
    epoch: bytes,
    topic: tuple[bytes, int],
    level: int,
    since_ms: int,
    expires_ms: int,
    claims: Iterable[dict[int, Any]] = (),
    sources: Iterable[str] = (),
    basis: int = VERIFIED,
    by_person: bool = False,
    detector: str = "verifier",
) -> dict[int, Any]:
    first = {1: epoch, 2: topic[0], 3: topic[1], 4: level, 5: basis, 6: list(claims), 7: list(sources)}
    return first | {8: detector, 9: "", 10: since_ms, 11: expires_ms, 12: by_person, 13: 1}


def release(epoch: bytes, topic: tuple[bytes, int], through_ms: int, claims: Iterable[Any] = ()) -> dict[int, Any]:
    return {1: epoch, 2: topic[0], 3: topic[1], 4: through_ms, 5: list(claims)}


def shortfall(number: int, far: str = "eip155:10") -> tuple[dict[int, Any], bytes]:
    """(claim, blob) of the stage's claim of this number; another `far` tells the same claim in other bytes."""
    home, escrow, block = "eip155:1", b"e" * 20, number + 1
    blob = cbor([SHORTFALL, {1: home, 2: escrow, 3: far, 4: b"t" * 20, 5: block}])
    named = sha(cbor(["tocsin/1/claim", SHORTFALL, home, escrow, block]))
    return {1: SHORTFALL, 2: named, 3: sha(blob)}, blob


def log_seen(tx: bytes, address: bytes, threat: int) -> tuple[dict[int, Any], bytes]:
    """(claim, blob): a log stands somewhere, whatever it means."""
    blob = cbor(["evm-log", {1: "eip155:1", 2: tx, 3: 0, 4: address, 5: [], 6: sha(b""), 7: threat}])
    named = sha(cbor(["tocsin/1/claim", "evm-log", "eip155:1", tx, 0]))
    return {1: "evm-log", 2: named, 3: sha(blob)}, blob


def certificate(
    epoch: bytes, topic: tuple[bytes, int], level: int, entries: Iterable[bytes], keysets: Iterable[bytes] = ()
) -> bytes:
    return cbor({1: epoch, 2: topic[0], 3: topic[1], 4: level, 5: list(entries), 6: list(keysets)})


def certificate_id(epoch: bytes, topic: tuple[bytes, int], level: int) -> bytes:
    return sha(cbor([epoch, topic[0], topic[1], level]))


# governance
ADMIT, REMOVE, REGROUP, REKEY, PARAMETERS, SOURCES, SUSPEND, REINSTATE = range(1, 9)
PROPOSAL_TYPE, BALLOT_TYPE = 1, 2


def proposal(
    name: str, network: bytes, parent: bytes, opened_ms: int, closes_ms: int, kind: int, change: Any, **other: Any
) -> tuple[bytes, bytes]:
    """(sealed, hash): one change, under the governance key of `name` or, by `key`, of another."""
    body = {1: PROPOSAL_TYPE, 2: parent, 3: name, 4: opened_ms, 5: closes_ms, 6: kind, 7: change, 8: "", 9: []}
    body |= other.get("body", {})
    return cose(key_of(f"cold {other.get('key', name)}"), "tocsin/1/proposal", network, cbor(body))


def ballot(
    name: str, network: bytes, proposed: bytes, number: int, yes: int, cast_ms: int, conflict: str = "", key: str = ""
) -> bytes:
    body = {1: BALLOT_TYPE, 2: proposed, 3: name, 4: number, 5: yes, 6: cast_ms, 7: conflict}
    return cose(key_of(f"cold {key or name}"), "tocsin/1/ballot", network, cbor(body))[0]


def value(
    parent: bytes, number: int, proposals: Iterable[bytes], activates_ms: int, proofs: Iterable[tuple[str, int]] = ()
) -> bytes:
    told = [{1: member, 2: version} for member, version in sorted(proofs)]
    return cbor({1: parent, 2: number, 3: sorted(proposals), 4: told, 5: activates_ms})


def value_hash(raw: bytes) -> bytes:
    return sha(cbor(["tocsin/1/value", raw]))


def propose(epoch: bytes, round_: int, raw: bytes, valid_round: int | None = None) -> dict[int, Any]:
    return {1: epoch, 2: round_, 3: raw} | ({} if valid_round is None else {4: valid_round})


def vote(epoch: bytes, round_: int, named: bytes) -> dict[int, Any]:
    """A Prepare or Commit."""
    return {1: epoch, 2: round_, 3: named}


def epoch_certificate(
    raw: bytes, proposals: Iterable[bytes], ballots: Iterable[bytes], commits: Iterable[bytes], keysets: Iterable[bytes]
) -> bytes:
    return cbor({1: raw, 2: list(proposals), 3: list(ballots), 4: [], 5: list(commits), 6: list(keysets)})


# frames
WANT_EPOCHS, EPOCHS = 16, 17
HELLO, ENTRIES, BLOBS, CERTIFICATE, KEYSETS, HEADS, WANT_ENTRIES, WANT_BLOBS, WANT_CERTIFICATES, SHOWN = range(1, 11)


def hello(network: bytes, keysets: Iterable[bytes] = (), version: int = 1) -> bytes:
    return cbor([HELLO, {1: network, 2: version, 3: list(keysets)}])


def listed(kind: int, items: Iterable[bytes]) -> bytes:
    """Entries, Blobs, KeySets, WantBlobs, WantCertificates and Shown are one list each."""
    return cbor([kind, {1: list(items)}])


def entries(*raws: bytes) -> bytes:
    return listed(ENTRIES, raws)


def certified(raw: bytes) -> bytes:
    return cbor([CERTIFICATE, {1: raw}])


def heads(told: Iterable[tuple[str, int, int, int, bytes]], shown: Iterable[bytes] = ()) -> bytes:
    """`told`: (author, key version, whole, seq, hash)."""
    rows = [dict(enumerate(one, 1)) for one in told]
    return cbor([HEADS, {1: rows, 2: list(shown)}])


def want_entries(author: str, version: int, from_seq: int, to_seq: int) -> bytes:
    return cbor([WANT_ENTRIES, {1: author, 2: version, 3: from_seq, 4: to_seq}])


# reading, just enough to know what to repeat
def kind_of(raw: bytes) -> int:
    """A frame's type without reading it: `[type, …]` with a type below 24."""
    return raw[1] if len(raw) > 2 and raw[0] == 0x82 else 0


def read(raw: bytes) -> Any:
    return cbor2.loads(raw)


def fields_of(raw: bytes) -> dict[int, Any]:
    return dict(cbor2.loads(raw)[1])


def payload_of(sealed: bytes) -> dict[int, Any]:
    """An entry as a map, of which nothing is checked."""
    return dict(cbor2.loads(cbor2.loads(sealed)[2]))


def hash_of(sealed: bytes, network: bytes) -> bytes:
    payload = cbor2.loads(sealed)[2]
    tag = tag_of(cbor2.loads(payload)[6])
    return sha(cbor(["Signature1", HEADER, cbor([tag, network]), payload]))

"""Where a corpus begins: the golden files, generated messages, and everything that two scenes of real nodes sent."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any

from governance.card import write_card
from governance.keyset_request import KeySetRequest, write_request
from node.transport.framing import PING, PONG, encode_control, encode_frame
from protocol.codec import encode
from protocol.envelope import Verified, seal_entry, seal_keyset
from protocol.evidence import LogSeen, OracleDeviation, ReleaseWithoutBurn, SupplyAboveBacking, claim_of
from protocol.frames import Blobs, CertificateFrame, Entries, KeySets, pack_frame
from protocol.ids import ZERO_HASH, EntryHash, MemberName
from protocol.membership import Epoch
from protocol.messages import Basis, KeySet, Level, Notice, Release, Tlp
from protocol.quorum import assemble, pack_certificate, without_known_keysets
from protocol.subjects import Kind, subject_of
from tests.fuzz import exchange, seeds_more, stage
from tests.tidy import make_vectors as vectors
from tests.unit.governance import world as founders
from tests.unit.machine import cast

VECTORS = vectors.VECTORS


def golden(prefix: str, *keys: str) -> Iterator[bytes]:
    for path in sorted(VECTORS.glob(f"{prefix}*.json")):
        vector = json.loads(path.read_text())
        for key in keys:
            if type(vector.get(key)) is str:
                yield bytes.fromhex(vector[key])


def word(
    author: str, body: Any, seq: int = 0, prev: EntryHash = ZERO_HASH, at_ms: int = cast.START_MS
) -> Verified[Any]:
    return seal_entry(
        cast.NETWORK,
        cast.hot(author),
        author=MemberName(author),
        key_version=0,
        seq=seq,
        prev=prev,
        issued_ms=at_ms,
        body=body,
    )


def keysets() -> Iterator[bytes]:
    for at in range(stage.MEMBERS):
        yield cast.keyset(cast.member(at))
    newer = KeySet(cast.member(1), 1, cast.hot("m1", 1).public, b"\x55" * 20, (), cast.START_MS + cast.HOUR_MS)
    yield seal_keyset(cast.NETWORK, cast.governance("m1"), newer).raw
    unsound = replace(newer, attestation=bytes(32))
    yield seal_keyset(cast.NETWORK, cast.governance("m1"), unsound).raw


def words() -> list[Verified[Any]]:
    made = [word("m1", body) for body in vectors.BODIES.values()]
    made += [word(f"m{at}", cast.opinion(level, (cast.claim(),))) for at in range(4) for level in Level]
    made.append(word("m2", Release(cast.epoch_of(1).hash, cast.COIN, cast.THREAT, cast.START_MS, ())))
    first = word("m3", Notice("first", Tlp.GREEN))
    second = word("m3", Notice("second", Tlp.GREEN), 1, first.hash)
    return [*made, first, second, word("m3", Notice("rival", Tlp.GREEN)), word("m3", Notice("stray", Tlp.RED), 1)]


def envelopes() -> Iterator[bytes]:
    yield from golden("entry-", "sealed")
    yield from golden("keyset", "sealed")
    yield from keysets()
    yield from (one.raw for one in words())


def certificates() -> Iterator[bytes]:
    yield from golden("certificate-", "raw")
    for epoch in list(stage.epochs().values())[:2]:
        for level in (Level.GUARD, Level.ISOLATE, Level.HALT):
            for count in (1, 2, 3, 4, 6):
                yield from _certificate(epoch, level, count)


def _certificate(epoch: Epoch, level: Level, count: int) -> Iterator[bytes]:
    said = []
    for one in epoch.members[:count]:
        body = cast.opinion(level, (cast.claim(),), sources=(f"{one.name}-node",), epoch=epoch.hash)
        said.append(word(one.name, replace(body, expires_ms=cast.START_MS + 60_000, tlp=Tlp(count % 5))))
    by_group: dict[Any, list[Any]] = {}
    for spoken in said:
        by_group.setdefault(epoch.group_of(spoken.entry.author), []).append(spoken)
    sealed = {one.name: stage._opened(one.name) for one in epoch.members}
    whole = assemble(epoch, cast.TOPIC, level, by_group, lambda author, version: sealed[author])
    yield pack_certificate(whole)
    known = [(one.raw, one.hash) for one in sealed.values() if one is not None]
    yield pack_certificate(without_known_keysets(whole, known))
    if count == 3:
        twice = replace(whole, entries=(*whole.entries, whole.entries[0]))
        yield pack_certificate(twice)
        one_eye = [word(s.entry.author, replace(s.body, sources=("m0-node",), basis=Basis.OBSERVED)).raw for s in said]
        yield pack_certificate(replace(without_known_keysets(whole, known), entries=tuple(one_eye)))


def equivocations() -> Iterator[bytes]:
    vector = json.loads((VECTORS / "equivocation.json").read_text())
    raws = {name: bytes.fromhex(one["sealed"]) for name, one in vector["entries"].items()}
    for pair in (*vector["proofs"], *vector["no_proofs"]):
        yield encode([raws[name] for name in pair])
    told = words()
    yield encode([one.raw for one in told[-4:]])
    yield encode([one.raw for one in told[:4]])


def frames() -> Iterator[bytes]:
    yield from golden("frame-", "raw")
    yield pack_frame(KeySets(tuple(keysets())))
    yield from stage.wiretap()
    for raw in certificates():
        yield pack_frame(CertificateFrame(raw))
    for one in words():
        yield pack_frame(Entries((one.raw,)))
    yield pack_frame(Blobs(tuple(blobs())))


def streams() -> Iterator[bytes]:
    whole = list(frames())
    yield from (encode_frame(raw, 1 << 18) for raw in whole[:30])
    yield encode_control(PING, b"12345678") + encode_control(PONG, b"abcdefgh")
    yield encode_frame(whole[0], 1 << 18) + encode_control(PING, bytes(8)) + encode_frame(whole[5], 1 << 18)


def blobs() -> Iterator[bytes]:
    yield from golden("claim-", "blob")
    release = ReleaseWithoutBurn(cast.CHAIN, stage.ESCROW, b"7" * 32, 3, "eip155:10", stage.TWIN, 1, b"6" * 20, 10**20)
    backing = SupplyAboveBacking(cast.CHAIN, stage.ESCROW, "eip155:10", stage.TWIN, 1)
    log = LogSeen(cast.CHAIN, b"7" * 32, 0, b"a" * 20, (), bytes(32), 33)
    for inputs in (release, backing, log, OracleDeviation(cast.CHAIN, stage.FEED, 9)):
        yield claim_of(inputs).blob
    yield encode(["a-later-type", {1: 2}])


def subjects() -> Iterator[bytes]:
    more = (
        subject_of(Kind.PACKAGE, "pkg:pypi/some-name@1.0"),
        subject_of(Kind.ASSET, "cosmos", "hub-4", "ibc", b"\x01\x02"),
        subject_of(Kind.ACCOUNT, "cosmos", "hub-4", b"\x01\x02"),
    )
    for subject in (*vectors.SUBJECTS, *more):
        yield subject.raw
        yield str(subject).encode()
    yield b"eip155:1/slip44:0x0001"
    yield b"credential:xyz"


def values() -> Iterator[bytes]:
    for vector in json.loads((VECTORS / "refused.json").read_text())["cbor"]:
        yield bytes.fromhex(vector["raw"])
    for value in (
        0,
        23,
        24,
        255,
        256,
        65_535,
        1 << 32,
        (1 << 64) - 1,
        -1,
        -(1 << 64),
        b"x" * 30,
        "é",
        [],
        {},
        None,
        True,
    ):
        yield encode(value)
    yield encode({1: [1, {2: b"x", 70: "y"}], 300: [[[[]]]]})
    yield from list(frames())[:20]
    yield from envelopes()


def charters() -> Iterator[bytes]:
    yield founders.founded(founders.NAMES[:1]).encode()
    yield founders.unsigned().encode()
    yield founders.founded(founders.NAMES[:2]).encode()
    yield founders.unsigned(founders.NAMES[:1]).encode()
    yield write_card(founders.card("issuer")).encode()
    yield write_card(replace(founders.card("venue", "other"), evm=b"\x01" * 20)).encode()
    keyset = KeySet(cast.member(0), 2, cast.hot("m0", 2).public, b"\x01" * 20, ("12D3KooWother",), 2**41)
    yield write_request(KeySetRequest(cast.NETWORK, cast.governance("m0").public, (1,), keyset)).encode()


def bodies() -> Iterator[bytes]:
    raised = {"subject": str(cast.COIN), "threat": "bridge-forgery", "level": "GUARD", "person": "ann"}
    for value in (
        raised,
        {**raised, "lease_s": 3600.5, "incident": "rs-1"},
        {**raised, "level": "none"},
        {**raised, "threat": "weather"},
        {**raised, "subject": "nothing"},
        {},
        {"person": "ann"},
        {"person": "ann", "through_ms": 1_790_000_000_000},
        {"path": "/backup"},
        {"path": "relative"},
        [1, None, "x"],
    ):
        yield json.dumps(value).encode()


def scripts() -> Iterator[bytes]:
    """What the machine is thrown: one frame, or a few of several peers; blobs before what names them."""
    for number, raw in enumerate(frames()):
        yield encode([number % 2 == 0, [number % 4, number % 16, raw]])
    blob = pack_frame(Blobs((cast.claim(2).blob,)))
    now_ms = cast.START_MS + 2_300
    said = [
        word(
            f"m{at}",
            cast.opinion(Level.ISOLATE, (cast.claim(2),), now_ms=now_ms, sources=(f"m{at}-node",)),
            90,
            at_ms=now_ms,
        )
        for at in (1, 2, 3)
    ]
    told = [[at, 8, pack_frame(Entries((one.raw,)))] for at, one in enumerate(said)]
    for verdict in (0, 2, 4):
        yield encode([False, [0, verdict, blob], *([at, how | verdict, raw] for at, how, raw in told)])
    yield encode([True, [0, 8, blob], *told])
    asked = [pack_frame(one) for one in vectors.FRAMES.values()]
    yield encode([True, *([at % 4, at, raw] for at, raw in enumerate(asked[4:]))])


def governed() -> Iterator[bytes]:
    """Every statement, value and epoch's certificate of the golden files."""
    statements = json.loads((VECTORS / "statements.json").read_text())
    yield from (bytes.fromhex(one["sealed"]) for one in (*statements["proposals"], *statements["ballots"]))
    yield from (bytes.fromhex(one["raw"]) for one in statements["values"])
    for name in ("refused-statements", "refused-proposals", "refused-epoch-certificates", "epoch-certificates"):
        told = json.loads((VECTORS / f"{name}.json").read_text())
        for one in [*told.get("sound", ()), *told.get("refused", ()), *told.get("certificates", ())]:
            yield bytes.fromhex(one["raw"])


SEEDS: dict[str, Callable[[], Iterable[bytes]]] = {
    "codec": values,
    "envelope": envelopes,
    "certificate": certificates,
    "equivocation": equivocations,
    "sync": frames,
    "frame": streams,
    "evidence": blobs,
    "subjects": subjects,
    "governance": governed,
    "charter": lambda: (*charters(), *seeds_more.charters()),
    "policy": seeds_more.policies,
    "api": bodies,
    "intel": exchange.files,
    "machine": lambda: (*scripts(), *seeds_more.scripts()),
}

"""Seeds that stand at the far branches: charters and policies with one thing wrong, and frames that a node must meet
with more than a nod."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from governance.charter import sign
from protocol.codec import encode
from protocol.envelope import Verified, open_keyset, seal_entry, seal_keyset
from protocol.frames import Blobs, CertificateFrame, Entries, Head, Heads, Hello, KeySets, WantEntries, pack_frame
from protocol.ids import ZERO_HASH, MemberName
from protocol.messages import Heartbeat, KeySet, Level, Manifest, Notice, Release, Statement, Tlp
from protocol.quorum import assemble, pack_certificate
from tests.fuzz import stage
from tests.unit.governance import world as founders
from tests.unit.machine import cast
from tests.unit.policy.stage import EXAMPLES

POLICY_CHANGES = (
    (', silent = ["ltv0"]', ""),
    ('"freeze"], silent = ["ltv0"]', '"ltv0"], silent = ["freeze"]'),
    ('hold = "4m", ', ""),
    ('hold = "4m", do = ["halt"], silent = ["reduce"]', 'do = ["halt"]'),
    ('do = ["halt"], silent = ["reduce"]', 'do = ["halt"], silent = ["halt"]'),
    ('do = ["ltv0"], for = "6h"', 'do = ["ltv0"], for = "13h"'),
    ('level = "ISOLATE", basis', 'level = "GUARD", basis'),
    ("groups = 5", "groups = 6"),
    ('own = "unable"', 'own = "contradicted"'),
    ('level = "none", own = "verified"', 'level = "none", own = "any"'),
    ('level = "none", own = "verified"', 'level = "any", own = "verified"'),
    ("lending.freeze", "lending.melt"),
    ('closes = ["supply"]', "closes = []"),
    ('expires_by = "target", max = "6h"', 'expires_by = "guard", max = "6h"'),
    ('max = "6h"', 'max = "7h"'),
    ('max = "6h", cooldown = "2h"', 'max = "6h", cooldown = "1h"'),
    ("blocks_exit = true, ", ""),
    ('own = "any", level = "any"', 'own = "verified", level = "any"'),
    ('asset = "rseth"', 'asset = "other"'),
    ('on = "lend"', 'on = "nowhere"'),
    ('level = "any", own = "any"', 'level = "any", own = "contradicted"'),
    ("utilisation_above", "sources = 2, utilisation_above"),
    ("arm_above = 0", "arm_above = 1"),
)
CHARTER_CHANGES = (
    ('guard = "max(2, f + 1)"', 'guard = "1"'),
    ('guard = "max(2, f + 1)"', 'guard = "1 +"'),
    ('guard = "max(2, f + 1)"', 'guard = "min(n, 300)"'),
    ('isolate = "Q"', 'isolate = "f"'),
    ('halt = "Q"', 'halt = "n * 2"'),
    ('isolate = "6h"', 'isolate = "7h"'),
    ('term = "365d"', 'term = "0s"'),
    ('term = "365d"', 'term = "99999d"'),
    ('id = "node-b"', 'id = "node-a"'),
    ('scope = "eip155:130"', 'scope = "eip155:10"'),
    ('far = "eip155:130"', 'far = "eip155:1"'),
    ('home = "eip155:1"', 'home = "eip155:130"'),
    ('home = "eip155:1"', 'home = "domain:a.b"'),
    ('asset = "eip155:1/erc20:', 'asset = "eip155:1:'),
    ('chain = "eip155:1"', 'chain = "eip155:130"'),
    ('references = ["', 'references = [] # ["'),
    ('signature = "', 'signature = "00'),
    ('sealed = "84', 'sealed = "83'),
    ("[[contact]]", "[[source]]"),
    ("[[founder]]", "[[contact]]"),
    ('member = "issuer"', 'member = "nobody"'),
    ("charter = 1", "charter = 2"),
    ("[[member]]", "[member]"),
)


def changed(texts: tuple[str, ...], changes: tuple[tuple[str, str], ...]) -> Iterator[bytes]:
    for old, new in changes:
        for text in texts:
            if old in text:
                yield text.replace(old, new, 1).encode()
                break


def policies() -> Iterator[bytes]:
    for text in EXAMPLES.values():
        yield text.encode()
    yield from changed(tuple(EXAMPLES.values()), POLICY_CHANGES)


def charters() -> Iterator[bytes]:
    one = founders.founded(founders.NAMES[:1])
    two = founders.unsigned(founders.NAMES[:2])
    yield from changed((one, two), CHARTER_CHANGES)
    head, *tables = one.split("\n[[")
    for table in tables:
        yield "\n[[".join([head, *tables, table]).encode()
        yield "\n[[".join([head, *(other for other in tables if other != table)]).encode()
    key = founders.governance("issuer").public.hex()
    yield two.replace(founders.governance("lender-a").public.hex(), key).encode()
    yield two.replace(key, "00" * 32).encode()
    for keyset in (
        founders.keyset("issuer", expires_ms=1),
        founders.keyset("issuer", expires_ms=founders.NOW_MS + 3 * founders.YEAR_MS),
        replace(founders.keyset("issuer"), transport=(), attestation=founders.governance("issuer").public),
    ):
        bare = founders.unsigned(founders.NAMES[:1])
        yield sign(bare, MemberName("issuer"), founders.governance("issuer"), keyset).encode()


def _word(author: str, body: Any, seq: int, at_ms: int, prev: Any = ZERO_HASH, version: int = 0) -> Verified[Any]:
    return seal_entry(
        cast.NETWORK,
        cast.hot(author, version),
        author=MemberName(author),
        key_version=version,
        seq=seq,
        prev=prev,
        issued_ms=at_ms,
        body=body,
    )


def _keyset(member: str, version: int, expires_ms: int) -> bytes:
    made = KeySet(MemberName(member), version, cast.hot(member, version).public, None, (), expires_ms)
    return seal_keyset(cast.NETWORK, cast.governance(member), made).raw


def _entries(*words: Verified[Any]) -> bytes:
    return pack_frame(Entries(tuple(one.raw for one in words)))


def scripts() -> Iterator[bytes]:
    now_ms = cast.START_MS + 2_300
    hello = Hello(cast.NETWORK, 1, ())
    newer = [_keyset("m1", version, now_ms + cast.HOUR_MS) for version in range(1, 18)]
    rivals = [seal for _, seal in sorted(_ranked(now_ms), reverse=True)]
    yield encode([False, [3, 0, pack_frame(hello)], [3, 0, pack_frame(Heads((), ()))]])
    yield encode([False, [0, 0, pack_frame(replace(hello, network=bytes(32)))]])
    yield encode([False, [0, 0, pack_frame(KeySets(tuple(newer)))], [0, 8, pack_frame(KeySets((newer[0],)))]])
    beat = _word("m1", Heartbeat(cast.epoch_of(1).hash), 0, now_ms, version=1)
    yield encode([True, [0, 8, pack_frame(KeySets((newer[0],)))], [1, 8, _entries(beat)]])
    yield encode([True, [1, 8, pack_frame(KeySets((_keyset("m0", 1, now_ms),)))], [0, 8, pack_frame(hello)]])
    yield encode([False, [0, 8, pack_frame(KeySets(tuple(rivals)))]])
    yield encode([False, [0, 0, _entries(_word("m0", Notice("we said that?", Tlp.GREEN), 90, now_ms))]])
    one, two = (_word("m1", Notice(text, Tlp.RED), 90, now_ms) for text in ("one", "two"))
    for peer in (0, 1):
        yield encode([True, [peer, peer, _entries(one, two)], [2, 8, _entries(two, one)]])
    yield encode([False, [0, 0, _entries(_word("m1", Statement(newer[0]), 90, now_ms))]])
    foreign = _word("m9", Notice("x", Tlp.RED), 0, 1)
    yield encode([False, [0, 0, _entries(_word("m1", Statement(b"ballot"), 90, now_ms), foreign)]])
    yield encode([False, [0, 0, _entries(_word("m1", Heartbeat(bytes(32)), 90, now_ms + 9_000 * cast.HOUR_MS))]])
    pushed = [pack_frame(Blobs(tuple(bytes([at]) * size for at in range(64)))) for size in (9, 8)]
    yield encode([False, *([0, 8, raw] for raw in pushed)])
    declared = [_word("m2", Manifest(names), seq, now_ms) for names, seq in (((cast.OTHER_COIN,), 90), ((), 89))]
    yield encode([True, [1, 0, _entries(*declared)]])
    yield from _certified(now_ms)
    rows = (("m1", 0, 91, one), ("m0", 0, 400, two), ("m1", 5, 0, one), ("m1", 0, 0, two))
    heads = tuple(Head(MemberName(who), version, seq, seq, word.hash) for who, version, seq, word in rows)
    answer = _word("m1", Notice("at last", Tlp.RED), 88, now_ms)
    yield encode([True, [0, 1, pack_frame(Heads(heads, (bytes(32),)))], [0, 9, _entries(answer)]])
    yield encode([True, [1, 1, pack_frame(WantEntries(MemberName("m0"), 0, 0, 2**63 - 1))]])


def _ranked(now_ms: int) -> list[tuple[bytes, bytes]]:
    """Rival KeySets of one version with their hashes."""
    made = [_keyset("m2", 1, now_ms + at) for at in range(11)]
    return [(open_keyset(raw, cast.NETWORK, stage.public_cold("m2")).hash, raw) for raw in made]


def _certified(now_ms: int) -> Iterator[bytes]:
    """A certificate of words that were taken back since, with and without their KeySets, and one with too many."""
    epoch = cast.epoch_of(stage.MEMBERS)
    said = [
        _word(f"m{at}", cast.opinion(Level.GUARD, now_ms=now_ms, sources=(f"m{at}-node",), by_person=True), 90, now_ms)
        for at in (1, 2, 3)
    ]
    by_group = {epoch.group_of(one.entry.author): [one] for one in said[:2]}
    made = assemble(epoch, cast.TOPIC, Level.GUARD, by_group, stage.known_keyset)
    bare = replace(made, keysets=())
    none = cast.opinion(Level.NONE, now_ms=now_ms)
    calm = [_word(one.entry.author, none, 91, now_ms, one.hash) for one in said]
    over = [_word(f"m{at}", Release(epoch.hash, cast.COIN, cast.THREAT, now_ms, ()), 92, now_ms) for at in (1, 2, 3)]
    frame = pack_frame(CertificateFrame(pack_certificate(bare)))
    yield encode([False, [0, 8, pack_frame(CertificateFrame(pack_certificate(made)))], [1, 8, frame]])
    yield encode([False, [0, 8, frame], [0, 0, _entries(calm[0])], [1, 8, _entries(calm[1])], [2, 8, frame]])
    yield encode([False, [0, 0, _entries(*calm)], [2, 8, frame]])
    yield encode([False, [0, 0, frame], [0, 8, _entries(*over)], [1, 8, frame]])
    yield encode([True, [0, 8, _entries(*over)], [1, 8, frame]])
    many = pack_certificate(replace(bare, entries=bare.entries * 3))
    yield encode([False, [0, 0, pack_frame(CertificateFrame(many))]])

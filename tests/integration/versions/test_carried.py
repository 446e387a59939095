"""Words of a later version among nodes of this one: real machines, their journals, their wires. What may be ignored is
carried on byte for byte, what may not is refused by name, and nothing that is unknown here ever counts."""

from __future__ import annotations

from typing import Any

import pytest

from node.records import EntryAccepted
from protocol.alarm import weigh
from protocol.codec import decode
from protocol.crypto import sha256
from protocol.envelope import domain_tag, seal_keyset
from protocol.frames import Blobs, CertificateFrame, Entries, KeySets, pack_frame
from protocol.ids import MemberName
from protocol.messages import BODIES, KeySet, Level
from protocol.quorum import check_certificate, parse_certificate
from tests.unit.machine.world import COIN, NETWORK, World, claim, governance, hot, opinion, peer_of
from tests.vectors.sealing import cbor, sealed, to_be_signed

LATER = {64: "a later version's", 70: [1, {2: b"\x00" * 3}], (1 << 32): None}
"""Fields from 64 on, of any shape."""
LIAR = MemberName("m3")
UNKNOWN_THREAT = 200
SUBJECT_OF_LATER = cbor([11, "eip155", "1", b"\x01" * 20])
NUMBERS: dict[str, dict[int, Any]] = {
    "level": {4: 5},
    "basis": {5: 4},
    "tlp": {13: 5},
    "subject": {2: SUBJECT_OF_LATER},
    "tlp of a notice": {},
    "subject of a manifest": {},
}
"""Numbers of a later version in fields that every version has."""


class Later:
    """The fourth member runs a later version."""

    def __init__(self) -> None:
        self.world = World(4, liars=1)
        self.speaker = self.world.liars[LIAR]

    def seals(self, kind: int, body: dict[Any, Any], **fields: Any) -> bytes:
        """An entry with these fields, and its feed's next link."""
        seq = self.speaker.seq + 1
        told: dict[Any, Any] = {1: LIAR, 2: 0, 3: seq, 4: self.speaker.prev, 5: self.world.now_ms, 6: kind, 7: body}
        told |= {int(key.removeprefix("k")): value for key, value in fields.items()}
        raw = sealed(cbor(told), domain_tag(kind), hot(LIAR), network=NETWORK)
        self.speaker.seq, self.speaker.prev = seq, hash_of(raw)
        return raw

    def opinion(self, **changes: Any) -> dict[Any, Any]:
        world = self.world
        body = opinion(
            now_ms=world.now_ms, epoch=world.epoch.hash, sources=("m3-node",), **{"claims": (claim(),), **changes}
        )
        return dict(BODIES[1].pack(body))

    def says(self, raw: bytes, to: list[int] | None = None) -> None:
        self.speaker.send(Entries((raw,)), to)


def hash_of(raw: bytes) -> Any:
    """Also of what this version does not read: the hash needs only the payload and the kind."""
    payload = decode(raw, bytes_max=1 << 16)[2]
    return sha256(to_be_signed(domain_tag(decode(payload, bytes_max=1 << 16)[6]), payload, NETWORK))


def held(node: Any, raw: bytes) -> bool:
    """In its journal, as it came."""
    return any(isinstance(one, EntryAccepted) and one.raw == raw for one in node.records())


def relayed(later: Later, *raws: bytes) -> None:
    """m1 was away while they were said, and the speaker is gone when it comes back."""
    world = later.world
    world[1].stop()
    for raw in raws:
        later.says(raw)
    world.run(500)
    world.unplug(LIAR)
    world[1].restart()
    for name in ("m0", "m2"):
        world.plug("m1", name)
    world.run(3_000)


def test_an_optional_field_is_stored_relayed_and_proven_byte_for_byte() -> None:
    later = Later()
    world = later.world
    body = later.opinion() | LATER
    body[6] = [one | {99: "in a claim"} for one in body[6]]
    raw = later.seals(1, body, k64="in an entry")
    world.true(claim())
    relayed(later, raw)
    assert all(held(node, raw) for node in world)
    world[0].sense(claim())
    world.until(lambda: all(node.certificate() is not None for node in world))
    for node in world:
        certificate = node.certificate()
        assert certificate is not None and raw in parse_certificate(certificate.raw).entries
        node.stop()
        node.restart()
        again = node.certificate()
        assert again is not None and again.raw == certificate.raw and held(node, raw)


def test_an_optional_field_beside_a_certificate_stays_in_it() -> None:
    later = Later()
    world = later.world
    world.true(claim())
    later.speaker.send(Blobs((claim().blob,)))
    world.unplug("m1")
    world[0].sense(claim())
    later.says(later.seals(1, later.opinion()))
    world.until(lambda: world[0].certificate() is not None)
    first = world[0].certificate()
    assert first is not None
    fields = dict(decode(first.raw, bytes_max=1 << 18)) | LATER
    fields[6] = [one.raw for versions in world[0].state.keysets.values() for one in versions.values()]
    raw = cbor(fields)
    proven = check_certificate(parse_certificate(raw), raw, world.epoch, lambda member, version: None)
    assert proven.digest == first.digest
    world.plug("m1", LIAR)
    later.speaker.send(CertificateFrame(raw), [1])
    world.until(lambda: world[1].certificate() is not None)
    kept = world[1].certificate()
    assert kept is not None and dict(decode(kept.raw, bytes_max=1 << 18))[64] == LATER[64]


def test_an_optional_field_in_a_frame_is_ignored_and_the_frame_is_read() -> None:
    later = Later()
    raw = later.seals(5, {1: later.world.epoch.hash})
    number, fields = decode(pack_frame(Entries((raw,))), bytes_max=1 << 18)
    later.speaker.send(cbor([number, dict(fields) | LATER]))
    later.world.run(100)
    assert all(held(node, raw) and not node.state.refusals for node in later.world)


def test_an_optional_field_in_a_keyset_is_carried_to_others() -> None:
    later = Later()
    world = later.world
    plain = seal_keyset(
        NETWORK, governance(LIAR), KeySet(LIAR, 1, hot(LIAR, 1).public, None, (peer_of(LIAR),), world.now_ms + 10**9)
    )
    payload = decode(plain.raw, bytes_max=1 << 16)[2]
    fields = dict(decode(payload, bytes_max=1 << 16)) | LATER
    raw = sealed(cbor(fields), "tocsin/1/keyset", governance(LIAR), network=NETWORK)
    world.unplug("m1")
    later.speaker.send(KeySets((raw,)), [0])
    world.run(100)
    world.plug("m1", "m0")
    world.run(500)
    assert world[1].state.keysets[LIAR][1].raw == raw


@pytest.mark.parametrize("where", ["entry", "body", "claim"])
def test_a_critical_field_is_refused_by_name_and_costs_only_that_entry(where: str) -> None:
    later = Later()
    world = later.world
    body = later.opinion()
    if where == "body":
        body[15] = "must be understood"
    if where == "claim":
        body[6] = [one | {4: 1} for one in body[6]]
    raw = later.seals(1, body, **({"k8": 1} if where == "entry" else {}))
    after = later.seals(5, {1: world.epoch.hash})
    later.speaker.send(Entries((raw, after)))
    world.run(3_000)
    for node in world:
        assert set(node.state.refusals) == {"unknown-critical"}
        assert not held(node, raw) and held(node, after)
        assert not node.state.equivocations and node.opinion(LIAR) is None


def test_a_critical_field_of_a_frame_is_refused_by_name_and_the_next_frame_is_read() -> None:
    later = Later()
    raw = later.seals(5, {1: later.world.epoch.hash})
    number, fields = decode(pack_frame(Entries((raw,))), bytes_max=1 << 18)
    later.speaker.send(cbor([number, dict(fields) | {2: 1}]))
    later.speaker.send(cbor([11, {}]))
    later.world.run(100)
    assert all(node.state.refusals == {"unknown-critical": 2} for node in later.world)
    later.says(raw)
    later.world.run(100)
    assert all(held(node, raw) for node in later.world)


def strange(later: Later, what: str) -> bytes:
    if what == "kind":
        return later.seals(42, {1: [1, {2: "three"}], 9: None, 64: b"\x01"})
    if what == "vote":
        return later.seals(11, {1: later.world.epoch.hash})
    if what == "threat":
        return later.seals(1, later.opinion(threat=UNKNOWN_THREAT, level=Level.HALT))
    if what == "tlp of a notice":
        return later.seals(6, {1: "what a later version calls it", 2: 5})
    if what == "subject of a manifest":
        return later.seals(4, {1: [COIN.raw, SUBJECT_OF_LATER]})
    if what in NUMBERS:
        return later.seals(1, later.opinion() | NUMBERS[what])
    body = later.opinion(claims=())
    body[6] = [{1: "evm-of-a-later-version", 2: b"\x07" * 32, 3: b"\x08" * 32}]
    return later.seals(1, body)


@pytest.mark.parametrize("what", ["kind", "vote", "threat", "claim type", *NUMBERS])
def test_what_is_unknown_here_is_stored_chained_and_relayed(what: str) -> None:
    later = Later()
    raw = strange(later, what)
    after = later.seals(5, {1: later.world.epoch.hash})
    relayed(later, raw, after)
    for node in later.world:
        assert held(node, raw) and held(node, after)
        feed = node.state.feeds[(LIAR, 0)]
        assert (feed.whole, feed.top) == (1, 1)
        assert not node.state.equivocations


@pytest.mark.parametrize("what", ["kind", "threat", *NUMBERS])
def test_what_is_unknown_here_never_counts(what: str) -> None:
    later = Later()
    world = later.world
    later.says(strange(later, what))
    world.run(2_000)
    for node in world:
        assert not node.state.certificates and not node.state.actions
        for (_, threat), opinions in node.state.opinions.items():
            assert threat == UNKNOWN_THREAT
            weighed = weigh(opinions.values(), world.epoch, world.now_ms, node.state.releases)
            assert weighed.level is Level.NONE and not weighed.groups


def test_a_claim_of_an_unknown_type_is_believed_by_nobody() -> None:
    later = Later()
    world = later.world
    later.says(strange(later, "claim type"))
    world.run(2_000)
    for node in world:
        assert node.opinion(LIAR) is not None
        assert not any(node.opinion(name) for name in ("m0", "m1", "m2"))
        assert not node.state.certificates


@pytest.mark.parametrize("what", NUMBERS)
def test_who_says_a_number_of_a_later_version_is_blamed_for_nothing(what: str) -> None:
    later = Later()
    for _ in range(40):
        later.says(strange(later, what))
    later.world.run(2_000)
    for node in later.world:
        assert not node.state.refusals and not node.state.offences


@pytest.mark.parametrize("field", [{4: 300}, {5: 0}, {13: -1}, {2: cbor([0, "eip155", "1"])}])
def test_a_number_that_no_version_will_know_is_an_offence(field: dict[int, Any]) -> None:
    later = Later()
    raw = later.seals(1, later.opinion() | field)
    later.says(raw)
    later.world.run(100)
    for node in later.world:
        assert node.state.refusals == {"bad-shape": 1} and node.state.offences == {peer_of(LIAR): 1}
        assert not held(node, raw)


def test_a_certificate_of_a_later_level_is_refused_and_its_bearer_blamed_for_nothing() -> None:
    later = Later()
    world = later.world
    raw = cbor({1: world.epoch.hash, 2: COIN.raw, 3: 34, 4: 5, 5: [b"an entry"], 6: [b"a keyset"]})
    later.speaker.send(CertificateFrame(raw))
    world.run(100)
    for node in world:
        assert node.state.refusals == {"bad-shape": 1} and not node.state.offences

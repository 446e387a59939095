"""Who is on the stage of a seed: groups and seats, keys, the register of sources, policies. Equal in every run."""

from __future__ import annotations

import functools
from dataclasses import dataclass, replace

from adapters.api import ExpiresBy, LeverDeclaration
from adapters.policy import Exposure, LeverUse, Limits, Mode, OwnWord, Policy, Rule
from protocol.crypto import Signer, sha256
from protocol.envelope import seal_keyset
from protocol.evidence import ClaimBlob, SupplyAboveBacking, claim_of
from protocol.ids import EpochHash, GroupName, MemberName, NetworkId, SourceId
from protocol.membership import Epoch, Member, Source
from protocol.messages import KeySet, Level, Threat
from protocol.subjects import Subject, asset
from tests.sim.scheduler import START_MS

HOUR_MS = 3_600_000
NETWORK = NetworkId(sha256(b"the simulated network"))
FOREIGN = NetworkId(sha256(b"another simulated network"))
CHAIN = "eip155:1"
SUBJECTS = tuple(asset(CHAIN, bytes([number]) * 20) for number in range(1, 4))
"""In everybody's manifest; the first two under everybody's levers."""
JUNK = asset(CHAIN, b"\xee" * 20)
"""In nobody's manifest."""
THREAT = int(Threat.UNBACKED_SUPPLY)
OTHER_THREAT = int(Threat.CONTRACT_EXPLOIT)
INSTANCE = {"freeze": "pool:sim.freeze", "cap": "pool:sim.cap"}


JOINER = MemberName("j0")
"""Who may be let in, in seeds where members vote."""


@dataclass(frozen=True)
class Seat:
    """A member of the network: who controls it and what it reads through."""

    name: MemberName
    group: GroupName
    eyes: tuple[SourceId, ...]


@functools.lru_cache(maxsize=2048)
def peer_of(name: str) -> str:
    return f"peer-of-{name}"


@functools.lru_cache(maxsize=2048)
def member_of(peer_id: str) -> MemberName:
    return MemberName(peer_id.removeprefix("peer-of-"))


@functools.lru_cache(maxsize=512)
def cold(name: str, moved: int = 0) -> Signer:
    """`moved`: how often its owner has moved this governance key."""
    return Signer(sha256(f"cold {name} {moved}".encode() if moved else f"cold {name}".encode()))


@functools.lru_cache(maxsize=2048)
def hot(name: str, version: int = 0) -> Signer:
    return Signer(sha256(f"hot {name} {version}".encode()))


@functools.lru_cache(maxsize=2048)
def keyset(name: str, version: int = 0, network: NetworkId = NETWORK, moved: int = 0) -> bytes:
    expires_ms = START_MS + 8_000 * HOUR_MS
    body = KeySet(MemberName(name), version, hot(name, version).public, None, (peer_of(name),), expires_ms)
    return seal_keyset(network, cold(name, moved), body).raw


def seats_of(n: int, twin_seat: bool, vendors: int) -> tuple[Seat, ...]:
    """n groups; where asked for, the first has two seats. Eyes: an own node, or two of the vendors, or both;
    where there are three vendors, most read through the first of them alone."""
    names = [f"m{i}" for i in range(n)]
    seats = []
    for i, name in enumerate(names):
        own, first, second = f"{name}.node", f"vendor{i % max(vendors, 1)}", f"vendor{(i + 1) % max(vendors, 1)}"
        eyes = {0: (own,), 1: (own, first), 2: (first, second)}[i % 3 if vendors > 1 else 0]
        if vendors == 3 and i % 3:
            eyes = ("vendor0",)
        seats.append(Seat(MemberName(name), GroupName(f"g{i}"), tuple(SourceId(one) for one in sorted(eyes))))
    if twin_seat:
        seats.append(Seat(MemberName("m0b"), GroupName("g0"), (SourceId("m0b.node"),)))
    return tuple(seats)


def epoch_of(
    seats: tuple[Seat, ...], vendors: int, lease_divisor: int, suspended: frozenset[str], delay_ms: int = 0
) -> Epoch:
    """`delay_ms`: that of changes; 0 for the days of a charter that says nothing of it."""
    members = tuple(Member(seat.name, seat.group, cold(seat.name).public, seat.name in suspended) for seat in seats)
    own = [Source(SourceId(f"{seat.name}.node"), seat.name, CHAIN) for seat in seats]
    rented = [Source(SourceId(f"vendor{i}"), f"operator{i}", CHAIN) for i in range(vendors)]
    hours = {Level.WATCH: 12, Level.GUARD: 12, Level.ISOLATE: 6, Level.HALT: 1}
    delays = {"change_delay_ms": delay_ms, "loosen_delay_ms": 2 * delay_ms} if delay_ms else {}
    own += [Source(SourceId(f"{JOINER}.node"), JOINER, CHAIN)] if delay_ms else []
    return Epoch(
        NETWORK,
        0,
        EpochHash(sha256(b"epoch 0 of the simulated network")),
        START_MS - HOUR_MS,
        members,
        lease_ms={level: hour * HOUR_MS // lease_divisor for level, hour in hours.items()},
        sources=(*own, *rented),
        **delays,
    )


def declarations(expires_by: ExpiresBy) -> dict[str, LeverDeclaration]:
    closes = frozenset({"supply"})
    freeze = LeverDeclaration(
        "sim.freeze", Level.ISOLATE, closes, False, True, expires_by, 6 * HOUR_MS, 0, "freezes the pool"
    )
    return {"freeze": freeze, "cap": replace(freeze, call="sim.cap", rung=Level.GUARD, says="caps the pool")}


def policy_of(mode: Mode, lease_ms: int, own_rule: bool, expires_by: ExpiresBy) -> Policy:
    """Caps on GUARD, freezes on ISOLATE; some act on their own evidence alone."""
    uses = {
        name: LeverUse(name, "pool", one.call, one.closes, expires_by, lease_ms, 0, accept_overdue=True)
        for name, one in declarations(expires_by).items()
    }
    rules = [
        Rule("guarded", "coins", "", Level.GUARD, OwnWord.ANY, ("cap",), lease_ms),
        Rule("isolated", "coins", "", Level.ISOLATE, OwnWord.ANY, ("freeze",), lease_ms),
    ]
    if own_rule:
        rules.append(Rule("seen", "coins", "", Level.NONE, OwnWord.VERIFIED, ("freeze",), lease_ms))
    exposures = {"pool": Exposure("pool", "coins", "sim.read", HOUR_MS, ())}
    return Policy(mode, {"coins": SUBJECTS[:2]}, exposures, uses, tuple(rules), Limits())


@functools.lru_cache(maxsize=4096)
def claim(number: int) -> ClaimBlob:
    return claim_of(SupplyAboveBacking(CHAIN, b"e" * 20, "eip155:10", b"t" * 20, number + 1))


def subject_of_claim(number: int) -> Subject:
    return SUBJECTS[number % len(SUBJECTS)]

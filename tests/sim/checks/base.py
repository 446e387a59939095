"""Who asks the invariants and keeps what they say."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from node.effects import RunStep
from node.events import Event, FrameArrived
from node.machine import Decision
from node.records import (
    ActionOpened,
    ActionRenewed,
    CertificateAccepted,
    ClaimRuled,
    EntryAccepted,
    EpochCertified,
    EpochEntered,
    EquivocationProven,
    FalseStatement,
    KeySetLearned,
    Record,
)
from protocol.envelope import SealedKeySet, Verified, keyset_owner
from protocol.evidence import Ruling
from protocol.feed import Ballot
from protocol.frames import Entries, pack_frame
from protocol.ids import MemberName
from protocol.quorum import CheckedCertificate, check_certificate, parse_certificate
from tests.sim.checks import chain
from tests.sim.shell import Process
from tests.sim.world import Watcher, World

VIOLATIONS_MAX = 20
ENTRIES_MARK = pack_frame(Entries((b"any",)))[:2]
"""How a frame of entries begins."""
OF_GOOD_CLOCKS = ("lever", "opened", "own", "tick")
OF_ANY_CLOCK = ("S4", "A1", "S12")
"""A clock beyond its bound makes a member one of the f: of what it says and moves then only this is asked."""


@dataclass(frozen=True)
class Violation:
    invariant: str
    at_ms: int
    who: str
    what: str

    def __str__(self) -> str:
        return f"{self.invariant} at {self.at_ms - 1_790_000_000_000} ms, {self.who}: {self.what}"


@dataclass
class Seen:
    """What checks remember of a run, gathered by the checker; none of it comes from a node's own state."""

    said: dict[tuple[str, int, int], bytes] = field(default_factory=dict)
    """(author, key version, seq) → hash of the entry that left, of nodes of ours."""
    voted: dict[tuple[str, Ballot], bytes] = field(default_factory=dict)
    """(author, place in the rounds) → the value that left, of nodes of ours."""
    accepted: dict[str, set[bytes]] = field(default_factory=dict)
    """Node → digests of the certificates that it ever accepted."""
    later: frozenset[bytes] = frozenset()
    """Entries that the decision at hand took after the record that is asked about."""
    margins: dict[str, int] = field(default_factory=dict)
    first_found_ms: dict[tuple[str, str, bytes], int] = field(default_factory=dict)
    """(node, claim type, claim id) → when its own verifier or sensor first supported it."""
    books: Any = None
    """Of ballots and votes (see `voting`)."""
    running: dict[str, tuple[int, dict[bytes, int]]] = field(default_factory=dict)
    """Node → its life, and the certificates it held after its last decision: id → end. In seeds with votes."""
    keysets: dict[tuple[str, str, int], SealedKeySet] = field(default_factory=dict)
    """(node, member, version) → as the node itself opened it."""
    entering: bool = False
    """The decision at hand enters an epoch: what it took before that it took in the one before."""


class Checker(Watcher):
    """`on`: invariants by what can break them (see `table`)."""

    def __init__(self, on: dict[str, tuple[tuple[str, Callable[..., str]], ...]] | None = None) -> None:
        from tests.sim.checks.table import ON

        self.on = on or ON
        self.seen = Seen()
        self.violations: list[Violation] = []

    def ask(self, what: str, world: World, process: Process | None, *args: Any) -> None:
        misset = world.misset and process is not None and process.name in world.misset and what in OF_GOOD_CLOCKS
        for name, invariant in self.on.get(what, ()):
            if misset and not name.startswith(OF_ANY_CLOCK):
                continue
            self.tell(name, world, process, invariant(self.seen, world, process, *args))

    def tell(self, name: str, world: World, process: Process | None, said: str) -> None:
        if said and len(self.violations) < VIOLATIONS_MAX:
            who = process.name if process is not None else "world"
            self.violations.append(Violation(name, world.time.now_ms, who, said))
            world.note(who, f"VIOLATION of {name}: {said}")

    def decided(self, world: World, process: Process, event: Event | None, decision: Decision) -> None:
        chain.follow(self, world, process, decision.records)
        self.seen.entering = any(isinstance(one, EpochEntered) for one in decision.records)
        for at, record in enumerate(decision.records):
            kind = type(record)
            if kind is KeySetLearned:
                self._learned(process, record)
            elif kind is CertificateAccepted:
                after = decision.records[at + 1 :]
                self.seen.later = frozenset(one.raw for one in after if isinstance(one, EntryAccepted))
                held = held_of(self.seen, world, process, record)
                self.seen.accepted.setdefault(process.name, set()).add(held.digest)
                self.ask("certificate", world, process, held)
            elif kind is ActionOpened:
                self.ask("opened", world, process, record)
            elif kind is EquivocationProven:
                self.ask("proven", world, process, record)
            elif kind is FalseStatement:
                self.ask("false", world, process, record)
            elif kind is EntryAccepted:
                self.ask("entry", world, process, record)
            elif kind is EpochCertified:
                self.ask("epoch", world, process, record)
            elif kind is ActionRenewed:
                self.ask("renewed", world, process, record)
            elif kind is ClaimRuled and record.ruling == Ruling.SUPPORTS.value:
                found = (process.name, record.claim.type, record.claim.id)
                self.seen.first_found_ms.setdefault(found, world.time.now_ms)
        self._after(world, process, event, decision)
        if world.people is not None:
            if self.seen.entering:
                self.ask("entered", world, process)
            held = {id_: one.ends_ms for id_, one in process.state.certificates.items()}
            self.seen.running[process.name] = (process.life, held)

    def _learned(self, process: Process, record: KeySetLearned) -> None:
        for version, sealed in process.state.keysets.get(keyset_owner(record.raw), {}).items():
            self.seen.keysets[process.name, sealed.keyset.member, version] = sealed

    def _after(self, world: World, process: Process, event: Event | None, decision: Decision) -> None:
        """What the whole decision can have broken, by what it was told and what it wrote down."""
        kinds = set(map(type, decision.records))
        if CertificateAccepted in kinds:
            self.ask("certified", world, process, decision)
        if isinstance(event, FrameArrived):
            taken = [record.raw for record in decision.records if isinstance(record, EntryAccepted)]
            if taken:
                self.ask("taken", world, process, taken)
            if event.raw[:2] == ENTRIES_MARK:
                self.ask("told", world, process, event, taken)

    def released(self, world: World, process: Process, own: Sequence[Verified[Any]], records: Sequence[Record]) -> None:
        if own:
            self.ask("own", world, process, own)

    def stepped(self, world: World, process: Process, effect: RunStep) -> None:
        self.ask("lever", world, process, effect)


def held_of(seen: Seen, world: World, process: Process, record: CertificateAccepted) -> CheckedCertificate:
    """By the epoch that it names where anybody is in it; else by the node's own, which takes no other. The epoch after
    it may have begun in the same step, and have taken a moved governance key's KeySets with it."""
    certificate = parse_certificate(record.raw)
    epoch = world.epochs.get(certificate.epoch, process.state.epoch)

    def known(member: MemberName, version: int) -> SealedKeySet | None:
        return process.state.keyset(member, version) or seen.keysets.get((process.name, member, version))

    return check_certificate(certificate, record.raw, epoch, known)

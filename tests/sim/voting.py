"""Members decide: what people propose, how they vote, through whose nodes, and what happens to nodes meanwhile.

People here keep their own books (`Told`): checks ask them, and no node, who voted for what.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from governance.ballots import Ballot, Vote
from governance.ballots import cast as seal_ballot
from governance.proposals import (
    KIND_OF,
    Admit,
    Change,
    Proposal,
    Regroup,
    Reinstate,
    Rekey,
    Remove,
    Retune,
    SealedProposal,
    Suspend,
    consent,
    seal_proposal,
)
from node.events import Publish
from node.machine import Decision
from node.records import EpochEntered, Record, VoteLocked
from protocol.crypto import Signer
from protocol.ids import GroupName, MemberName
from protocol.membership import Epoch
from protocol.messages import Level
from tests.sim import cast
from tests.sim.options import Options
from tests.sim.plot import Deed
from tests.sim.shell import DEATHS

if TYPE_CHECKING:
    from tests.sim.shell import Process
    from tests.sim.world import World

KINDS = ("propose", "dies_voting", "cut_voting")
CHANGES = ("admit", "remove", "suspend", "reinstate", "parameters", "regroup", "rekey", "rekey_lost")
RULES = ("all", "all", "split", "late", "changed")
AGAIN_MS = 700
OPEN_MS = (9_000, 60_000, 600_000)


def kinds_of(options: Options) -> list[str]:
    faults = {"propose": "votes", "dies_voting": "vote_crash", "cut_voting": "vote_partition"}
    return [kind for kind, fault in faults.items() if fault in options.faults]


def draw(chance: random.Random, options: Options) -> list[Deed]:
    """After all others, so that those keep their numbers. Trouble comes about when what passed is to be ordered."""
    if "votes" not in options.faults:
        return []
    deeds = []
    for number in range(chance.randint(1, 3)):
        at_ms = chance.randrange(800, max(900, options.span_ms // 2))
        word = f"{chance.choice(CHANGES)} {chance.choice(RULES)}"
        deeds.append(Deed(at_ms, "propose", chance.randrange(64), 100 + number, word))
        due_ms = at_ms + options.change_delay_ms + chance.randrange(50, 1_500)
        deeds.append(Deed(at_ms + 50, "dies_voting", chance.randrange(64), 200 + number, chance.choice(DEATHS)))
        deeds.append(Deed(due_ms, "cut_voting", chance.randrange(64), 300 + number, chance.choice(("half", "one"))))
    kinds = kinds_of(options)
    return [deed for deed in deeds if deed.kind in kinds]


def play(world: World, deed: Deed) -> None:
    people = world.people
    if people is None:
        return
    process = world.honest()[deed.who % len(world.honest())]
    if deed.kind == "propose":
        people.propose(deed, process)
    elif deed.kind == "dies_voting":
        people.deadly[process.name] = deed.word
    else:
        _cut(world, deed)


def _cut(world: World, deed: Deed) -> None:
    names = list(world.network.names)
    random.Random(deed.who).shuffle(names)
    side = names[: len(names) // 2 if deed.word == "half" else 1]
    pairs = [(a, b) for a in side for b in names if b not in side]
    both = [*pairs, *((b, a) for a, b in pairs)]
    world.network.cut(both)
    world.history.told["vote_partition"] += 1
    world.note("world", f"cut while votes run: {'|'.join(sorted(side))} from the others")
    world.time.after(2_000 + deed.who * 150, world.network.heal, both)


@dataclass
class Told:
    """A proposal as people made it, and what honest people said to it: member → its ballots in order."""

    sealed: SealedProposal
    parent: Epoch
    ballots: dict[str, list[tuple[bytes, bool]]] = field(default_factory=dict)
    keyset: bytes = b""
    """Of who joins, or under the new key."""

    @property
    def proposal(self) -> Proposal:
        return self.sealed.proposal


BACK_MS = 3_000
"""After a start: connected, its heads shown, its words everywhere."""
CAUGHT_UP_MS = 6_000


class People:
    """Owners of governance keys, and what they know of each other's proposals: they talk."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.chance = world.time.chance("people who vote")
        self.told: dict[bytes, Told] = {}
        self.deadly: dict[str, str] = {}
        """Node → at which step of the commit with its next vote it dies."""
        self.moves: set[str] = set()
        """Whose governance key is to move."""
        self.moved: set[str] = set()
        self.shrinks = False
        self.entered: set[bytes] = set()
        self.owners_busy_until_ms = 0
        """True time: an owner stops its node, takes a fresh key, and it comes back; a joiner catches up."""
        self.seated: set[str] = set()

    # keys
    def key_of(self, epoch: Epoch, name: str) -> Signer:
        """The governance key that is in force in this epoch."""
        wanted = epoch.by_name[MemberName(name)].governance_key
        return next(one for one in (cast.cold(name, at) for at in range(8)) if one.public == wanted)

    def keyset(self, name: str, version: int) -> bytes:
        """Under the key in force, as its owner delegates it."""
        seat = self.world.epoch.by_name.get(MemberName(name))
        moved = next((at for at in range(8) if seat and cast.cold(name, at).public == seat.governance_key), 0)
        return cast.keyset(name, version, moved=moved)

    # proposing
    def propose(self, deed: Deed, process: Process) -> None:
        what, rule = deed.word.split()
        epoch = self.world.epoch_of(process)
        if not process.up or process.name not in epoch.by_name:
            return
        found = self._change(what, deed.who, epoch, process)
        if found is None:
            return
        change, signers, note = found
        opened_ms = max(process.clock().wall_ms, epoch.activates_ms)
        closes_ms = opened_ms + OPEN_MS[deed.who % 3]
        consents = tuple(consent(epoch.network, one, epoch.hash, change) for one in signers)
        made = Proposal(epoch.hash, process.name, opened_ms, closes_ms, KIND_OF[type(change)], change, note, consents)
        sealed = seal_proposal(epoch.network, self.key_of(epoch, process.name), made)
        told = self.told[sealed.hash] = Told(sealed, epoch)
        self.world.history.told["votes"] += 1
        self._publish(process, sealed.raw, f"proposes to {what}: {change}")
        if isinstance(change, Admit):
            told.keyset = cast.keyset(cast.JOINER)
            self._prepare_joiner(process, epoch, deed)
        if isinstance(change, Rekey):
            told.keyset = cast.keyset(change.member, self.world.processes[change.member].setup.key_version + 1, moved=1)
            self.world.time.after(60, self._publish, process, told.keyset, "a KeySet under the new governance key")
        for at, name in enumerate(self._voters(epoch)):
            self._votes(told, name, rule, at)

    def _voters(self, epoch: Epoch) -> list[str]:
        return [one.name for one in epoch.members if one.name in self.world.processes]

    def _change(
        self, what: str, who: int, epoch: Epoch, process: Process
    ) -> tuple[Change, tuple[Signer, ...], str] | None:
        """What is proposed, whose consents it takes, a note. None where it makes no sense in this world."""
        seated = [one.name for one in epoch.members]
        other = MemberName(seated[who % len(seated)])
        if what == "admit" and cast.JOINER not in seated:
            group = GroupName("g-joiner") if who % 3 else epoch.group_of(process.name)
            key = cast.cold(cast.JOINER)
            return Admit(cast.JOINER, group, key.public), (key,), "a new member"
        if what == "remove":
            return self._removal(who, epoch)
        if what == "regroup":
            return self._regrouping(epoch)
        if what == "suspend" and not epoch.by_name[other].suspended:
            return Suspend(other), (), "silent"
        if what == "reinstate":
            suspended = [one for one in epoch.members if one.suspended and one.proven < 0]
            if suspended:
                return Reinstate(suspended[who % len(suspended)].name), (), "it is well again"
        if what == "parameters":
            leases = {"lease_isolate_ms": epoch.lease_ms[Level.ISOLATE] * 3 // 4}
            longer = {"lease_guard_ms": min(epoch.lease_ms[Level.GUARD] * 5 // 4, 12 * cast.HOUR_MS)}
            drawn: tuple[dict[str, Any], ...] = ({"halt": "n"}, leases, longer, {"change_delay_ms": 800})
            return Retune(**drawn[who % 4]), (), "tuned"
        if what in ("rekey", "rekey_lost") and process.name not in self.moves:
            self.moves.add(process.name)
            new, old = cast.cold(process.name, 1), self.key_of(epoch, process.name)
            signers = (new, old) if what == "rekey" else (new,)
            return Rekey(process.name, new.public), signers, "moved"
        return None

    def _removal(self, who: int, epoch: Epoch) -> tuple[Change, tuple[Signer, ...], str] | None:
        """A liar, or an honest one where the others still outnumber the faulty; once in a seed."""
        world, faulty = (
            self.world,
            {epoch.group_of(MemberName(one)) for one in self.world.untrusted if self._seated(one)},
        )
        liars = [name for name in world.liar_names if self._seated(name)]
        if self.shrinks or epoch.n < 4:
            return None
        if liars:
            self.shrinks = True
            return Remove(MemberName(liars[who % len(liars)])), (), "it lies"
        if len(faulty) <= (epoch.n - 2) // 3:
            self.shrinks = True
            return Remove(world.honest()[who % len(world.honest())].name), (), "it leaves"
        return None

    def _seated(self, name: str) -> bool:
        return MemberName(name) in self.world.epoch.by_name

    def _regrouping(self, epoch: Epoch) -> tuple[Change, tuple[Signer, ...], str] | None:
        """Two seats of one owner part, or two honest groups turn out to be one."""
        twin = MemberName("m0b")
        if twin in epoch.by_name:
            return Regroup((twin,), GroupName("g-twin")), (), "sold"
        faulty = {epoch.group_of(MemberName(one)) for one in self.world.untrusted if self._seated(one)}
        if self.shrinks or epoch.n < 5 or len(faulty) > (epoch.n - 2) // 3:
            return None
        self.shrinks = True
        return Regroup((MemberName("m1"),), GroupName("g0")), (), "one owner"

    def _prepare_joiner(self, process: Process, epoch: Epoch, deed: Deed) -> None:
        """Its KeySet goes ahead; it comes up early, or once it is let in."""
        keyset = cast.keyset(cast.JOINER)
        if deed.who % 4:
            self.world.time.after(50, self._publish, process, keyset, "the joiner's KeySet")
        if deed.who % 2:
            self.world.time.after(500, self.world.arrives, cast.JOINER, epoch, keyset)

    # voting
    def _votes(self, told: Told, name: str, rule: str, at: int) -> None:
        chance = self.chance
        yes = rule != "split" or at % 2 == 0
        first_ms = chance.randrange(1_000, 6_000) if rule == "late" else chance.randrange(50, 600)
        self.world.time.after(first_ms, self._casts, told, name, yes)
        if rule == "changed" and chance.random() < 0.5:
            self.world.time.after(first_ms + chance.randrange(100, 1_500), self._casts, told, name, not yes)

    def _casts(self, told: Told, name: str, yes: bool) -> None:
        """Sealed with the key of the epoch in which its own node is, said through it or through another's."""
        process = self.world.processes[name]
        epoch = self.world.epoch_of(process)
        if name not in epoch.by_name:
            return
        ballots = told.ballots.setdefault(name, [])
        ballot = Ballot(told.sealed.hash, MemberName(name), len(ballots), Vote(yes), process.clock().wall_ms)
        raw = seal_ballot(epoch.network, self.key_of(epoch, name), ballot).raw
        ballots.append((raw, yes))
        honest = self.world.honest()
        through = process if self.chance.random() < 0.7 else honest[self.chance.randrange(len(honest))]
        self._publish(through, raw, f"ballot of {name}: {'yes' if yes else 'no'}")

    def _publish(self, process: Process, raw: bytes, words: str) -> None:
        self.world.ask(process, Publish(raw), words)

    def say_again(self) -> None:
        """Everybody looks whether its statements are there, and has them said once more: the same bytes."""
        honest = self.world.honest()
        for told in self.told.values():
            author = self.world.processes[told.proposal.author]
            teller = author if author in honest else honest[0]
            self._say(teller, told.sealed.raw, "looks whether its proposal is there")
            if told.keyset:
                self.world.time.after(100, self._say, teller, told.keyset, "the KeySet again")
            for name, ballots in told.ballots.items():
                process = self.world.processes[name]
                for raw, _ in ballots:
                    self.world.time.after(200, self._say, process if process in honest else teller, raw, "again")

    def _say(self, process: Process, raw: bytes, words: str) -> None:
        """A node that is down or must not speak says so: then through another's."""
        able = (one for one in (process, *self.world.honest()) if one.up and not one.state.may_sign())
        self._publish(next(able, process), raw, words)

    # what people see on their nodes
    def decided(self, process: Process, decision: Decision) -> None:
        if any(isinstance(record, VoteLocked) for record in decision.records):
            at = self.deadly.pop(process.name, "")
            if at and process.up and not self.world.network.calm:
                process.dies_at = at
                self.world.history.told["vote_crash"] += 1
                self.world.time.after(1_500 + self.chance.randrange(4_000), self._again, process)

    def released(self, process: Process, records: Sequence[Record]) -> None:
        """What is durable: what a node only decided and died of nobody has seen."""
        if any(isinstance(record, EpochEntered) for record in records):
            self._follow(process)

    def _again(self, process: Process) -> None:
        process.dies_at = ""
        self.world.bring_up(process)

    def _follow(self, process: Process) -> None:
        """A joiner comes up once it hears that it was let in; who moved its key takes a fresh attestation key."""
        epoch = process.state.epoch
        if epoch.hash in self.entered:
            return
        self.entered.add(epoch.hash)
        self.world.note(process.name, f"is the first in epoch {epoch.number}: {sorted(epoch.by_name)}")
        if cast.JOINER in epoch.by_name:
            if cast.JOINER not in self.seated:
                self.owners_busy_until_ms = self.world.time.now_ms + 400 + CAUGHT_UP_MS
            self.seated.add(cast.JOINER)
            told = self.world.epochs.get(epoch.parent, epoch) if epoch.parent else epoch
            self.world.time.after(400, self.world.arrives, cast.JOINER, told, cast.keyset(cast.JOINER))
        for name in sorted(self.moves - self.moved):
            seat = epoch.by_name.get(MemberName(name))
            if seat is not None and seat.governance_key == cast.cold(name, 1).public:
                self.moved.add(name)
                self.owners_busy_until_ms = self.world.time.now_ms + 600 + 400 + BACK_MS
                self.world.time.after(600, self._takes_fresh_key, self.world.processes[name])

    def _takes_fresh_key(self, process: Process) -> None:
        process.die("is stopped; its owner takes a fresh key under the new governance key")
        process.rekey()
        self.world.extra_keysets.append(self.keyset(process.name, process.setup.key_version))
        self.world.time.after(400, self.world.bring_up, process)

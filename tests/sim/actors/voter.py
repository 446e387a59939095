"""Lies where members decide: `Orderer` in the rounds, with its hot key; `Stuffer` in what is proposed and voted, with
its cold one."""

from __future__ import annotations

from typing import Any

from tests.sim.actors import pen as ink
from tests.sim.actors.liar import Liar

KEPT_MAX = 24
FAR_MS = 30_000_000_000
HOUR_MS = 3_600_000


class Governor(Liar):
    """Listens to statements, votes and certificates, and keeps the last of each."""

    def __init__(self, world: Any, name: str) -> None:
        super().__init__(world, name)
        self.proposals: list[bytes] = []
        """Hashes."""
        self.raws: list[bytes] = []
        """Sealed statements of others."""
        self.values: list[bytes] = []
        self.votes: list[tuple[int, dict[int, Any], bytes]] = []
        """(kind, body, sealed)"""
        self.certificates: list[bytes] = []

    def hear(self, sender: str, kind: int, raw: bytes) -> None:
        if kind == ink.ENTRIES:
            for sealed in ink.fields_of(raw)[1]:
                self._note(sealed, ink.payload_of(sealed))
        elif raw[:2] == ink.cbor([ink.EPOCHS, {}])[:2]:
            self._keep(self.certificates, ink.fields_of(raw)[1][-1])

    def _note(self, sealed: bytes, told: dict[int, Any]) -> None:
        if told[6] == ink.STATEMENT:
            self._keep(self.raws, told[7][1])
            payload = ink.read(ink.read(told[7][1])[2])
            if payload.get(1) == ink.PROPOSAL_TYPE:
                signed = ink.cbor(
                    [
                        "Signature1",
                        ink.HEADER,
                        ink.cbor(["tocsin/1/proposal", self.pen.network]),
                        ink.read(told[7][1])[2],
                    ]
                )
                self._keep(self.proposals, ink.sha(signed))
        elif told[6] in (ink.PROPOSE, ink.PREPARE, ink.COMMIT):
            if told[6] == ink.PROPOSE:
                self._keep(self.values, told[7][3])
            self._keep(self.votes, (told[6], told[7], sealed))
            self.answers(told[6], told[7])

    def _keep(self, kept: list[Any], one: Any) -> None:
        if one not in kept:
            kept.append(one)
            del kept[:-KEPT_MAX]

    def answers(self, kind: int, body: dict[int, Any]) -> None: ...

    def both(self, kind: int, one: dict[int, Any], other: dict[int, Any]) -> None:
        """One word to half of the members, another to the rest: two links of one feed, or two of one seq."""
        left, right = self.halves()
        first = self.pen.say(kind, one, self.now_ms)
        forks = self.chance.random() < 0.15
        second = (self.pen.other if forks else self.pen.say)(kind, other, self.now_ms)
        self.tell(ink.entries(first), left)
        self.tell(ink.entries(second), right)


class Orderer(Governor):
    """Answers votes with what fits nothing: two ways, unasked, of later rounds, with a round that prepared nothing."""

    script = "orders_falsely"
    beat_ms = 700
    leaves = False
    """Its vote was for a lock of others, and is to be gone: it votes no more."""

    def answers(self, kind: int, body: dict[int, Any]) -> None:
        if self.leaves:
            return
        if kind == ink.PROPOSE and self.chance.random() < (0.5 if self.world.network.blocked else 0.02):
            self.votes_and_leaves_its_key(body)
            return
        if self.chance.random() < 0.25:
            act = self.chance.choice((self.two_ways, self.repeats, self.false_valid_round, self.in_later_rounds))
            act(body[1], body[2])

    def act(self) -> None:
        if self.votes and not self.leaves and self.chance.random() < 0.6:
            _, body, _ = self.chance.choice(self.votes)
            self.chance.choice((self.two_ways, self.own_value, self.in_later_rounds))(body[1], body[2])
        else:
            self.chance.choice((self.old_certificates, self.forged_certificate))()

    def _named(self) -> bytes:
        """Something that was proposed, nothing, or what nobody knows."""
        known = [ink.value_hash(one) for one in self.values]
        return self.chance.choice([*known, ink.ZERO, self.chance.randbytes(32)])

    def two_ways(self, epoch: bytes, round_: int) -> None:
        kind = self.chance.choice((ink.PREPARE, ink.COMMIT))
        self.both(kind, ink.vote(epoch, round_, self._named()), ink.vote(epoch, round_, self._named()))
        self.did("votes two ways", f"votes two ways in round {round_}")

    def votes_and_leaves_its_key(self, body: dict[int, Any]) -> None:
        """Prepares what is proposed, best while somebody honest is away, and replaces its key once others are locked by
        that: its vote counts no more."""
        self.leaves = True
        self.say(ink.PREPARE, ink.vote(body[1], body[2], ink.value_hash(body[3])))
        self.later(self.chance.choice((100, 300, 1_000)), self._leaves_its_key)
        self.did("votes and leaves its key", f"prepares in round {body[2]}, and will replace its key")

    def _leaves_its_key(self) -> None:
        version = self.pen.version + 1
        raw = ink.keyset(self.name, version, self.pen.network, self.now_ms + FAR_MS, [f"peer-of-{self.name}"])
        self.pen = ink.Pen(self.name, self.pen.network, version)
        self.tell(ink.listed(ink.KEYSETS, [raw]))

    def repeats(self, epoch: bytes, round_: int) -> None:
        """Prepares and commits at once, whatever the others do: no lock, no quorum."""
        named = self._named()
        self.say(ink.PREPARE, ink.vote(epoch, round_, named))
        self.say(ink.COMMIT, ink.vote(epoch, round_, named))
        self.did("commits unasked", f"commits in round {round_} without any quorum")

    def false_valid_round(self, epoch: bytes, round_: int) -> None:
        value = self._value()
        since = self.chance.choice((0, max(0, round_ - 1), round_, round_ + 3))
        self.say(ink.PROPOSE, ink.propose(epoch, round_ + self.chance.randrange(3), value, since))
        self.did("false valid round", f"proposes for round {round_} what was never prepared in round {since}")

    def in_later_rounds(self, epoch: bytes, round_: int) -> None:
        later = round_ + self.chance.choice((1, 2, 9, 600, 1 << 40))
        self.say(self.chance.choice((ink.PREPARE, ink.COMMIT)), ink.vote(epoch, later, self._named()))
        self.did("votes in later rounds", f"votes in round {later}, the others are in {round_}")

    def own_value(self, epoch: bytes, round_: int) -> None:
        """A value of its own to one half, another's to the others."""
        one, other = (ink.propose(epoch, round_ + self.chance.randrange(2), self._value()) for _ in range(2))
        self.both(ink.PROPOSE, one, other)
        self.did("proposes values", "a value of its own to some, another to the others")

    def _value(self) -> bytes:
        if self.values and self.chance.random() < 0.5:
            return self.chance.choice(self.values)
        many = min(len(self.proposals), self.chance.randrange(3))
        chosen = self.chance.sample(self.proposals, many) or [self.chance.randbytes(32)]
        ahead_ms = self.chance.choice((0, 0, 40_000, HOUR_MS))
        victims = [(self.chance.choice(self.peers() or [self.name]), 0)] if self.chance.random() < 0.2 else []
        number = self.world.epoch.number + 1
        return ink.value(self.epoch, number, chosen, self.now_ms + ahead_ms, victims)

    def old_certificates(self) -> None:
        if self.certificates:
            self.tell(ink.listed(ink.EPOCHS, [self.chance.choice(self.certificates)]), self.one(), sync=True)
            self.did("old certificates", "shows an epoch certificate again")

    def forged_certificate(self) -> None:
        """Real ballots and real Commits where it has any, for a value of its own; the rest sealed by itself."""
        raw = self._value()
        body = ink.vote(self.epoch, 0, ink.value_hash(raw))
        own = self.pen.seal(ink.COMMIT, body, self.now_ms, self.pen.seq + 1, self.pen.head)[0]
        commits = [own, *(sealed for kind, _, sealed in self.votes if kind == ink.COMMIT)]
        keyset = ink.keyset(self.name, self.pen.version, self.pen.network, self.now_ms + HOUR_MS, ["peer-of-nobody"])
        ballots = [one for one in self.raws if ink.read(ink.read(one)[2]).get(1) == ink.BALLOT_TYPE]
        changes = [one for one in self.raws if ink.read(ink.read(one)[2]).get(1) == ink.PROPOSAL_TYPE]
        made = ink.epoch_certificate(raw, changes[:1], ballots, commits, [keyset])
        self.tell(ink.listed(ink.EPOCHS, [made]), self.one(), sync=True)
        self.did("forged certificate", "forges an epoch certificate")


class Stuffer(Governor):
    """Ballots that contradict, of others, under keys that left; proposals that cannot be."""

    script = "stuffs_ballots"
    beat_ms = 600

    def act(self) -> None:
        acts = [self.junk, self.impossible, self.of_another, self.plausible]
        if self.proposals:
            acts += [self.contradicts, self.contradicts, self.many, self.for_others, self.late]
        self.chance.choice(acts)()

    def answers(self, kind: int, body: dict[int, Any]) -> None:
        if self.chance.random() < 0.05:
            self.say(kind, body if kind == ink.PROPOSE else ink.vote(body[1], body[2], ink.ZERO))
            self.did("votes for nothing", "prepares and commits nothing")

    def _states(self, raw: bytes, to: list[str] | None = None) -> None:
        self.say(ink.STATEMENT, {1: raw}, to)

    def _proposal(self, kind: int, change: Any, **other: Any) -> tuple[bytes, bytes]:
        closes_ms = self.now_ms + other.pop("open_ms", HOUR_MS)
        return ink.proposal(self.name, self.pen.network, self.epoch, self.now_ms, closes_ms, kind, change, **other)

    def junk(self) -> None:
        """Sealed, and no statement."""
        body = self.chance.choice(({6: 99}, {7: {1: 7}}, {4: -1}, {9: "all"}, {2: b"short"}, {1: 9}))
        self._states(self._proposal(ink.REMOVE, {1: self.name}, body=body)[0])
        self._states(self.chance.randbytes(self.chance.randrange(1, 200)))
        self.did("junk statements", "statements that are none")

    def impossible(self) -> None:
        kind, change = self.chance.choice(
            (
                (ink.PARAMETERS, {2: "f + 1"}),
                (ink.PARAMETERS, {1: "1"}),
                (ink.PARAMETERS, {4: 1 << 60}),
                (ink.REMOVE, {1: "nobody"}),
                (ink.REGROUP, {1: [self.name] * 2, 2: "g0"}),
                (ink.ADMIT, {1: "ghost", 2: "ghosts", 3: bytes(32)}),
                (ink.REKEY, {1: self.name, 2: bytes(ink.key_of("thief").verify_key)}),
            )
        )
        raw, named = self._proposal(kind, change, open_ms=self.chance.choice((HOUR_MS, 90 * 24 * HOUR_MS, -1_000)))
        self._states(raw)
        self._states(ink.ballot(self.name, self.pen.network, named, 0, 1, self.now_ms))
        self.did("impossible proposals", "proposes what no rule allows")

    def of_another(self) -> None:
        """In an honest member's name, under its own key."""
        victim = self.chance.choice(self.peers() or [self.name])
        body = {3: victim}
        self._states(self._proposal(ink.SUSPEND, {1: victim}, body=body)[0])
        self.did("in another's name", f"proposes in the name of {victim}")

    def plausible(self) -> None:
        """To remove an honest member, with as many yes as it has keys for."""
        victim = self.chance.choice(self.peers() or [self.name])
        raw, named = self._proposal(ink.REMOVE, {1: victim})
        self._states(raw)
        for name in self.world.liar_names:
            self._states(ink.ballot(name, self.pen.network, named, 0, 1, self.now_ms))
        self.did("removes the honest", f"proposes to remove {victim}, with all liars' votes")

    def contradicts(self) -> None:
        """Yes to half of the members and no to the others, under one number."""
        named, number = self.chance.choice(self.proposals), self.chance.randrange(3)
        one, other = (
            {1: ink.ballot(self.name, self.pen.network, named, number, yes, self.now_ms + yes)} for yes in (0, 1)
        )
        self.both(ink.STATEMENT, one, other)
        self.did("contradicts itself", "a ballot of yes to some, of no to the others, with one number")

    def many(self) -> None:
        named = self.chance.choice(self.proposals)
        for number in range(self.chance.randrange(2, 17)):
            raw = ink.ballot(self.name, self.pen.network, named, number, number % 2, self.now_ms, "x" * number)
            self._states(raw)
        self.did("many ballots", "changes its mind as often as it may")

    def for_others(self) -> None:
        """In the names of honest members under its own key, and of who has no seat, under that one's own."""
        named = self.chance.choice(self.proposals)
        for victim in [*self.peers()[:3], "j0", "nobody"]:
            key = self.name if victim in self.peers() else ""
            self._states(ink.ballot(victim, self.pen.network, named, 0, 1, self.now_ms, key=key))
        left = [name for name in self.world.liar_names if name not in {str(one) for one in self.world.epoch.by_name}]
        for name in left:
            self._states(ink.ballot(name, self.pen.network, named, self.chance.randrange(16), 1, self.now_ms))
        self.did("ballots of others", "votes in the names of others and of who has no seat")

    def late(self) -> None:
        """Dated long ago or far ahead."""
        named, off_ms = self.chance.choice(self.proposals), self.chance.choice((-HOUR_MS, HOUR_MS, 40 * 24 * HOUR_MS))
        number = self.chance.randrange(16)
        self._states(ink.ballot(self.name, self.pen.network, named, number, 1, self.now_ms + off_ms))
        self.did("dated ballots", "ballots of long ago and of days ahead")

"""Any history at all: words, gaps, forks, releases and time in any order. The core, and a whole node, are held after
every step to a naive model of the specification (`core_model`)."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from protocol.alarm import Opinion, weigh
from protocol.envelope import Verified
from protocol.feed import Feed, is_equivocation, is_later
from protocol.ids import ZERO_HASH, EntryHash, MemberName
from protocol.membership import COUNTED, Epoch
from protocol.messages import Attestation, Basis, Level, Release, Threat
from protocol.quorum import assemble, check_certificate, pack_certificate, parse_certificate
from protocol.release import Releases
from tests.property.core_model import Chain, Model, Releasing, Rules, Said, Seat
from tests.unit.protocol import world as stage

THREATS = frozenset(int(threat) for threat in Threat)


def rules_of(epoch: Epoch) -> Rules:
    """Thresholds counted by hand: max(2, f + 1), n − f, n − f."""
    n = len({member.group for member in epoch.members})
    f = (n - 1) // 3
    hour = 3_600_000
    return Rules(
        seats=tuple(Seat(one.name, one.group, one.suspended) for one in epoch.members),
        thresholds={2: max(2, f + 1), 3: n - f, 4: n - f},
        sources={one.id: (one.operator, one.scope) for one in epoch.sources},
        lease_ms={0: 12 * hour, 1: 12 * hour, 2: 12 * hour, 3: 6 * hour, 4: hour},
        network_epoch=epoch.hash,
    )


def said_of(word: Verified[Attestation]) -> Said:
    body = word.body
    return Said(
        author=word.entry.author,
        id=(word.entry.key_version, word.entry.seq),
        hash=word.hash,
        epoch=body.epoch,
        level=int(body.level),
        basis=int(body.basis),
        sources=tuple(body.sources),
        claims=frozenset((claim.type, claim.id) for claim in body.claims),
        issued_ms=word.entry.issued_ms,
        since_ms=body.since_ms,
        expires_ms=body.expires_ms,
        known_threat=body.threat in THREATS,
    )


def learn(model: Model, word: Verified[Any]) -> None:
    if isinstance(word.body, Attestation):
        model.said.append(said_of(word))
    elif isinstance(word.body, Release):
        names = frozenset((claim.type, claim.id) for claim in word.body.claims)
        model.released.append(Releasing(word.entry.author, word.body.through_ms, names))


@dataclass
class Mind:
    """What a node keeps of the words it was told, and nothing else of it."""

    epoch: Epoch
    feeds: dict[MemberName, Feed] = field(default_factory=dict)
    opinions: dict[MemberName, Opinion] = field(default_factory=dict)
    releases: Releases = field(default_factory=Releases)

    def hear(self, word: Verified[Any]) -> None:
        author = word.entry.author
        self.feeds.setdefault(author, Feed(author, 1)).add(word)
        if isinstance(word.body, Attestation):
            there = self.opinions.get(author)
            if there is None or is_later(word, there):
                self.opinions[author] = word
        elif isinstance(word.body, Release):
            self.releases.add(author, word.body, self.epoch)

    def heads(self) -> dict[str, tuple[int, int, bytes]]:
        return {author: (feed.whole, feed.top, feed.top_hash) for author, feed in self.feeds.items()}


def _epochs() -> list[Epoch]:
    five, six = stage.epoch(5), stage.epoch(6)
    return [
        stage.epoch(4),
        stage.regrouped(five, {"m01": "g00"}),
        stage.suspending(stage.regrouped(six, {"m01": "g00"}), "m05"),
        stage.suspending(stage.regrouped(six, {"m01": "g00", "m03": "g02"}), "m03"),
    ]


EPOCHS = _epochs()
EYES = (
    stage.own_sources,
    lambda who: stage.vendor(1),
    lambda who: (),
    lambda who: (*stage.vendor(1), *stage.vendor(2)),
)
seats = st.integers(0, 5)
LEVELS = st.sampled_from([Level.ISOLATE, Level.ISOLATE, Level.HALT, Level.GUARD, Level.WATCH, Level.NONE])
BASES = st.sampled_from([Basis.VERIFIED, Basis.VERIFIED, Basis.OBSERVED, Basis.HEARSAY])
LEASES_MS = st.sampled_from([stage.HOUR, stage.HOUR // 2, 30_000, 13 * stage.HOUR, -1])
POOL = tuple(replace(stage.CLAIM, id=bytes([number]) * 32) for number in range(6))
CLAIMS = st.sampled_from([*((one,) for one in POOL), POOL[:2], POOL[2:5], ()])
FEW_CLAIMS = st.sampled_from([(), (), (), *((one,) for one in POOL), POOL[:3]])
"""Of releases: what a quorum has released never counts again, and histories should not end with the first."""


class Core(RuleBasedStateMachine):
    """Two minds: one is told everything at once, the other late, twice and in any order."""

    @initialize(epoch=st.sampled_from(EPOCHS))
    def begin(self, epoch: Epoch) -> None:
        self.epoch, self.now_ms = epoch, stage.NOW
        self.prompt, self.late = Mind(epoch), Mind(epoch)
        self.model = Model(rules_of(epoch))
        self.chains: dict[str, Chain] = {}
        self.waiting: list[Verified[Any]] = []
        self.told: list[Verified[Any]] = []
        self.lookup = stage.keysets_of(epoch)

    def name(self, at: int) -> MemberName:
        return self.epoch.members[at % len(self.epoch.members)].name

    def say(self, author: str, body: Any, seq: int, prev: EntryHash, back_ms: int = 0) -> None:
        word = stage.sealed(author, body, seq=seq, prev=prev, at_ms=self.now_ms - back_ms)
        chain = self.chains.setdefault(author, Chain())
        if word.hash in chain.said.get(seq, ()):
            return
        chain.add(seq, word.hash, prev)
        learn(self.model, word)
        self.prompt.hear(word)
        self.waiting += [word, word]
        self.told.append(word)
        self.now_ms += 7

    def next_of(self, author: str) -> tuple[int, EntryHash]:
        chain = self.chains.get(author)
        if chain is None:
            return 0, ZERO_HASH
        seq, prev = chain.head()
        return seq + 1, EntryHash(prev)

    @rule(at=seats, level=LEVELS, basis=BASES, eyes=st.sampled_from(EYES), lease_ms=LEASES_MS, claims=CLAIMS,
          since=st.sampled_from([0, 0, 1_000, -1_000]), gap=st.sampled_from([0, 0, 0, 2]))  # fmt: skip
    def opine(
        self, at: int, level: Level, basis: Basis, eyes: Any, lease_ms: int, claims: Any, since: int, gap: int
    ) -> None:
        author = self.name(at)
        seq, prev = self.next_of(author)
        body = stage.attestation(
            author, level, basis=basis, sources=tuple(eyes(author)), claims=claims,
            since_ms=self.now_ms - since, expires_ms=self.now_ms + lease_ms,
        )  # fmt: skip
        self.say(author, body, seq + gap, prev)

    @rule(
        level=st.sampled_from(COUNTED),
        claims=CLAIMS,
        first=st.tuples(BASES, st.sampled_from(EYES)),
        second=st.tuples(BASES, st.sampled_from(EYES)),
        split=seats,
    )
    def all_agree(self, level: Level, claims: Any, first: Any, second: Any, split: int) -> None:
        """Drawn one by one they hardly ever would: the first few in one way, the others in another."""
        for at in range(len(self.epoch.members)):
            basis, eyes = first if at < split else second
            self.opine(at, level, basis, eyes, stage.HOUR - at * 1_000, claims, 0, 0)

    @rule(at=seats, level=LEVELS)
    def opine_elsewhere(self, at: int, level: Level) -> None:
        """On another epoch: chained, and never counted."""
        author = self.name(at)
        self.say(author, stage.attestation(author, level, epoch=stage.EPOCH[::-1]), *self.next_of(author))

    @precondition(lambda self: self.told)
    @rule(which=st.integers(0, 10_000), level=LEVELS)
    def fork(self, which: int, level: Level) -> None:
        """Another word under a seq that was used."""
        old = self.told[which % len(self.told)].entry
        body = stage.attestation(old.author, level, incident=f"fork {which % 3}", since_ms=self.now_ms)
        self.say(old.author, body, old.seq, old.prev)

    @precondition(lambda self: self.told)
    @rule(which=st.integers(0, 10_000))
    def renew(self, which: int) -> None:
        old = self.told[which % len(self.told)]
        if isinstance(old.body, Attestation):
            body = stage.attestation(
                old.entry.author, old.body.level, since_ms=old.body.since_ms, expires_ms=self.now_ms + stage.HOUR
            )
            self.say(old.entry.author, body, *self.next_of(old.entry.author))

    @rule(at=seats, back_ms=st.sampled_from([0, 500, 5_000, 90_000]), claims=FEW_CLAIMS)
    def release(self, at: int, back_ms: int, claims: Any) -> None:
        author = self.name(at)
        self.say(author, stage.released(self.now_ms - back_ms, claims=claims), *self.next_of(author))

    @rule(back_ms=st.sampled_from([0, 5_000, 90_000]), silent=seats, claims=FEW_CLAIMS)
    def most_release(self, back_ms: int, silent: int, claims: Any) -> None:
        for at, member in enumerate(self.epoch.members):
            if member.name != self.name(silent):
                self.release(at, back_ms, claims)

    @rule(ms=st.sampled_from([1, 1_000, 10_000, 31_000, stage.HOUR // 2]))
    def wait(self, ms: int) -> None:
        self.now_ms += ms

    @precondition(lambda self: self.waiting)
    @rule(which=st.lists(st.integers(0, 10_000), min_size=1, max_size=8))
    def deliver(self, which: list[int]) -> None:
        for at in which:
            if self.waiting:
                self.late.hear(self.waiting.pop(at % len(self.waiting)))

    @invariant()
    def the_level_is_what_the_specification_says(self) -> None:
        for ahead_ms in (0, stage.HOUR // 2):
            at_ms = self.now_ms + ahead_ms
            got = weigh(self.prompt.opinions.values(), self.epoch, at_ms, self.prompt.releases)
            assert (int(got.level), frozenset(got.groups)) == self.model.level(at_ms)

    @invariant()
    def what_is_counted_can_be_proven(self) -> None:
        got = weigh(self.prompt.opinions.values(), self.epoch, self.now_ms, self.prompt.releases)
        if got.level not in COUNTED:
            return
        raw = pack_certificate(assemble(self.epoch, stage.TOPIC, got.level, got.groups, self.lookup))
        checked = check_certificate(parse_certificate(raw), raw, self.epoch, lambda who, version: None)
        words = [said_of(one) for one in checked.opinions]
        assert frozenset(checked.groups) == self.model.level(self.now_ms)[1]
        assert checked.ends_ms == self.model.ends_ms(words, int(got.level))

    @invariant()
    def feeds_are_what_was_said(self) -> None:
        for author, chain in self.chains.items():
            feed = self.prompt.feeds[MemberName(author)]
            assert (feed.whole, (feed.top, feed.top_hash)) == (chain.whole(), chain.head())

    @invariant()
    def forks_and_only_forks_are_proofs(self) -> None:
        if len(self.told) < 2:
            return
        one = self.told[-1]
        for other in self.told[-6:-1]:
            same = one.entry.author == other.entry.author
            low, high = sorted((one, other), key=lambda word: word.entry.seq)
            apart = high.entry.seq - low.entry.seq
            forked = same and (apart == 0 or (apart == 1 and high.entry.prev != low.hash))
            assert is_equivocation(one, other) is forked

    @invariant()
    def a_point_never_falls(self) -> None:
        point_ms = self.prompt.releases.point_ms(stage.TOPIC)
        assert point_ms == self.model.point_ms() >= getattr(self, "point_ms", 0)
        self.point_ms = point_ms

    def teardown(self) -> None:
        """In the end both know the same, so they say the same, now and later."""
        if not hasattr(self, "waiting"):
            return
        for word in self.waiting:
            self.late.hear(word)
        assert self.late.heads() == self.prompt.heads()
        for ahead_ms in (0, 1_000, stage.HOUR // 2, stage.HOUR):
            minds = [
                weigh(m.opinions.values(), self.epoch, self.now_ms + ahead_ms, m.releases)
                for m in (self.prompt, self.late)
            ]
            assert minds[0] == minds[1]


BOUNDED = settings(
    max_examples=100,
    stateful_step_count=30,
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large],
)
"""The same histories in every run: a red build is red for everybody."""
TestCore = Core.TestCase
TestCore.settings = BOUNDED

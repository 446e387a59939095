"""A whole node under any history: what it counts is what the naive model counts of the words it took, what it wrote
brings it back, and it never says two things under one number."""

from __future__ import annotations

from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from adapters.policy import Mode
from node.effects import Broadcast, Send, VerifyClaim
from node.events import (
    ClaimJudged,
    Clock,
    Event,
    FrameArrived,
    OperatorAsked,
    PeerCameUp,
    Raise,
    ReleaseTopic,
    Ticked,
    Withdraw,
)
from node.machine import Decision, Machine, Setup, State
from node.records import EntryAccepted, Record, pack_record, unpack_record
from protocol.alarm import weigh
from protocol.envelope import Verified, parse_entry, seal_entry
from protocol.evidence import Judgement, Ruling, refuted, undecided
from protocol.frames import Blobs, Entries, pack_frame, parse_frame
from protocol.ids import ZERO_HASH, EntryHash, MemberName, SourceId
from protocol.messages import Basis, Level, Notice, Release, Tlp
from protocol.quorum import certificate_id
from tests.property.core_model import Chain, Model
from tests.property.test_core_machine import BASES, BOUNDED, learn, rules_of, said_of
from tests.unit.machine import cast

N = 4
EPOCH = cast.epoch_of(N)
ME = cast.member(0)
OTHERS = [cast.member(at) for at in range(1, N)]
CLAIMS = [cast.claim(number) for number in range(4)]
TRUTH = (
    Judgement(Ruling.SUPPORTS, "so it is", cast.COIN, cast.THREAT, Level.ISOLATE, 10, (SourceId("m0-node"),)),
    Judgement(Ruling.SUPPORTS, "a little", cast.COIN, cast.THREAT, Level.GUARD, 1, (SourceId("m0-node"),)),
    refuted("not so"),
    undecided("the chain is down"),
)
"""What this node's verifier finds of each claim."""
LEVELS = st.sampled_from([Level.ISOLATE, Level.ISOLATE, Level.GUARD, Level.HALT, Level.WATCH, Level.NONE])
NAMED = st.lists(st.integers(0, len(CLAIMS) - 1), max_size=2, unique=True)
LEASES_MS = st.sampled_from([cast.HOUR_MS, cast.HOUR_MS // 2, 20_000, 13 * cast.HOUR_MS])
WHO = st.sampled_from(OTHERS)


def setup(fresh: bool) -> Setup:
    return Setup(
        member=ME,
        epoch=EPOCH,
        signer=cast.hot(ME),
        key_version=0,
        policy=cast.policy_of(Mode.OBSERVE),
        instances={"freeze": "pool:log.freeze"},
        declarations={"freeze": cast.FREEZE},
        own_sources=(SourceId("m0-node"),),
        manifest=(cast.COIN,),
        fresh=fresh,
    )


def heads(state: State) -> dict[Any, Any]:
    return {key: (feed.whole, feed.top, feed.top_hash) for key, feed in state.feeds.items() if feed.top >= 0}


class Node(RuleBasedStateMachine):
    @initialize()
    def begin(self) -> None:
        self.now_ms = cast.START_MS
        self.disk: list[tuple[int, int, bytes]] = []
        self.model = Model(rules_of(EPOCH))
        self.chains = {name: Chain() for name in OTHERS}
        self.own: dict[int, bytes] = {}
        self.words: list[Verified[Any]] = []
        self.held_back: list[Verified[Any]] = []
        self.machine = Machine(setup(fresh=True))
        keysets = [cast.keyset(member.name) for member in EPOCH.members]
        self.take(self.machine.start(self.clock(), keysets))
        for name in OTHERS:
            self.handle(PeerCameUp(cast.peer_of(name)))

    # the shell
    def clock(self) -> Clock:
        return Clock(self.now_ms, self.now_ms - cast.START_MS + 1_000_000)

    def handle(self, event: Event) -> None:
        self.take(self.machine.handle(event, self.clock()))

    def take(self, decision: Decision) -> None:
        """Durable first, then what follows; verifiers answer at once."""
        self.disk += [pack_record(record) for record in decision.records]
        for record in decision.records:
            self.note(record)
        for effect in decision.effects:
            if isinstance(effect, Send | Broadcast):
                parse_frame(effect.raw)
            elif isinstance(effect, VerifyClaim):
                at = next(at for at, one in enumerate(CLAIMS) if one.claim == effect.claim)
                self.handle(ClaimJudged(effect.claim, TRUTH[at]))

    def note(self, record: Record) -> None:
        """Own words are the model's too, and no number is used twice."""
        if isinstance(record, EntryAccepted) and record.own:
            entry = parse_entry(record.raw, cast.NETWORK)
            assert entry.entry.seq == len(self.own)
            assert entry.entry.prev == (self.own[entry.entry.seq - 1] if self.own else ZERO_HASH)
            self.own[entry.entry.seq] = entry.hash
            self.learn(entry)

    def learn(self, word: Any) -> None:
        body = word.entry.body
        if (getattr(body, "subject", None), getattr(body, "threat", None)) == cast.TOPIC:
            learn(self.model, _Plain(word))

    # what others do
    def say(self, author: str, body: Any, *, seq: int | None = None, prev: bytes | None = None) -> Verified[Any]:
        chain = self.chains[MemberName(author)]
        top, head = chain.head() if chain.said else (-1, ZERO_HASH)
        word = seal_entry(
            cast.NETWORK,
            cast.hot(author),
            author=MemberName(author),
            key_version=0,
            seq=top + 1 if seq is None else seq,
            prev=EntryHash(head if prev is None else prev),
            issued_ms=self.now_ms,
            body=body,
        )
        chain.add(word.entry.seq, word.hash, word.entry.prev)
        self.words.append(word)
        self.now_ms += 7
        return word

    def deliver(self, word: Verified[Any], blobs: tuple[bytes, ...] = (), via: str = "") -> None:
        peer = cast.peer_of(via or word.entry.author)
        if blobs:
            self.handle(FrameArrived(peer, True, False, pack_frame(Blobs(blobs))))
        known = word.raw in {raw for raw, _ in self.taken()}
        self.handle(FrameArrived(peer, not via, bool(via), pack_frame(Entries((word.raw,)))))
        if not known and word.raw in {raw for raw, _ in self.taken()}:
            self.learn(word)

    def taken(self) -> list[tuple[bytes, bool]]:
        records = (unpack_record(*row) for row in self.disk)
        return [(one.raw, one.own) for one in records if isinstance(one, EntryAccepted)]

    def opinion(self, author: str, level: Level, named: list[int], lease_ms: int, basis: Basis) -> Any:
        claims = tuple(CLAIMS[at] for at in named)
        return cast.opinion(
            level,
            claims,
            now_ms=self.now_ms,
            sources=(f"{author}-node",),
            expires_ms=self.now_ms + lease_ms,
            basis=basis,
        )

    @rule(
        author=WHO, level=LEVELS, named=NAMED, lease_ms=LEASES_MS, basis=BASES, pushed=st.booleans(), late=st.booleans()
    )
    def speak(
        self, author: str, level: Level, named: list[int], lease_ms: int, basis: Basis, pushed: bool, late: bool
    ) -> None:
        word = self.say(author, self.opinion(author, level, named, lease_ms, basis))
        if late:
            self.held_back.append(word)
        else:
            self.deliver(word, tuple(CLAIMS[at].blob for at in named) if pushed else ())

    @rule(level=st.sampled_from([Level.GUARD, Level.ISOLATE, Level.HALT]), named=NAMED, count=st.integers(2, 3))
    def agree(self, level: Level, named: list[int], count: int) -> None:
        blobs = tuple(CLAIMS[at].blob for at in named)
        for author in OTHERS[:count]:
            self.deliver(self.say(author, self.opinion(author, level, named, cast.HOUR_MS, Basis.VERIFIED)), blobs)

    @precondition(lambda self: self.held_back)
    @rule(which=st.integers(0, 1_000), via=WHO)
    def catch_up(self, which: int, via: str) -> None:
        """Late, and from another than its author."""
        self.deliver(self.held_back.pop(which % len(self.held_back)), via=via)

    @precondition(lambda self: self.words)
    @rule(which=st.integers(0, 1_000), via=WHO)
    def repeat(self, which: int, via: str) -> None:
        word = self.words[which % len(self.words)]
        self.held_back = [one for one in self.held_back if one.raw != word.raw]
        self.deliver(word, via=via)

    @rule(author=WHO)
    def chat(self, author: str) -> None:
        self.deliver(self.say(author, Notice("hello", Tlp.GREEN)))

    @rule(author=WHO, back_ms=st.sampled_from([0, 5_000, 60_000]), named=NAMED)
    def release(self, author: str, back_ms: int, named: list[int]) -> None:
        claims = tuple(CLAIMS[at].claim for at in named)
        self.deliver(self.say(author, Release(EPOCH.hash, cast.COIN, cast.THREAT, self.now_ms - back_ms, claims)))

    # what its own people do
    @rule(level=st.sampled_from([Level.WATCH, Level.GUARD, Level.ISOLATE]))
    def raise_it(self, level: Level) -> None:
        self.handle(OperatorAsked(1, "ann", Raise(cast.COIN, cast.THREAT, level, 0, "")))
        self.now_ms += 7

    @rule()
    def withdraw(self) -> None:
        self.handle(OperatorAsked(1, "ann", Withdraw(cast.COIN, cast.THREAT)))
        self.now_ms += 7

    @rule()
    def release_it(self) -> None:
        self.handle(OperatorAsked(1, "ann", ReleaseTopic(cast.COIN, cast.THREAT, 0)))
        self.now_ms += 7

    @rule(ms=st.sampled_from([100, 100, 1_000, 10_000, 31 * 60_000]))
    def wait(self, ms: int) -> None:
        self.now_ms += ms
        self.handle(Ticked())

    @rule()
    def restart(self) -> None:
        """From what it wrote: it knows what it knew, and goes on where it was."""
        before = self.machine.state
        self.machine = Machine(setup(fresh=False))
        self.machine.recover(unpack_record(*row) for row in self.disk)
        after = self.machine.state
        assert heads(after) == heads(before)
        assert after.releases == before.releases
        assert after.manifests == before.manifests
        live = [{who: one.raw for who, one in held.opinions.get(cast.TOPIC, {}).items()} for held in (before, after)]
        assert live[0].items() <= live[1].items()
        self.take(self.machine.start(self.clock(), []))
        for name in OTHERS:
            self.handle(PeerCameUp(cast.peer_of(name)))
        after.signing_ready = True  # as when its peers have shown its own head

    # what must hold
    @invariant()
    def it_counts_what_the_specification_counts(self) -> None:
        state = self.machine.state
        got = weigh(state.opinions.get(cast.TOPIC, {}).values(), EPOCH, self.now_ms, state.releases)
        assert (int(got.level), frozenset(got.groups)) == self.model.level(self.now_ms)

    @invariant()
    def what_it_counts_it_can_prove(self) -> None:
        level, _ = self.model.level(self.now_ms)
        if level < Level.GUARD:
            return
        held = self.machine.state.certificates[certificate_id(EPOCH.hash, cast.TOPIC, Level(level))]
        words = [said_of(one) for one in held.opinions]
        assert held.ends_ms == self.model.ends_ms(words, level)
        assert frozenset(held.groups) == self.model.carriers(words, level)

    @invariant()
    def its_feeds_are_what_it_took(self) -> None:
        chains: dict[str, Chain] = {}
        for raw, _ in self.taken():
            word = parse_entry(raw, cast.NETWORK)
            chains.setdefault(word.entry.author, Chain()).add(word.entry.seq, word.hash, word.entry.prev)
        told = {(MemberName(author), 0): (chain.whole(), *chain.head()) for author, chain in chains.items()}
        assert heads(self.machine.state) == told

    @invariant()
    def honest_feeds_prove_nothing(self) -> None:
        assert self.machine.state.equivocations == {}


class _Plain:
    """A parsed word in the shape of a verified one: the model reads no more of it."""

    def __init__(self, word: Any) -> None:
        self.entry, self.hash, self.body = word.entry, word.hash, word.entry.body


TestNode = Node.TestCase
TestNode.settings = settings(BOUNDED, max_examples=60)

"""Two governors of one text: over random chains of epochs, with random changes, voters and faults, the code and the
outside reader take and refuse the same certificates and make the same epochs. The same worlds in every run."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace
from typing import Any

from governance.ballots import Ballot, Vote, cast
from governance.broken import RuleError
from governance.epochs import EpochCertificate, Proof, check, parse_epoch_certificate
from governance.heard import voices
from governance.proposals import KIND_OF as KINDS
from governance.proposals import (
    Admit,
    Change,
    Proposal,
    Regroup,
    Reinstate,
    Rekey,
    Remove,
    Retune,
    SealedProposal,
    Sources,
    Suspend,
    consent,
    seal_proposal,
)
from governance.values import Suspect, Value, pack_value, value_hash
from protocol.crypto import Signer
from protocol.envelope import seal_keyset
from protocol.errors import ProtocolError
from protocol.ids import GroupName, MemberName, SourceId
from protocol.membership import DAY_MS, Epoch, Member, Source
from protocol.messages import Commit, Heartbeat
from tests.tidy.make_vectors import HOME, NETWORK, NOW, epoch, keyset, seed, word
from tests.vectors.governed_epochs import after, entire, packed
from tests.vectors.test_checker import READER

WORLDS = 40
EPOCHS_MOST = 4
SLOW_MS = 7 * DAY_MS


class World:
    """A network that changes, and who holds which governance key."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        names = [MemberName(f"m{at}") for at in range(rng.randint(3, 8))]
        groups = [GroupName(rng.choice(names[:4]) if rng.random() < 0.2 else name) for name in names]
        self.generation: Counter[str] = Counter()
        members = tuple(
            Member(name, group, self.cold(name).public, seated_ms=NOW - 300 * DAY_MS)
            for name, group in zip(names, groups, strict=True)
        )
        sources = (Source(SourceId("a"), "one", HOME), Source(SourceId("b"), "two", HOME))
        self.epoch = replace(epoch(), members=members, sources=sources)
        self.now_ms = NOW
        self.newcomers = 0
        self.older: list[SealedProposal] = []

    def cold(self, name: str, more: int = 0) -> Signer:
        return Signer(seed(f"{name}/{self.generation[name] + more}", "governance"))

    def seat(self) -> MemberName:
        return self.rng.choice([*(one.name for one in self.epoch.members), MemberName("nobody")])

    def group(self) -> GroupName:
        return self.rng.choice([*self.epoch.groups, GroupName("new")])

    def change(self) -> Change:
        rng = self.rng
        self.newcomers += 1
        new = MemberName(f"n{self.newcomers}")
        admit = Admit(new, rng.choice((GroupName(new), self.group())), self.cold(new).public)
        moved = self.seat()
        return rng.choice(
            (
                admit,
                admit,
                Remove(self.seat()),
                Regroup((self.seat(),), self.group()),
                Rekey(moved, self.cold(moved, 1).public),
                Rekey(moved, self.cold(moved, 1).public),
                Retune(halt=rng.choice(("n", "Q", "Q + 1"))),
                Retune(
                    guard=rng.choice(("max(2, f + 1)", "3", "max(3, f + 1)")), silence_ms=rng.choice((None, DAY_MS))
                ),
                Retune(change_delay_ms=rng.choice((0, DAY_MS, 4 * DAY_MS)), lease_halt_ms=rng.choice((None, 60_000))),
                Sources((Source(SourceId(rng.choice("abc")), rng.choice(("one", "two")), HOME),)),
                Suspend(self.seat()),
                Reinstate(self.seat()),
            )
        )

    def propose(self) -> SealedProposal:
        rng, change = self.rng, self.change()
        signers = []
        if isinstance(change, Admit) and rng.random() < 0.97:
            signers = [self.cold(change.member)]
        if isinstance(change, Rekey):
            signers = [self.cold(change.member, 1)] + [self.cold(change.member)] * (rng.random() < 0.5)
        author = rng.choice(self.epoch.members).name
        given = tuple(consent(NETWORK, one, self.epoch.hash, change) for one in signers)
        opened_ms = self.now_ms + rng.choice((1, 1, DAY_MS))
        made = Proposal(
            self.epoch.hash, author, opened_ms, opened_ms + 20 * DAY_MS, KINDS[type(change)], change, "", given
        )
        return seal_proposal(NETWORK, self.cold(author), made)

    def ballots(self, on: SealedProposal) -> list[bytes]:
        rng, change = self.rng, on.proposal.change
        names = [one.name for one in self.epoch.members]
        if isinstance(change, Rekey):
            names = [name for name in names if name != change.member or rng.random() < 0.1]
            if len(on.proposal.consents) == 2 and rng.random() < 0.8:
                names = []
        said = []
        for name in names:
            if rng.random() < 0.04:
                continue
            yes = Vote.NO if rng.random() < 0.005 else Vote.YES
            at_ms = on.proposal.closes_ms + (1 if rng.random() < 0.005 else 0)
            said.append(cast(NETWORK, self.cold(name), Ballot(on.hash, name, rng.randint(0, 3), yes, at_ms)).raw)
        return said

    def certificate(self) -> EpochCertificate:
        rng, of = self.rng, self.epoch
        fresh = [self.propose() for _ in range(rng.choice((1, 1, 1, 2)))]
        on = sorted({one.hash: one for one in fresh + self.older[-1:] * (rng.random() < 0.3)}.values(), key=hash_of)
        self.older += fresh
        proofs = [Suspect(rng.choice(of.members).name, 1)] if rng.random() < 0.2 else []
        at_ms = self.now_ms + DAY_MS + SLOW_MS + rng.choice((0, 0, 0, 0, -3 * DAY_MS, 40 * DAY_MS))
        value = Value(of.hash, of.number + 1, tuple(one.hash for one in on), tuple(proofs), at_ms)
        who = [name for name in voices(of).values() if rng.random() < 0.97]
        if rng.random() < 0.03:
            who = sorted({*who, rng.choice(of.members).name})
        commits = [word(name, Commit(of.hash, 1, value_hash(value))).raw for name in who]
        signers = sorted({*who, *(one.member for one in proofs)})
        made = EpochCertificate(
            pack_value(value),
            tuple(one.raw for one in on),
            tuple(raw for one in on for raw in self.ballots(one)),
            tuple(Proof(*self.fork(one.member)) for one in proofs),
            tuple(commits) or (b"\x00",),
            tuple(seal_keyset(NETWORK, self.cold(name), keyset(name)).raw for name in signers) or (b"\x00",),
        )
        return self.spoilt(made) if rng.random() < 0.15 else made

    def fork(self, name: str) -> tuple[bytes, bytes]:
        one = word(name, Heartbeat(self.epoch.hash)).raw
        return one, word(name, Heartbeat(self.epoch.hash), issued_ms=NOW + 1).raw

    def spoilt(self, made: EpochCertificate) -> EpochCertificate:
        name = self.rng.choice(("proposals", "ballots", "proofs", "commits", "keysets"))
        rows = list(getattr(made, name))
        if rows and self.rng.random() < 0.5:
            rows.pop(self.rng.randrange(len(rows)))
        elif rows:
            rows.append(self.rng.choice(rows))
        return replace(made, **{name: tuple(rows) or getattr(made, name)})

    def go_on(self, made: Epoch) -> None:
        for seat in made.members:
            before = self.epoch.by_name.get(seat.name)
            if before is not None and before.governance_key != seat.governance_key:
                self.generation[seat.name] += 1
        self.epoch, self.now_ms = made, made.activates_ms


def hash_of(one: SealedProposal) -> bytes:
    return one.hash


def ours(raw: bytes, of: Epoch) -> tuple[Any, Epoch | None]:
    try:
        enacted = check(parse_epoch_certificate(raw), of)
    except ProtocolError as error:
        return (error.code.word, error.rule.value if isinstance(error, RuleError) else ""), None
    return (list(enacted.committed), after(enacted.epoch)), enacted.epoch


def theirs(raw: bytes, of: Epoch) -> Any:
    told = entire(of)
    return (
        READER.code_and_rule(told, raw) if any(READER.code_and_rule(told, raw)) else READER.epoch_certificate(told, raw)
    )


def test_both_make_the_same_epochs_and_refuse_the_same() -> None:
    rng = random.Random(5)
    refused: Counter[Any] = Counter()
    taken: Counter[int] = Counter()
    for _ in range(WORLDS):
        world = World(rng)
        for _ in range(3 * EPOCHS_MOST):
            raw = bytes.fromhex(packed(world.certificate()))
            verdict, made = ours(raw, world.epoch)
            assert verdict == theirs(raw, world.epoch)
            if made is None:
                refused[verdict[1] or verdict[0]] += 1
            else:
                taken[made.number] += 1
                world.go_on(made)
            if world.epoch.number >= EPOCHS_MOST:
                break
    assert min(taken[number] for number in range(1, EPOCHS_MOST + 1)) >= 10, taken
    assert len(refused) >= 10, refused

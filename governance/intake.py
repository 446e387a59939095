"""What comes into the ledger: statements of governance keys, KeySets, proofs. Everything is bounded."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from governance import rules, tally
from governance.ballots import BALLOT_TYPE, SealedBallot, open_ballot, parse_ballot
from governance.epochs import Proof, check_proof
from governance.proposals import (
    PROPOSAL_TYPE,
    Proposal,
    SealedProposal,
    open_proposal,
    parse_proposal,
    statement_type,
)
from governance.tally import Arrived
from governance.values import Suspect
from protocol.envelope import SealedKeySet, Verified, parse_entry, verify_entry
from protocol.errors import Code, ProtocolError
from protocol.ids import Digest, MemberName
from protocol.membership import Epoch

PROPOSALS_PER_MEMBER_MAX = 8
"""Of one author, open or passed."""
HELD_PER_MEMBER_MAX = 32
"""The same with those that failed, which people may still want to see."""
BALLOTS_PER_MEMBER_MAX = 512
"""On all proposals that are held."""
EARLY_PER_MEMBER_MAX = 64
"""Ballots on proposals that have not come."""
LATER_PER_MEMBER_MAX = 4
"""Proposals of an epoch that this node has not reached."""


@dataclass
class Held:
    sealed: SealedProposal
    box: dict[MemberName, dict[int, Arrived]] = field(default_factory=dict)
    passed_ms: int | None = None
    """When this node first held the quorum: the delay runs from here, whatever the voters' clocks said."""
    passing: tuple[SealedBallot, ...] = ()

    @property
    def proposal(self) -> Proposal:
        return self.sealed.proposal


class Intake:
    """The part of the ledger that takes. `held` is for the ledger's own eyes."""

    def __init__(self, epoch: Epoch) -> None:
        self.epoch = epoch
        self.held: dict[Digest, Held] = {}
        self._early: dict[MemberName, dict[tuple[Digest, int], Arrived]] = {}
        """Ballots whose proposal has not come, by proposal and number; each member's oldest first."""
        self._later: dict[MemberName, list[bytes]] = {}
        self._keysets: dict[MemberName, SealedKeySet] = {}
        self._proofs: dict[Suspect, tuple[Proof, SealedKeySet | None]] = {}
        """Every one, for a value may name one whose key was replaced meanwhile; KeySets bound them. With the KeySet
        that opened it where that was the newest: another of its version may take its place."""

    # --- what comes in

    def take(self, raw: bytes, now_ms: int) -> SealedProposal | SealedBallot | None:
        """A sealed proposal or ballot. None: known already, of an epoch that is yet to come, or a KeySet.
        ProtocolError says what is wrong and whose fault it is; nothing is kept then."""
        type_ = statement_type(raw)
        if type_ == PROPOSAL_TYPE:
            return self._take_proposal(raw, now_ms)
        return self._take_ballot(raw, now_ms) if type_ == BALLOT_TYPE else None

    def keyset_heard(self, sealed: SealedKeySet) -> None:
        """Each KeySet that this node takes: a proof suspends nobody whose key is replaced."""
        member = sealed.keyset.member
        known = self._keysets.get(member)
        if known is None or _newer(sealed, known):
            self._keysets[member] = sealed

    def convict(self, first: Verified[Any], second: Verified[Any]) -> bool:
        """Two entries that fork a feed. False: the key is replaced, or the seat suspended for it already; kept to be
        shown all the same. ProtocolError where they prove nothing."""
        suspect = Suspect(first.entry.author, first.entry.key_version)
        check_proof(suspect, first, second)
        keyset = self._keysets.get(suspect.member)
        if keyset is None or keyset.keyset.version < suspect.key_version:
            raise ProtocolError(Code.UNKNOWN_KEY, f"no KeySet {suspect.key_version} of {suspect.member} is known")
        if keyset.keyset.version == suspect.key_version:
            for one in (first, second):
                verify_entry(parse_entry(one.raw, self.epoch.network), keyset.keyset.attestation)
        opens = keyset if keyset.keyset.version == suspect.key_version else None
        if self._proofs.get(suspect, (None, None))[1] is None:
            self._proofs[suspect] = (Proof(first.raw, second.raw), opens)
        return suspect in self.suspects()

    def suspects(self) -> tuple[Suspect, ...]:
        """Whom proofs would suspend now."""
        return tuple(sorted(one for one in self._proofs if self._may_be_suspended(one)))

    @property
    def proofs(self) -> tuple[tuple[Suspect, Proof], ...]:
        """All that were proven, for people."""
        return tuple((one, proof) for one, (proof, _) in sorted(self._proofs.items()))

    def _may_be_suspended(self, suspect: Suspect) -> bool:
        seat, keyset = self.epoch.by_name.get(suspect.member), self._keysets.get(suspect.member)
        if seat is None or seat.suspended or suspect.key_version <= seat.proven:
            return False
        return keyset is not None and keyset.keyset.version == suspect.key_version

    def _take_proposal(self, raw: bytes, now_ms: int) -> SealedProposal | None:
        sealed = parse_proposal(raw, self.epoch.network)
        if sealed.hash in self.held:
            return None
        author = sealed.proposal.author
        seat = self.epoch.by_name.get(author)
        if seat is None:
            raise ProtocolError(Code.UNKNOWN_AUTHOR, f"{author} has no seat and proposes nothing")
        open_proposal(raw, self.epoch.network, seat.governance_key)
        rules.check_once(self.epoch, sealed.hash)
        try:
            rules.judge(self.epoch, sealed.proposal, now_ms)
        except ProtocolError as error:
            if error.code is Code.WRONG_EPOCH and now_ms <= sealed.proposal.closes_ms:
                self._keep_for_later(author, raw)
                return None
            raise
        self._forget_ended(now_ms)
        self._make_room(author, now_ms)
        held = self.held[sealed.hash] = Held(sealed, self._waiting_for(sealed.hash))
        self._recount(held, now_ms)
        return sealed

    def _make_room(self, author: MemberName, now_ms: int) -> None:
        mine = [held for held in self.held.values() if held.proposal.author == author]
        failed = [held for held in mine if held.passed_ms is None and now_ms > held.proposal.closes_ms]
        if len(mine) - len(failed) >= PROPOSALS_PER_MEMBER_MAX:
            raise ProtocolError(Code.AUTHOR_OVER_BUDGET, f"{author} has {PROPOSALS_PER_MEMBER_MAX} open proposals")
        if len(mine) >= HELD_PER_MEMBER_MAX:
            oldest = min(failed, key=lambda held: (held.proposal.closes_ms, held.sealed.hash))
            del self.held[oldest.sealed.hash]

    def _keep_for_later(self, author: MemberName, raw: bytes) -> None:
        kept = self._later.setdefault(author, [])
        if raw not in kept:
            kept.append(raw)
            del kept[:-LATER_PER_MEMBER_MAX]

    def _take_ballot(self, raw: bytes, now_ms: int) -> SealedBallot | None:
        ballot = parse_ballot(raw, self.epoch.network).ballot
        seat = self.epoch.by_name.get(ballot.member)
        if seat is None:
            raise ProtocolError(Code.UNKNOWN_AUTHOR, f"{ballot.member} has no seat and no vote")
        sealed = open_ballot(raw, self.epoch.network, seat.governance_key)
        held = self.held.get(ballot.proposal)
        if held is None:
            return sealed if self._keep_early(sealed, now_ms) else None
        known = held.box.get(ballot.member, {}).get(ballot.ballot_no)
        if known is not None and known.sealed.hash <= sealed.hash:
            return None
        if known is None and self._ballots_of(ballot.member) >= BALLOTS_PER_MEMBER_MAX:
            raise ProtocolError(Code.AUTHOR_OVER_BUDGET, f"{ballot.member} has too many ballots")
        # who says one number in two ways said it when the first came: a no that was there in time stays in time
        at_ms = now_ms if known is None else min(now_ms, known.at_ms)
        held.box.setdefault(ballot.member, {})[ballot.ballot_no] = Arrived(sealed, at_ms)
        self._recount(held, now_ms)
        return sealed

    def _keep_early(self, sealed: SealedBallot, now_ms: int) -> bool:
        """Feeds come in any order, so a ballot may be here before its proposal. Who has many loses its oldest."""
        mine = self._early.setdefault(sealed.ballot.member, {})
        name = (sealed.ballot.proposal, sealed.ballot.ballot_no)
        known = mine.get(name)
        if known is not None and known.sealed.hash <= sealed.hash:
            return False
        mine[name] = Arrived(sealed, now_ms)
        while len(mine) > EARLY_PER_MEMBER_MAX:
            del mine[next(iter(mine))]
        return True

    def _waiting_for(self, proposal: Digest) -> dict[MemberName, dict[int, Arrived]]:
        box: dict[MemberName, dict[int, Arrived]] = {}
        for member, mine in self._early.items():
            for name in [one for one in mine if one[0] == proposal]:
                box.setdefault(member, {})[name[1]] = mine.pop(name)
        return box

    def _ballots_of(self, member: MemberName) -> int:
        return sum(len(held.box.get(member, {})) for held in self.held.values())

    def _recount(self, held: Held, now_ms: int) -> None:
        """A quorum once held stays: what comes later takes nothing from it."""
        if held.passed_ms is None:
            found = tally.passing(self.epoch, held.proposal, held.box)
            if found is not None:
                held.passed_ms, held.passing = now_ms, found

    def _forget_ended(self, now_ms: int) -> None:
        for hash_ in [one for one, held in self.held.items() if now_ms > rules.ends_ms(self.epoch, held.proposal)]:
            del self.held[hash_]


def _newer(one: SealedKeySet, other: SealedKeySet) -> bool:
    """The higher version; of two of one version the lower hash holds."""
    if one.keyset.version != other.keyset.version:
        return one.keyset.version > other.keyset.version
    return one.hash < other.hash

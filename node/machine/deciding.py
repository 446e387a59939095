"""What records make of the ledger, the rounds and the epoch. Part of `evolve`: no clock, no effect.

Whatever a member says is proven by its own seal, so what others sealed is taken as it came, or passed over; the same
records in the same order make the same ledger.
"""

from __future__ import annotations

from typing import Any

from governance.epochs import parse_epoch_certificate
from governance.lock import parse_lock
from governance.proposals import Admit, Rekey
from governance.rounds import Rounds
from node.machine import epochs
from node.machine.asked import Asked
from node.machine.state import State
from protocol.envelope import SealedKeySet, Verified, keyset_owner, open_keyset
from protocol.errors import ProtocolError
from protocol.ids import MemberName
from protocol.messages import VOTES


def take_statement(state: State, raw: bytes, at_ms: int) -> None:
    """A proposal or ballot, or the first KeySet of who is to have a seat, or a new governance key."""
    try:
        if state.ledger.take(raw, at_ms) is None:
            applied = applicants_keyset(state, raw)
            if applied is not None:
                state.applicants[applied.keyset.member] = applied
    except ProtocolError:
        return


def applicants_keyset(state: State, raw: bytes) -> SealedKeySet | None:
    """A KeySet under a key that an open proposal would put in force: it holds from that epoch on. One of each member
    is kept, the newest, and proposals are bounded. ProtocolError for what is no KeySet."""
    owner = keyset_owner(raw)
    seat = state.epoch.by_name.get(owner)
    for one in state.ledger.held.values():
        change = one.proposal.change
        if not isinstance(change, Admit | Rekey) or change.member != owner:
            continue
        if seat is not None and seat.governance_key == change.key:  # in force by another proposal
            continue
        try:
            sealed = open_keyset(raw, state.epoch.network, change.key)
        except ProtocolError:
            continue
        held = state.applicants.get(owner)
        return sealed if held is None or sealed.keyset.version > held.keyset.version else held
    return None


def take_keyset(state: State, sealed: SealedKeySet, afresh: bool) -> None:
    state.ledger.keyset_heard(sealed)
    state.rounds.log.rekeyed(sealed.keyset.member, sealed.keyset.version, afresh)


EARLY_VOTES_MAX = 512
"""Words of ours in epochs that this store does not know yet. Only who holds our key can say more."""


def take_vote(state: State, verified: Verified[Any], own: bool) -> None:
    """Our own binds us, though its lock was lost with a commit or a store: whoever brings it back, and though the epoch
    that it is of was lost with them."""
    state.rounds.log.take(verified)
    if verified.entry.author != state.me:
        return
    state.rounds.bind(verified.body, own)
    if state.epoch_of(verified.body.epoch) is None:
        state.early_votes = [*state.early_votes, (verified, own)][-EARLY_VOTES_MAX:]


def _take_early_votes(state: State) -> None:
    """What was heard of this epoch before it was in force here: nobody says it again."""
    for _, feed in sorted(state.feeds.items()):
        for _, link in sorted(feed.links.items()):
            if isinstance(link.body, VOTES) and link.body.epoch == state.epoch.hash:
                state.rounds.log.take(link)
    for verified, own in state.early_votes:
        state.rounds.bind(verified.body, own)
    state.early_votes = [one for one in state.early_votes if state.epoch_of(one[0].body.epoch) is None]


def take_votes_again(state: State, beyond: int) -> None:
    """Those of rounds that lay too far ahead when they came, and were not all kept: nobody says them again."""
    for _, feed in sorted(state.feeds.items()):
        for (epoch, _, round_), seq in sorted(feed.votes.items()):
            if epoch == state.epoch.hash and round_ > beyond:
                state.rounds.log.take(feed.links[seq])


def lock_votes(state: State, raw: bytes) -> None:
    """At recovery. By day the rounds hold it already, and may have gone on since."""
    lock = parse_lock(raw)
    if lock.epoch == state.epoch.hash and not state.rounds.started:
        state.rounds.lock = lock
        state.rounds.log.advance(lock.round)


def convict(state: State, one: Verified[Any], other: Verified[Any]) -> None:
    """A proof against a key that is replaced is kept and shown, and suspends nobody."""
    state.rounds.log.convicted(one.entry.author, one.entry.key_version)
    try:
        state.ledger.convict(one, other)
    except ProtocolError:
        return


def contradict(state: State, sealed: SealedKeySet) -> None:
    """Like a fork: what was said under it does not come through to everybody. It suspends nobody."""
    held = state.contradicted.setdefault(sealed.keyset.member, sealed)
    state.rounds.log.convicted(held.keyset.member, held.keyset.version)


def enter(state: State, at_ms: int) -> None:
    """The certified epoch is in force: counted anew, with the keys of who joins."""
    raw, state.certified = state.certified, None
    if raw is None:
        return
    state.chain.append((state.epoch.hash, raw))
    epochs.enter(state, state.ledger.enter(parse_epoch_certificate(raw), at_ms).epoch)
    me: MemberName | None = state.me if state.seated() else None
    state.rounds = Rounds(state.epoch, me, Asked(state))
    for member, versions in state.keysets.items():
        state.ledger.keyset_heard(versions[max(versions)])
        state.rounds.log.rekeyed(member, max(versions), False)
    for member, version in state.equivocations:
        state.rounds.log.convicted(member, version)
    for sealed in state.contradicted.values():
        contradict(state, sealed)
    _take_early_votes(state)

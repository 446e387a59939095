"""What a change may do. Each rule has a name that a refusal says; what is impossible is refused when it is made.

`propose` seals a possible proposal, `judge` refuses an impossible one, `needed`, `delay_ms` and `loosens` say what
passing it takes. What a change makes of the members is `governance.changes`.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping

from governance.broken import Rule, RuleError
from governance.changes import next_epoch
from governance.proposals import (
    Admit,
    Change,
    Proposal,
    Regroup,
    Rekey,
    Remove,
    Retune,
    SealedProposal,
    Sources,
    consent_holds,
    seal_proposal,
)
from governance.values import Value
from protocol.crypto import Signer
from protocol.errors import Code, ProtocolError
from protocol.ids import Digest, EpochHash, MemberName, PublicKey
from protocol.limits import MEMBERS_MAX, SKEW_AHEAD_MS_MAX
from protocol.membership import DAY_MS, Epoch, Past, evaluate
from protocol.messages import Level

OPEN_MS_MAX = 30 * DAY_MS
ORDER_WITHIN_MS = 14 * DAY_MS
"""After its delay a passed proposal waits that long at most: through an incident (7 days) and a partition."""
INCIDENT_MS_MAX = 7 * DAY_MS
"""What loosens waits that long for an incident to end, and no longer: an alarm must not rule the network."""


def propose(epoch: Epoch, governance: Signer, proposal: Proposal, now_ms: int) -> SealedProposal:
    """Sealed by its author; RuleError names the rule that an impossible one breaks."""
    judge(epoch, proposal, now_ms)
    if epoch.by_name[proposal.author].governance_key != governance.public:
        raise ProtocolError(Code.BAD_KEY, f"that is not the governance key of {proposal.author}")
    return seal_proposal(epoch.network, governance, proposal)


def judge(epoch: Epoch, proposal: Proposal, now_ms: int) -> None:
    """RuleError where `proposal` cannot be, in `epoch`; ProtocolError(wrong-epoch, unknown-author, from-the-future)
    where it is not one for this epoch or this time."""
    if proposal.author not in epoch.by_name:
        raise ProtocolError(Code.UNKNOWN_AUTHOR, f"{proposal.author} has no seat and proposes nothing")
    check_closing(epoch, proposal)
    check_consents(epoch, proposal)
    check_others(epoch, proposal)
    apply(epoch, {Digest(bytes(32)): proposal}, proposal.opened_ms + 1)
    if proposal.opened_ms > now_ms + SKEW_AHEAD_MS_MAX:
        raise ProtocolError(Code.FROM_THE_FUTURE, f"the proposal of {proposal.author} was opened ahead of now")
    if now_ms > ends_ms(epoch, proposal):
        raise ProtocolError(Code.WRONG_EPOCH, "the proposal ended before it came")


def check_closing(epoch: Epoch, proposal: Proposal) -> None:
    parent = parent_of(epoch, proposal.parent)
    if not parent.activates_ms <= proposal.opened_ms < proposal.closes_ms <= proposal.opened_ms + OPEN_MS_MAX:
        raise RuleError(Rule.CLOSES, "it closes after it opens, within 30 days, and opens within its epoch")


def parent_of(epoch: Epoch, parent: EpochHash) -> Past:
    """The epoch that a proposal names, where this one still knows it; ProtocolError(wrong-epoch)."""
    if parent == epoch.hash:
        return Past(epoch.hash, epoch.number, epoch.q, epoch.activates_ms, epoch.made_of)
    for past in epoch.past:
        if past.hash == parent:
            return past
    raise ProtocolError(Code.WRONG_EPOCH, "the proposal names an epoch that is not of this chain, or long gone")


def check_once(epoch: Epoch, hash_: Digest) -> None:
    """A proposal that made an epoch makes no other, though its ballots may still be at hand: whoever was reinstated by
    it and suspended again would otherwise be reinstated by them once more."""
    if hash_ in epoch.made_of or any(hash_ in past.made_of for past in epoch.past):
        raise RuleError(Rule.ONCE, "it has made an epoch already")


def check_consents(epoch: Epoch, proposal: Proposal) -> None:
    """Every joiner and new key consents, nobody else but the old key of a Rekey, none twice."""
    change = proposal.change
    wanted: set[PublicKey] = set()
    allowed: set[PublicKey] = set()
    if isinstance(change, Admit | Rekey):
        wanted = allowed = {change.key}
    if isinstance(change, Rekey) and change.member in epoch.by_name:
        allowed = wanted | {epoch.by_name[change.member].governance_key}
    given = [one.key for one in proposal.consents]
    if len(given) != len(set(given)) or not wanted <= set(given) <= allowed:
        raise RuleError(Rule.CONSENTS, "the joiner or new key consents, and the old key may; nobody else, none twice")
    for one in proposal.consents:
        if not consent_holds(epoch.network, proposal, one):
            raise RuleError(Rule.CONSENTS, f"the consent of {one.key.hex()[:16]} does not hold for this change")


def is_own_affair(epoch: Epoch, proposal: Proposal) -> bool:
    """A key moved by old and new key: no ballots, no delay."""
    change = proposal.change
    if not isinstance(change, Rekey) or change.member not in epoch.by_name:
        return False
    return epoch.by_name[change.member].governance_key in {one.key for one in proposal.consents}


def check_others(epoch: Epoch, proposal: Proposal) -> None:
    change = proposal.change
    if not isinstance(change, Rekey) or change.member not in epoch.by_name:
        return
    if is_own_affair(epoch, proposal):
        seat = epoch.by_name[change.member]
        if proposal.opened_ms < seat.keyed_ms + epoch.change_delay_ms and seat.keyed_ms:
            raise RuleError(Rule.KEY_RESTS, f"the key of {change.member} moved less than a change delay ago")
        return
    others = {member.group for member in epoch.members if member.name != change.member}
    if len(others) < needed(epoch, proposal):
        raise RuleError(Rule.OTHERS, f"without {change.member} only {len(others)} groups are left to vote")


def needed(epoch: Epoch, proposal: Proposal) -> int:
    """Groups whose yes passes it, in `epoch`: the larger Q of its parent's and this one's. 0: no ballots at all."""
    if is_own_affair(epoch, proposal):
        return 0
    return max(parent_of(epoch, proposal.parent).q, epoch.q)


def counts(epoch: Epoch, proposal: Proposal, member: MemberName) -> bool:
    """Does this seat's ballot count? It sat in its group in the parent already, and does so still. A lost key's own
    seat has no say in its loss: whoever holds the key may be the thief."""
    seat = epoch.by_name.get(member)
    if seat is None or seat.since > parent_of(epoch, proposal.parent).number:
        return False
    return not (isinstance(proposal.change, Rekey) and proposal.change.member == member)


def delay_ms(epoch: Epoch, proposal: Proposal) -> int:
    """Between passing and ordering."""
    if is_own_affair(epoch, proposal):
        return 0
    slow = isinstance(proposal.change, Rekey) or loosens(epoch, proposal.change)
    return max(epoch.change_delay_ms, epoch.loosen_delay_ms) if slow else epoch.change_delay_ms


def ends_ms(epoch: Epoch, proposal: Proposal) -> int:
    """After this it makes no epoch, whoever holds whatever ballots."""
    return proposal.closes_ms + delay_ms(epoch, proposal) + ORDER_WITHIN_MS


def loosens(epoch: Epoch, change: Change) -> bool:
    """What waits for an incident to end: it lets more happen, or lets it happen more easily."""
    if isinstance(change, Remove):
        seat = epoch.by_name.get(change.member)
        return seat is not None and not seat.suspended
    if isinstance(change, Regroup):
        return True
    if isinstance(change, Sources):
        return any(epoch.source_by_id.get(row.id, row) != row for row in change.rows) or bool(change.gone)
    return isinstance(change, Retune) and _retune_loosens(epoch, change)


def _retune_loosens(epoch: Epoch, change: Retune) -> bool:
    formulas = {Level.GUARD: change.guard, Level.ISOLATE: change.isolate, Level.HALT: change.halt}
    leases = {
        Level.GUARD: change.lease_guard_ms,
        Level.ISOLATE: change.lease_isolate_ms,
        Level.HALT: change.lease_halt_ms,
    }
    delays = ((change.change_delay_ms, epoch.change_delay_ms), (change.loosen_delay_ms, epoch.loosen_delay_ms))
    return (
        any(new is not None and _is_lower(new, epoch.formulas[level]) for level, new in formulas.items())
        or any(new is not None and new > epoch.lease_bound_ms(level) for level, new in leases.items())
        or any(new is not None and new < old for new, old in delays)
    )


def _is_lower(new: str, old: str) -> bool:
    """A formula is lower where it gives less for any number of groups, not for today's alone."""
    return any(one < other for one, other in zip(_values(new), _values(old), strict=True))


@functools.lru_cache(maxsize=64)
def _values(formula: str) -> tuple[int, ...]:
    return tuple(evaluate(formula, n) for n in range(1, MEMBERS_MAX + 1))


def apply(epoch: Epoch, proposals: Mapping[Digest, Proposal], activates_ms: int) -> Epoch:
    """What these alone would make of `epoch`, for judging: RuleError where they cannot stand together."""
    value = Value(epoch.hash, epoch.number + 1, tuple(sorted(proposals)), (), activates_ms)
    return next_epoch(epoch, value, proposals)

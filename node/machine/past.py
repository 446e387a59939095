"""Forks, and what left a feed's window: the store has it, and a word that claims an old place is compared there."""

from __future__ import annotations

from typing import Any

from node.effects import LookUp, Tell
from node.events import LookedUp
from node.machine.evolve import verified_entry, verify_parsed
from node.machine.links import Link
from node.machine.state import NO_VERSION, State
from node.machine.step import Step
from node.records import EquivocationProven
from protocol.envelope import Parsed, Verified
from protocol.errors import ImpossibleError, ProtocolError
from protocol.feed import Link as FeedLink
from protocol.feed import is_equivocation
from protocol.frames import Entries, KeySets
from protocol.ids import MemberName

TOLD_AGAIN_MS = 3_000
TOLD_TIMES = 10
"""A proof is told again for half a minute: no head shows who lacks it, and a connection that loses what is sent for so
long has ended. Who comes up later is shown it then."""


TOLD_AT_ONCE = 4
"""In one tick: a proof is two entries of the largest size at most, and peers pay by the piece."""


def tell_keyset(step: Step, member: MemberName) -> None:
    """A KeySet that contradicts another, to everybody: beside theirs it is the same proof."""
    sealed = step.state.contradicted[member]
    step.state.telling[member, NO_VERSION] = (step.at.mono_ms, TOLD_TIMES)
    what = f"KeySet {sealed.keyset.version} of {member} does not hold: it sealed another of that version, or too many"
    step.do(Tell(f"{what}; what it said under it counts like a forked feed"))


def tell_due(step: Step) -> None:
    state = step.state
    due = [one for one in sorted(state.telling.items()) if one[1][0] <= step.at.mono_ms]
    for key, (_, left) in due[:TOLD_AT_ONCE]:
        _tell(step, _proof(state, key))
        if left > 1:
            state.telling[key] = (step.at.mono_ms + TOLD_AGAIN_MS, left - 1)
        else:
            del state.telling[key]


def _proof(state: State, key: tuple[MemberName, int]) -> Entries | KeySets:
    member, version = key
    return KeySets((state.contradicted[member].raw,)) if version == NO_VERSION else Entries(state.equivocations[key])


def _tell(step: Step, proof: Entries | KeySets) -> None:
    """As answers go: whoever holds another KeySet of this version cannot check it, and that is no offence of ours."""
    for peer_id, link in sorted(step.state.links.items()):
        if link.member is not None:
            step.send(peer_id, proof, sync=True)


def prove(step: Step, one: Verified[Any], other: Verified[Any]) -> None:
    """Once per key; both entries go to everybody, for whom either is new makes the same proof of them."""
    author = one.entry.author
    if (author, one.entry.key_version) in step.state.equivocations:
        return
    step.record(EquivocationProven(one.raw, other.raw, step.now_ms), one)
    _tell(step, Entries((one.raw, other.raw)))
    step.state.telling[author, one.entry.key_version] = (step.at.mono_ms + TOLD_AGAIN_MS, TOLD_TIMES)
    step.do(Tell(f"{author} forked its feed at {one.entry.seq}: two payloads under one key are kept as proof"))


def look_up(step: Step, link: Link, parsed: Parsed) -> None:
    """Its author pays for nothing: whoever sends the past of others again would spend their budgets. Of a key that
    forked once no more is to be found out."""
    entry = parsed.entry
    key = (entry.author, entry.key_version)
    if key in step.state.equivocations or not link.looking.take(1, step.at.mono_ms):
        return
    verify_parsed(step.state, parsed)
    step.do(LookUp(link.peer_id, parsed.raw, *key, max(0, entry.seq - 1), entry.seq + 1))


def compare(step: Step, event: LookedUp) -> Verified[Any] | None:
    """Proves a fork; gives back the word where the store has nothing at its place. Looked at anew, for a KeySet may
    have come meanwhile."""
    verified = _opened(step, event.raw)
    if verified is None:
        return None
    feed = step.state.feeds.get((verified.entry.author, verified.entry.key_version))
    if feed is None or feed.judge(verified)[0] is not FeedLink.OLD:
        return None
    there = False
    for raw in event.found:
        held = _opened(step, raw)
        there = there or held is None or held.entry.seq == verified.entry.seq
        if held is not None and is_equivocation(held, verified):
            prove(step, held, verified)
    return None if there else verified


def _opened(step: Step, raw: bytes) -> Verified[Any] | None:
    try:
        return verified_entry(step.state, raw)
    except (ProtocolError, ImpossibleError):
        return None

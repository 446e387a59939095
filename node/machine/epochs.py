"""What a change of epoch does to what a node knows: who left is forgotten, what stands goes on, our own live words are
said again. Part of `evolve`: no clock, no effect."""

from __future__ import annotations

from node.machine.state import NO_VERSION, State
from protocol.envelope import open_keyset
from protocol.errors import ProtocolError
from protocol.ids import MemberName
from protocol.membership import Epoch, Member
from protocol.messages import Level

EPOCHS_KEPT = 16
"""Of those before the one in force. A certificate runs for twelve hours at most, and a change waits longer than that
unless it only suspends: of those there are no more than seats."""


def enter(state: State, epoch: Epoch) -> None:
    """Nothing is lifted by it: certificates of the epochs before run to their ends, and actions on what they rest."""
    before = state.epoch.by_name
    state.words += 1
    state.verdicts += 1
    state.epochs = (epoch, *state.epochs)[: EPOCHS_KEPT + 1]
    state.said_heads = state.clocks = None
    state.standing.clear()
    state.live.clear()
    state.resting.clear()
    for member in sorted({*state.keysets, *state.manifests, *state.behind_ms} - set(epoch.by_name)):
        _forget_member(state, member)
    for seat in epoch.members:
        known = before.get(seat.name)
        if known is None or known.governance_key != seat.governance_key:
            _forget_keys(state, seat.name)
            _take_keys(state, seat)
    for link in state.links.values():
        link.members = state.members_of(link.peer_id)
    if not state.seated():
        return
    for topic, own in state.sealed_here.items():
        if own.body.level is not Level.NONE and own.body.epoch != epoch.hash:
            state.reissue[topic] = own


def _forget_member(state: State, name: MemberName) -> None:
    """Removed means removed everywhere. Its feeds stay: a late word of it is known and not asked for again."""
    _forget_keys(state, name)
    state.manifests.pop(name, None)
    state.behind_ms.pop(name, None)
    state.last_word_ms.pop(name, None)


def _forget_keys(state: State, name: MemberName) -> None:
    """A KeySet that the seat's governance key did not seal is none, and what was said under it counts no more."""
    for topic in [topic for topic, held in state.opinions.items() if name in held]:
        state.drop_opinion(topic, name)
    state.keysets.pop(name, None)
    state.contradicted.pop(name, None)
    state.telling.pop((name, NO_VERSION), None)
    state.heartbeats.pop(name, None)


def _take_keys(state: State, seat: Member) -> None:
    """What was handed over beside the proposal, where its key is the one in force now."""
    applied = state.applicants.pop(seat.name, None)
    try:
        sealed = open_keyset(applied.raw, state.epoch.network, seat.governance_key) if applied is not None else None
    except ProtocolError:
        return
    if sealed is not None:
        state.keysets[seat.name] = {sealed.keyset.version: sealed}

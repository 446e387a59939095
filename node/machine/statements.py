"""What a governance key sealed: a KeySet from anywhere, and what a person has this node say for its owner.

A statement is proven by its own seal, not by who carries it: a member whose node is down or stolen is spoken for by
any other member's node.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable
from dataclasses import replace

from governance.proposals import statement_type
from node.effects import Broadcast
from node.events import TakeKey
from node.machine import alarms, deciding, past
from node.machine.state import State
from node.machine.step import Step
from node.records import KeySetLearned
from protocol.envelope import SealedKeySet, keyset_owner, open_keyset
from protocol.errors import Code, ProtocolError
from protocol.frames import KeySets, pack_frame
from protocol.limits import KEYSETS_PER_MEMBER_MAX
from protocol.messages import Statement

KEYSETS_REPLACED_MAX = 8
"""Two KeySets of one version are an equivocation; a chain of ever lower hashes is a way to fill our disk."""


class Standing(enum.Enum):
    """What a sound KeySet is beside those held."""

    NEW = "new"
    KNOWN = "known"
    LOSES = "loses"
    """Another of its version has the lower hash."""
    BEYOND = "beyond"
    """One more than an epoch takes of a member."""


def weigh_keyset(state: State, raw: bytes) -> tuple[SealedKeySet, Standing]:
    """Its seal and its place among the member's others. ProtocolError: whose fault it is that it is not taken."""
    owner = state.epoch.by_name.get(keyset_owner(raw))
    if owner is None:
        raise ProtocolError(Code.UNKNOWN_AUTHOR, f"{keyset_owner(raw)} is no member of this epoch")
    sealed = open_keyset(raw, state.epoch.network, owner.governance_key)
    version, held = sealed.keyset.version, state.keysets.get(owner.name, {})
    there = held.get(version)
    if there is None:
        return sealed, Standing.NEW if len(held) < KEYSETS_PER_MEMBER_MAX else Standing.BEYOND
    if there.raw == raw or there.hash == sealed.hash:
        return sealed, Standing.KNOWN
    if there.hash < sealed.hash:
        return sealed, Standing.LOSES
    if state.keysets_replaced.get((owner.name, version), 0) >= KEYSETS_REPLACED_MAX:
        detail = f"version {version} of {owner.name} was replaced {KEYSETS_REPLACED_MAX} times: too often"
        raise ProtocolError(Code.AUTHOR_OVER_BUDGET, detail)
    return sealed, Standing.NEW


def learnable(state: State, raws: Iterable[bytes]) -> list[bytes]:
    """Those of what the owner brought that are new here. What another governance key sealed than the one in force is of
    an epoch before or after this one, and is passed over."""
    found = []
    for raw in raws:
        try:
            if weigh_keyset(state, raw)[1] is Standing.NEW:
                found.append(raw)
        except ProtocolError:
            continue
    return found


def keyset_arrived(step: Step, peer_id: str, raw: bytes) -> None:
    """A delegation proves itself; a newer version silences what was sealed under the older one, at once."""
    state = step.state
    try:
        sealed, standing = weigh_keyset(state, raw)
    except ProtocolError as error:
        if error.code not in (Code.UNKNOWN_AUTHOR, Code.AUTHOR_OVER_BUDGET):
            raise
        # beside others in one frame: it costs those nothing
        step.refuse(peer_id, error.code)
        return
    if standing is Standing.BEYOND:
        step.refuse(peer_id, Code.AUTHOR_OVER_BUDGET)
    member, version = sealed.keyset.member, sealed.keyset.version
    known = member in state.contradicted
    if standing is Standing.NEW and state.keyset(member, version) is not None:
        state.keysets_replaced[member, version] = state.keysets_replaced.get((member, version), 0) + 1
    if standing is Standing.NEW or (standing is not Standing.KNOWN and not known):
        step.record(KeySetLearned(raw), sealed)
    if member in state.contradicted and not known:
        past.tell_keyset(step, member)


def publish(step: Step, raw: bytes) -> str:
    """Says it in our own feed, once it holds here as if it had arrived; "" or why not. It takes effect here after it
    was said: where it replaces our own key, the old one's last word carries the new one."""
    fault = step.state.may_sign()
    if fault:
        return f"this node must not sign: {fault}"
    try:
        if statement_type(raw):
            step.state.ledger.take(raw, step.now_ms)
            return _said(step, raw)
        if deciding.applicants_keyset(step.state, raw) is not None:
            return _said(step, raw)
        sealed, standing = weigh_keyset(step.state, raw)
        fault = _fault_of(step.state, sealed, standing)
        if fault:
            return fault
        if step.say(Statement(raw)) is None:
            return "too much is being said at this moment: ask again"
    except ProtocolError as error:
        return f"it is not taken: {error.detail}"
    keyset_arrived(step, "", raw)
    return ""


def _said(step: Step, raw: bytes) -> str:
    return "" if step.say(Statement(raw)) is not None else "too much is being said at this moment: ask again"


def fault_of_key(state: State, command: TakeKey) -> str:
    """ "" where this node may go on under this key, else why not. Asked before the mark is replaced, and after."""
    sealed = command.sealed
    if sealed.keyset.member != state.me:
        return f"it is a KeySet of {sealed.keyset.member} and not of {state.me}"
    if sealed.keyset.attestation != command.signer.public:
        return "it delegates another key than the one given"
    try:
        sealed, standing = weigh_keyset(state, sealed.raw)
    except ProtocolError as error:
        return f"it is not taken: {error.detail}"
    version = sealed.keyset.version
    if version <= state.setup.key_version:
        return f"version {version} is not above the one in use here ({state.setup.key_version})"
    return _fault_of(state, sealed, standing)


def take_key(step: Step, command: TakeKey) -> str:
    """From here on this node speaks under the fresh key: the old one's feed has ended, and what it said and still
    holds is said again at once. The KeySet goes ahead of it on every connection."""
    state = step.state
    fault = fault_of_key(state, command)
    if fault:
        return fault
    keyset_arrived(step, "", command.sealed.raw)
    version = command.sealed.keyset.version
    state.setup = replace(state.setup, signer=command.signer, key_version=version, fresh=True, stopped_why="")
    state.signing_ready = True
    state.said_manifest = False
    state.heartbeat_at_ms = 0
    step.do(Broadcast(pack_frame(KeySets((command.sealed.raw,)))))
    alarms.retry_answers(step)
    return ""


def _fault_of(state: State, sealed: SealedKeySet, standing: Standing) -> str:
    """What is in force already may be said again: the first time may have been lost with a store."""
    member, version = sealed.keyset.member, sealed.keyset.version
    newest = state.current_version(member)
    if version < newest:
        return f"version {newest} of {member} is in force; version {version} would change nothing"
    if standing is Standing.LOSES:
        return (
            f"another KeySet of version {version} of {member} is held and has the lower hash, so it holds; seal "
            f"version {version + 1}"
        )
    if standing is Standing.BEYOND:
        return f"{member} has delegated {KEYSETS_PER_MEMBER_MAX} versions in this epoch, and no more are taken"
    return ""

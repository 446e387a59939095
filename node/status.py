"""A running node as `tocsin status` and the local network's supervisor read it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from adapters.catalog import relays_say
from governance.standing import flags
from node.config import relays_by_chain
from node.drill.mark import drill_of
from node.hearing import Heard, members_heard, sentence, told
from node.loop import now
from node.machine.action import ENDED, Phase
from node.machine.expiry import own_warning
from node.machine.state import State
from node.present import all_asked, quorum
from protocol.ids import MemberName

if TYPE_CHECKING:
    from node.app import Node

VERSION = "0.1.0"


def status_of(node: Node) -> dict[str, Any]:
    """What `tocsin status` shows."""
    state, parts = node.machine.state, node.parts
    why = state.may_sign()
    heard = members_heard(state, node.transport.status(), now().wall_ms)
    silent = {one.member: one.since_ms for one in heard if not one.up}
    return {
        "member": parts.config.member,
        "now_ms": now().wall_ms,
        "position": node.watch.position,
        "network": parts.charter.network.hex(),
        "network_name": parts.charter.parameters.name,
        "drill_of": drill_of(parts.charter.parameters.name),
        "exercise": bool(drill_of(parts.charter.parameters.name)),
        "epoch": {"number": state.epoch.number, "hash": state.epoch.hash.hex(), "elsewhere": _elsewhere(state)},
        "signing": {"may": not why, "why": why, "key_version": state.setup.key_version, "warning": own_warning(state)},
        "quorum": {**quorum(state), "says": sentence(state, heard), "silent_since_ms": silent},
        "mode": parts.policy.mode.name.lower(),
        "peers": _peers(node, heard),
        "chains": [_chain(node, one.id, one.chain) for one in parts.config.connections],
        "relays": [
            {"chain": chain, "says": relays_say(len(found), found[0].public_after_s, found[0].never_public)}
            for chain, found in relays_by_chain(parts.config).items()
        ],
        "sensors": [{"name": one.name, "says": one.health()} for one in node.instances.sensors],
        "canary": node.canary.told(),
        "skew_ms": state.skew_ms(),
        "refusals": node.discipline.shown(state),
        "refusals_total": dict(sorted(state.refusals.items())),
        "wire_refusals": dict(sorted(node.misbehaved.items())),
        "false_statements": {name: list(told) for name, told in sorted(state.false_statements.items())},
        "equivocations": sorted({author for author, _ in state.equivocations}),
        "suspended": {one.name: one.why for one in state.epoch.members if one.suspended},
        "flagged": [
            f"{flag.member} {flag.what}"
            for flag in flags(state.epoch, dict(state.last_word_ms), now().wall_ms)
            if flag.member != state.me
        ],
        "proposals": len(state.ledger.held),
        "alerts": len(state.opinions),
        "certificates": len(state.certificates),
        "actions": sum(1 for one in state.actions.values() if one.phase not in ENDED),
        "escalated": _escalated(node),
        "release_people": parts.policy.ending.need,
        "asked": all_asked(state, now().wall_ms),
        "uptime_s": round(time.monotonic() - node.started, 3),
        "version": VERSION,
        "listening": list(node.transport.listening),
    }


def _elsewhere(state: State) -> list[str]:
    """Members whose last Heartbeat names an epoch that is not known here."""
    known = {one.hash for one in state.epochs}
    return sorted(name for name, one in state.heartbeats.items() if one.entry.body.epoch not in known)


def _escalated(node: Node) -> list[dict[str, str]]:
    """Own levers that a person must look at: what they were to do, and what kept them from it."""
    held = [one for one in node.machine.state.actions.values() if one.phase is Phase.ESCALATED]
    return [
        {"key": one.key.hex(), "lever": one.lever, "subject": str(one.subject), "says": one.steps[-1][2]}
        for one in sorted(held, key=lambda one: one.opened_ms)
        if one.steps
    ]


def _chain(node: Node, connection: str, chain: str) -> dict[str, Any]:
    says = node.chain_faults.get(connection)
    return {"id": connection, "chain": chain, "ok": says == "", "says": "not asked yet" if says is None else says}


def _peers(node: Node, heard: list[Heard]) -> list[dict[str, Any]]:
    """By peer id. Of an observer `member` is "" and `observer` its name."""
    state, config = node.machine.state, node.parts.config
    by_member = {one.member: told(one, config.clock.skew_max_ms) for one in heard}
    observers = {one.peer_id: one.name for one in config.observers}
    at_ms = now().wall_ms
    return [
        {
            "member": state.member_of(one.peer_id) or "",
            "observer": observers.get(one.peer_id, "") if one.observer else "",
            "peer_id": one.peer_id,
            "up": one.up,
            "rtt_ms": one.rtt_ms,
            "since_s": round(one.since_s, 3),
            "queued": one.queued,
            "refused": one.refused,
            "dialling": one.dialling,
            "since_ms": at_ms - int(one.since_s * 1000),
            "last_word_ms": None,
            "clock_ahead_ms": None,
            "clock_warning": "",
            **by_member.get(state.member_of(one.peer_id) or MemberName(""), {}),
        }
        for one in node.transport.status()
    ]

"""Every family's samples, read off a running node. Labels are words of ours, members of the epoch and names of this
node's own configuration and policy: nothing that a stranger could make up."""

from __future__ import annotations

import platform
import resource
import sys
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from node.discipline import code_of
from node.hearing import members_heard
from node.loop import now
from node.machine.action import ON_TARGET, Phase
from node.metrics.disk import Disk
from node.metrics.health import readiness
from node.metrics.table import FAMILIES
from node.metrics.text import Samples, Spread, Value, written
from node.status import VERSION
from protocol.errors import Code
from protocol.membership import COUNTED

if TYPE_CHECKING:
    from node.app import Node

Found = dict[str, Samples]


def text_of(node: Node, disk: Disk) -> str:
    found: Found = {
        **_process(node, disk),
        **_hearing(node),
        **_peers(node),
        **_saying(node),
        **_doing(node, disk),
        **_seeing(node),
    }
    return written((family, found[family.name]) for family in FAMILIES)


def _one(value: float | None) -> Samples:
    """A family without labels; absent where nobody knows."""
    return {} if value is None else {(): value}


def resident_bytes() -> int:
    try:
        pages = int(Path("/proc/self/statm").read_text("ascii").split()[1])
    except (OSError, ValueError, IndexError):
        # elsewhere the most that it ever was, in kB or, on a Mac, bytes
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * 1024
    return pages * resource.getpagesize()


def _process(node: Node, disk: Disk) -> Found:
    loop = node.loop
    return {
        "tocsin_build_info": {(VERSION, platform.python_version()): 1},
        "tocsin_uptime_seconds": _one(time.monotonic() - node.started),
        "tocsin_resident_memory_bytes": _one(resident_bytes()),
        "tocsin_ready": _one(not readiness(node, disk).reasons),
        "tocsin_loop_silent_seconds": _one(loop.silent_s()),
        "tocsin_ticks_late_total": _one(loop.ticks_late),
        "tocsin_inbox_events": _one(loop.inbox.statistics().current_buffer_used),
        "tocsin_store_commit_seconds": {(): node.counted.commits.spread()},
        "tocsin_store_bytes": _one(disk.store_bytes),
        "tocsin_disk_free_bytes": _one(disk.free_bytes),
    }


def _hearing(node: Node) -> Found:
    state = node.machine.state
    skew_ms = state.skew_ms()
    return {
        "tocsin_quorum_groups_heard": _one(state.heard_groups()),
        "tocsin_quorum_groups_needed": _one(state.epoch.q),
        "tocsin_quorum_margin_groups": _one(state.margin()),
        "tocsin_epoch_number": _one(state.epoch.number),
        "tocsin_clock_offset_seconds": _one(None if skew_ms is None else skew_ms / 1000),
    }


def _peers(node: Node) -> Found:
    state, at_ms = node.machine.state, now().wall_ms
    peers = node.transport.status()
    heard = members_heard(state, peers, at_ms)
    roles = Counter("observer" if one.observer else "member" for one in peers if one.up)
    queued = Counter[str]()
    for one in peers:
        member = state.member_of(one.peer_id)
        if member is not None and not one.observer:
            queued[member] += one.queued
    return {
        "tocsin_peers_connected": {(role,): roles[role] for role in ("member", "observer")},
        "tocsin_member_up": {(one.member,): one.up for one in heard},
        "tocsin_member_last_word_age_seconds": {
            (one.member,): (at_ms - one.last_word_ms) / 1000 for one in heard if one.last_word_ms is not None
        },
        "tocsin_member_clock_ahead_seconds": {
            (one.member,): one.ahead_ms / 1000 for one in heard if one.ahead_ms is not None
        },
        "tocsin_member_queue_frames": {(one.member,): queued[one.member] for one in heard},
    }


def _saying(node: Node) -> Found:
    state, at_ms, accepted = node.machine.state, now().wall_ms, node.counted.accepted
    own = state.keyset(state.me, state.setup.key_version)
    wire = Counter[str]()
    for why, count in node.misbehaved.items():
        wire[code_of(why)] += count
    levels = Counter(held.certificate.level for held in state.certificates.values() if held.ends_ms > at_ms)
    return {
        "tocsin_signing": _one(not state.may_sign()),
        "tocsin_key_left_seconds": _one(None if own is None else (own.keyset.expires_ms - at_ms) / 1000),
        "tocsin_entries_accepted_total": {("yes",): accepted[True], ("no",): accepted[False]},
        "tocsin_entries_refused_total": {(code.word,): state.refusals.get(code.word, 0) for code in Code},
        "tocsin_wire_refusals_total": {(code,): count for code, count in wire.items()},
        "tocsin_strangers_refused_total": {(where,): count for where, count in node.transport.strangers().items()},
        "tocsin_equivocations_proven": _one(len(state.equivocations)),
        "tocsin_alerts": _one(len(state.opinions)),
        "tocsin_certificates_held": {(level.name,): levels[level] for level in COUNTED},
        "tocsin_claims_waiting": _one(sum(len(waiting) for waiting in state.to_judge.values())),
    }


def _doing(node: Node, disk: Disk) -> Found:
    state, counted, at_ms = node.machine.state, node.counted, now().wall_ms
    phases = Counter(one.phase for one in state.actions.values())
    standing = Counter[str](dict.fromkeys(state.setup.policy.levers, 0))
    left: dict[tuple[str, ...], Value] = {}
    for one in state.actions.values():
        if one.phase in ON_TARGET:
            standing[one.lever] += 1
            known = left.get((one.lever,), 0.0)
            ends = max((one.until_ms - at_ms) / 1000, 0.0)
            left[(one.lever,)] = ends if isinstance(known, Spread) else max(known, ends)
    tested = ((name, disk.tested_ms.get(name)) for name in state.setup.policy.levers)
    return {
        "tocsin_actions": {(phase.value,): phases[phase] for phase in Phase},
        "tocsin_lever_standing": {(lever,): count for lever, count in standing.items()},
        "tocsin_lever_lease_left_seconds": left,
        "tocsin_lever_step_seconds": {key: one.spread() for key, one in counted.steps.items()},
        "tocsin_lever_step_failures_total": {key: count for key, count in counted.failures.items()},  # noqa: C416 (a dict of another type)
        "tocsin_lever_tested_age_seconds": {
            (name,): max(at_ms - tested_ms, 0) / 1000 for name, tested_ms in tested if tested_ms is not None
        },
    }


def _seeing(node: Node) -> Found:
    state, at_ms = node.machine.state, now().wall_ms
    notices: dict[tuple[str, ...], Value] = {}
    for sink in node.instances.sinks:
        notices.update({(sink.name, str(what)): count for what, count in sink.counts.items()})
    return {
        "tocsin_exposure_age_seconds": {
            (name,): (at_ms - reading.at_ms) / 1000
            for name, reading in state.exposures.items()
            if reading.usd is not None or reading.utilisation is not None
        },
        "tocsin_connection_up": {
            (one.id,): node.chain_faults[one.id] == ""
            for one in node.parts.config.connections
            if one.id in node.chain_faults
        },
        "tocsin_sensor_well": {(one.name,): one.health() == "" for one in node.instances.sensors},
        "tocsin_canary_well": {(one.name,): one.ok for one in node.canary.parts.values()},
        "tocsin_canary_age_seconds": _one(None if node.canary.at_ms is None else (at_ms - node.canary.at_ms) / 1000),
        "tocsin_notices_total": notices,
        "tocsin_trace_spans_total": {(what,): count for what, count in node.tracing.counts.items()},
    }

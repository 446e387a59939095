"""Alive, and ready: each reason a sentence."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from node.hearing import members_heard, sentence
from node.loop import now
from node.machine.action import Phase
from node.metrics.disk import Disk

if TYPE_CHECKING:
    from node.app import Node

SILENT_S_MAX = 10.0
"""Idle, the loop takes a tick every 0.6 s; a commit on a slow disk holds it for a second or two."""
FREE_BYTES_LEAST = 256 * 1024 * 1024
DAY_MS = 86_400_000
TESTED_DAYS_MAX = 7


@dataclass(frozen=True)
class Ready:
    """`reasons`: why it is not; `notes`: what a person should look at all the same."""

    reasons: tuple[str, ...]
    notes: tuple[str, ...]


def pulse(node: Node) -> tuple[str, ...]:
    """Why it is not alive; nothing where it is."""
    silent_s = node.loop.silent_s()
    if silent_s > SILENT_S_MAX:
        return (f"the loop has taken no tick for {silent_s:.0f} s: a commit hangs, look at the disk and at the log",)
    return ()


def readiness(node: Node, disk: Disk) -> Ready:
    return Ready((*pulse(node), *_reasons(node)), (*_notes(node, disk),))


def _reasons(node: Node) -> Iterator[str]:
    state = node.machine.state
    if node.stopping.is_set() or node.asked_to_stop.is_set():
        yield "it is stopping; what its levers hold stands until its lease ends"
    why = state.may_sign()
    if why:
        yield f"it signs nothing: {why}"
    if state.blind():
        yield sentence(state, members_heard(state, node.transport.status(), now().wall_ms))


def _notes(node: Node, disk: Disk) -> Iterator[str]:
    state, at_ms = node.machine.state, now().wall_ms
    if node.parts.config.policy is None:
        yield "it has no policy: it observes and answers, and touches nothing"
    for part in node.canary.silent():
        yield f"the canary finds {part.name} silent: {part.says}"
    for connection, fault in sorted(node.chain_faults.items()):
        if fault:
            yield f"connection {connection}: {fault}"
    for sensor in node.instances.sensors:
        says = sensor.health()
        if says:
            yield f"sensor {sensor.name}: {says}"
    if node.tracing.fault:
        yield node.tracing.fault
    for name, reading in sorted(state.exposures.items()):
        if reading.usd is None and reading.utilisation is None:
            yield f"exposure {name} cannot be read: {reading.detail or 'the reader gave no number'}"
    for action in sorted(state.actions.values(), key=lambda one: one.opened_ms):
        if action.phase is Phase.ESCALATED:
            yield f"lever {action.lever} on {action.subject} waits for a person: tocsin explain {action.key.hex()[:12]}"
    if disk.free_bytes is not None and disk.free_bytes < FREE_BYTES_LEAST:
        left = f"{disk.free_bytes >> 20} MiB left"
        yield f"the disk of {node.parts.config.data_dir} has {left}: a full one stops the node"
    yield from _tested(tuple(sorted(state.setup.policy.levers)), disk.tested_ms, at_ms)


def _tested(levers: tuple[str, ...], tested_ms: dict[str, int], at_ms: int) -> Iterator[str]:
    for name in levers:
        last_ms = tested_ms.get(name)
        if last_ms is None:
            yield f"lever {name} was never tested from here: tocsin lever test {name}"
        elif at_ms - last_ms > TESTED_DAYS_MAX * DAY_MS:
            yield f"lever {name} was last tested {(at_ms - last_ms) // DAY_MS} days ago: tocsin lever test {name}"


def in_a_line(node: Node) -> str:
    """For a service manager, which has room for one."""
    state = node.machine.state
    why = state.may_sign()
    heard = members_heard(state, node.transport.status(), now().wall_ms)
    return f"{f'SIGNS NOTHING: {why}; ' if why else ''}{sentence(state, heard)}"


def health_json(node: Node) -> dict[str, Any]:
    why = pulse(node)
    says = why[0] if why else f"alive; the loop took its last tick {node.loop.silent_s():.1f} s ago"
    return {"alive": not why, "says": says}


def ready_json(node: Node, disk: Disk) -> dict[str, Any]:
    found = readiness(node, disk)
    tested = {name: disk.tested_ms.get(name) for name in sorted(node.machine.state.setup.policy.levers)}
    return {
        "ready": not found.reasons,
        "reasons": list(found.reasons),
        "notes": list(found.notes),
        "levers_tested_ms": tested,
    }

"""B: whatever others do, what is kept of them is bounded."""

from __future__ import annotations

from collections import Counter

from protocol.limits import OPINIONS_PER_AUTHOR_MAX
from protocol.messages import Level
from tests.sim.checks.base import Seen
from tests.sim.shell import Process
from tests.sim.world import World


def b1_state_is_bounded(seen: Seen, world: World, process: None) -> str:
    for one in world.processes.values():
        fault = _too_much(one, len(world.network.names))
        if fault:
            return f"{one.name}: {fault}"
    return ""


def _too_much(process: Process, members: int) -> str:
    state = process.state
    authors = Counter(author for held in state.opinions.values() for author in held)
    sizes = {
        "opinions of one author": (max(authors.values(), default=0), OPINIONS_PER_AUTHOR_MAX),
        "peers": (len(state.links), members),
        "certificate ids shown by one peer": (max((len(one.shown) for one in state.links.values()), default=0), 4096),
        "blobs pushed ahead": (len(state.pushed_blobs), 64 * members),
        "claims waiting for one author": (max(map(len, state.to_judge.values()), default=0), 512),
        "rivals of one feed": (max((len(one.rivals) for one in state.feeds.values()), default=0), 16),
        "entries of one feed in memory": (max((len(one.links) for one in state.feeds.values()), default=0), 4_096),
        "false statements of one author": (max(map(len, state.false_statements.values()), default=0), 64),
        "KeySets of one member": (max(map(len, state.keysets.values()), default=0), 16),
    }
    for what, (size, most) in sizes.items():
        if size > most:
            return f"{size} {what}, at most {most}"
    return ""


def b1_ended_alarms_are_forgotten(seen: Seen, world: World, process: None) -> str:
    """Asked hours after the last lease: what nobody names any more costs no memory."""
    for one in world.honest():
        state, now_ms = one.state, one.clock().wall_ms
        since_ms = now_ms - world.lease_ms(Level.GUARD) // 2
        live = [two for held in state.opinions.values() for two in held.values() if two.body.expires_ms > since_ms]
        if not live and len(state.missing) + len(state.judging) > 0:
            return f"{one.name} still waits for {len(state.missing)} blobs and {len(state.judging)} verdicts"
    return ""

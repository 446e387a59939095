"""What the state of a running node says of each part of its way. Reads alone; nothing here is sent or changed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from adapters.api import ExposureReading, Sensor
from adapters.exposure import is_fresh
from adapters.policy import AlarmView, Decision, Own, Policy, Situation, Verdict, decide
from node.machine.state import State
from node.replay.played import unleashed
from protocol.ids import GroupName
from protocol.membership import COUNTED
from protocol.messages import Level, Threat

SENSORS, GOSSIP, QUORUM, POLICY, LEVERS = "sensors", "gossip", "quorum", "policy", "levers"
PARTS = (SENSORS, GOSSIP, QUORUM, POLICY, LEVERS)
HEADS_MS_MAX = 30_000
"""Peers show their heads every five seconds where nothing happens."""
WORD_MS_MAX = 240_000
"""A Heartbeat is said every minute; three lost in a row are no accident."""
SAYS_CHARS_MAX = 600
_MUCH_USD = 1e15


@dataclass(frozen=True)
class Found:
    """Of one part. `says` is for people, also where it is well."""

    part: str
    ok: bool
    says: str


def found(part: str, faults: Iterable[str], well: str) -> Found:
    told = "; ".join(faults)
    return Found(part, not told, (told or well)[:SAYS_CHARS_MAX])


def sensors(watching: Iterable[Sensor], chain_faults: Mapping[str, str]) -> Found:
    """Each in its own words; a chain that was not asked yet is none that is down."""
    looking = list(watching)
    faults = [f"sensor {one.name}: {says}" for one in looking if (says := one.health())]
    faults += [f"connection {name}: {fault}" for name, fault in sorted(chain_faults.items()) if fault]
    return found(SENSORS, faults, f"{len(looking)} sensors and {len(chain_faults)} connections answer")


def gossip(state: State, mono_ms: int) -> Found:
    """Whether our own last word is held by a quorum, as the peers' heads show: the Heartbeat of each minute is the
    marked and harmless frame that this needs."""
    seq, _ = state.own_head()
    held = _holders(state, seq, mono_ms)
    count, needed = len(held), state.epoch.q
    why = state.may_sign()
    faults = [f"signs nothing: {why}"] if why else []
    if count < needed:
        lacking = ", ".join(sorted(set(state.epoch.groups) - held))
        faults.append(
            f"our word no. {seq} is held by {count} of {state.epoch.n} groups, a quorum is {needed}; not by {lacking}"
        )
    return found(GOSSIP, faults, f"our word no. {seq} is held by {count} of {state.epoch.n} groups")


def _holders(state: State, seq: int, mono_ms: int) -> frozenset[GroupName]:
    own = (state.me, state.setup.key_version)
    groups = {state.own_group()} if state.seated() else set()
    for link in state.links.values():
        recent = mono_ms - link.heads_at_ms <= HEADS_MS_MAX
        if recent and (not link.differs or link.theirs.get(own, -1) >= seq):
            groups |= {state.epoch.group_of(member) for member in link.members if member in state.epoch.by_name}
    return frozenset(groups)


def quorum(state: State, now_ms: int) -> Found:
    """Connected, and heard to say something: a peer that answers pings and says nothing is as good as gone."""
    groups = {state.own_group()} if state.seated() else set()
    for member in state.up_members():
        if member in state.epoch.by_name and now_ms - state.last_word_ms.get(member, 0) <= WORD_MS_MAX:
            groups.add(state.epoch.group_of(member))
    count, needed = len(groups), state.epoch.q
    silent = ", ".join(sorted(set(state.epoch.groups) - groups))
    fault = f"words of {count} of {state.epoch.n} groups within 4 min, a quorum is {needed}; silent: {silent}"
    return found(QUORUM, [fault] if count < needed else [], f"words of {count} of {state.epoch.n} groups within 4 min")


def policy(state: State, now_ms: int) -> Found:
    """A dry run: at the highest alarm on every asset, does each lever that would move on perfect readings move on those
    that are there? How much is at risk is not asked, only whether it is known."""
    rules = unleashed(state.setup.policy)
    full = {name: ExposureReading(name, _MUCH_USD, _MUCH_USD, 1.0, now_ms) for name in rules.exposures}
    known = {name: full[name] for name in rules.exposures if _is_known(rules, state, name, now_ms)}
    ideal = _moved(decide(rules, _dry(state, full, now_ms)))
    decisions = decide(rules, _dry(state, known | _unknown(state, known), now_ms))
    still = _moved(decisions)
    faults = [
        f"{one.lever} would not move: {one.why}"
        for one in decisions
        if one.lever is not None and one.lever in ideal - still and one.verdict is Verdict.HOLD
    ]
    well = f"a dry run moves {', '.join(sorted(still))}" if still else "a dry run moves nothing, as the policy says"
    return found(POLICY, sorted(set(faults)), well)


def _is_known(rules: Policy, state: State, name: str, now_ms: int) -> bool:
    reading = state.exposures.get(name)
    if reading is None or not is_fresh(reading, now_ms, rules.exposures[name].max_age_ms):
        return False
    return reading.usd is not None or reading.utilisation is not None


def _unknown(state: State, known: Mapping[str, ExposureReading]) -> dict[str, ExposureReading]:
    return {name: one for name, one in state.exposures.items() if name not in known}


def _dry(state: State, readings: Mapping[str, ExposureReading], now_ms: int) -> Situation:
    n = state.epoch.n
    alarms = tuple(
        AlarmView(names[0], Threat.BRIDGE_FORGERY, Level.HALT, n, n, n, Own.VERIFIED, Level.ISOLATE)
        for names in state.setup.policy.assets.values()
        if names
    )
    leases = {level: state.epoch.lease_bound_ms(level) for level in COUNTED}
    declared = state.setup.declarations
    return Situation(now_ms, leases, alarms, readings, state.epoch.only_informs, levers=declared)


def _moved(decisions: Iterable[Decision]) -> frozenset[str]:
    return frozenset(one.lever for one in decisions if one.lever and one.verdict in (Verdict.ACT, Verdict.ASK))

"""The policy in sentences, and what it would decide on alarms that never were: those of the incidents that come with
this package, and one of a person's choosing. Nothing moves, and nothing is recorded.

Assumed, and told with every answer: all that is at risk now is taken as gone, every registered source operator is
behind the word of the network, and a rule's hold has run out.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from typing import Any

import trio

from adapters.policy import AlarmView, Own, Policy, Situation, check, decide, say
from governance.packs import played
from governance.simulated import Said, spans
from node.machine.state import State
from node.present_governance import sources_of
from node.recordings import recordings
from node.watch import threat_word
from protocol.ids import MemberName, SourceId
from protocol.membership import COUNTED, Epoch
from protocol.messages import Level, Threat
from protocol.release import Topic
from protocol.subjects import Subject

Json = dict[str, Any]
MUCH = 10**40
"""Base units, for an amount that takes all that is at risk."""
OWN_WORDS = (Own.VERIFIED, Own.UNABLE, Own.CONTRADICTED)
ASSUMED = "as much as is at risk now is gone, every registered source operator stands behind it, and any hold is over"


async def told(state: State, now_ms: int) -> Json:
    """Played in a thread: with many members the counting takes longer than a loop should stand still."""
    policy, epoch, declared = state.setup.policy, state.epoch, state.setup.declarations
    # declared for a lever's name, which is asked for as `target:call`
    by_instance = {policy.instance_of(policy.levers[name]): one for name, one in declared.items()}
    world = (policy, by_instance, epoch.lease_ms, epoch.n, epoch.f)
    sources = sources_of(state, epoch)
    incidents = await trio.to_thread.run_sync(functools.partial(_incidents, epoch, sources))
    return {
        "mode": policy.mode.name.lower(),
        "sentences": say(*world),
        "faults": [str(one) for one in check(*world)],
        "assumed": ASSUMED,
        "assets": {name: [str(one) for one in names] for name, names in sorted(policy.assets.items())},
        "exposures": [
            {"name": one.name, "asset": one.asset, "behind": one.behind, "ways_out": list(one.ways_out)}
            for _, one in sorted(policy.exposures.items())
        ],
        "incidents": [_answered(state, one, now_ms) for one in incidents],
    }


def _incidents(epoch: Epoch, sources: Mapping[MemberName, Sequence[SourceId]]) -> list[tuple[str, Topic, Json]]:
    """(pack, topic, {level: {after_ms, groups}}) of everything that would be certified if all members spoke."""
    found: list[tuple[str, Topic, Json]] = []
    for recording in recordings():
        said = played(recording, epoch, epoch, sources, 0)
        by_topic: dict[Topic, list[Said]] = {}
        for one in said:
            by_topic.setdefault(one.topic, []).append(one)
        for topic, rows in sorted(by_topic.items(), key=lambda one: (one[0][0].raw, one[0][1])):
            formed = spans(rows, epoch)
            levels = {
                level.name: {"after_ms": formed[level][0].from_ms, "groups": len(formed[level][0].groups)}
                for level in COUNTED
                if formed[level]
            }
            found.append((recording.pack, topic, levels))
    return found


def _answered(state: State, incident: tuple[str, Topic, Json], now_ms: int) -> Json:
    """On each asset of the policy as if it had met that one; the incident's own where the policy names it."""
    pack, (subject, threat), levels = incident
    policy = state.setup.policy
    own_asset = [name for name, names in sorted(policy.assets.items()) if subject in names]
    top = max((Level[name] for name in levels), default=Level.NONE)
    groups = levels[top.name]["groups"] if top else 0
    assets = own_asset or sorted(policy.assets)
    return {
        "pack": pack,
        "threat": threat_word(threat),
        "named": bool(own_asset),
        "levels": levels,
        "answers": [
            {"asset": asset, "own": own.value, "decisions": _decided(state, asset, threat, top, own, groups, now_ms)}
            for asset in assets
            for own in OWN_WORDS
        ],
    }


def tried(state: State, asset: str, level: str, own: str, groups: int, now_ms: int) -> Json:
    """One alarm of a person's choosing. What is no asset, level or word of ours moves nothing, and `fault` says so."""
    policy, epoch = state.setup.policy, state.epoch
    found_level, found_own = Level.__members__.get(level.upper()), {one.value: one for one in Own}.get(own)
    if asset not in policy.assets or found_level is None or found_own is None:
        known = ", ".join(sorted(policy.assets)) or "none"
        return {"fault": f"no such asset, level or own word; assets: {known}", "decisions": []}
    needed = epoch.thresholds.get(found_level, 0)
    counted = groups or needed
    certified = found_level if counted >= needed else Level.NONE
    told = {"asset": asset, "level": found_level.name, "own": own, "groups": counted, "needed": needed}
    decisions = _decided(state, asset, int(Threat.BRIDGE_FORGERY), certified, found_own, counted, now_ms, found_level)
    return {**told, "fault": "", "certified": certified is not Level.NONE, "decisions": decisions}


def _decided(
    state: State,
    asset: str,
    threat: int,
    level: Level,
    own: Own,
    groups: int,
    now_ms: int,
    own_level: Level | None = None,
) -> list[Json]:
    policy = state.setup.policy
    subject = policy.assets[asset][0]
    supported = Level.NONE if own in (Own.NONE, Own.CONTRADICTED) else own_level or level
    alarm = AlarmView(
        subject,
        threat,
        level,
        groups,
        groups,
        len({one.operator for one in state.epoch.sources}),
        own,
        supported,
        MUCH,
        since_ms=now_ms - _longest_hold_ms(policy) - 1,
    )
    situation = Situation(
        now_ms,
        state.epoch.lease_ms,
        (alarm,),
        dict(state.exposures),
        only_informs=state.epoch.only_informs,
        levers=state.setup.declarations,
    )
    return [
        {
            "verdict": one.verdict.value,
            "rule": one.rule,
            "lever": one.lever,
            "exposure": one.exposure,
            "rung": one.rung.name,
            "lease_ms": one.lease_ms,
            "why": one.why,
            "page": one.page,
        }
        for one in decide(policy, situation)
        if one.subject is not None and _about(policy, one.subject, asset)
    ]


def _about(policy: Policy, subject: Subject, asset: str) -> bool:
    return subject in policy.assets[asset]


def _longest_hold_ms(policy: Policy) -> int:
    return max((rule.hold_ms for rule in policy.rules), default=0)

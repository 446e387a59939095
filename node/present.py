"""The state as JSON for the control socket: read-only, no decisions. Ids are hexadecimal."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from adapters.exposure import is_fresh, usd_at_risk, utilisation_of, why_unknown
from node.machine import extending, persons, rerunning, views
from node.machine.action import Action
from node.machine.state import State
from node.machine.step import Step
from node.records import EndingAsked, EvidenceRerun
from node.watch import threat_word
from protocol.alarm import Opinion, is_live, weigh
from protocol.codec import encode
from protocol.crypto import sha256
from protocol.evidence import Ruling
from protocol.messages import Level
from protocol.release import Topic

Json = dict[str, Any]


def when(at_ms: float) -> str:
    """UTC, to the millisecond, for sentences."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(at_ms / 1000)) + f".{int(at_ms) % 1000:03d}Z"


def alert_id(topic: Topic) -> str:
    """Names a (subject, threat) for people: stable across nodes."""
    return sha256(encode(["tocsin/1/alert", topic[0].raw, topic[1]])).hex()


def topics(state: State) -> list[Topic]:
    found = set(state.opinions) | {held.certificate.topic for held in state.certificates.values()}
    return sorted(found, key=views.topic_order)


def find_topic(state: State, prefix: str) -> Topic | None:
    found = [topic for topic in topics(state) if alert_id(topic).startswith(prefix.lower())]
    return found[0] if len(found) == 1 else None


def find_action(state: State, prefix: str) -> Action | None:
    found = [action for key, action in state.actions.items() if key.hex().startswith(prefix.lower())]
    return found[0] if len(found) == 1 else None


def quorum(state: State) -> Json:
    epoch = state.epoch
    up = {*state.up_members(), state.me}
    return {
        "n": epoch.n,
        "f": epoch.f,
        "needed": epoch.q,
        "hears": state.heard_groups(),
        "margin": state.margin(),
        "blind": state.blind(),
        "silent": sorted(member.name for member in epoch.members if member.name not in up),
    }


def alert(step: Step, topic: Topic) -> Json:
    state, now_ms = step.state, step.now_ms
    opinions = state.opinions.get(topic, {})
    weighing = weigh(opinions.values(), state.epoch, now_ms, state.releases)
    running = views.running(state, topic, now_ms)
    certificate: Json | None = None
    if running:
        held = state.certificates[running[0]]
        certificate = {
            "digest": held.digest.hex(),
            "level": held.certificate.level.name,
            "ends_ms": held.ends_ms,
            "groups": list(held.groups),
            "tlp": held.tlp.name,
        }
    live = [one for one in opinions.values() if is_live(one, state.epoch, now_ms)]
    own, own_level, _ = views.own_word(state, topic, live, state.certificates[running[0]] if running else None, now_ms)
    level = max(weighing.level, state.certificates[running[0]].certificate.level if running else Level.NONE)
    return {
        "id": alert_id(topic),
        "subject": str(topic[0]),
        "threat": threat_word(topic[1]),
        "level": level.name,
        "groups": sorted(weighing.groups),
        "needed": state.epoch.thresholds[max(level, Level.GUARD)],
        "thresholds": {one.name: count for one, count in state.epoch.thresholds.items()},
        "certificate": certificate,
        "opinions": [_opinion(state, topic, author, now_ms) for author in sorted(opinions)],
        "releases": _releases(state, topic, live),
        "release_needed": state.epoch.q,
        "own": {"verdict": own.value, "level": own_level.name, "why": _own_why(state, topic)},
        "seen_by": [
            {"person": one.person, "at_ms": one.at_ms, "level": one.level.name}
            for one in persons.who_saw(state, topic, now_ms)
        ],
        "reruns": [_rerun(one) for one in persons.reruns_of(state, topic)],
        "rerunning": rerunning.being_rerun(step, topic),
        "asked": asked(persons.first_word(state, topic, now_ms)),
    }


def _opinion(state: State, topic: Topic, author: Any, now_ms: int) -> Json:
    opinion = state.opinions[topic][author]
    body = opinion.body
    return {
        "author": author,
        "group": state.epoch.group_of(author),
        "level": body.level.name,
        "basis": body.basis.name,
        "claims": [{"type": claim.type, "id": claim.id.hex()} for claim in body.claims],
        "sources": list(body.sources),
        "since_ms": body.since_ms,
        "issued_ms": opinion.entry.issued_ms,
        "expires_ms": body.expires_ms,
        "live": is_live(opinion, state.epoch, now_ms),
        "released": state.releases.covers(body, state.epoch),
        "by_person": body.by_person,
        "detector": body.detector,
        "incident": body.incident,
        "tlp": body.tlp.name,
    }


def _releases(state: State, topic: Topic, live: Sequence[Opinion]) -> list[Json]:
    """Who says that it is over, and up to when; not of releases that are older than all that runs now."""
    oldest_ms = min((one.body.since_ms for one in live if one.body.level is not Level.NONE), default=None)
    said = state.releases.latest.get(topic, {})
    seats = {member.name for member in state.epoch.members}
    return [
        {"member": name, "through_ms": through_ms}
        for name, through_ms in sorted(said.items())
        if name in seats and oldest_ms is not None and through_ms >= oldest_ms
    ]


def _rerun(one: EvidenceRerun) -> Json:
    """`before`: how our own check had ruled, "" where it had not; `same`: it found the same again."""
    return {
        "claim": {"type": one.claim.type, "id": one.claim.id.hex()},
        "person": one.person,
        "asked_ms": one.asked_ms,
        "at_ms": one.at_ms,
        "verdict": one.ruling,
        "level": one.level.name,
        "why": one.why,
        "before": one.before,
        "same": one.same,
    }


def _own_why(state: State, topic: Topic) -> str:
    for opinion in state.opinions.get(topic, {}).values():
        for claim in opinion.body.claims:
            ruled = state.ruled.get(claim)
            if ruled is not None and (ruled.judgement.supports(*topic) or ruled.judgement.ruling is Ruling.REFUTED):
                return ruled.judgement.why
    return ""


def asked(first: EndingAsked | None) -> Json | None:
    """What one person asked for and a second has yet to say."""
    if first is None:
        return None
    what = "lift" if first.key else "release"
    return {"what": what, "person": first.person, "at_ms": first.at_ms, "until_ms": first.until_ms}


def all_asked(state: State, now_ms: int) -> list[Json]:
    """By when they were asked; `id` is the action's or the alert's."""
    waiting = [one for one in state.asked.values() if one.until_ms > now_ms]
    return [
        {**(asked(one) or {}), "id": one.key.hex() or alert_id((one.subject, one.threat)), "subject": str(one.subject)}
        for one in sorted(waiting, key=lambda one: one.at_ms)
    ]


def action(step: Step, one: Action) -> Json:
    return {
        "key": one.key.hex(),
        "lever": one.lever,
        "instance": one.instance,
        "subject": str(one.subject),
        "threat": threat_word(one.threat),
        "rung": one.rung.name,
        "phase": one.phase.value,
        "by_human": False,
        "until_ms": one.until_ms,
        "extendable_until_ms": 0 if extending.fault(step, one) else extending.latest_ms(step.state, one),
        "rule": one.rule,
        "why": one.why,
        "certificate": one.certificate.hex(),
        "asked": asked(persons.first_word(step.state, one.key, step.now_ms)),
        "claims": [{"type": type_, "id": id_.hex()} for type_, id_ in sorted(one.claims)],
        "steps": [
            {"at_ms": at_ms, "phase": phase, "says": says, "reference": reference}
            for at_ms, phase, says, reference in one.steps
        ],
    }


def exposures(state: State, now_ms: int) -> list[Json]:
    """What this member can lose, as its policy names it. `usd` None: not known, which is never 0; `why` says why."""
    told = []
    for name, exposure in sorted(state.setup.policy.exposures.items()):
        reading = state.exposures.get(name)
        fresh = is_fresh(reading, now_ms, exposure.max_age_ms)
        usd = usd_at_risk(reading, 0) if fresh and reading is not None else None
        told.append(
            {
                "name": name,
                "asset": exposure.asset,
                "subjects": sorted(str(one) for one in state.setup.policy.assets.get(exposure.asset, ())),
                "usd": usd,
                "utilisation": utilisation_of(reading) if fresh and reading is not None else None,
                "read_ms": reading.at_ms if reading is not None else None,
                "ways_out": list(exposure.ways_out),
                "why": "" if usd is not None else why_unknown(reading, now_ms, exposure.max_age_ms),
            }
        )
    return told


def feeds(state: State, links: bool = True) -> list[Json]:
    """`links` False: heads only, a hundred bytes a feed."""
    return [
        {
            "author": feed.author,
            "key_version": feed.key_version,
            "seq": feed.top,
            "hash": feed.top_hash.hex(),
            "whole": feed.whole,
            "links": {str(seq): link.hash.hex() for seq, link in sorted(feed.links.items())} if links else {},
        }
        for _, feed in sorted(state.feeds.items())
        if feed.top >= 0
    ]

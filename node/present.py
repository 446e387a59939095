"""The state as JSON for the control socket: read-only, no decisions. Ids are hexadecimal."""

from __future__ import annotations

import time
from typing import Any

from adapters.exposure import is_fresh, usd_at_risk, utilisation_of, why_unknown
from node.machine import views
from node.machine.action import Action
from node.machine.state import State
from node.machine.step import Step
from node.watch import threat_word
from protocol.alarm import is_live, weigh
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
        "own": {"verdict": own.value, "level": own_level.name, "why": _own_why(state, topic)},
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
        "by_person": body.by_person,
        "detector": body.detector,
        "incident": body.incident,
        "tlp": body.tlp.name,
    }


def _own_why(state: State, topic: Topic) -> str:
    for opinion in state.opinions.get(topic, {}).values():
        for claim in opinion.body.claims:
            ruled = state.ruled.get(claim)
            if ruled is not None and (ruled.judgement.supports(*topic) or ruled.judgement.ruling is Ruling.REFUTED):
                return ruled.judgement.why
    return ""


def action(one: Action) -> Json:
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
        "rule": one.rule,
        "why": one.why,
        "certificate": one.certificate.hex(),
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


def explain(step: Step, id_: str) -> Json | None:
    """One screen of sentences on an alert or an action: why, who re-ran what, what the policy did, when it ends."""
    state = step.state
    topic = find_topic(state, id_)
    if topic is not None:
        return {"id": alert_id(topic), "sentences": _explain_topic(step, topic)}
    one = find_action(state, id_)
    if one is None:
        return None
    same = (one.subject, one.threat)
    sentences = _explain_action(one)
    if same in topics(state):
        sentences += _explain_topic(step, same)
    return {"id": one.key.hex(), "sentences": sentences}


def _explain_topic(step: Step, topic: Topic) -> list[str]:
    state = step.state
    told = alert(step, topic)
    words = [f"{told['threat']} on {told['subject']}: the network says {told['level']}."]
    for opinion in told["opinions"]:
        claims = ", ".join(sorted({claim["type"] for claim in opinion["claims"]})) or "a person's word"
        state_word = "" if opinion["live"] else " (no longer counts)"
        through = ", ".join(opinion["sources"])
        words.append(
            f"{opinion['author']} ({opinion['basis'].lower()}, {opinion['detector']}) says {opinion['level']} on "
            f"{claims} through {through}{state_word}."
        )
    certificate = told["certificate"]
    if certificate:
        groups, ends = certificate["groups"], when(certificate["ends_ms"])
        words.append(
            f"A certificate for {certificate['level']} stands on {len(groups)} groups ({', '.join(groups)}); "
            f"{told['needed']} are needed. It ends at {ends}."
        )
    else:
        words.append(f"No certificate runs; {told['needed']} groups are needed, {len(told['groups'])} say so.")
    words.append(f"This node's own check: {told['own']['verdict']}. {told['own']['why']}".strip())
    for one in state.actions.values():
        if (one.subject, one.threat) == topic:
            words.append(_action_line(one))
    for told_false in (why for whys in state.false_statements.values() for why in whys):
        if str(topic[0]) in told_false:
            words.append(f"A false statement was kept as proof: {told_false}.")
    return words


def _action_line(one: Action) -> str:
    return f"Own lever {one.lever} ({one.rung.name}, rule {one.rule}) is {one.phase.value}, until {when(one.until_ms)}."


def _explain_action(one: Action) -> list[str]:
    rests = "a certificate of the network" if one.certificate else "this member's own evidence"
    words = [_action_line(one), f"Rule {one.rule}: {one.why}", f"It was opened by {rests}."]
    words += [
        f"{when(at_ms)} {phase}: {says}" + (f" [{reference}]" if reference else "")
        for at_ms, phase, says, reference in one.steps
    ]
    return words

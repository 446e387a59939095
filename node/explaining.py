"""An alarm or an action in sentences, for whoever is woken by it: what is claimed, by whom, who re-ran it, what it
means here, what was done and by which rule, when it ends, what one can do next. Read-only, like `present`."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence

from adapters.policy import Mode, decide
from node.machine import extending, views
from node.machine.action import ENDED, Action, Phase
from node.machine.state import State
from node.machine.step import Step
from node.present import Json, alert, alert_id, exposures, find_action, find_topic, topics, when
from protocol.evidence import Ruling
from protocol.release import Topic

SIGHTS = {
    "evm-release-without-burn": "a bridge's escrow paid out what nobody burnt on the other side",
    "evm-supply-above-backing": "more of a bridged token exists than lies in its escrow",
    "evm-oracle-deviation": "an oracle's price has left its references",
    "evm-log": "a log stands on a chain, which by itself says that nothing is wrong",
}
"""What a claim of each built-in type says has happened."""
PHASES = {
    Phase.ASKED: "waits for a person's yes",
    Phase.ARMED: "is planned and simulated, and will not be sent by itself",
    Phase.EFFECTIVE: "stands, as read back from the target",
    Phase.ESCALATED: "failed and needs a person",
    Phase.LAPSED: "has ended by itself, as read back from the target",
    Phase.LIFTED: "is lifted, as read back from the target",
    Phase.REFUSED: "was refused by a person; nothing was sent",
}
OWN = {
    "verified": "This node re-ran the evidence itself, and it holds.",
    "observed": "This node's own sensor saw it.",
    "person": "This member's own people saw it; nothing was re-run here.",
    "unable": "This node's own connections could not tell.",
    "contradicted": "This node re-ran the evidence, and it does not hold.",
    "none": "This node has not re-run any of it.",
}
VERDICTS = {"supports": "holds", "refuted": "does not hold", "undecided": "could not be told"}
STEPS_SHOWN = 12
CLAIMS_SHOWN = 16
Sentences = Iterator[str]


def explain(step: Step, id_: str) -> Json | None:
    """By the id of an alarm, an action or a certificate, or enough of it. `sections` each have a title; `sentences`
    are all of theirs in a row. None where nothing, or more than one thing, is meant."""
    state = step.state
    one = find_action(state, id_)
    topic = find_topic(state, id_) or _certified(state, id_)
    if one is not None and topic is None:
        return _told(step, (one.subject, one.threat), [one], one.key.hex())
    if topic is not None and one is None:
        held = sorted(state.actions.values(), key=lambda found: (-found.opened_ms, found.key))
        return _told(step, topic, [found for found in held if (found.subject, found.threat) == topic], alert_id(topic))
    return None


def _certified(state: State, id_: str) -> Topic | None:
    found = {
        held.certificate.topic for held in state.certificates.values() if held.digest.hex().startswith(id_.lower())
    }
    return found.pop() if len(found) == 1 else None


def _told(step: Step, topic: Topic, own: Sequence[Action], id_: str) -> Json:
    parts: list[tuple[str, Sentences]] = []
    told = alert(step, topic) if topic in topics(step.state) else None
    if told is not None:
        parts += [("What is claimed", _claimed(told)), ("Who says so", _voices(told))]
        parts.append(("Who re-ran the evidence", _rerun(step, told, topic)))
    parts += [
        ("What it means here", _meaning(step, topic)),
        ("What was done, and why", _done(step, topic, own)),
        ("When it ends", _ends(told, own)),
        ("What you can do", _next(step, told, own)),
    ]
    sections = [{"title": title, "sentences": list(sentences)} for title, sentences in parts]
    return {"id": id_, "sections": sections, "sentences": [one for part in sections for one in part["sentences"]]}


def _claimed(told: Json) -> Sentences:
    yield f"{told['threat']} on {told['subject']}: the network says {told['level']}."
    types = dict.fromkeys(claim["type"] for opinion in told["opinions"] for claim in opinion["claims"])
    for type_ in types:
        yield f"The evidence is {type_}: {SIGHTS.get(type_, 'a type of an adapter outside this package')}."
    if not types:
        yield "No evidence that a machine could re-run was named: it rests on persons' words."


def _voices(told: Json) -> Sentences:
    heard = [one for one in told["opinions"] if one["live"] and one["level"] != "NONE"]
    counting = [one for one in heard if not one["released"]]
    for one in sorted(counting, key=lambda one: (one["since_ms"], one["author"])):
        how = "a person" if one["by_person"] else one["detector"]
        through = f" through {', '.join(one['sources'])}" if one["sources"] else ""
        since = when(one["since_ms"])
        yield f"{one['author']} says {one['level']} since {since} ({one['basis'].lower()}, {how}){through}."
    silent = [one["author"] for one in told["opinions"] if not one["live"]]
    if silent:
        yield f"What {', '.join(silent)} said no longer counts."
    released = [one["author"] for one in heard if one["released"]]
    if released:
        yield f"What {', '.join(released)} said was released by a quorum, and never counts again."
    elif told["releases"]:
        over = ", ".join(one["member"] for one in told["releases"])
        yield f"Said to be over by {over}; it takes {told['release_needed']} groups."
    count, certificate = len(told["groups"]), told["certificate"]
    if certificate:
        groups = certificate["groups"]
        yield f"{len(groups)} groups ({', '.join(groups)}) signed the certificate for {certificate['level']}."
    else:
        yield f"No certificate: {told['needed']} groups are needed, {count} {'says' if count == 1 else 'say'} so."


def _rerun(step: Step, told: Json, topic: Topic) -> Sentences:
    own = told["own"]["verdict"]
    persons = any(one["author"] == step.state.me and one["by_person"] and one["live"] for one in told["opinions"])
    yield OWN["person" if persons and own == "observed" else own]
    claims = sorted({claim for one in step.state.opinions.get(topic, {}).values() for claim in one.body.claims})
    if len(claims) > CLAIMS_SHOWN:
        yield f"{len(claims)} claims are named; the first {CLAIMS_SHOWN}:"
    for claim in claims[:CLAIMS_SHOWN]:
        ruled = step.state.ruled.get(claim)
        name = f"{claim.type} {claim.id.hex()[:8]}"
        if ruled is None:
            yield f"{name}: not looked at yet."
            continue
        judgement = ruled.judgement
        verdict = VERDICTS[judgement.ruling.value]
        if judgement.ruling is Ruling.SUPPORTS and not judgement.supports(*topic):
            verdict = "is true and says nothing about this"
        through = f", asked through {', '.join(judgement.sources)}" if judgement.sources else ""
        yield f"{name}: {verdict}{through}: {judgement.why}."
    yield from map(_rerun_again, told["reruns"])
    others = [one["author"] for one in told["opinions"] if one["live"] and one["basis"] == "VERIFIED"]
    others = [name for name in others if name != step.state.me]
    if others:
        yield f"{', '.join(others)} say that they re-ran it through sources of their own."
    for author, found in sorted(step.state.false_statements.items()):
        if any(str(topic[0]) in why for why in found):
            yield f"{author} signed something on it that is false; the proof is kept."


def _rerun_again(one: Json) -> str:
    found = VERDICTS[one["verdict"]]
    same = ", as before" if one["same"] else f"; before, it {VERDICTS[one['before']]}" if one["before"] else ""
    claim = f"{one['claim']['type']} {one['claim']['id'][:8]}"
    return f"{one['person']} had {claim} re-run: at {when(one['at_ms'])} it {found}{same}: {one['why']}."


def _meaning(step: Step, topic: Topic) -> Sentences:
    subject = str(topic[0])
    touched = [one for one in exposures(step.state, step.now_ms) if subject in one["subjects"]]
    for one in touched:
        ways = ", ".join(one["ways_out"]) or "none that is named"
        amount = (
            f"{one['usd']:,.0f} USD are at stake"
            if one["usd"] is not None
            else f"what is at stake is not known, it {one['why']}"
        )
        full = f", {one['utilisation']:.0%} of it lent out" if one["utilisation"] is not None else ""
        yield f"{one['name']}: {amount}{full}; ways out: {ways}."
    if not touched:
        yield "The policy names no exposure to this subject: as far as it knows, nothing of yours is at stake."


def _done(step: Step, topic: Topic, own: Sequence[Action]) -> Sentences:
    for one in own:
        yield f"Lever {one.lever} ({one.rung.name}) {PHASES.get(one.phase, f'is {one.phase.value}')}. Rule {_rule(one)}"
        yield "It was opened by " + (
            "a certificate of the network." if one.certificate else "this member's own evidence, without a certificate."
        )
        for at_ms, phase, says, reference in one.steps[-STEPS_SHOWN:]:
            yield f"{when(at_ms)} {phase}: {says}" + (f" [{reference}]" if reference else "")
    pulled = {one.lever for one in own}
    policy = step.state.setup.policy
    for found in decide(policy, views.situation(step, (topic[0],))):
        if found.lever is None or (found.lever not in pulled and found.threat == topic[1]):
            yield f"Policy now: {found.verdict.value}{f' {found.lever}' if found.lever else ''}: {found.why}."
    if not own:
        mode = "; the policy only observes" if policy.mode is Mode.OBSERVE else ""
        yield f"No lever of yours was pulled for it{mode}."


def _rule(one: Action) -> str:
    """A reason begins with its rule's name."""
    return f"{one.why}." if one.why.startswith(f"{one.rule}:") else f"{one.rule}: {one.why}."


def _ends(told: Json | None, own: Sequence[Action]) -> Sentences:
    certificate = told["certificate"] if told is not None else None
    if certificate:
        yield f"The certificate ends at {when(certificate['ends_ms'])}, unless it is renewed or released."
    for one in own:
        if one.phase not in ENDED:
            yield f"Lever {one.lever} ends at {when(one.until_ms)} by itself, unless evidence or a person renews it."
    counting = [one for one in (told or {}).get("opinions", ()) if one["live"] and not one["released"]]
    last_ms = max((one["expires_ms"] for one in counting), default=0)
    if last_ms and not certificate:
        yield f"The last word on it counts until {when(last_ms)}."
    if not last_ms and not certificate and all(one.phase in ENDED for one in own):
        yield "Nothing of it runs."


def _next(step: Step, told: Json | None, own: Sequence[Action]) -> Sentences:
    for one in own:
        key = one.key.hex()[:12]
        if one.phase is Phase.ASKED:
            yield f"Let lever {one.lever} go: tocsin action approve {key}; or not: tocsin action refuse {key}"
        elif one.phase is Phase.ESCALATED:
            yield f"See what kept lever {one.lever}: tocsin action show {key}; tocsin lever test {one.lever}"
        if one.phase in (Phase.EFFECTIVE, Phase.ESCALATED):
            yield f"Lift your own lever {one.lever} now, asking nobody: tocsin action lift {key}"
        latest_ms = 0 if extending.fault(step, one) else extending.latest_ms(step.state, one)
        if latest_ms - one.until_ms >= extending.BY_LEAST_MS:
            yield f"Have lever {one.lever} last longer, to {when(latest_ms)} at most: tocsin action extend {key} 1h"
    if told is None:
        return
    id_ = told["id"][:12]
    if any(one["live"] and one["claims"] for one in told["opinions"]):
        yield f"Have its evidence re-run here now: tocsin alert rerun {id_}"
    alive = [one for one in told["opinions"] if one["live"] and not one["released"] and one["level"] != "NONE"]
    mine = [one for one in alive if one["author"] == step.state.me]
    if mine:
        yield f"Take your own word back: tocsin alert withdraw {id_}"
    if told["certificate"]:
        yield f"Say that it is over (Q groups lift it for all): tocsin alert release {id_}"
        verify = "tocsin verify FILE --charter CHARTER"
        yield f"Prove it to anybody offline: tocsin alert show {id_} --export FILE, then {verify}"
    elif not mine and told["level"] != "NONE":
        # others chose the subject's letters, and this line is there to be pasted into a shell
        subject = shlex.quote(told["subject"])
        yield f"Say it too, where your people see it: tocsin alert raise {subject} {told['threat']} LEVEL"
    yield "Follow it live: tocsin watch"

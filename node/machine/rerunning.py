"""What is claimed on an alert, re-run on a person's word through this node's own connections, once more.

A second verdict only adds. What our own check supported stays supported, and what it refuted is not made unsure again
by a provider that is down: else whoever moves a provider ends our restriction, makes liars of members that told the
truth, or opens the rules for who cannot tell. What comes out otherwise than before is told to people. Only a person
takes our word back, and only release, owner or lease end what stands.
"""

from __future__ import annotations

from node.effects import Reply
from node.events import OperatorAsked, Rerun
from node.machine import alarms, claims
from node.machine.ending import PERSON_CHARS_MAX
from node.machine.state import State
from node.machine.step import Step, cut
from node.machine.verdicts import AskedAgain
from node.records import EvidenceRerun, OperatorDid
from protocol.alarm import is_live
from protocol.evidence import Judgement, Ruling
from protocol.messages import Claim
from protocol.release import Topic

AGAIN_MS = 10_000
"""Each claim once in so long, whoever asks: a verifier asks providers that the owner pays for."""
CLAIMS_AT_ONCE = 16
"""Of one word. A flooding liar's claims come after those that our own check supports, or that most name."""
LOST_MS = 120_000
"""What has not come out by then never will: its claim was dropped with the words that named it."""
SAYS = {Ruling.SUPPORTS: "holds", Ruling.REFUTED: "does not hold", Ruling.UNDECIDED: "could not be told"}


def rerun_asked(step: Step, event: OperatorAsked, command: Rerun) -> None:
    """Answers at once: what is re-run now, or why nothing is. What comes out is recorded as it comes."""
    state, topic = step.state, (command.subject, command.threat)
    _forget(state, step.at.mono_ms)
    named = _named(state, topic, step.now_ms)
    here = [claim for claim in named if claim.digest in state.blobs]
    due = [claim for claim in here if claim not in state.reruns.again_at_ms and claim not in state.reruns.running]
    fault = _fault(step, topic, named, here, due)
    if fault:
        step.do(Reply(event.ticket, False, fault))
        return
    person = event.person[:PERSON_CHARS_MAX]
    for claim in due[:CLAIMS_AT_ONCE]:
        state.reruns.running[claim] = AskedAgain(topic, person, step.now_ms, step.at.mono_ms)
        state.reruns.again_at_ms[claim] = step.at.mono_ms + AGAIN_MS
        claims.run_again(step, claim)
    step.record(OperatorDid(person, type(command).__name__, step.now_ms))
    count = min(len(due), CLAIMS_AT_ONCE)
    says = f"{count} of {len(named)} claims are being re-run through this node's own connections"
    step.do(Reply(event.ticket, True, says))


def being_rerun(step: Step, topic: Topic) -> int:
    """How many claims, asked on this alert, have not come out yet."""
    oldest_ms = step.at.mono_ms - LOST_MS
    return sum(1 for one in step.state.reruns.running.values() if one.topic == topic and one.mono_ms > oldest_ms)


def _named(state: State, topic: Topic, now_ms: int) -> list[Claim]:
    """By live words on it: first what our own check supports, then what most say."""
    told: dict[Claim, int] = {}
    for one in state.opinions.get(topic, {}).values():
        if is_live(one, state.epoch, now_ms):
            for claim in one.body.claims:
                told[claim] = told.get(claim, 0) + 1
    ruled = {claim: state.ruled[claim].judgement for claim in told if claim in state.ruled}
    held = {claim for claim, judgement in ruled.items() if judgement.supports(*topic)}
    return sorted(told, key=lambda claim: (claim not in held, -told[claim], claim))


def _fault(step: Step, topic: Topic, named: list[Claim], here: list[Claim], due: list[Claim]) -> str:
    state = step.state
    if topic not in state.opinions:
        return "no alert on it"
    if not named:
        return "no live word on it names a claim that could be re-run; it rests on persons' words"
    if not here:
        return "the evidence is not here yet; it is asked for of one member after another"
    if due:
        return ""
    soonest_ms = min(state.reruns.again_at_ms.get(claim, step.at.mono_ms) for claim in here) - step.at.mono_ms
    return f"it has just been re-run on a person's word; again in {max(1, -(-soonest_ms // 1000))} s"


def _forget(state: State, mono_ms: int) -> None:
    again = state.reruns.again_at_ms
    for claim in [claim for claim, at_ms in again.items() if at_ms <= mono_ms]:
        del again[claim]
    running = state.reruns.running
    for claim in [claim for claim, asked in running.items() if asked.mono_ms + LOST_MS <= mono_ms]:
        del running[claim]


def claim_judged(step: Step, claim: Claim, judgement: Judgement) -> None:
    """A verdict of our own verifier, on whosever word it looked."""
    state = step.state
    asked = state.reruns.running.pop(claim, None)
    if asked is None:
        alarms.claim_judged(step, claim, judgement)
        return
    judgement = claims.within_bounds(judgement)
    known = state.ruled.get(claim)
    before = known.judgement if known is not None else None
    step.record(_came_out(step, claim, asked, before, judgement))
    if _adds(before, judgement):
        alarms.claim_judged(step, claim, judgement)
    else:
        claims.judged(step, claim)
    changed = _changed(before, judgement)
    if changed:
        step.tell(*asked.topic, f"{asked.person} had {claim.type} {claim.id.hex()[:8]} re-run: {changed}")


def _adds(before: Judgement | None, judgement: Judgement) -> bool:
    """Whether it counts in place of what was found before: as a sensor of ours would."""
    if before is None or before.ruling is Ruling.UNDECIDED:
        return True
    return before.ruling is Ruling.REFUTED and judgement.ruling is Ruling.SUPPORTS


def _same(before: Judgement, judgement: Judgement) -> bool:
    if before.ruling is not judgement.ruling or judgement.ruling is not Ruling.SUPPORTS:
        return before.ruling is judgement.ruling
    found = [(one.subject, one.threat, one.level) for one in (before, judgement)]
    return found[0] == found[1]


def _came_out(
    step: Step, claim: Claim, asked: AskedAgain, before: Judgement | None, judgement: Judgement
) -> EvidenceRerun:
    return EvidenceRerun(
        claim,
        *asked.topic,
        asked.person,
        asked.at_ms,
        judgement.ruling.value,
        cut(judgement.why),
        judgement.level,
        before.ruling.value if before is not None else "",
        before is not None and _same(before, judgement),
        step.now_ms,
    )


def _changed(before: Judgement | None, judgement: Judgement) -> str:
    """What people must be told, "" where nothing."""
    if before is None or before.ruling is Ruling.UNDECIDED or _same(before, judgement):
        return ""
    now = f"now it {SAYS[judgement.ruling]} ({judgement.why})"
    if before.ruling is Ruling.SUPPORTS:
        if judgement.ruling is Ruling.SUPPORTS:
            now = f"now it supports {judgement.level.name} on {judgement.subject}, and not {before.level.name}"
        stays = "our word and our levers stay as they are until a person ends them"
        return f"our own check supported it, and {now}. Ask what our providers say; {stays}"
    if judgement.ruling is Ruling.SUPPORTS:
        return f"our own check refuted it, and {now}; it counts from now on, and who said it may have been no liar"
    return ""

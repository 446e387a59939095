"""Opinions in, opinions out: fetch what a claim rests on, re-run it, answer, count, certify.

Every member answers, exposed or not, in every policy mode: observe, ask and act govern levers only.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from adapters.api import Observation
from node.effects import Broadcast, Gossip, Send
from node.machine import actions, asking, claims, views
from node.machine.links import Link
from node.machine.state import State
from node.machine.step import Step
from node.machine.verdicts import Ruled
from node.records import BlobKept, CertificateAccepted
from protocol.alarm import Opinion, effective_level, is_live, lease_fault, weigh_live
from protocol.errors import Code, ProtocolError
from protocol.evidence import Judgement, Ruling
from protocol.frames import CERTIFICATES_SHOWN_MAX, CertificateFrame, Shown, pack_frame
from protocol.ids import Digest, SourceId
from protocol.limits import BLOB_BYTES_MAX, CLAIMS_MAX, LABEL_CHARS_MAX, SKEW_AHEAD_MS_MAX, SOURCES_MAX
from protocol.messages import Attestation, Basis, Claim, Level, Tlp
from protocol.quorum import assemble, certificate_id, check_certificate, fitting, pack_certificate
from protocol.release import Topic, claim_names

PUSH_GRACE_MS = 2_000
"""A certificate is pushed to peers that have not shown it after this: on a healthy network everybody counted it
alone, and who did not has asked for it."""
VERIFIER = "verifier"
"""The detector of an answer."""
FORGET_EVERY_MS = 10_000
UNSAID_MAX = 32
ENDED_KEPT_MS = 3_600_000
"""An ended certificate is shown to people this long; the store keeps it."""


def opinion_arrived(step: Step, link: Link | None, opinion: Opinion) -> None:
    state = step.state
    fault = lease_fault(opinion, state.epoch)
    if fault and link is not None:
        step.refuse(link.peer_id, Code.LEASE_TOO_LONG)
    if opinion.entry.issued_ms > step.now_ms + SKEW_AHEAD_MS_MAX and link is not None:
        step.refuse(link.peer_id, Code.FROM_THE_FUTURE)
    topic = (opinion.body.subject, opinion.body.threat)
    if opinion.entry.issued_ms > step.now_ms + SKEW_AHEAD_MS_MAX:
        review_at(state, topic, opinion.entry.issued_ms - SKEW_AHEAD_MS_MAX)
    held = state.opinions.get(topic, {}).get(opinion.entry.author)
    if held is None or held.hash != opinion.hash:
        return
    if is_live(opinion, state.epoch, step.now_ms):
        for claim in opinion.body.claims:
            claims.look_into(step, link, opinion, claim)
        answer(step, topic)
    review(step, topic)


def claim_judged(step: Step, claim: Claim, judgement: Judgement) -> None:
    """Our own verifier's verdict: our own words on it, and what the policy makes of it."""
    claims.take_verdict(step, claim, judgement)
    touched: set[Topic] = set()
    for opinion in list(claims.naming(step.state, claim, step.now_ms)):
        touched.add((opinion.body.subject, opinion.body.threat))
        claims.note_false_statement(step, opinion, judgement)
    for topic in sorted(touched, key=views.topic_order):
        answer(step, topic)
    if touched:
        actions.decide_topics(step, *(subject for subject, _ in touched))


def answer(step: Step, topic: Topic) -> None:
    """Our own word on what others claim: never above our verifier's verdict, and by ourselves only on a subject
    that some member runs or is exposed to."""
    state = step.state
    if not any(topic[0] in manifest for manifest in state.manifests.values()):
        return
    supported = [
        ruled
        for opinion in state.opinions.get(topic, {}).values()
        if opinion.entry.author != state.me and is_live(opinion, state.epoch, step.now_ms)
        for ruled in map(state.ruled.get, opinion.body.claims)
        if ruled is not None and ruled.judgement.supports(*topic)
    ]
    if supported:
        _opine(step, topic, supported, VERIFIER)


def observed(step: Step, observation: Observation) -> None:
    """An own sensor saw something: judged by the same pure function that others will re-run."""
    rulings = []
    for claimed in observation.claims[:CLAIMS_MAX]:
        if len(claimed.blob) > BLOB_BYTES_MAX:
            continue
        if claimed.claim.digest not in step.state.blobs:
            step.record(BlobKept(claimed.blob))
        there = step.state.ruled.get(claimed.claim)
        if there is None or there.judgement.ruling is not Ruling.SUPPORTS:
            judgement = Judgement(
                Ruling.SUPPORTS,
                observation.detail,
                observation.subject,
                observation.threat,
                observation.level,
                observation.amount,
                observation.sources,
            )
            claims.rule_claim(step, claimed.claim, judgement)
        rulings.append(step.state.ruled[claimed.claim])
    unsaid = step.state.unsaid
    if not step.state.may_sign():
        _say_seen(step, observation, rulings)
    elif observation in unsaid or len(unsaid) < UNSAID_MAX:
        unsaid[observation] = step.now_ms
    actions.decide_topics(step, observation.subject)


def _say_seen(step: Step, observation: Observation, rulings: list[Ruled]) -> None:
    if rulings:
        topic = (observation.subject, observation.threat)
        _opine(step, topic, rulings, observation.detector[:LABEL_CHARS_MAX], observation.incident[:LABEL_CHARS_MAX])


def _say_unsaid(step: Step) -> None:
    """What sensors saw while we might not speak: they tell of a thing once, and after a restart that is at once."""
    state = step.state
    unsaid, state.unsaid = state.unsaid, {}
    for observation, at_ms in unsaid.items():
        found = (state.ruled.get(claimed.claim) for claimed in observation.claims[:CLAIMS_MAX])
        rulings = [one for one in found if one is not None]
        if step.now_ms < at_ms + state.epoch.lease_bound_ms(observation.level):
            _say_seen(step, observation, rulings)


def _opine(step: Step, topic: Topic, rulings: list[Ruled], detector: str, incident: str = "") -> None:
    """Says what we hold on `topic`, unless we have said it. A new claim starts the opinion anew; where a person said
    more than claims support, that stays said."""
    state = step.state
    live = _own_word(state, topic, step.now_ms)
    said = live.body if live is not None and not state.releases.covers(live.body, state.epoch) else None
    ours = said.claims if said is not None else ()
    names = claim_names(ours)
    known = (ruled for ruled in rulings if (ruled.claim.type, ruled.claim.id) not in names)
    fresh = [ruled for ruled in known if not _spent(state, topic, ruled.claim)]
    if not fresh:
        return
    named = _merge(fresh, ours)
    verdict = max(one.judgement.level for claim in named if (one := state.ruled.get(claim)) is not None)
    # a crash may keep our word and lose the verdict that it rested on: only a withdrawal lowers
    level = max(verdict, said.level) if said is not None else verdict
    by_person = said is not None and said.by_person and level > verdict
    sources = _sources(state, named)
    if not sources:
        return
    expires_ms = _expires_ms(step, topic, named, level)
    if expires_ms <= step.now_ms:
        return
    say_opinion(
        step,
        Attestation(
            epoch=state.epoch.hash,
            subject=topic[0],
            threat=topic[1],
            level=level,
            basis=Basis.OBSERVED if by_person else Basis.VERIFIED,
            claims=named,
            sources=sources,
            detector=detector,
            incident=incident,
            since_ms=step.now_ms,
            expires_ms=expires_ms,
            by_person=by_person,
            tlp=Tlp.GREEN,
        ),
        _own_blobs(state, fresh, detector),
    )


def _own_word(state: State, topic: Topic, now_ms: int) -> Opinion | None:
    """Until it ends, even while our seat is suspended: nothing but a withdrawal lowers it. First what waits to be said
    again: under a replaced key, or of two epochs ago, it counts no more where it stands."""
    waiting = state.reissue.get(topic)
    if waiting is not None and waiting.body.expires_ms > now_ms:
        return waiting
    held, epoch = state.opinions.get(topic, {}).get(state.me), state.epoch
    if held is None or held.body.expires_ms <= now_ms or held.entry.issued_ms > now_ms + SKEW_AHEAD_MS_MAX:
        return None
    return held if epoch.admits(held.body.epoch, held.entry.issued_ms) and not lease_fault(held, epoch) else None


def _own_blobs(state: State, fresh: list[Ruled], detector: str) -> tuple[bytes, ...]:
    """Pushed ahead by whoever saw it; who answers was given them as everybody was, and gives them when asked."""
    if detector == VERIFIER:
        return ()
    return tuple(state.blobs[ruled.claim.digest] for ruled in fresh if ruled.claim.digest in state.blobs)


def _expires_ms(step: Step, topic: Topic, named: tuple[Claim, ...], level: Level) -> int:
    """No self-sustaining halt: what is said again on claims that were certified ends with the first certificate's
    newest word and the lease of our own level."""
    lease_ms = step.state.epoch.lease_bound_ms(level)
    firsts = step.state.first_newest_ms.get(topic, {})
    caps = [firsts.get(name) for name in claim_names(named)]
    if any(cap is None for cap in caps):
        return step.now_ms + lease_ms
    return min(step.now_ms, max(cap for cap in caps if cap is not None)) + lease_ms


def retry_answers(step: Step) -> None:
    """On a tick: what we could not say yet (not ready to sign, no manifest names the subject) is said once we may;
    what we said under a key that was replaced, or in the epoch before, is said again, to the same end."""
    state = step.state
    if state.may_sign():
        return
    for topic, opinion in sorted(state.reissue.items(), key=lambda one: views.topic_order(one[0])):
        body = opinion.body
        if body.expires_ms <= step.now_ms:
            del state.reissue[topic]
        elif not say_opinion(step, _dated(step, body)):
            return
    _say_unsaid(step)
    unanswered = [topic for topic, held in state.opinions.items() if state.me not in held]
    for topic in sorted(unanswered, key=views.topic_order):
        answer(step, topic)


def _dated(step: Step, body: Attestation) -> Attestation:
    """Said once by a clock that was ahead, an opinion would seem older than its first issue, and its lease too long."""
    latest_ms = step.now_ms + step.state.epoch.lease_bound_ms(body.level)
    since_ms, expires_ms = min(body.since_ms, step.now_ms), min(body.expires_ms, latest_ms)
    return replace(body, epoch=step.state.epoch.hash, since_ms=since_ms, expires_ms=expires_ms)


def review_due(step: Step) -> None:
    """On a tick: words dated ahead of us begin to count; what a certificate that ended leaves, or came after it,
    may still carry a level."""
    state = step.state
    for topic in [topic for topic, at_ms in state.review_at_ms.items() if at_ms <= step.now_ms]:
        del state.review_at_ms[topic]
        for opinion in list(state.opinions.get(topic, {}).values()):
            if opinion.entry.issued_ms > step.now_ms + SKEW_AHEAD_MS_MAX:
                review_at(state, topic, opinion.entry.issued_ms - SKEW_AHEAD_MS_MAX)
            elif is_live(opinion, state.epoch, step.now_ms):
                for claim in opinion.body.claims:
                    claims.look_into(step, None, opinion, claim)
        answer(step, topic)
        review(step, topic)


def review_at(state: State, topic: Topic, at_ms: int) -> None:
    state.review_at_ms[topic] = min(at_ms, state.review_at_ms.get(topic, at_ms))


def review_all(step: Step) -> None:
    """At a start: what ended, and what began to count, while nobody was here."""
    for topic in sorted(step.state.opinions, key=views.topic_order):
        review_at(step.state, topic, step.now_ms)


def _spent(state: State, topic: Topic, claim: Claim) -> bool:
    """Said before by us and expired, or released by a quorum: the same claim is no reason to say it again."""
    return state.releases.covers_claims(topic, [(claim.type, claim.id)], state.epoch) or (
        (topic, claim.type, claim.id) in state.said
    )


def _merge(fresh: list[Ruled], ours: tuple[Claim, ...]) -> tuple[Claim, ...]:
    newest = {(ruled.claim.type, ruled.claim.id): ruled.claim for ruled in fresh}
    for claim in ours:
        newest.setdefault((claim.type, claim.id), claim)
    return tuple(sorted(list(newest.values())[:CLAIMS_MAX]))


def _sources(state: State, named: tuple[Claim, ...]) -> tuple[SourceId, ...]:
    found: dict[SourceId, None] = {}
    for claim in named:
        ruled = state.ruled.get(claim)
        for source in ruled.judgement.sources if ruled is not None else ():
            if source in state.epoch.source_by_id:
                found.setdefault(source)
    return tuple(sorted(found))[:SOURCES_MAX]


def say_opinion(step: Step, body: Attestation, blobs: tuple[bytes, ...] = ()) -> bool:
    sealed = step.say(body, blobs)
    if sealed is None:
        return False
    review(step, (body.subject, body.threat))
    return True


def review(step: Step, topic: Topic) -> None:
    """Count; where a level is reached that no standing certificate holds, or on more than it rests on, make one."""
    state = step.state
    alive = views.live_on(state, topic, step.now_ms)
    if _adds_nothing(step, topic, alive):
        return
    weighing = weigh_live(alive, state.epoch)
    if weighing.level < Level.GUARD:
        return
    groups = fitting(state.epoch, weighing.level, weighing.groups, state.keyset)
    if groups is None:
        return
    id_ = certificate_id(state.epoch.hash, topic, weighing.level)
    held = state.certificates.get(id_)
    standing = held is not None and views.stands(state, held, step.now_ms)
    opinions = tuple(one for members in groups.values() for one in members)
    if held is not None and standing:
        review_at(state, topic, held.ends_ms)
        if views.reasons(state, state.epoch, topic, weighing.level, opinions) <= views.rests_on(state, held):
            return
    certificate = assemble(state.epoch, topic, weighing.level, groups, state.keyset)
    raw = pack_certificate(certificate)
    by_raw = {one.raw: one for one in opinions}
    try:
        checked = check_certificate(certificate, raw, state.epoch, state.keyset, by_raw.get)
    except ProtocolError:
        return
    if checked.ends_ms <= step.now_ms:
        return
    step.record(CertificateAccepted(raw, assembled_here=True, at_ms=step.now_ms), checked)
    certificate_accepted(step, id_, again=standing)


def _adds_nothing(step: Step, topic: Topic, alive: Sequence[Opinion]) -> bool:
    """A certificate of the highest level that anybody says stands, and rests on all that anybody names: most words come
    when nothing is left to be weighed."""
    state = step.state
    top = max((effective_level(one.body) for one in alive), default=Level.NONE)
    if top < Level.GUARD or any(one.body.by_person for one in alive):
        return False
    held = state.certificates.get(certificate_id(state.epoch.hash, topic, top))
    if held is None or not views.stands(state, held, step.now_ms):
        return False
    named = {(claim.type, claim.id) for one in alive for claim in one.body.claims}
    if not named <= views.rests_on(state, held):
        return False
    review_at(state, topic, held.ends_ms)
    return True


def certificate_accepted(step: Step, id_: Digest, again: bool = False) -> None:
    """`again`: peers hold one of this id, and theirs is made new by the same entries as ours."""
    state = step.state
    held = state.certificates[id_]
    review_at(state, held.certificate.topic, held.ends_ms)
    asking.lacks_no_more(state, id_)
    if not again:
        state.to_show[id_] = None
        state.push_at_ms[id_] = step.at.mono_ms + PUSH_GRACE_MS
    actions.decide_topics(step, held.certificate.subject)


def show_due(step: Step) -> None:
    """On a tick: which certificates we hold by now, in one frame and off their own way."""
    if step.state.to_show:
        step.do(Broadcast(pack_frame(Shown(tuple(step.state.to_show)[:CERTIFICATES_SHOWN_MAX]))))
        step.state.to_show.clear()


def push_due(step: Step) -> None:
    """On a tick: to those peers that have not shown it by themselves; by gossip where a member is out of our own reach.
    GossipSub is the second path and costs ten times the first: where all members are in reach it stays silent."""
    state = step.state
    for id_ in [one for one, at_ms in sorted(state.push_at_ms.items()) if at_ms <= step.at.mono_ms]:
        del state.push_at_ms[id_]
        held = state.certificates.get(id_)
        if held is None or held.ends_ms <= step.now_ms:
            continue
        raw = pack_frame(CertificateFrame(held.raw))
        for _, link in sorted(state.links.items()):
            if link.member is not None and id_ not in link.shown:
                link.note_shown((id_,))
                step.do(Send(link.peer_id, raw, sync=True))
        if held.tlp <= Tlp.GREEN and len(state.up_members() | {state.me}) < len(state.epoch.members):
            step.do(Gossip(raw))


def release_arrived(step: Step, topic: Topic) -> None:
    actions.lift_released(step, topic)


def forget_expired(step: Step) -> None:
    """On a tick: an opinion is kept until the latest expiry that its author ever gave it, plus skew; what ended
    certificates, verdicts and blobs nobody names any more, now and then. By a clock that is off nothing is forgotten:
    what it takes for past may run, and would not be told twice."""
    state = step.state
    if step.at.mono_ms < state.forget_at_ms or not state.clock_is_sound():
        return
    state.forget_at_ms = step.at.mono_ms + FORGET_EVERY_MS
    for (topic, author), until_ms in list(state.keep_until_ms.items()):
        if until_ms + SKEW_AHEAD_MS_MAX < step.now_ms:
            state.drop_opinion(topic, author)
    for id_, held in list(state.certificates.items()):
        if held.ends_ms + ENDED_KEPT_MS < step.now_ms:
            del state.certificates[id_], state.accepted_ms[id_], state.held_since_ms[id_]
            state.said_heads = None
    claims.forget_unused(step)

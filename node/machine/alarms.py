"""Opinions in, opinions out: fetch what a claim rests on, re-run it, answer, count, certify.

Every member answers, exposed or not, in every policy mode: observe, ask and act govern levers only.
"""

from __future__ import annotations

from collections.abc import Iterable

from adapters.api import Observation
from node.effects import Broadcast, Gossip, Send, VerifyClaim
from node.machine import actions, views
from node.machine.state import Link, Ruled, State
from node.machine.step import Step, cut
from node.records import BlobKept, CertificateAccepted, ClaimRuled, FalseStatement
from protocol.alarm import Opinion, is_live, lease_fault, weigh
from protocol.errors import Code, ProtocolError
from protocol.evidence import Judgement, Ruling
from protocol.frames import CertificateFrame, Shown, WantBlobs, pack_frame
from protocol.ids import Digest, MemberName, SourceId
from protocol.limits import CLAIMS_MAX, OPINIONS_PER_AUTHOR_MAX, SKEW_AHEAD_MS_MAX, SOURCES_MAX
from protocol.messages import Attestation, Basis, Claim, Level, Tlp
from protocol.quorum import assemble, certificate_id, check_certificate, pack_certificate
from protocol.release import Topic, claim_names

PUSH_GRACE_MS = 60
"""A certificate is pushed to peers that have not shown it after this: on a healthy network everybody counted it
alone by then, and the push would only cost."""
UNDECIDED_AGAIN_MS = (250, 500, 1_000, 2_000, 4_000, 8_000)
UNDECIDED_TRIES_MAX = 40
WITHDRAWN_LEASE_MS = 60_000


def opinion_arrived(step: Step, link: Link | None, opinion: Opinion) -> None:
    state = step.state
    fault = lease_fault(opinion, state.epoch)
    if fault and link is not None:
        step.refuse(link.peer_id, Code.LEASE_TOO_LONG)
    if opinion.entry.issued_ms > step.now_ms + SKEW_AHEAD_MS_MAX and link is not None:
        step.refuse(link.peer_id, Code.FROM_THE_FUTURE)
    _cap_author(state, opinion.entry.author)
    topic = (opinion.body.subject, opinion.body.threat)
    held = state.opinions[topic].get(opinion.entry.author)
    if held is None or held.hash != opinion.hash:
        return
    if is_live(opinion, state.epoch, step.now_ms):
        for claim in opinion.body.claims:
            _look_into(step, link, claim)
        answer(step, topic)
    review(step, topic)


def _cap_author(state: State, author: MemberName) -> None:
    """An author's live opinions are capped: the highest (level, seq) stay."""
    mine = [(held[author], topic) for topic, held in state.opinions.items() if author in held]
    if len(mine) > OPINIONS_PER_AUTHOR_MAX:
        weakest = min(mine, key=lambda one: (one[0].body.level, one[0].entry.seq))
        del state.opinions[weakest[1]][author]


def _look_into(step: Step, link: Link | None, claim: Claim) -> None:
    """Re-run once per digest; ask the one who told us for the blob where it did not come along."""
    state = step.state
    ruled = state.ruled.get(claim.digest)
    if ruled is not None and ruled.judgement.ruling is not Ruling.UNDECIDED:
        return
    if claim.digest in state.judging:
        return
    blob = state.blobs.get(claim.digest)
    if blob is None:
        blob = state.pushed_blobs.pop(claim.digest, None)
        if blob is not None:
            step.record(BlobKept(blob))
    if blob is not None:
        state.judging.add(claim.digest)
        step.do(VerifyClaim(claim, blob))
    elif link is not None:
        step.send(link.peer_id, WantBlobs((claim.digest,)), sync=True)


def blob_arrived(step: Step, digest: Digest) -> None:
    """Kept only where a live opinion names it; else it waits among the pushed ones."""
    for opinion, claim in _citing(step.state, digest, step.now_ms):
        _look_into(step, None, claim)
        del opinion
        return


def _citing(state: State, digest: Digest, now_ms: int) -> Iterable[tuple[Opinion, Claim]]:
    for topic in sorted(state.opinions, key=views.topic_order):
        for author in sorted(state.opinions[topic]):
            opinion = state.opinions[topic][author]
            if is_live(opinion, state.epoch, now_ms):
                for claim in opinion.body.claims:
                    if claim.digest == digest:
                        yield opinion, claim


def claim_judged(step: Step, claim: Claim, judgement: Judgement) -> None:
    state = step.state
    state.judging.discard(claim.digest)
    rule_claim(step, claim, judgement)
    touched: set[Topic] = set()
    for opinion, _ in list(_citing(state, claim.digest, step.now_ms)):
        topic = (opinion.body.subject, opinion.body.threat)
        touched.add(topic)
        _note_false_statement(step, opinion, judgement)
    for topic in sorted(touched, key=views.topic_order):
        answer(step, topic)
        actions.decide_topics(step)


def _note_false_statement(step: Step, opinion: Opinion, judgement: Judgement) -> None:
    """VERIFIED was said where a deterministic verifier refutes, or where what it proves is something else."""
    body = opinion.body
    if body.basis is not Basis.VERIFIED or judgement.ruling is Ruling.UNDECIDED:
        return
    if judgement.ruling is Ruling.REFUTED:
        why = judgement.why
    elif not judgement.supports(body.subject, body.threat):
        why = f"the claim is true of {judgement.subject} and does not bear on {body.subject}"
    elif body.level > judgement.level:
        why = f"the claim supports at most {judgement.level.name}, {body.level.name} was said"
    else:
        return
    said = f"{opinion.entry.author}#{opinion.entry.seq} on {body.subject}: {why}"
    if said not in step.state.false_statements.get(opinion.entry.author, ()):
        step.record(FalseStatement(opinion.raw, cut(said), step.now_ms), opinion)


def rule_claim(step: Step, claim: Claim, judgement: Judgement) -> None:
    amount = judgement.amount.to_bytes((judgement.amount.bit_length() + 7) // 8, "big")
    step.record(
        ClaimRuled(
            claim,
            judgement.ruling.value,
            cut(judgement.why),
            judgement.subject,
            judgement.threat,
            judgement.level,
            amount,
            tuple(judgement.sources),
            step.now_ms,
        )
    )
    ruled = step.state.ruled[claim.digest]
    wait_ms = UNDECIDED_AGAIN_MS[min(ruled.tries - 1, len(UNDECIDED_AGAIN_MS) - 1)]
    ruled.again_at_ms = step.at.mono_ms + wait_ms


def retry_undecided(step: Step) -> None:
    """On a tick: a chain that lagged or was down is asked again while somebody still claims it."""
    state = step.state
    for digest, ruled in sorted(state.ruled.items()):
        if ruled.judgement.ruling is not Ruling.UNDECIDED or digest in state.judging:
            continue
        due = ruled.again_at_ms <= step.at.mono_ms and ruled.tries < UNDECIDED_TRIES_MAX
        if due and digest in state.blobs and any(_citing(state, digest, step.now_ms)):
            state.judging.add(digest)
            step.do(VerifyClaim(ruled.claim, state.blobs[digest]))


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
        for ruled in (state.ruled.get(claim.digest) for claim in opinion.body.claims)
        if ruled is not None and ruled.judgement.supports(*topic)
    ]
    if supported:
        _opine(step, topic, supported, "verifier", by_person=False)


def observed(step: Step, observation: Observation) -> None:
    """An own sensor saw something: judged by the same pure function that others will re-run."""
    topic = (observation.subject, observation.threat)
    rulings = []
    for claimed in observation.claims:
        if claimed.claim.digest not in step.state.blobs:
            step.record(BlobKept(claimed.blob))
        there = step.state.ruled.get(claimed.claim.digest)
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
            rule_claim(step, claimed.claim, judgement)
        rulings.append(step.state.ruled[claimed.claim.digest])
    if rulings:
        _opine(step, topic, rulings, observation.detector, by_person=False, incident=observation.incident)
    actions.decide_topics(step)


def _opine(
    step: Step, topic: Topic, rulings: list[Ruled], detector: str, *, by_person: bool, incident: str = ""
) -> None:
    """Says what we hold on `topic`, unless we have said it. A new claim starts the opinion anew."""
    state = step.state
    held = state.opinions.get(topic, {}).get(state.me)
    live = held if held is not None and is_live(held, state.epoch, step.now_ms) else None
    ours = live.body.claims if live is not None and not state.releases.covers(live.body, state.epoch) else ()
    names = claim_names(ours)
    fresh = [ruled for ruled in rulings if (ruled.claim.type, ruled.claim.id) not in names]
    fresh = [ruled for ruled in fresh if not _spent(state, topic, ruled.claim)]
    if not fresh:
        return
    claims = _merge(fresh, ours)
    level = max(state.ruled[claim.digest].judgement.level for claim in claims)
    sources = _sources(state, claims)
    if not sources:
        return
    lease_ms = state.epoch.lease_bound_ms(level)
    expires_ms = step.now_ms + lease_ms
    caps = [state.first_newest_ms.get(topic, {}).get(name) for name in claim_names(claims)]
    if all(cap is not None for cap in caps):
        expires_ms = min(expires_ms, max(cap for cap in caps if cap is not None) + lease_ms)
    if expires_ms <= step.now_ms:
        return
    say_opinion(
        step,
        Attestation(
            epoch=state.epoch.hash,
            subject=topic[0],
            threat=topic[1],
            level=level,
            basis=Basis.VERIFIED,
            claims=claims,
            sources=sources,
            detector=detector,
            incident=incident,
            since_ms=step.now_ms,
            expires_ms=expires_ms,
            by_person=by_person,
            tlp=Tlp.GREEN,
        ),
        tuple(state.blobs[ruled.claim.digest] for ruled in fresh if ruled.claim.digest in state.blobs),
    )


def retry_answers(step: Step) -> None:
    """On a tick: what we could not say yet (not ready to sign, no manifest names the subject) is said once we may."""
    if step.state.may_sign():
        return
    for topic in sorted(step.state.opinions, key=views.topic_order):
        if step.state.me not in step.state.opinions[topic]:
            answer(step, topic)


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


def _sources(state: State, claims: tuple[Claim, ...]) -> tuple[SourceId, ...]:
    found: dict[SourceId, None] = {}
    for claim in claims:
        for source in state.ruled[claim.digest].judgement.sources:
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
    """Count; where a level is reached that no running certificate holds, make one."""
    state = step.state
    weighing = weigh(state.opinions.get(topic, {}).values(), state.epoch, step.now_ms, state.releases)
    if weighing.level < Level.GUARD:
        return
    id_ = certificate_id(state.epoch.hash, topic, weighing.level)
    held = state.certificates.get(id_)
    if held is not None and held.ends_ms > step.now_ms:
        return
    certificate = assemble(state.epoch, topic, weighing.level, weighing.groups, state.keyset)
    raw = pack_certificate(certificate)
    by_raw = {one.raw: one for members in weighing.groups.values() for one in members}
    try:
        checked = check_certificate(certificate, raw, state.epoch, state.keyset, by_raw.get)
    except ProtocolError:
        return
    if checked.ends_ms <= step.now_ms:
        return
    step.record(CertificateAccepted(raw, assembled_here=True, at_ms=step.now_ms), checked)
    certificate_accepted(step, id_)


def certificate_accepted(step: Step, id_: Digest) -> None:
    state = step.state
    checked = state.certificates[id_]
    step.do(Broadcast(pack_frame(Shown((id_,)))))
    state.push_at_ms[id_] = step.at.mono_ms + PUSH_GRACE_MS
    if checked.tlp <= Tlp.GREEN:
        step.do(Gossip(pack_frame(CertificateFrame(checked.raw))))
    actions.decide_topics(step)


def push_due(step: Step) -> None:
    """On a tick: to those peers that have not shown it by themselves."""
    state = step.state
    for id_ in [one for one, at_ms in sorted(state.push_at_ms.items()) if at_ms <= step.at.mono_ms]:
        del state.push_at_ms[id_]
        held = state.certificates.get(id_)
        if held is None or held.ends_ms <= step.now_ms:
            continue
        raw = pack_frame(CertificateFrame(held.raw))
        for link in (state.links[peer_id] for peer_id in sorted(state.links)):
            if id_ not in link.shown:
                link.shown.add(id_)
                step.do(Send(link.peer_id, raw, sync=True))


def release_arrived(step: Step, topic: Topic) -> None:
    actions.lift_released(step, topic)


def review_author(step: Step, author: MemberName) -> None:
    """A newer KeySet is known: nothing sealed under the older one counts any more."""
    state = step.state
    newest = state.current_version(author)
    for topic in sorted(state.opinions, key=views.topic_order):
        held = state.opinions[topic].get(author)
        if held is not None and held.entry.key_version < newest:
            del state.opinions[topic][author]


def forget_expired(step: Step) -> None:
    """On a tick: an opinion is kept until the latest expiry that its author ever gave it, plus skew."""
    state = step.state
    for (topic, author), until_ms in list(state.keep_until_ms.items()):
        if until_ms + SKEW_AHEAD_MS_MAX < step.now_ms:
            del state.keep_until_ms[(topic, author)]
            held = state.opinions.get(topic, {})
            held.pop(author, None)
            if not held:
                state.opinions.pop(topic, None)

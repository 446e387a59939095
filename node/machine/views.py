"""What can be read off the state: the running certificates, our own word on a topic, the policy's situation."""

from __future__ import annotations

from adapters.policy import AlarmView, Own, Situation
from node.machine.state import State
from node.machine.step import Step
from protocol.alarm import Opinion, is_live
from protocol.evidence import Ruling
from protocol.ids import Digest
from protocol.limits import STALE_CERTIFICATE_MS, STALE_WAIT_MS
from protocol.messages import Basis, Level
from protocol.quorum import CheckedCertificate, certificate_id
from protocol.release import ClaimName, Topic


def topic_order(topic: Topic) -> tuple[bytes, int]:
    return topic[0].raw, topic[1]


def running(state: State, topic: Topic, now_ms: int) -> list[Digest]:
    """`certificate_id`s of the certificates that run on this topic, highest level first."""
    ids = [
        id_
        for id_, held in sorted(state.certificates.items())
        if held.certificate.topic == topic and held.ends_ms > now_ms and not _released(state, id_)
    ]
    return sorted(ids, key=lambda id_: -state.certificates[id_].certificate.level)


def _released(state: State, id_: Digest) -> bool:
    return all(state.releases.covers(one.body, state.epoch) for one in state.certificates[id_].opinions)


def any_running(state: State, now_ms: int) -> bool:
    return any(held.ends_ms > now_ms for held in state.certificates.values())


def situation(step: Step) -> Situation:
    state = step.state
    topics = set(state.opinions) | {held.certificate.topic for held in state.certificates.values()}
    views = [view for topic in sorted(topics, key=topic_order) if (view := _view(step, topic)) is not None]
    return Situation(
        now_ms=step.now_ms,
        epoch_lease_ms=state.epoch.lease_ms,
        alarms=tuple(views),
        exposures=dict(state.exposures),
        only_informs=state.epoch.only_informs,
        blind=state.blind(),
        levers=state.setup.declarations,
    )


def _view(step: Step, topic: Topic) -> AlarmView | None:
    state = step.state
    certificate = top_certificate(step, topic)
    live = [
        one
        for one in state.opinions.get(topic, {}).values()
        if is_live(one, state.epoch, step.now_ms) and not state.releases.covers(one.body, state.epoch)
    ]
    if certificate is None and not live:
        return None
    own, own_level, amount = own_word(state, topic, live, certificate)
    names = set(certificate.claims) if certificate else _own_claims(state, topic, live)
    return AlarmView(
        subject=topic[0],
        threat=topic[1],
        network_level=certificate.certificate.level if certificate else Level.NONE,
        groups=len(certificate.groups) if certificate else 0,
        groups_verified=certificate.groups_verified if certificate else 0,
        operators=len(certificate.operators) if certificate else 0,
        own=own,
        own_level=own_level,
        amount=amount,
        claims=tuple(sorted(names)),
        since_ms=known_since_ms(step, topic),
        ends_ms=certificate.ends_ms if certificate else None,
    )


def _own_claims(state: State, topic: Topic, live: list[Opinion]) -> set[ClaimName]:
    """Of what is claimed, that which our own check supports: a liar's extra claim makes no other action of ours."""
    return {
        (claim.type, claim.id)
        for one in live
        for claim in one.body.claims
        if claim.digest in state.ruled and state.ruled[claim.digest].judgement.supports(*topic)
    }


def known_since_ms(step: Step, topic: Topic) -> int:
    """When this node itself could first act on what it holds: no author can backdate a hold away or stretch a lease."""
    state = step.state
    certificate = top_certificate(step, topic)
    if certificate is not None:
        ours = certificate.certificate
        return state.accepted_ms[certificate_id(ours.epoch, ours.topic, ours.level)]
    mine = state.opinions.get(topic, {}).get(state.me)
    return mine.entry.issued_ms if mine is not None else step.now_ms


def top_certificate(step: Step, topic: Topic) -> CheckedCertificate | None:
    """The highest that runs and may be acted on: an old one only after its signers' heads were asked for."""
    state = step.state
    for id_ in running(state, topic, step.now_ms):
        held = state.certificates[id_]
        stale = state.accepted_ms[id_] - held.newest_issued_ms > STALE_CERTIFICATE_MS
        if not stale or _heads_asked(step, id_):
            return held
    return None


def _heads_asked(step: Step, id_: Digest) -> bool:
    state = step.state
    age_ms = step.now_ms - state.accepted_ms[id_]
    asked = sum(1 for link in state.links.values() if step.at.mono_ms - link.heads_at_ms < age_ms)
    return asked >= state.epoch.f + 1 or age_ms >= STALE_WAIT_MS


def own_word(
    state: State, topic: Topic, live: list[Opinion], certificate: CheckedCertificate | None
) -> tuple[Own, Level, int]:
    """What this node itself found of what is claimed here: the strongest support wins over any refutation."""
    opinions = [*live, *(certificate.opinions if certificate else ())]
    digests = {claim.digest for one in opinions for claim in one.body.claims}
    rulings = [state.ruled[digest].judgement for digest in sorted(digests) if digest in state.ruled]
    supporting = [one for one in rulings if one.supports(*topic)]
    if supporting:
        return Own.VERIFIED, max(one.level for one in supporting), max(one.amount for one in supporting)
    mine = state.opinions.get(topic, {}).get(state.me)
    if mine is not None and mine in live and mine.body.basis is Basis.OBSERVED:
        return Own.OBSERVED, mine.body.level, 0
    if any(one.ruling is not Ruling.UNDECIDED for one in rulings):
        return Own.CONTRADICTED, Level.NONE, 0
    return (Own.UNABLE if rulings else Own.NONE), Level.NONE, 0

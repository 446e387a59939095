"""What can be read off the state: the running certificates, our own word on a topic, the policy's situation."""

from __future__ import annotations

import operator
from collections.abc import Collection, Iterable, Mapping, Sequence

from adapters.policy import AlarmView, Own, Situation
from node.machine.state import State
from node.machine.step import Step
from node.machine.verdicts import Ruled
from protocol.alarm import Opinion, lease_fault, live, reaches
from protocol.evidence import Ruling
from protocol.feed import is_later
from protocol.ids import Digest, GroupName
from protocol.limits import SKEW_AHEAD_MS_MAX, STALE_CERTIFICATE_MS, STALE_WAIT_MS
from protocol.membership import COUNTED, Epoch
from protocol.messages import Basis, Level
from protocol.quorum import CheckedCertificate, certificate_id
from protocol.release import ClaimName, Topic
from protocol.subjects import Subject

PERSONS_MARK = "by-person"
"""Stands among claims for "as many persons as cannot all be liars said so, the last of them then"."""
REASONS_MAX = 64
NEVER_MS = 1 << 63
STANDING_MAX = 1_024
"""Answers kept; each is found again in less than a millisecond."""


def topic_order(topic: Topic) -> tuple[bytes, int]:
    return topic[0].raw, topic[1]


def running(state: State, topic: Topic, now_ms: int) -> list[Digest]:
    """`certificate_id`s of the certificates that run on this topic, highest level first, then the newest epoch: one
    of an epoch before stands until its end."""
    ids = (certificate_id(epoch.hash, topic, level) for level in reversed(COUNTED) for epoch in state.epochs)
    found = ((id_, state.certificates.get(id_)) for id_ in ids)
    return [id_ for id_, held in found if held is not None and stands(state, held, now_ms)]


def stands(state: State, held: CheckedCertificate, now_ms: int) -> bool:
    """It has not ended, and its signers still carry it: who said something later counts by that, what was said under
    a replaced key or released does not count, whatever certificate carries it; nor does a word said anew on something
    else bring back a certificate of what was released. Asked many times between two words: the
    answer is kept until a word comes or the clock passes a time that any of them names."""
    epoch = state.epoch_of(held.certificate.epoch)
    if held.ends_ms <= now_ms or epoch is None:
        return False
    kept = state.standing.get(held.digest)
    if kept is not None and kept[0] == state.words and kept[1] <= now_ms < kept[2]:
        return kept[3]
    known = state.opinions.get(held.certificate.topic, {})
    counted: list[Opinion] = []
    for one in held.opinions:
        now = known.get(one.entry.author)
        counted.append(one if now is None or not is_later(now, one) else now)
    counts = [
        now
        for one, now in zip(held.opinions, counted, strict=True)
        if _may_count(state, epoch, now, now_ms)
        and (now is one or not state.releases.covers(one.body, state.epoch))
        and (one.entry.author in known or not state.is_superseded(one))
    ]
    same = len(counts) == len(held.opinions) and all(map(operator.is_, counts, held.opinions))
    answer = same or reaches(counts, epoch, held.certificate.level) is not None
    if len(state.standing) >= STANDING_MAX:
        state.standing.clear()
    since_ms, until_ms = _holds_between(counted, now_ms)
    state.standing[held.digest] = (state.words, since_ms, min(until_ms, held.ends_ms), answer)
    return answer


def _holds_between(opinions: Iterable[Opinion], now_ms: int) -> tuple[int, int]:
    """From when until when the clock changes nothing about which of these count."""
    times = [at_ms for one in opinions for at_ms in (one.entry.issued_ms - SKEW_AHEAD_MS_MAX, one.body.expires_ms)]
    since_ms = max((at_ms for at_ms in times if at_ms <= now_ms), default=0)
    return since_ms, min((at_ms for at_ms in times if at_ms > now_ms), default=NEVER_MS)


def live_on(state: State, topic: Topic, now_ms: int) -> tuple[Opinion, ...]:
    """The opinions on this topic that count now. Kept like `stands` keeps its answers."""
    kept = state.live.get(topic)
    if kept is not None and kept[0] == state.words and kept[1] <= now_ms < kept[2]:
        return kept[3]
    held = state.opinions.get(topic, {}).values()
    found = tuple(live(held, state.epoch, now_ms, state.releases))
    if len(state.live) >= STANDING_MAX:
        state.live.clear()
    state.live[topic] = (state.words, *_holds_between(held, now_ms), found)
    return found


def _may_count(state: State, epoch: Epoch, one: Opinion, now_ms: int) -> bool:
    """In a certificate of `epoch`, for which what its signers said again in a later one counts as well."""
    return (
        one.entry.key_version >= state.current_version(one.entry.author)
        and (epoch.admits(one.body.epoch, one.entry.issued_ms) or state.is_later_epoch(one.body.epoch, epoch))
        and one.body.expires_ms > now_ms
        and one.entry.issued_ms <= now_ms + SKEW_AHEAD_MS_MAX
        and not lease_fault(one, epoch)
        and not state.releases.covers(one.body, state.epoch)
    )


def rests_on(state: State, held: CheckedCertificate) -> frozenset[ClaimName]:
    """`reasons` of a certificate that is held: its words never change, only what we found of their claims."""
    kept = state.resting.get(held.digest)
    if kept is not None and kept[0] == state.verdicts:
        return kept[1]
    ours = held.certificate
    found = reasons(state, state.epoch_of(ours.epoch) or state.epoch, ours.topic, ours.level, held.opinions)
    if len(state.resting) >= STANDING_MAX:
        state.resting.clear()
    state.resting[held.digest] = (state.verdicts, found)
    return found


def reasons(
    state: State, epoch: Epoch, topic: Topic, level: Level, opinions: Sequence[Opinion]
) -> frozenset[ClaimName]:
    """What a certificate rests on: claims that an honest group must stand behind (f + 1 groups, or our own check), and
    persons' marks by as many groups as cannot all be liars. A claim that a liar alone adds opens and renews nothing."""
    groups: dict[ClaimName, set[GroupName]] = {}
    sure: set[ClaimName] = set()
    for one in opinions:
        for claim in one.body.claims:
            name = (claim.type, claim.id)
            groups.setdefault(name, set()).add(epoch.group_of(one.entry.author))
            ruled = state.ruled.get(claim)
            if ruled is not None and ruled.judgement.supports(*topic):
                sure.add(name)
    needed = max(epoch.f + 1, epoch.thresholds[max(level, Level.GUARD)] - epoch.f)
    backed = {name for name, told in groups.items() if len(told) > epoch.f or name in sure}
    if not backed:
        backed = {name for name, told in groups.items() if len(told) >= needed}
    marks: dict[GroupName, int] = {}
    for one in opinions:
        if one.body.by_person:
            group = epoch.group_of(one.entry.author)
            marks[group] = max(one.body.since_ms, marks.get(group, 0))
    ranked = sorted(marks.values(), reverse=True)
    if len(ranked) >= needed:
        backed.add((PERSONS_MARK, ranked[needed - 1].to_bytes(32, "big")))
    return frozenset(sorted(backed)[:REASONS_MAX])


def margin_word(state: State) -> str:
    """ "blind", "thin" where few more silences would make it so, else ""."""
    margin = state.margin()
    return "blind" if margin < 0 else "thin" if margin <= min(1, state.epoch.f - 1) else ""


def any_running(state: State, now_ms: int) -> bool:
    return any(held.ends_ms > now_ms for held in state.certificates.values())


def kin(state: State, subjects: Collection[Subject]) -> frozenset[Subject]:
    """These subjects and all other names of the same risks, of those that the policy names."""
    if not subjects:
        return state.policy_subjects
    wanted = set(subjects)
    groups = [names for names in state.setup.policy.assets.values() if wanted.intersection(names)]
    return frozenset(wanted.union(*groups)) & state.policy_subjects


def situation(step: Step, subjects: Collection[Subject] = ()) -> Situation:
    """Of the subjects that the policy names, or only of these: on nothing else can a lever rest."""
    state = step.state
    named = kin(state, subjects)
    wanted = sorted(((subject, threat) for subject in named for threat in state.threats), key=topic_order)
    return Situation(
        now_ms=step.now_ms,
        epoch_lease_ms=state.epoch.lease_ms,
        alarms=tuple(view for topic in wanted if (view := _view(step, topic)) is not None),
        exposures=dict(state.exposures),
        only_informs=state.epoch.only_informs,
        blind=state.blind(),
        levers=state.setup.declarations,
    )


def _view(step: Step, topic: Topic) -> AlarmView | None:
    state = step.state
    certificate = top_certificate(step, topic)
    alive = live_on(state, topic, step.now_ms)
    names = frozenset(own_evidence(state, topic, step.now_ms))
    if certificate is None and not alive and not names:
        return None
    own, own_level, amount = own_word(state, topic, alive, certificate, step.now_ms)
    since_ms = known_since_ms(step, topic, names)
    if certificate is not None:
        names |= rests_on(state, certificate)
        since_ms = min(state.held_since_ms[_id(state.certificates[id_])] for id_ in running(state, topic, step.now_ms))
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
        since_ms=since_ms,
        ends_ms=certificate.ends_ms if certificate else None,
    )


def _id(held: CheckedCertificate) -> Digest:
    ours = held.certificate
    return certificate_id(ours.epoch, ours.topic, ours.level)


def is_own_evidence(state: State, ruled: Ruled, now_ms: int) -> bool:
    """What our own sensor read or our own verifier re-ran, for as long as an opinion on it could live: it holds for
    our own levers whether or not we may speak."""
    judgement = ruled.judgement
    if judgement.ruling is not Ruling.SUPPORTS or judgement.subject is None:
        return False
    topic = (judgement.subject, judgement.threat)
    mine = state.opinions.get(topic, {}).get(state.me)
    withdrawn = mine is not None and mine.body.level is Level.NONE and mine.entry.issued_ms >= ruled.at_ms
    return (
        not withdrawn
        and ruled.at_ms <= now_ms < ruled.at_ms + state.epoch.lease_bound_ms(judgement.level)
        and ruled.at_ms > state.releases.point_ms(topic)
        and not state.releases.covers_claims(topic, [(ruled.claim.type, ruled.claim.id)], state.epoch)
    )


def supported(state: State) -> Mapping[Topic, Sequence[Ruled]]:
    """What our own checks support, by topic and there in the order of the claims; made anew when a verdict comes."""
    if state.supported[0] != state.verdicts:
        found: dict[Topic, list[Ruled]] = {}
        for one in state.ruled.values():
            judgement = one.judgement
            if judgement.ruling is Ruling.SUPPORTS and judgement.subject is not None:
                found.setdefault((judgement.subject, judgement.threat), []).append(one)
        for held in found.values():
            held.sort(key=lambda one: one.claim)
        state.supported = (state.verdicts, found)
    return state.supported[1]


def own_evidence(state: State, topic: Topic, now_ms: int) -> dict[ClaimName, Ruled]:
    """Claims that our own check supports: a liar's extra claim makes no other action of ours."""
    found: dict[ClaimName, Ruled] = {}
    for ruled in supported(state).get(topic, ()):
        if is_own_evidence(state, ruled, now_ms):
            found.setdefault((ruled.claim.type, ruled.claim.id), ruled)
    return found


def known_since_ms(step: Step, topic: Topic, names: Collection[ClaimName]) -> int:
    """When this node itself could first act on what it holds: no author can backdate a hold away or stretch a lease.
    `names`: what is new; the certificate that brought it, else our own evidence of it."""
    state = step.state
    certificate = top_certificate(step, topic)
    if certificate is not None and (not names or not rests_on(state, certificate).isdisjoint(names)):
        return _first_accepted_ms(state, certificate, step.now_ms)
    evidence = own_evidence(state, topic, step.now_ms)
    return max((ruled.at_ms for name, ruled in evidence.items() if not names or name in names), default=step.now_ms)


def _first_accepted_ms(state: State, certificate: CheckedCertificate, now_ms: int) -> int:
    """The one that an epoch before made of the same alarm counts too: a change of members starts no lease anew."""
    ours = certificate.certificate
    ids = (certificate_id(epoch.hash, ours.topic, ours.level) for epoch in state.epochs)
    held = ((id_, state.certificates.get(id_)) for id_ in ids)
    return min(state.accepted_ms[id_] for id_, one in held if one is not None and stands(state, one, now_ms))


def top_certificate(step: Step, topic: Topic) -> CheckedCertificate | None:
    """The highest that runs and may be acted on: an old one only after its signers' heads were asked for."""
    state = step.state
    for id_ in running(state, topic, step.now_ms):
        held = state.certificates[id_]
        stale = step.now_ms - held.newest_issued_ms > STALE_CERTIFICATE_MS
        if not stale or _heads_asked(step, id_):
            return held
    return None


def _heads_asked(step: Step, id_: Digest) -> bool:
    """f + 1 members have shown their heads since, and we lack nothing of theirs; or it was waited long enough: since
    it was accepted, and since Q groups are heard, for what was held all through a cut may have been released."""
    state = step.state
    age_ms = step.now_ms - state.accepted_ms[id_]
    asked = {
        member
        for link in state.links.values()
        if not link.differs and 0 < step.at.mono_ms - link.heads_at_ms < age_ms
        for member in link.members
    }
    if len(asked) >= state.epoch.f + 1:
        return True
    return min(age_ms, step.at.mono_ms - state.heard_since_mono_ms()) >= STALE_WAIT_MS


def own_word(
    state: State, topic: Topic, alive: Sequence[Opinion], certificate: CheckedCertificate | None, now_ms: int
) -> tuple[Own, Level, int]:
    """What this node itself found of what is claimed here: the strongest support wins over any refutation, and only
    where all is refuted do we contradict: else a liar's false claim beside a true one would still our levers. Without a
    certificate only own evidence that still holds is our word: whoever names an old or released claim again, alone,
    makes nothing fresh of it."""
    opinions = [*alive, *(certificate.opinions if certificate else ())]
    wanted = {claim for one in opinions for claim in one.body.claims}
    if certificate is not None:
        backed = rests_on(state, certificate)
        wanted = {claim for claim in wanted if (claim.type, claim.id) in backed} or wanted
    rulings = [state.ruled[one].judgement for one in sorted(wanted) if one in state.ruled]
    supporting = [one for one in rulings if one.supports(*topic)] if certificate is not None else []
    supporting += [one.judgement for one in own_evidence(state, topic, now_ms).values()]
    if supporting:
        return Own.VERIFIED, max(one.level for one in supporting), max(one.amount for one in supporting)
    mine = state.opinions.get(topic, {}).get(state.me)
    if mine is not None and mine in alive and mine.body.basis is Basis.OBSERVED:
        return Own.OBSERVED, mine.body.level, 0
    unsure = any(one.ruling is Ruling.UNDECIDED for one in rulings)
    if rulings and not unsure and len(rulings) == len(wanted):
        return Own.CONTRADICTED, Level.NONE, 0
    return (Own.UNABLE if unsure else Own.NONE), Level.NONE, 0

"""What claims rest on: fetch the blob, re-run it once, hold the verdict. A flood of one author's claims waits in that
author's own line; the first claim of another is re-run at once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from node.effects import VerifyClaim
from node.machine import views
from node.machine.links import Link
from node.machine.state import State
from node.machine.step import Step, cut
from node.machine.verdicts import Missing
from node.records import BlobKept, ClaimRuled, FalseStatement
from protocol.alarm import Opinion, is_live
from protocol.evidence import Judgement, Ruling, undecided
from protocol.ids import Digest, MemberName
from protocol.limits import LABEL_CHARS_MAX
from protocol.messages import Basis, Claim, Level

UNDECIDED_AGAIN_MS = (250, 500, 1_000, 2_000, 4_000, 8_000)
UNDECIDED_OFTEN_MAX = 40
"""Tries. Then five minutes of a provider that does not answer are over, and it is asked rarely for as long as somebody
claims it: an outage must not leave a member mute for the rest of a lease."""
UNDECIDED_RARELY_MS = 300_000
ASK_AGAIN_MS = (300, 600, 1_200, 2_500, 5_000)
ANSWER_MS = 150
"""So long whoever was asked first has the time to answer, before others that name the same are asked."""
ASKS_MAX = 32
ASKS_PER_TICK = 2
"""Per author: claims without blobs by the hundred would spend our share of the peers' answers."""
AT_ONCE_PER_AUTHOR = 4
WAITING_PER_AUTHOR = 512
"""64 live opinions of 8 claims."""
MISSING_PER_AUTHOR = 1_024
"""Claims whose blobs are asked for: twice what its live opinions can name."""
FALSE_STATEMENTS_MAX = 64
"""Proofs kept of one author: one is enough to say so."""
AMOUNT_MAX = (1 << 256) - 1
SOURCES_RULED_MAX = 16


def look_into(step: Step, link: Link | None, opinion: Opinion, claim: Claim) -> None:
    """Re-run once per claim; ask for the blob where it did not come along. What could not be decided is re-run when its
    time has come, and begins anew once for each member that names it: one liar who names it before it is so keeps
    nobody waiting, and does not use up the owner's providers."""
    state = step.state
    ruled = state.ruled.get(claim)
    if ruled is not None and ruled.judgement.ruling is not Ruling.UNDECIDED:
        note_false_statement(step, opinion, ruled.judgement)
        return
    if ruled is not None and opinion.entry.author not in ruled.hurried:
        ruled.hurried.add(opinion.entry.author)
        ruled.tries, ruled.again_at_ms = 0, step.at.mono_ms
    if claim in state.judging or (ruled is not None and ruled.again_at_ms > step.at.mono_ms):
        return
    blob = state.blobs.get(claim.digest)
    if blob is None:
        blob = state.pushed_blobs.pop(claim.digest, None)
        if blob is not None:
            step.record(BlobKept(blob))
    if blob is not None:
        _judge(step, claim, opinion.entry.author)
        return
    missing = state.missing.get(claim.digest)
    if missing is None:
        if not _room_for_missing(state, opinion.entry.author):
            return
        mono_ms = step.at.mono_ms
        state.missing[claim.digest] = Missing(claim, opinion.entry.author, mono_ms + ASK_AGAIN_MS[0], mono_ms)
        if link is not None:
            step.want_blob(link.peer_id, claim.digest)
    elif step.at.mono_ms - missing.since_ms >= ANSWER_MS:
        _ask_author(step, claim, opinion.entry.author)


def _room_for_missing(state: State, author: MemberName) -> bool:
    if len(state.missing) < MISSING_PER_AUTHOR:
        return True
    return sum(1 for one in state.missing.values() if one.author == author) < MISSING_PER_AUTHOR


def _ask_author(step: Step, claim: Claim, author: MemberName) -> None:
    """Of several that name it, who told first may never have had its blob: each that names it later is asked then."""
    for peer_id, link in sorted(step.state.links.items()):
        if author in link.members:
            step.want_blob(peer_id, claim.digest)
            return


def _judge(step: Step, claim: Claim, author: MemberName) -> None:
    state = step.state
    state.missing.pop(claim.digest, None)
    if sum(1 for one in state.judging.values() if one == author) < AT_ONCE_PER_AUTHOR:
        state.judging[claim] = author
        step.do(VerifyClaim(claim, state.blobs[claim.digest]))
        return
    line = state.to_judge.setdefault(author, {})
    if len(line) < WAITING_PER_AUTHOR:
        line[claim] = None


def run_again(step: Step, claim: Claim) -> None:
    """On a person's word, in this member's own line. What is being re-run already is not asked for twice."""
    if claim not in step.state.judging:
        _judge(step, claim, step.state.me)


def _ahead(state: State, author: MemberName) -> int:
    """Claims that are looked into, or wait to be, on this author's account."""
    return len(state.to_judge.get(author, ())) + sum(1 for one in state.judging.values() if one == author)


def judged(step: Step, done: Claim) -> None:
    """One place is free: the next of the same author."""
    state = step.state
    author = state.judging.pop(done, None)
    line = state.to_judge.get(author) if author is not None else None
    while line and author is not None:
        claim = next(iter(line))
        del line[claim]
        wanted = claim in state.reruns.running or _is_due(step, claim)
        if claim.digest in state.blobs and claim not in state.judging and wanted:
            _judge(step, claim, author)
            return


def _is_due(step: Step, claim: Claim) -> bool:
    """It may have waited in several lines, and been looked into from another."""
    known = step.state.ruled.get(claim)
    if known is None:
        return True
    return known.judgement.ruling is Ruling.UNDECIDED and known.again_at_ms <= step.at.mono_ms


def blob_arrived(step: Step, digest: Digest) -> None:
    """Re-run at once where a live opinion waits for it; else it stays among the pushed ones. A liar may have named
    these bytes first, and otherwise than who tells the truth."""
    if digest in step.state.missing:
        for opinion, claim in list(citing(step.state, digest, step.now_ms)):
            look_into(step, None, opinion, claim)


def citing(state: State, digest: Digest, now_ms: int) -> Iterator[tuple[Opinion, Claim]]:
    """Live opinions that name claims of this digest, and under what name each does."""
    places = state.cited.get(digest, ())
    for topic, author in sorted(places, key=lambda one: (views.topic_order(one[0]), one[1])):
        opinion = state.opinions[topic][author]
        for claim in opinion.body.claims:
            if claim.digest == digest and is_live(opinion, state.epoch, now_ms):
                yield opinion, claim


def naming(state: State, claim: Claim, now_ms: int) -> Iterator[Opinion]:
    """Live opinions that name this claim, and not its bytes under another name."""
    return (opinion for opinion, named in citing(state, claim.digest, now_ms) if named == claim)


def note_false_statement(step: Step, opinion: Opinion, judgement: Judgement) -> None:
    """VERIFIED was said where a deterministic verifier refutes, or where what it proves is something else."""
    body = opinion.body
    if body.basis is not Basis.VERIFIED or body.level is Level.NONE or judgement.ruling is Ruling.UNDECIDED:
        return
    if judgement.ruling is Ruling.REFUTED:
        why = judgement.why
    elif not judgement.supports(body.subject, body.threat):
        why = f"the claim is true of {judgement.subject} and does not bear on {body.subject}"
    elif body.level > judgement.level and len(body.claims) == 1:
        why = f"the claim supports at most {judgement.level.name}, {body.level.name} was said"
    else:
        return
    said = f"{opinion.entry.author}#{opinion.entry.seq} on {body.subject}: {why}"
    told = step.state.false_statements.get(opinion.entry.author, [])
    if len(told) < FALSE_STATEMENTS_MAX and cut(said) not in told:
        step.record(FalseStatement(opinion.raw, cut(said), step.now_ms), opinion)


def within_bounds(judgement: Judgement) -> Judgement:
    """A verifier or sensor may be anybody's plug-in: what would not fit a record is cut, or is no verdict."""
    if not 0 <= judgement.threat <= 255:
        return undecided(f"the verifier names threat {judgement.threat}, which is none")
    sources = tuple(one for one in judgement.sources if len(one) <= LABEL_CHARS_MAX)[:SOURCES_RULED_MAX]
    return replace(judgement, amount=min(max(judgement.amount, 0), AMOUNT_MAX), sources=sources)


def take_verdict(step: Step, claim: Claim, judgement: Judgement) -> None:
    """Of our own verifier. While it looked, our own sensor may have seen the claim: that it could not decide changes
    nothing about that."""
    there = step.state.ruled.get(claim)
    known = there is not None and there.judgement.ruling is Ruling.SUPPORTS
    if not known or judgement.ruling is not Ruling.UNDECIDED:
        rule_claim(step, claim, judgement)
    judged(step, claim)


def rule_claim(step: Step, claim: Claim, judgement: Judgement) -> None:
    judgement = within_bounds(judgement)
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
    ruled = step.state.ruled[claim]
    if ruled.again_at_ms <= step.at.mono_ms:
        waits = UNDECIDED_AGAIN_MS if ruled.tries < UNDECIDED_OFTEN_MAX else (UNDECIDED_RARELY_MS,)
        ruled.again_at_ms = step.at.mono_ms + waits[min(ruled.tries, len(waits) - 1)]
        ruled.tries += 1


def retry_undecided(step: Step) -> None:
    """On a tick: a chain that lagged or was down is asked again while somebody still claims it, in the shortest line of
    those who do: a liar with a long one, who names it too, keeps nobody waiting."""
    state, mono_ms = step.state, step.at.mono_ms
    due = [
        claim
        for claim, known in state.ruled.items()
        if known.judgement.ruling is Ruling.UNDECIDED and known.again_at_ms <= mono_ms and claim.digest in state.blobs
    ]
    for claim in sorted(due):
        authors = {one.entry.author for one in naming(state, claim, step.now_ms)}
        if claim not in state.judging and authors:
            _judge(step, claim, min(authors, key=lambda author: (_ahead(state, author), author)))


def ask_missing(step: Step) -> None:
    """On a tick: who told of a claim may have gone or never had its blob; one peer after another is asked."""
    state = step.state
    peers = sorted(link.peer_id for link in state.links.values() if link.member is not None)
    asked: dict[MemberName, int] = {}
    for digest, missing in sorted(state.missing.items()):
        if missing.ask_at_ms > step.at.mono_ms or asked.get(missing.author, 0) >= ASKS_PER_TICK:
            continue
        asked[missing.author] = asked.get(missing.author, 0) + 1
        if missing.tries >= ASKS_MAX or next(citing(state, digest, step.now_ms), None) is None:
            del state.missing[digest]
            continue
        missing.ask_at_ms = step.at.mono_ms + ASK_AGAIN_MS[min(missing.tries, len(ASK_AGAIN_MS) - 1)]
        if peers:
            step.want_blob(peers[missing.tries % len(peers)], digest)
        missing.tries += 1


def forget_unused(step: Step) -> None:
    """Verdicts and blobs stay while an opinion or a running certificate names them, and supported ones for as long as
    they are own evidence. The store keeps all of it."""
    state = step.state
    opinions = [one for held in state.opinions.values() for one in held.values()]
    opinions += [one for held in state.certificates.values() for one in held.opinions]
    named = {claim for one in opinions for claim in one.body.claims}
    wanted = {claim.digest for claim in (*named, *state.judging)}
    for digest in [digest for digest in state.missing if digest not in wanted]:
        del state.missing[digest]
    for digest in [digest for digest in state.blobs if digest not in wanted]:
        del state.blobs[digest]
    for claim in [claim for claim in state.ruled if claim not in named]:
        if not views.is_own_evidence(state, state.ruled[claim], step.now_ms):
            del state.ruled[claim]
            state.verdicts += 1

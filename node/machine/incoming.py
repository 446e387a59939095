"""From bytes to trust, in the order of cost: size, shape, seen, the connection's budget, author, signature, the
author's budget, claims."""

from __future__ import annotations

from typing import Any

from governance.proposals import statement_type
from node.effects import ServeBlobs, ServeEntries, Tell
from node.events import FrameArrived, LookedUp
from node.ingress import FRAME_UNIT_BYTES, RANGE_PRICE
from node.machine import alarms, asking, claims, deciding, governing, heads, observers, past, views
from node.machine.evolve import verify_parsed
from node.machine.links import Link
from node.machine.statements import keyset_arrived
from node.machine.step import OFFENCES, Step, bundled
from node.records import (
    CertificateAccepted,
    EntryAccepted,
    SigningStopped,
)
from protocol.alarm import Opinion
from protocol.crypto import sha256
from protocol.envelope import Verified, parse_carried
from protocol.errors import Code, ProtocolError
from protocol.feed import Link as FeedLink
from protocol.feed import is_later
from protocol.frames import (
    Blobs,
    CertificateFrame,
    Entries,
    EpochCertificates,
    Frame,
    Heads,
    Hello,
    KeySets,
    Shown,
    WantBlobs,
    WantCertificates,
    WantEntries,
    WantEpochs,
    parse_frame,
)
from protocol.ids import Digest
from protocol.messages import Attestation, Commit, Heartbeat, Prepare, Propose, Release, Statement
from protocol.quorum import Certificate, certificate_id, check_certificate, parse_certificate

PUSHED_PER_PEER_MAX = 64
"""Blobs that came ahead of the entries naming them; 32 KiB each at most, the peer's own oldest goes first."""


def frame_arrived(step: Step, event: FrameArrived) -> None:
    link = step.state.links.get(event.peer_id)
    if link is None:
        return
    observer = observers.observer_of(step, event.peer_id)
    if observer is not None:
        try:
            observers.asked(step, observer, event)
        except ProtocolError as error:
            step.refuse(event.peer_id, error.code)
        return
    owed = event.asked and asking.owes_certificates(link, event.raw)
    if not owed and not _may_be_read(step, event):
        step.refuse(event.peer_id, Code.OVER_BUDGET)
        return
    if link.member is not None and heads.same_heads(step, link, event.raw):
        return
    try:
        frame = parse_frame(event.raw)
    except ProtocolError as error:
        if owed:
            asking.owes_no_more(link)
        # gossip is passed on unread by honest peers too
        step.refuse(event.peer_id, error.code, spoilt=event.direct or event.asked)
        if event.direct or event.asked:
            step.state.budgets.fined(event.peer_id, step.at.mono_ms, error.code)
        return
    try:
        if link.member is None and not isinstance(frame, Hello | KeySets):
            raise ProtocolError(Code.UNKNOWN_AUTHOR, "only a member is listened to; a KeySet makes one")
        _dispatch(step, link, frame, event, owed)
    except ProtocolError as error:
        if owed:
            asking.owes_no_more(link)
        step.refuse(event.peer_id, error.code)


def _may_be_read(step: Step, event: FrameArrived) -> bool:
    cost = 1 + len(event.raw) // FRAME_UNIT_BYTES
    return step.state.budgets.connection_may(event.peer_id, step.at.mono_ms, cost)


def _dispatch(step: Step, link: Link, frame: Frame, event: FrameArrived, owed: bool) -> None:
    if isinstance(frame, Entries):
        for raw in frame.raws:
            _guarded(step, link, raw, event)
        if event.asked:
            asking.more_entries(step, link)
    elif isinstance(frame, Blobs):
        for raw in frame.raws:
            _blob(step, link, raw)
    elif isinstance(frame, CertificateFrame):
        certificate_arrived(step, link, event, frame.raw, owed=owed)
    elif isinstance(frame, Shown):
        asking.shown(step, link, frame.ids)
    elif isinstance(frame, Heads):
        heads.heads_arrived(step, link, frame)
    elif isinstance(frame, Hello):
        _hello(step, link, frame)
    elif isinstance(frame, KeySets):
        for raw in frame.raws:
            keyset_arrived(step, link.peer_id, raw)
    elif isinstance(frame, WantEntries):
        _charge(step, link, RANGE_PRICE)
        step.do(ServeEntries(link.peer_id, frame))
    elif isinstance(frame, WantBlobs):
        _charge(step, link, len(frame.digests))
        step.do(ServeBlobs(link.peer_id, frame.digests))
    elif isinstance(frame, WantEpochs):
        governing.serve_epochs(step, link, frame.after)
    elif isinstance(frame, EpochCertificates):
        governing.certificates_arrived(step, link, frame.raws)
    elif isinstance(frame, WantCertificates):
        _charge(step, link, len(frame.ids))
        heads.serve_certificates(step, link, frame)


def _charge(step: Step, link: Link, answers: float) -> None:
    if not link.serving.take(answers, step.at.mono_ms):
        step.state.budgets.fined(link.peer_id, step.at.mono_ms, Code.OVER_BUDGET)
        raise ProtocolError(Code.OVER_BUDGET, "the peer asks for more than its share")


def _guarded(step: Step, link: Link, raw: bytes, event: FrameArrived) -> None:
    """One bad entry of a frame costs the others nothing, but what its connection cannot pay for is not even read."""
    try:
        entry_arrived(step, link, raw, direct=event.direct)
    except ProtocolError as error:
        if error.code is Code.OVER_BUDGET:
            raise
        step.refuse(link.peer_id, error.code, spoilt=event.direct)
        if event.direct or error.code in OFFENCES:
            step.state.budgets.fined(link.peer_id, step.at.mono_ms, error.code)


def _hello(step: Step, link: Link, frame: Hello) -> None:
    if frame.network != step.state.epoch.network:
        raise ProtocolError(Code.FOREIGN_NETWORK, "the peer speaks for another network")
    for raw in frame.keysets:
        keyset_arrived(step, link.peer_id, raw)
    heads.answer_hello(step, link, frame)


def entry_arrived(step: Step, link: Link, raw: bytes, *, direct: bool) -> None:
    """A valid entry counts at once, whatever is missing before it. In the order of cost: seen, the connection's
    budget, author known, signature, the author's budget."""
    state = step.state
    if sha256(raw) in state.seen:
        return
    parsed = parse_carried(raw, state.epoch.network)
    author, version, seq = parsed.entry.author, parsed.entry.key_version, parsed.entry.seq
    feed = state.feeds.get((author, version))
    verdict = feed.judge(parsed)[0] if feed is not None else FeedLink.NEW
    if verdict is FeedLink.KNOWN:
        return
    asked = link.asked_for(author, version, seq)
    budgets, mono_ms = state.budgets, step.at.mono_ms
    if not (budgets.connection_has if asked else budgets.connection_may)(link.peer_id, mono_ms):
        raise ProtocolError(Code.OVER_BUDGET, "the connection carries more entries than its budget")
    if author not in state.epoch.by_name:
        raise ProtocolError(Code.UNKNOWN_AUTHOR, f"{author} is no member of this epoch")
    keyset = state.keyset(author, version)
    if keyset is None:
        raise ProtocolError(Code.UNKNOWN_KEY, f"KeySet {version} of {author} is not known here yet")
    if parsed.entry.issued_ms > keyset.keyset.expires_ms:
        raise ProtocolError(Code.BAD_KEY, f"{author} sealed under a KeySet that had expired")
    if verdict is FeedLink.OLD:
        past.look_up(step, link, parsed)
        return
    if not budgets.author_has(author, mono_ms, asked=asked):
        if not direct and author in link.members:
            budgets.fined(link.peer_id, mono_ms, Code.AUTHOR_OVER_BUDGET)
        raise ProtocolError(Code.AUTHOR_OVER_BUDGET, f"{author} says more than its budget")
    try:
        verified = verify_parsed(state, parsed)
    except ProtocolError:
        if asked:
            budgets.spoilt(link.peer_id, mono_ms)
            heads.ask_keysets(step, link)  # it may hold another KeySet of this version
        raise
    budgets.author_pays(author, mono_ms, len(raw), asked=asked)
    take_entry(step, link, verified, direct=direct)


def take_entry(step: Step, link: Link, verified: Verified[Any], *, direct: bool) -> None:
    """A proven entry that is new here."""
    author, version = verified.entry.author, verified.entry.key_version
    feed = step.state.feeds.get((author, version))
    step.state.word_mono_ms = step.at.mono_ms
    if author == step.state.me:
        _own_word(step, verified)
    if feed is not None:
        verdict, seq = feed.judge(verified)
        if verdict is FeedLink.FORK and seq is not None:
            past.prove(step, feed.links[seq], verified)
    accept_entry(step, link, verified, direct=direct)


def looked_up(step: Step, event: LookedUp) -> None:
    """Where nothing lies there the word comes late, below a gap that was given up: it is taken after all."""
    verified = past.compare(step, event)
    if verified is None:
        return
    author, budgets = verified.entry.author, step.state.budgets
    if budgets.author_has(author, step.at.mono_ms, asked=False):
        budgets.author_pays(author, step.at.mono_ms, len(event.raw), asked=False)
        accept_entry(step, step.state.links.get(event.peer_id), verified, direct=False)


def _own_word(step: Step, verified: Verified[Any]) -> None:
    """Own entries come back from peers. One above our own head means that this store was rolled back."""
    state = step.state
    if verified.entry.key_version != state.setup.key_version:
        return
    if verified.entry.seq > state.own_head()[0] and state.setup.key_version not in state.stopped:
        why = (
            f"a peer holds our own entry {verified.entry.seq}, our store ends at {state.own_head()[0]}: it was rolled "
            "back. Delegate a fresh attestation key: tocsin restore"
        )
        step.record(SigningStopped(state.setup.key_version, why, step.now_ms))
        step.do(Tell(f"this node signs nothing any more: {why}"))


def accept_entry(step: Step, link: Link | None, verified: Verified[Any], *, direct: bool) -> None:
    step.record(EntryAccepted(verified.raw, own=False, at_ms=step.now_ms), verified)
    body = verified.body
    if isinstance(body, Attestation | Heartbeat | Propose | Prepare | Commit):
        governing.heard_of(step, link, body.epoch)
    if isinstance(body, Attestation):
        alarms.opinion_arrived(step, link, verified)
    elif isinstance(body, Release):
        alarms.release_arrived(step, (body.subject, body.threat))
    elif isinstance(body, Heartbeat) and direct and link is not None and verified.entry.author in link.members:
        heads.heartbeat_heard(step, verified.entry.author, verified.entry.issued_ms)
    elif isinstance(body, Statement):
        _statement(step, link, body)
    elif isinstance(body, Propose | Prepare | Commit):
        governing.due(step)


def _statement(step: Step, link: Link | None, body: Statement) -> None:
    """A KeySet takes effect here; a proposal or ballot did, in the ledger, when it was recorded."""
    try:
        if statement_type(body.sealed):
            governing.due(step)
        elif deciding.applicants_keyset(step.state, body.sealed) is None:
            keyset_arrived(step, link.peer_id if link else "", body.sealed)
    except ProtocolError:
        return


def _blob(step: Step, link: Link, raw: bytes) -> None:
    state = step.state
    digest = Digest(sha256(raw))
    if digest in state.blobs or digest in state.pushed_blobs:
        return
    while len(link.pushed) >= PUSHED_PER_PEER_MAX:
        state.pushed_blobs.pop(link.pushed.popleft(), None)
    link.pushed.append(digest)
    state.pushed_blobs[digest] = raw
    claims.blob_arrived(step, digest)


def certificate_arrived(step: Step, link: Link, event: FrameArrived, raw: bytes, *, owed: bool) -> None:
    """`owed`: its frame was not paid for yet, for it may be one that was asked for."""
    state = step.state
    certificate = parse_certificate(raw)
    id_ = certificate_id(certificate.epoch, certificate.topic, certificate.level)
    asked = owed and asking.was_asked_for(step, link, id_)
    if owed and not asked and not _may_be_read(step, event):
        raise ProtocolError(Code.OVER_BUDGET, "the peer answers what it was not asked for")
    governing.heard_of(step, link, certificate.epoch)
    link.note_shown((id_,))
    held = state.certificates.get(id_)
    if held is None or not views.stands(state, held, step.now_ms):
        _take_certificate(step, link, certificate, raw, asked=asked)
    if asked:
        asking.more_certificates(step, link)


def _take_certificate(step: Step, link: Link, certificate: Certificate, raw: bytes, *, asked: bool) -> None:
    state, budgets, mono_ms = step.state, step.state.budgets, step.at.mono_ms
    # one of an epoch before stands to its end: who was away then, or has joined since, takes it as well
    epoch = state.epoch_of(certificate.epoch) or state.epoch
    work = len(certificate.entries)
    if work > len(epoch.members):
        raise ProtocolError(Code.DUPLICATE_SIGNER, "more entries than the epoch has members")
    may = (
        budgets.connection_has(link.peer_id, mono_ms) if asked else budgets.connection_may(link.peer_id, mono_ms, work)
    )
    if not may:
        raise ProtocolError(Code.OVER_BUDGET, "the connection carries more certificates than its budget")
    try:
        checked = check_certificate(certificate, raw, epoch, state.keyset, state.known_opinion)
    except ProtocolError:
        if asked:
            budgets.spoilt(link.peer_id, mono_ms, work)
        raise
    for keyset_raw in certificate.keysets:
        if len(keyset_raw) > 32:
            keyset_arrived(step, link.peer_id, keyset_raw)
    if views.stands(state, checked, step.now_ms):
        step.record(CertificateAccepted(raw, assembled_here=False, at_ms=step.now_ms), checked)
        for opinion in checked.opinions:
            _take_from_certificate(step, link, opinion)
        alarms.certificate_accepted(step, certificate_id(certificate.epoch, certificate.topic, certificate.level))
    else:
        _answer_with_later(step, link, checked.opinions)


def _take_from_certificate(step: Step, link: Link, opinion: Opinion) -> None:
    """What a certificate proves, its entries say: they are stored, chained and answered like any other."""
    state = step.state
    entry = opinion.entry
    feed = state.feeds.get((entry.author, entry.key_version))
    known = feed is not None and feed.judge(opinion)[0] in (FeedLink.KNOWN, FeedLink.OLD)
    if not known and state.keyset(entry.author, entry.key_version) is not None:
        take_entry(step, link, opinion, direct=False)


def _answer_with_later(step: Step, link: Link, opinions: tuple[Opinion, ...]) -> None:
    """Who carries an older word gets the later one: a withdrawal is known wherever a certificate still lies."""
    later = []
    for one in opinions:
        held = step.state.opinions.get((one.body.subject, one.body.threat), {}).get(one.entry.author)
        if held is not None and is_later(held, one):
            later.append(held.raw)
    for together in bundled(later):
        step.send(link.peer_id, Entries(together), sync=True)

"""From bytes to trust, in the order of cost: size, shape, seen, the connection's budget, author, signature, the
author's budget, claims."""

from __future__ import annotations

from typing import Any

from node.effects import ServeBlobs, ServeEntries
from node.events import FrameArrived
from node.machine import alarms, heads
from node.machine.evolve import verify_parsed
from node.machine.state import Link
from node.machine.step import Step
from node.records import (
    CertificateAccepted,
    EntryAccepted,
    EquivocationProven,
    KeySetLearned,
    SigningStopped,
)
from protocol.alarm import Opinion
from protocol.crypto import sha256
from protocol.envelope import Verified, keyset_owner, open_keyset, parse_entry
from protocol.errors import Code, ProtocolError
from protocol.feed import Link as FeedLink
from protocol.frames import (
    Blobs,
    CertificateFrame,
    Entries,
    Frame,
    Heads,
    Hello,
    KeySets,
    Shown,
    WantBlobs,
    WantCertificates,
    WantEntries,
    parse_frame,
)
from protocol.ids import Digest
from protocol.limits import KEYSETS_PER_MEMBER_MAX
from protocol.messages import Attestation, Heartbeat, Release, Statement
from protocol.quorum import certificate_id, check_certificate, parse_certificate

PUSHED_BLOBS_MAX = 512
"""Blobs that came ahead of the entries naming them; 32 KiB each at most, the oldest goes first."""


def frame_arrived(step: Step, event: FrameArrived) -> None:
    link = step.state.links.get(event.peer_id)
    if link is None:
        return
    if not step.state.budgets.connection_may(event.peer_id, step.at.mono_ms):
        step.refuse(event.peer_id, Code.OVER_BUDGET)
        return
    try:
        _dispatch(step, link, parse_frame(event.raw), event)
    except ProtocolError as error:
        step.refuse(event.peer_id, error.code)


def _dispatch(step: Step, link: Link, frame: Frame, event: FrameArrived) -> None:
    if isinstance(frame, Entries):
        for raw in frame.raws:
            _guarded(step, link, raw, event)
    elif isinstance(frame, Blobs):
        for raw in frame.raws:
            _blob(step, link, raw)
    elif isinstance(frame, CertificateFrame):
        certificate_arrived(step, link, frame.raw)
    elif isinstance(frame, Shown):
        link.shown.update(frame.ids[: 4 * PUSHED_BLOBS_MAX - len(link.shown)])
    elif isinstance(frame, Heads):
        heads.heads_arrived(step, link, frame)
    elif isinstance(frame, Hello):
        _hello(step, link, frame)
    elif isinstance(frame, KeySets):
        for raw in frame.raws:
            keyset_arrived(step, link.peer_id, raw)
    elif isinstance(frame, WantEntries):
        step.do(ServeEntries(link.peer_id, frame))
    elif isinstance(frame, WantBlobs):
        step.do(ServeBlobs(link.peer_id, frame.digests))
    elif isinstance(frame, WantCertificates):
        heads.serve_certificates(step, link, frame)


def _guarded(step: Step, link: Link, raw: bytes, event: FrameArrived) -> None:
    """One bad entry of a frame costs the others nothing."""
    try:
        entry_arrived(step, link, raw, direct=event.direct, asked=event.asked)
    except ProtocolError as error:
        step.refuse(link.peer_id, error.code)


def _hello(step: Step, link: Link, frame: Hello) -> None:
    if frame.network != step.state.epoch.network:
        raise ProtocolError(Code.FOREIGN_NETWORK, "the peer speaks for another network")
    for raw in frame.keysets:
        keyset_arrived(step, link.peer_id, raw)


def keyset_arrived(step: Step, peer_id: str, raw: bytes) -> None:
    """A delegation proves itself; a newer version silences what was sealed under the older one, at once."""
    state = step.state
    owner = state.epoch.by_name.get(keyset_owner(raw))
    if owner is None:
        step.refuse(peer_id, Code.UNKNOWN_AUTHOR)
        return
    held = state.keysets.get(owner.name, {})
    if any(sealed.raw == raw for sealed in held.values()):
        return
    sealed = open_keyset(raw, state.epoch.network, owner.governance_key)
    there = held.get(sealed.keyset.version)
    if there is not None and there.hash <= sealed.hash:
        return
    if there is None and len(held) >= KEYSETS_PER_MEMBER_MAX:
        step.refuse(peer_id, Code.AUTHOR_OVER_BUDGET)
        return
    step.record(KeySetLearned(raw), sealed)
    alarms.review_author(step, owner.name)


def entry_arrived(step: Step, link: Link, raw: bytes, *, direct: bool, asked: bool) -> None:
    """A valid entry counts at once, whatever is missing before it."""
    state = step.state
    parsed = parse_entry(raw, state.epoch.network)
    author, version = parsed.entry.author, parsed.entry.key_version
    feed = state.feeds.get((author, version))
    if feed is not None and feed.judge(parsed)[0] is FeedLink.KNOWN:
        return
    if author not in state.epoch.by_name:
        raise ProtocolError(Code.UNKNOWN_AUTHOR, f"{author} is no member of this epoch")
    if state.keyset(author, version) is None:
        raise ProtocolError(Code.UNKNOWN_KEY, f"KeySet {version} of {author} is not known here yet")
    verified = verify_parsed(state, parsed)
    if not asked and not state.budgets.author_may(author, step.at.mono_ms):
        raise ProtocolError(Code.AUTHOR_OVER_BUDGET, f"{author} says more than its budget")
    if author == state.me and _own_word(step, verified):
        return
    if feed is not None:
        verdict, seq = feed.judge(verified)
        if verdict is FeedLink.FORK and seq is not None:
            step.record(EquivocationProven(feed.links[seq].raw, verified.raw, step.now_ms), verified)
    accept_entry(step, link, verified, direct=direct)


def _own_word(step: Step, verified: Verified[Any]) -> bool:
    """Own entries come back from peers. One above our own head means that this store was rolled back."""
    state = step.state
    if verified.entry.key_version != state.setup.key_version:
        return False
    if verified.entry.seq > state.own_head()[0] and state.setup.key_version not in state.stopped:
        why = (
            f"a peer holds our own entry {verified.entry.seq}, our store ends at {state.own_head()[0]}: it was rolled "
            "back. Delegate a fresh attestation key: tocsin restore"
        )
        step.record(SigningStopped(state.setup.key_version, why, step.now_ms))
    return False


def accept_entry(step: Step, link: Link | None, verified: Verified[Any], *, direct: bool) -> None:
    step.record(EntryAccepted(verified.raw, own=False, at_ms=step.now_ms), verified)
    body = verified.body
    if isinstance(body, Attestation):
        alarms.opinion_arrived(step, link, verified)
    elif isinstance(body, Release):
        alarms.release_arrived(step, (body.subject, body.threat))
    elif isinstance(body, Heartbeat) and direct and link is not None and link.member == verified.entry.author:
        step.state.skews_ms[verified.entry.author] = step.now_ms - verified.entry.issued_ms
    elif isinstance(body, Statement):
        _statement(step, link, body)


def _statement(step: Step, link: Link | None, body: Statement) -> None:
    """A KeySet carried by a feed; proposals and ballots are stored and chained until votes are spoken here."""
    try:
        keyset_arrived(step, link.peer_id if link else "", body.sealed)
    except ProtocolError:
        return


def _blob(step: Step, link: Link, raw: bytes) -> None:
    state = step.state
    digest = Digest(sha256(raw))
    if digest in state.blobs or digest in state.pushed_blobs:
        return
    if len(state.pushed_blobs) >= PUSHED_BLOBS_MAX:
        state.pushed_blobs.pop(next(iter(state.pushed_blobs)))
    state.pushed_blobs[digest] = raw
    alarms.blob_arrived(step, digest)


def certificate_arrived(step: Step, link: Link, raw: bytes) -> None:
    state = step.state
    certificate = parse_certificate(raw)
    id_ = certificate_id(certificate.epoch, certificate.topic, certificate.level)
    link.shown.add(id_)
    held = state.certificates.get(id_)
    if held is not None and held.ends_ms > step.now_ms:
        return

    def known(entry_raw: bytes) -> Opinion | None:
        for opinion in state.opinions.get(certificate.topic, {}).values():
            if opinion.raw == entry_raw:
                return opinion
        return None

    checked = check_certificate(certificate, raw, state.epoch, state.keyset, known)
    if checked.ends_ms <= step.now_ms or (held is not None and held.ends_ms >= checked.ends_ms):
        return
    for keyset_raw in certificate.keysets:
        if len(keyset_raw) > 32:
            keyset_arrived(step, link.peer_id, keyset_raw)
    step.record(CertificateAccepted(raw, assembled_here=False, at_ms=step.now_ms), checked)
    for opinion in checked.opinions:
        _take_from_certificate(step, link, opinion)
    alarms.certificate_accepted(step, id_)


def _take_from_certificate(step: Step, link: Link, opinion: Opinion) -> None:
    """What a certificate proves, its entries say: they are stored, chained and answered like any other."""
    feed = step.state.feeds.get((opinion.entry.author, opinion.entry.key_version))
    if feed is not None and feed.judge(opinion)[0] is FeedLink.KNOWN:
        return
    entry_arrived(step, link, opinion.raw, direct=False, asked=True)

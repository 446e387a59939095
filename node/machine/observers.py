"""Observers: peers on this node's own list that read its certificates. They sign nothing that counts.

Read-only: a want of certificates is answered, anything else is refused and counted. TLP decides what leaves: no
certificate above the observer's ceiling, and of any other no evidence, since blobs and single entries are never served.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from node.events import FrameArrived, Observer
from node.ingress import FRAME_UNIT_BYTES, Bucket
from node.machine import views
from node.machine.step import Step
from protocol.errors import Code, ProtocolError
from protocol.frames import CERTIFICATES_SHOWN_MAX, CertificateFrame, Hello, Shown, WantCertificates, parse_frame
from protocol.ids import Digest
from protocol.quorum import CheckedCertificate

ASKING = (64.0, 8.0)
"""Burst and steady rate of what an observer may make us look at: frames in units of 4 KiB, certificates asked for."""
READING = (1_048_576.0, 65_536.0)
"""Burst and steady rate of the bytes that leave to one observer."""
SHOW_EVERY_MS = 5_000
"""Between two lists of what runs: where a push was lost, it is asked for."""


@dataclass
class Desk:
    """What is kept of one observer: reconnecting brings no new budget."""

    asking: Bucket = field(default_factory=lambda: Bucket(*ASKING))
    reading: Bucket = field(default_factory=lambda: Bucket(*READING))
    sent: dict[Digest, Digest] = field(default_factory=dict)
    """`certificate_id` → the digest of the one that was pushed."""
    show_at_ms: int = 0


def observer_of(step: Step, peer_id: str) -> Observer | None:
    """None for everybody else; who is a member by its KeySet is one here too."""
    observer = step.state.setup.observers.get(peer_id)
    link = step.state.links.get(peer_id)
    return None if observer is None or link is None or link.member is not None else observer


def listed(step: Step, observers: Mapping[str, Observer]) -> None:
    """The owner's list was read anew. Who stays keeps its budget and what it was sent; who is gone is owed nothing."""
    state = step.state
    state.setup = replace(state.setup, observers=dict(observers))
    for peer_id in [known for known in state.desks if known not in observers]:
        del state.desks[peer_id]


def came_up(step: Step, peer_id: str) -> None:
    """On a new connection everything that runs is pushed again: what was sent on the last one may be lost."""
    if observer_of(step, peer_id) is not None:
        desk = _desk(step, peer_id)
        desk.sent.clear()
        desk.show_at_ms = step.at.mono_ms + SHOW_EVERY_MS


def asked(step: Step, observer: Observer, event: FrameArrived) -> None:
    """A frame of an observer. ProtocolError for what it may not send."""
    desk = _desk(step, event.peer_id)
    if not desk.asking.take(1 + len(event.raw) // FRAME_UNIT_BYTES, step.at.mono_ms):
        raise ProtocolError(Code.OVER_BUDGET, "an observer asks for more than its share")
    try:
        frame = parse_frame(event.raw)
    except ProtocolError as error:
        step.refuse(event.peer_id, error.code, spoilt=True)
        return
    if isinstance(frame, Hello):
        if frame.network != step.state.epoch.network:
            raise ProtocolError(Code.FOREIGN_NETWORK, "the observer speaks for another network")
        return
    if not isinstance(frame, WantCertificates):
        raise ProtocolError(Code.UNKNOWN_AUTHOR, "only a member is listened to; an observer asks for certificates")
    if not desk.asking.take(len(frame.ids), step.at.mono_ms):
        raise ProtocolError(Code.OVER_BUDGET, "an observer asks for more than its share")
    permitted = _permitted(step, observer)
    for id_ in frame.ids:
        # what is above its ceiling is as if it were not there
        if id_ in permitted and not _push(step, event.peer_id, desk, id_, permitted[id_]):
            raise ProtocolError(Code.OVER_BUDGET, "an observer reads more than its share")


def tell_due(step: Step) -> None:
    """On a tick: to each observer what it does not have yet of what it may read; as much as its budget allows."""
    for peer_id, observer in sorted(step.state.setup.observers.items()):
        if observer_of(step, peer_id) is None:
            continue
        desk = _desk(step, peer_id)
        permitted = _permitted(step, observer)
        for id_ in [known for known in desk.sent if known not in permitted]:
            del desk.sent[id_]
        for id_, held in permitted.items():
            if desk.sent.get(id_) != held.digest and not _push(step, peer_id, desk, id_, held):
                break
        if permitted and step.at.mono_ms >= desk.show_at_ms:
            desk.show_at_ms = step.at.mono_ms + SHOW_EVERY_MS
            step.send(peer_id, Shown(tuple(permitted)[:CERTIFICATES_SHOWN_MAX]), sync=True)


def _desk(step: Step, peer_id: str) -> Desk:
    """Bounded by the list, which is the node's own."""
    desk: Desk = step.state.desks.setdefault(peer_id, Desk())
    return desk


def _permitted(step: Step, observer: Observer) -> dict[Digest, CheckedCertificate]:
    """The highest level first: where the budget ends, what matters most has left."""
    state = step.state
    standing = [
        (id_, held)
        for id_, held in state.certificates.items()
        if held.tlp <= observer.ceiling and views.stands(state, held, step.now_ms)
    ]
    return dict(sorted(standing, key=lambda one: (-one[1].certificate.level, one[0])))


def _push(step: Step, peer_id: str, desk: Desk, id_: Digest, held: CheckedCertificate) -> bool:
    if not desk.reading.take(len(held.raw), step.at.mono_ms):
        return False
    desk.sent[id_] = held.digest
    step.send(peer_id, CertificateFrame(held.raw), sync=True)
    return True

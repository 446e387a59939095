"""Staying together: heads and ranges. What one peer lacks and another has, it asks for."""

from __future__ import annotations

from node.effects import Send, Tell
from node.machine import asking
from node.machine.links import Link
from node.machine.state import State
from node.machine.step import Step, bundled
from protocol.frames import (
    CERTIFICATES_SHOWN_MAX,
    HEADS_MAX,
    CertificateFrame,
    Head,
    Heads,
    Hello,
    KeySets,
    Shown,
    WantCertificates,
    pack_frame,
)
from protocol.ids import Digest, MemberName
from protocol.limits import MEMBERS_MAX

HEADS_LIVE_MS = 1_000
"""Between Heads while an alarm runs or a peer's differ."""
HEADS_QUIET_MS = 5_000
SPOKE_MS = 8_000
"""So long after a word of our own heads come as often as in an alarm: it may have been lost on a wire that was cut for
less than a connection needs to notice."""
SHOWN_MORE_MAX = 768
"""Certificates shown to who comes up, beyond those in its first Heads."""
OWN_HEAD_PATIENCE_MS = 10_000
"""PROTOCOL 2: with a store present and no peer reached for so long, the node observes and says so."""
SLEPT_MS = 5_000
WAKING_MS = 2_000


def peer_came_up(step: Step, peer_id: str) -> None:
    """Who is no member hears what proves itself and names nobody's alarm: the KeySets."""
    state = step.state
    link = state.links[peer_id] = Link(peer_id, state.members_of(peer_id), step.at.mono_ms)
    first, *more = bundled(_known_keysets(state), MEMBERS_MAX) or [()]
    step.send(peer_id, Hello(state.epoch.network, 1, first))
    for together in more:
        step.send(peer_id, KeySets(together))
    if link.member is not None:
        _show_all(step, peer_id)


def _show_all(step: Step, peer_id: str) -> None:
    """Our heads, and all certificates that run: who was away does not wait for their turn in later frames."""
    frame = our_heads(step.state, step.now_ms)
    step.send(peer_id, frame, sync=True)
    rest = [id_ for id_ in _running(step.state, step.now_ms) if id_ not in set(frame.shown)][:SHOWN_MORE_MAX]
    for first in range(0, len(rest), CERTIFICATES_SHOWN_MAX):
        step.send(peer_id, Shown(tuple(rest[first : first + CERTIFICATES_SHOWN_MAX])), sync=True)


def our_hello(state: State) -> Hello:
    """As much of what we know as one frame holds."""
    first, *_ = bundled(_known_keysets(state), MEMBERS_MAX) or [()]
    return Hello(state.epoch.network, 1, first)


def _known_keysets(state: State) -> list[bytes]:
    """Everybody's newest first: whoever made many versions takes no place of others."""
    ranked = [
        (rank, member, sealed.raw)
        for member, versions in state.keysets.items()
        for rank, (_, sealed) in enumerate(sorted(versions.items(), reverse=True))
    ]
    ranked += [(1, member, sealed.raw) for member, sealed in state.contradicted.items()]
    return [raw for _, _, raw in sorted(ranked)[:MEMBERS_MAX]]


def ask_keysets(step: Step, link: Link) -> None:
    """A frame with one was lost on the way here: our Hello shows what we have."""
    if link.serving.take(1, step.at.mono_ms):
        step.send(link.peer_id, our_hello(step.state), sync=True)


def answer_hello(step: Step, link: Link, theirs: Hello) -> None:
    """What we know and they do not. Who says Hello again asks for just that; our heads after it, so that what was said
    under those keys is asked for at once: the first time only, for they may have seen them and not take them."""
    lacking = [raw for raw in _known_keysets(step.state) if raw not in theirs.keysets]
    first_time = not link.keysets_shown.issuperset(lacking)
    link.keysets_shown.update(lacking)
    for together in bundled(lacking, MEMBERS_MAX):
        if link.serving.take(1, step.at.mono_ms):
            step.send(link.peer_id, KeySets(together), sync=True)
    if first_time and link.member is not None:
        step.send(link.peer_id, our_heads(step.state, step.now_ms), sync=True)


def our_heads(state: State, now_ms: int) -> Heads:
    heads = [
        Head(feed.author, feed.key_version, feed.whole + 1, feed.top, feed.top_hash)
        for _, feed in sorted(state.feeds.items())
        if feed.top >= 0 and feed.author in state.epoch.by_name
    ]
    running = _running(state, now_ms)
    # by the clock: more than a frame holds is shown in turn, or who was away would never hear of the rest
    turns = max(1, -(-len(running) // CERTIFICATES_SHOWN_MAX))
    first = now_ms // HEADS_LIVE_MS % turns * CERTIFICATES_SHOWN_MAX
    return Heads(tuple(heads[:HEADS_MAX]), tuple(running[first : first + CERTIFICATES_SHOWN_MAX]))


def _running(state: State, now_ms: int) -> list[Digest]:
    return [id_ for id_, held in sorted(state.certificates.items()) if held.ends_ms > now_ms]


def heads_arrived(step: Step, link: Link, frame: Heads) -> None:
    state = step.state
    link.heads_at_ms = step.at.mono_ms
    asking.shown(step, link, frame.shown)
    differs = unknown = False
    past_seen = True
    own = (state.me, state.setup.key_version)
    theirs_of_own = -1
    for head in frame.heads:
        key = (head.author, head.key_version)
        if key == own:
            theirs_of_own = head.seq
        elif head.author == state.me:
            feed = state.feeds.get(key)
            past_seen = past_seen and (feed.whole if feed is not None else -1) + 1 >= head.whole
        if head.author not in state.epoch.by_name:
            continue
        if state.keyset(*key) is not None:
            differs = _compare(step, link, head) or differs
        else:
            unknown = True
    if unknown:
        ask_keysets(step, link)
    link.differs = differs or unknown
    link.past_seen = past_seen
    if theirs_of_own <= state.own_head()[0]:
        link.own_head_seen = True
    judge_readiness(step)


def same_heads(step: Step, link: Link, raw: bytes) -> bool:
    """Where nothing happens everybody tells everybody the same bytes: known without reading them."""
    state = step.state
    if state.said_heads is None or state.said_heads[0] != raw:
        return False
    link.heads_at_ms = step.at.mono_ms
    link.note_shown(state.said_heads[1].shown)
    link.differs = False
    link.own_head_seen = link.past_seen = True
    judge_readiness(step)
    return True


def _compare(step: Step, link: Link, head: Head) -> bool:
    """Asks for what is missing here up to their head, or for the entry at a head that contradicts ours."""
    key = (head.author, head.key_version)
    feed = step.state.feeds.get(key)
    grew = head.seq > link.theirs.get(key, -1)
    link.theirs[key] = head.seq
    ours = feed.links.get(head.seq) if feed else None
    if ours is not None and ours.hash != head.hash and feed is not None and head.hash not in feed.rivals:
        asking.ask_entry(step, link, key, head.seq)
        return True
    return asking.note_head(step, link, key, grew=grew)


def serve_certificates(step: Step, link: Link, frame: WantCertificates) -> None:
    for id_ in frame.ids:
        held = step.state.certificates.get(id_)
        if held is not None and held.ends_ms > step.now_ms:
            link.note_shown((id_,))
            step.send(link.peer_id, CertificateFrame(held.raw), sync=True)


def note_sleep(state: State, mono_ms: int) -> None:
    """Events come ten times a second: where none was handled for seconds this process or its machine stood still, and
    what is handled now lay waiting."""
    if state.handled_mono_ms and mono_ms - state.handled_mono_ms > SLEPT_MS:
        state.woke_mono_ms = mono_ms
    state.handled_mono_ms = mono_ms


def heartbeat_heard(step: Step, author: MemberName, issued_ms: int) -> None:
    """How far a member's clock is from ours. A word that waited while we slept makes ours look ahead, never behind:
    for a moment after waking such a look changes nothing."""
    state = step.state
    behind_ms = step.at.mono_ms - issued_ms
    known_ms = state.behind_ms.get(author)
    woke = state.woke_mono_ms and step.at.mono_ms - state.woke_mono_ms < WAKING_MS
    if not woke or (known_ms is not None and behind_ms <= known_ms):
        state.behind_ms[author] = behind_ms
        state.clocks = None


def judge_readiness(step: Step) -> None:
    """May we speak again? An empty feed beside a fresh mark may at once; else f + 1 members (or, after ten seconds,
    any) must have shown no entry of ours above our own head: one liar can neither mute us nor wave us through."""
    state = step.state
    if state.signing_ready or state.setup.stopped_why:
        return
    shown = {member for link in state.links.values() if link.own_head_seen for member in link.members}
    agreeing = len({state.epoch.group_of(member) for member in shown if member in state.epoch.by_name})
    waited = step.at.mono_ms - state.started_mono_ms >= OWN_HEAD_PATIENCE_MS
    if state.setup.fresh or agreeing >= state.epoch.f + 1 or (waited and agreeing >= 1):
        state.signing_ready = True
    elif waited and not state.observing_said:
        state.observing_said = True
        step.do(Tell("no peer has shown our own head yet: this node observes and signs nothing until one does"))


def heads_due(step: Step, alarm_live: bool) -> None:
    """On a tick: while an alarm runs or heads differ about every second, else every few; the phase is the node's."""
    state = step.state
    spoke = step.at.mono_ms - state.spoke_mono_ms < SPOKE_MS
    hurry = alarm_live or spoke or any(link.differs for link in state.links.values()) or not state.signing_ready
    period = HEADS_LIVE_MS if hurry else HEADS_QUIET_MS
    jitter = sum(state.me.encode()) % 17 * period // 100
    if step.at.mono_ms - state.heads_at_ms < period + jitter:
        return
    state.heads_at_ms = step.at.mono_ms
    frame = our_heads(state, step.now_ms)
    raw = pack_frame(frame)
    whole = all(feed.whole == feed.top for feed in state.feeds.values()) and len(frame.heads) < HEADS_MAX
    state.said_heads = (raw, frame) if whole else None
    for peer_id, link in sorted(state.links.items()):
        if link.member is not None:
            step.do(Send(peer_id, raw, sync=True))

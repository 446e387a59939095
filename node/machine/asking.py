"""Asking: what peers show and we lack is asked of one of them; who does not answer in time is passed over.

What is under way needs no asking: it is given a grace. On a connection that has just come up nothing is under way.
Each time that nobody answered one more is asked than all before: so f liars cost a few deadlines and not f.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Iterable

from node.machine.links import Lack, Link, Wanted
from node.machine.state import State
from node.machine.step import Step
from protocol.frames import WANTS_MAX, WantCertificates, WantEntries
from protocol.ids import Digest, MemberName

GRACE_MS = 500
"""An entry that a peer shows is mostly on its way here, and a certificate mostly counted here a moment later."""
STILL_COMING_MS = 250
"""While new words come in, what peers show is most likely being counted here; but the grace ends at the latest after"""
GRACE_MS_MAX = 1_500
FRESH_MS = 2_000
"""So long what a peer shows on a new connection is what we missed."""
ANSWER_MS = (800, 1_600, 3_200)
"""Until the next peer is asked; longer with each round of all who have it. After a cut it must come in time."""
ANSWERING_MS_MAX = 1_600
"""So long whoever goes on answering is waited for at most: what it was asked for lies behind what it has sent, and to
ask others for it as well is work for everybody, where there is too much of it already."""
AT_ONE_PEER_MAX = 64
"""Certificates under way from one peer: who never answers holds up so many, and for one deadline."""
PAID_MS = 5_000
"""So long what comes is an answer, and free."""
RANGE_MAX = 256
RANGE_LEAST = 16
SHOWN_LACKING_MAX = 512
"""Certificates that one peer was the first to show and that we lack: what it invents takes nobody else's place."""
ROUNDS_MAX = 4
"""Then it is given up, until somebody shows it again."""


def shown(step: Step, link: Link, ids: Iterable[Digest]) -> None:
    """A peer says which certificates it holds."""
    state = step.state
    link.note_shown(ids)
    lacking = [id_ for id_ in ids if id_ not in state.certificates]
    for id_ in lacking:
        lack = state.lacking.get(id_)
        if lack is None and len(link.first_shown) < SHOWN_LACKING_MAX:
            link.first_shown.add(id_)
            lack = state.lacking[id_] = Lack(_soon_ms(step, link), _by_ms(step, link), first_shown_by=link.peer_id)
        if lack is not None:
            _one_more_has_it(step, link, lack)
    if lacking and _fresh(step, link):
        ask_certificates(step)


def _fresh(step: Step, link: Link) -> bool:
    return step.at.mono_ms - link.up_mono_ms < FRESH_MS


def _soon_ms(step: Step, link: Link) -> int:
    return step.at.mono_ms + (0 if _fresh(step, link) else GRACE_MS)


def _by_ms(step: Step, link: Link) -> int:
    return step.at.mono_ms + (0 if _fresh(step, link) else GRACE_MS_MAX)


def _comes_by_itself(step: Step, lack: Lack) -> bool:
    mono_ms = step.at.mono_ms
    return lack.asked_at_ms is None and mono_ms < lack.by_ms and mono_ms - step.state.word_mono_ms < STILL_COMING_MS


def _is_being_answered(step: Step, lack: Lack) -> bool:
    """Whoever was asked has just sent something else that it was asked for: then this is looked at again later."""
    if lack.asked_at_ms is None:
        return False
    links = (step.state.links.get(peer_id) for peer_id in lack.peer_ids)
    answered = [link.answered_mono_ms for link in links if link is not None and link.answered_mono_ms is not None]
    until_ms = min(max(answered, default=0) + ANSWER_MS[0], lack.asked_at_ms + ANSWERING_MS_MAX)
    if not answered or until_ms <= step.at.mono_ms:
        return False
    lack.ask_at_ms = until_ms
    return True


def _one_more_has_it(step: Step, link: Link, lack: Lack) -> None:
    """Who alone showed it may have lied, and been asked ever more rarely."""
    if link.peer_id not in lack.holders:
        lack.holders.add(link.peer_id)
        soon_ms = _soon_ms(step, link)
        if lack.asked_at_ms is not None:
            soon_ms = max(soon_ms, lack.asked_at_ms + ANSWER_MS[0])
        lack.ask_at_ms = min(lack.ask_at_ms, soon_ms)


def ask_certificates(step: Step) -> None:
    """Each that is due, of one peer that shows it; of another where that one has not answered."""
    state, mono_ms = step.state, step.at.mono_ms
    room = {link.peer_id: _room(link, mono_ms) for link in state.links.values() if link.member is not None}
    asks: dict[str, list[Digest]] = {}
    for id_, lack in list(state.lacking.items()):
        if lack.ask_at_ms > mono_ms or _comes_by_itself(step, lack) or _is_being_answered(step, lack):
            continue
        holders = [link for link in state.links.values() if link.peer_id in room and id_ in link.shown]
        if not holders or lack.rounds >= ROUNDS_MAX:
            lacks_no_more(state, id_)
            continue
        able = [link for link in holders if room[link.peer_id] > 0]
        if not able:
            continue
        # whoever does not answer owes most
        chosen = _next_of(lack, able, lambda one: len(one.asked))
        for link in chosen:
            room[link.peer_id] -= 1
            link.asking.take(1, mono_ms)
            link.asked[id_] = mono_ms
            asks.setdefault(link.peer_id, []).append(id_)
        _note_asked(step, lack, chosen, holders)
    for peer_id, ids in sorted(asks.items()):
        step.send(peer_id, WantCertificates(tuple(ids[:WANTS_MAX])), sync=True)


def _room(link: Link, mono_ms: int) -> int:
    under_way = sum(1 for at_ms in link.asked.values() if mono_ms - at_ms < ANSWER_MS[0])
    return min(AT_ONE_PEER_MAX - under_way, int(link.asking.now(mono_ms)))


def _next_of(lack: Lack, able: Collection[Link], burden: Callable[[Link], int]) -> list[Link]:
    """Who was not asked in this round yet, one more than those who were; of those who bear least."""
    fresh = [link for link in able if link.peer_id not in lack.asked]
    return sorted(fresh or able, key=lambda link: (burden(link), link.peer_id))[: len(lack.asked) + 1]


def _note_asked(step: Step, lack: Lack, chosen: Collection[Link], holders: Collection[Link]) -> None:
    lack.asked.update(link.peer_id for link in chosen)
    lack.peer_ids, lack.asked_at_ms = frozenset(link.peer_id for link in chosen), step.at.mono_ms
    lack.holders = {one.peer_id for one in holders}
    lack.ask_at_ms = step.at.mono_ms + ANSWER_MS[min(lack.rounds, len(ANSWER_MS) - 1)]
    if lack.holders <= lack.asked:
        lack.rounds += 1
        lack.asked.clear()


def lacks_no_more(state: State, id_: Digest) -> None:
    lack = state.lacking.pop(id_, None)
    link = state.links.get(lack.first_shown_by) if lack is not None else None
    if link is not None:
        link.first_shown.discard(id_)


def owes_certificates(link: Link, raw: bytes) -> bool:
    """By its first bytes this is one, and we asked this peer for some: it is paid for when it is known which it is."""
    return bool(link.asked) and raw[:2] == b"\x82\x04"


def owes_no_more(link: Link) -> None:
    """It answered with what is none: what it sends is paid for from now on, and what it was asked for is asked of
    others when its time is over."""
    link.asked.clear()


def was_asked_for(step: Step, link: Link, id_: Digest) -> bool:
    """Once for each time that it was: then it costs its connection nothing."""
    return step.at.mono_ms - link.asked.pop(id_, -PAID_MS) < PAID_MS


def more_certificates(step: Step, link: Link) -> None:
    """An answer came: where few are still under way from this peer, the next are asked for at once."""
    link.answered_mono_ms = step.at.mono_ms
    if len(link.asked) <= AT_ONE_PEER_MAX // 2 and step.state.lacking:
        ask_certificates(step)


def note_head(step: Step, link: Link, key: tuple[MemberName, int], *, grew: bool) -> bool:
    """Does this peer have more of a feed than we have without a gap? Then it is filled, by whoever can. `grew`: it has
    more than it had: what it could not answer before it may answer now, and the waits begin anew."""
    if link.theirs.get(key, -1) <= _whole(step.state, key):
        return False
    gap = step.state.gaps.setdefault(key, Lack(_soon_ms(step, link), _by_ms(step, link)))
    if grew:
        gap.rounds = 0
        gap.asked.discard(link.peer_id)
        gap.holders.discard(link.peer_id)
    _one_more_has_it(step, link, gap)
    _ask_if_due(step, key, gap)
    return True


def _whole(state: State, key: tuple[MemberName, int]) -> int:
    feed = state.feeds.get(key)
    return feed.whole if feed else -1


def _hole_ends(state: State, key: tuple[MemberName, int]) -> int:
    """The last seq before the first that is here beyond what is whole."""
    feed, whole = state.feeds.get(key), _whole(state, key)
    return min((seq - 1 for seq in feed.links if seq > whole), default=whole + RANGE_MAX) if feed else RANGE_MAX


def _ask_if_due(step: Step, key: tuple[MemberName, int], gap: Lack) -> None:
    if gap.ask_at_ms > step.at.mono_ms or _comes_by_itself(step, gap) or _is_being_answered(step, gap):
        return
    _ask_range(step, key, gap)


def _ask_range(step: Step, key: tuple[MemberName, int], gap: Lack) -> None:
    state, mono_ms = step.state, step.at.mono_ms
    whole = _whole(state, key)
    holders = [link for link in state.links.values() if link.member is not None and link.theirs.get(key, -1) > whole]
    if not holders:
        del state.gaps[key]
        return
    theirs = max(link.theirs[key] for link in holders)
    room = state.budgets.sync_room(key[0], mono_ms)
    if room < min(theirs - whole, RANGE_LEAST):
        # it said more than anybody takes: asking all peers for it again and again would be its flood made by ourselves
        gap.ask_at_ms = mono_ms + ANSWER_MS[-1]
        return
    if gap.from_seq != whole + 1:
        gap.from_seq, gap.rounds = whole + 1, 0
        gap.asked.clear()
    under_way = Counter(peer_id for one in state.gaps.values() if one is not gap for peer_id in one.peer_ids)
    # who said it has it
    chosen = _next_of(gap, holders, lambda one: -1 if key[0] in one.members else under_way[one.peer_id])
    most = whole + min(room, RANGE_MAX)
    if gap.rounds:
        # all were asked in vain: its author may have withheld it, and what we hold beyond it would come again each time
        most = min(most, _hole_ends(state, key))
    _note_asked(step, gap, chosen, holders)
    for link in chosen:
        want = WantEntries(*key, whole + 1, min(link.theirs[key], most))
        link.wanted[key] = Wanted(mono_ms, want.from_seq, want.to_seq)
        step.send(link.peer_id, want, sync=True)


def more_entries(step: Step, link: Link) -> None:
    """An answer came: where its range is whole now and somebody has more, the next one is asked for at once."""
    state = step.state
    if link.wanted:
        link.answered_mono_ms = step.at.mono_ms
    for key, last in sorted(link.wanted.items()):
        gap = state.gaps.get(key)
        if gap is not None and gap.from_seq == last.from_seq and _whole(state, key) >= last.to_seq:
            _ask_range(step, key, gap)


def ask_entry(step: Step, link: Link, key: tuple[MemberName, int], seq: int) -> None:
    """The entry at a head that contradicts ours: who shows it has it."""
    last = link.wanted.get(key)
    if last is None or (last.from_seq, last.to_seq) != (seq, seq) or step.at.mono_ms - last.at_ms >= ANSWER_MS[0]:
        link.wanted[key] = Wanted(step.at.mono_ms, seq, seq)
        step.send(link.peer_id, WantEntries(*key, seq, seq), sync=True)


def ask_due(step: Step) -> None:
    """On a tick: what did not come by itself, and what was asked for in vain."""
    state, mono_ms = step.state, step.at.mono_ms
    for key, gap in sorted(state.gaps.items()):
        _ask_if_due(step, key, gap)
    for link in state.links.values():
        for id_ in [id_ for id_, at_ms in link.asked.items() if mono_ms - at_ms >= PAID_MS]:
            del link.asked[id_]
    if state.lacking:
        ask_certificates(step)


def peer_went(state: State, peer_id: str, mono_ms: int) -> None:
    """What it was asked for is asked of others at once."""
    for lack in (*state.lacking.values(), *state.gaps.values()):
        if peer_id in lack.peer_ids:
            lack.ask_at_ms = min(lack.ask_at_ms, mono_ms)

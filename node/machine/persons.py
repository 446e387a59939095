"""What people said of alerts and own levers, as far as it is kept: who has seen what, who had evidence re-run, and what
one person asked for where the policy wants two."""

from __future__ import annotations

from typing import Any

from node.effects import about_of
from node.machine.action import ENDED, Action, Phase
from node.machine.state import State
from node.records import AlertSeen, EndingAsked, EndingClosed, EvidenceRerun, Wish
from protocol.alarm import live
from protocol.release import Topic

TOPICS_MAX = 1_024
PEOPLE_MAX = 64
"""Who acknowledged one alert; here as there the oldest go first."""
RERUNS_MAX = 64
"""Claims of one alert that were re-run."""


def asked(state: State, record: EndingAsked, known: Any) -> None:
    state.asked[record.wish] = record


def closed(state: State, record: EndingClosed, known: Any) -> None:
    state.asked.pop(record.wish, None)


def stepped(state: State, action: Action) -> None:
    """The lift of what is being lifted, or has ended, needs nobody any more."""
    if action.phase is Phase.LIFTING or action.phase in ENDED:
        state.asked.pop(action.key, None)


def seen(state: State, record: AlertSeen, known: Any) -> None:
    topic: Topic = (record.subject, record.threat)
    people = state.seen_by.pop(topic, {})
    people.pop(record.person, None)
    people[record.person] = record
    if len(people) > PEOPLE_MAX:
        del people[next(iter(people))]
    state.seen_by[topic] = people
    if len(state.seen_by) > TOPICS_MAX:
        del state.seen_by[next(iter(state.seen_by))]


def reran(state: State, record: EvidenceRerun, known: Any) -> None:
    topic: Topic = (record.subject, record.threat)
    kept = state.reruns.kept
    claims = kept.pop(topic, {})
    claims.pop(record.claim, None)
    claims[record.claim] = record
    if len(claims) > RERUNS_MAX:
        del claims[next(iter(claims))]
    kept[topic] = claims
    if len(kept) > TOPICS_MAX:
        del kept[next(iter(kept))]


def reruns_of(state: State, topic: Topic) -> list[EvidenceRerun]:
    """Of what is claimed on it now, by when it came out."""
    named = {claim for one in state.opinions.get(topic, {}).values() for claim in one.body.claims}
    held = (one for claim, one in state.reruns.kept.get(topic, {}).items() if claim in named)
    return sorted(held, key=lambda one: (one.at_ms, one.claim))


def first_word(state: State, wish: Wish, now_ms: int) -> EndingAsked | None:
    """What one person has asked for and another may still say."""
    first = state.asked.get(wish)
    return first if first is not None and first.until_ms > now_ms else None


def who_saw(state: State, topic: Topic, now_ms: int) -> list[AlertSeen]:
    """Who acknowledged what is said now: a word older than all that counts was of another alarm."""
    said = live(state.opinions.get(topic, {}).values(), state.epoch, now_ms, state.releases)
    begun_ms = min((one.body.since_ms for one in said), default=0)
    held = (one for one in state.seen_by.get(topic, {}).values() if one.at_ms >= begun_ms)
    return sorted(held, key=lambda one: (one.at_ms, one.person))


def is_taken_up(state: State, about: str, since_ms: int) -> bool:
    """Whether anybody has acknowledged an alert since; `about` as news of it bear it."""
    return any(
        one.at_ms >= since_ms
        for topic, people in state.seen_by.items()
        if about_of(topic) == about
        for one in people.values()
    )

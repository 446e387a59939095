"""An alarm as facts, in milliseconds of a day that begins at `ZERO`, and a look at the spans that come of them."""

from __future__ import annotations

from collections.abc import Iterable

from node.tracing.spans import ROOT, Span, Value, Word
from node.tracing.story import Story, Told
from protocol.crypto import sha256
from protocol.messages import Level, Tlp
from tests.unit.machine.cast import NETWORK, TOPIC

ZERO = 1_700_000_000_000_000_000
CLAIM = ("evm-supply-above-backing", sha256(b"a claim"))
OTHER = ("evm-release-without-burn", sha256(b"another"))
KEY = sha256(b"an action")
LEVER: dict[str, Value] = {
    "tocsin.lever": "freeze",
    "tocsin.instance": "pool:log.freeze",
    "tocsin.rule": "r",
    "tocsin.rung": "ISOLATE",
}


def ns(ms: float) -> int:
    return ZERO + int(ms * 1e6)


def story(member: str = "m0", ceiling: Tlp = Tlp.AMBER, held: Iterable[Word] = ()) -> Story:
    return Story(NETWORK, member, ceiling, lambda topic: held)


def word(
    author: str = "m0",
    since_ms: int = 0,
    claims: tuple[tuple[str, bytes], ...] = (CLAIM,),
    level: Level = Level.ISOLATE,
    tlp: Tlp = Tlp.GREEN,
    own: bool = False,
) -> Word:
    return Word(author, own, level, "VERIFIED", tlp, claims, "the-heist", not claims, since_ms)


def says(told: Story, at_ms: float, one: Word) -> None:
    told.at(TOPIC, ns(at_ms)).word(one, ns(at_ms), ns(at_ms + 5))


def freezes(told: Story, at_ms: float, last: str = "effective", fault: str = "") -> None:
    """Decided, planned and, where it does not fail, sent: three steps of 10 ms."""
    alarm = told.at(TOPIC, ns(at_ms))
    alarm.decided("act", "r", "freeze", f"{TOPIC[0]} is contaminated", ns(at_ms), ns(at_ms + 2))
    alarm.moved(KEY, "ordered", "so", LEVER, ns(at_ms), ns(at_ms + 2))
    for number, (step, phase) in enumerate((("plan", "planned"), ("apply", "sent"), ("read_back", last))):
        began, ended = at_ms + 10 * number + 2, at_ms + 10 * number + 11
        alarm.step_begun(KEY, step, LEVER, ns(began))
        alarm.step_ended(KEY, step, fault, f"{TOPIC[0]} is frozen", "0xabc", ns(ended))
        alarm.moved(KEY, phase, "so", LEVER, ns(ended), ns(ended + 1))


def over(told: Story, at_ms: float = 60_000) -> Told:
    (one,) = told.over(ns(at_ms))
    return one


def names(told: Told) -> list[str]:
    return [one.name for one in told.spans]


def span(told: Told, name: str) -> Span:
    return next(one for one in told.spans if one.name == name)


def ms(one: Span) -> tuple[float, float]:
    return (one.start_ns - ZERO) / 1e6, (one.end_ns - ZERO) / 1e6


def nested(spans: Iterable[Span]) -> bool:
    """Each lies within its parent, and all hang on one root."""
    by_id = {one.span_id: one for one in spans}
    roots = [one for one in by_id.values() if one.parent == ROOT]
    within = (
        by_id[one.parent].start_ns <= one.start_ns <= one.end_ns <= by_id[one.parent].end_ns
        for one in by_id.values()
        if one.parent != ROOT
    )
    return len(roots) == 1 and all(within)

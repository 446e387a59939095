"""One alarm at one node, from its first byte until nothing of it is under way: its spans in the making. Pure.

All of it leaves at once, when it is over. So one name holds for all of its spans, the strictest word on it governs
all, and no span sticks out of its parent. What comes later (a lift, the end of a lease) is told as a turn of its own
in the same trace.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from node.tracing.spans import ROOT, Draft, First, Span, Value, Word, cut, span_of
from protocol.messages import Level, Tlp
from protocol.release import Topic

SPANS_MAX = 256
"""Of one turn. Seven members that say four things each of four claims make a hundred."""
QUIET_NS = 2_000_000_000
"""After the last fact: others' words come within it, and with them the name that others give to the trace."""
TURN_NS_MAX = 120_000_000_000
"""Then what there is is told, whatever is under way: a lever may fail for as long as its lease runs."""
RESTING = frozenset({"asked", "armed", "effective", "escalated", "lapsed", "lifted", "refused"})
"""Phases of an action in which no step is under way: it stands, is over, or waits for a person."""
OWN = Tlp.AMBER
"""What a node says of its own doing is its owner's."""
Claimed = tuple[str, bytes]


@dataclass
class Acting:
    """An action that is moving, and the step that it is at."""

    draft: Draft
    step: tuple[str, int] | None = None


class Alarm:
    """`overflowed` counts the spans that it had no room for."""

    def __init__(self, member: str, topic: Topic, began_ns: int) -> None:
        self.topic, self.began_ns, self.last_ns = topic, began_ns, began_ns
        self.words: list[Word] = []
        self._claims: set[Claimed] = set()
        self.overflowed = 0
        self._member = member
        self._drafts: list[Draft] = []
        self._judging: dict[Claimed, Draft] = {}
        self._acting: dict[bytes, Acting] = {}
        self._spoken_ns: dict[Level, int] = {}
        """Level → when the first word was durable that counts for it."""
        self.tlp = Tlp.CLEAR
        self.certified: tuple[Level, int] = (Level.NONE, 0)
        """The highest, and when the first was durable."""
        self._counted: set[Level] = set()
        self.effective_ns = 0
        self.escalated = ""
        self.root = self._draft("alarm", began_ns, ROOT) or Draft("alarm", bytes(8), ROOT, began_ns)

    @property
    def counts(self) -> bool:
        """Something came of it: the last to give way to others."""
        return bool(self.certified[0] or self._acting or self.effective_ns or self.escalated)

    def over(self, now_ns: int) -> bool:
        if now_ns - self.began_ns > TURN_NS_MAX:
            return True
        return not self._judging and not self._acting and now_ns - self.last_ns > QUIET_NS

    def names(self, claim: Claimed) -> bool:
        return claim in self._claims

    # -- facts

    def word(self, word: Word, start_ns: int, end_ns: int) -> None:
        self._note(end_ns)
        if len(self.words) < SPANS_MAX:
            self.words.append(word)
            self._claims.update(word.claims)
        self.tlp = max(self.tlp, word.tlp)
        for level in Level:
            if Level.NONE < level <= word.level:
                self._spoken_ns.setdefault(level, end_ns)
        draft = self._draft("entry", start_ns)
        if draft is not None:
            _close(draft, end_ns)
            draft.attributes |= {"tocsin.author": word.author, "tocsin.own": word.own, "tocsin.level": word.level.name}
            draft.attributes |= {"tocsin.basis": word.basis, "tocsin.by_person": word.by_person}
            draft.guarded["tocsin.claims"] = tuple(id_.hex()[:12] for _, id_ in word.claims)
            draft.guarded["tocsin.incident"] = word.incident

    def asked(self, claim: Claimed, at_ns: int) -> None:
        """Handed to the verifiers. Asked again before it is judged, it is the same look."""
        self._note(at_ns)
        if claim not in self._judging and (draft := self._draft("claim", at_ns)) is not None:
            draft.guarded |= {"tocsin.claim": claim[1].hex()[:12], "tocsin.claim_type": claim[0]}
            self._judging[claim] = draft

    def judged(self, claim: Claimed, ruling: str, why: str, at_ns: int) -> None:
        draft = self._judging.pop(claim, None)
        if draft is not None:
            self._note(at_ns)
            _close(draft, at_ns)
            draft.attributes["tocsin.ruling"] = ruling
            draft.guarded["tocsin.why"] = cut(why)

    def certificate(
        self, level: Level, tlp: Tlp, signers: tuple[str, ...], assembled_here: bool, start_ns: int, end_ns: int
    ) -> None:
        """Counting: from the first word that counts for it, or its own arrival where a peer brought it whole or it is
        not the first of its level."""
        self._note(end_ns)
        self.tlp = max(self.tlp, tlp)
        self.certified = (max(level, self.certified[0]), self.certified[1] or end_ns)
        first_ns = start_ns if level in self._counted else self._spoken_ns.get(level, start_ns)
        self._counted.add(level)
        draft = self._draft("certificate", min(first_ns, end_ns))
        if draft is not None:
            _close(draft, end_ns)
            draft.attributes |= {"tocsin.level": level.name, "tocsin.assembled_here": assembled_here}
            draft.attributes["tocsin.signers"] = signers

    def decided(self, verdict: str, rule: str, lever: str, why: str, start_ns: int, end_ns: int) -> None:
        self._note(end_ns)
        self.tlp = max(self.tlp, OWN)
        draft = self._draft("decision", start_ns)
        if draft is not None:
            _close(draft, end_ns)
            draft.attributes |= {"tocsin.verdict": verdict, "tocsin.rule": rule, "tocsin.lever": lever}
            draft.guarded["tocsin.why"] = cut(why)

    def moved(self, key: bytes, phase: str, says: str, told: dict[str, Value], start_ns: int, end_ns: int) -> None:
        """An action is opened or has landed in a phase."""
        self._note(end_ns)
        self.tlp = max(self.tlp, OWN)
        acting = self._taken_up(key, told, start_ns)
        if acting is None:
            return
        acting.draft.attributes["tocsin.phase"] = phase
        acting.draft.guarded["tocsin.says"] = cut(says)
        if phase == "effective":
            self.effective_ns = end_ns
        if phase == "escalated":
            acting.draft.failed = self.escalated = "escalated: people are called"
        if phase in RESTING:
            _close(acting.draft, end_ns)
            del self._acting[key]

    def step_begun(self, key: bytes, step: str, told: dict[str, Value], at_ns: int) -> None:
        self._note(at_ns)
        acting = self._taken_up(key, told, at_ns)
        if acting is not None:
            acting.step = (step, at_ns)

    def step_ended(self, key: bytes, step: str, fault: str, says: str, reference: str, at_ns: int) -> None:
        """`fault` "" where it went well, else in a word of ours."""
        acting = self._acting.get(key)
        if acting is None or acting.step is None or acting.step[0] != step:
            return
        self._note(at_ns)
        draft, acting.step = self._draft(f"lever {step}", acting.step[1], acting.draft.span_id), None
        if draft is None:
            return
        _close(draft, at_ns)
        shown = ("tocsin.action", "tocsin.lever", "tocsin.instance")
        draft.attributes |= {name: acting.draft.attributes[name] for name in shown}
        draft.attributes |= {"tocsin.step": step, "tocsin.ok": not fault}
        draft.guarded |= {"tocsin.says": cut(says), "tocsin.reference": reference}
        draft.failed = fault

    # -- what comes of them

    def spans(self, trace_id: bytes, links: Iterable[bytes], ceiling: Tlp, told: dict[str, Value]) -> list[Span]:
        """The root first. `told` stands on each; above the ceiling nothing that is guarded does."""
        open_ = [*self._judging.values(), *(one.draft for one in self._acting.values())]
        for draft in open_:
            draft.attributes["tocsin.cut"] = True
        self._root(max((one.end_ns for one in self._drafts), default=0))
        shown = self.tlp <= ceiling
        everywhere: dict[str, Value] = {**told, "tocsin.tlp": self.tlp.name}
        guarded: dict[str, Value] = {"tocsin.subject": str(self.topic[0])}
        return [
            Span(
                one.name,
                trace_id,
                one.span_id,
                one.parent,
                one.start_ns,
                one.end_ns or self.root.end_ns,
                {**everywhere, **one.attributes, **(guarded | one.guarded if shown else {})},
                one.failed,
                tuple(links) if one is self.root else (),
            )
            for one in self._drafts
        ]

    def firsts(self) -> list[First]:
        """What it may be named by, each once, the earliest word's ahead."""
        words = sorted(self.words, key=lambda one: (one.since_ms, one.author))
        return list(dict.fromkeys(one.first for one in words))

    def _root(self, last_ns: int) -> None:
        root, (level, certified_ns) = self.root, self.certified
        root.start_ns = min(one.start_ns for one in self._drafts)
        _close(root, max(last_ns, self.last_ns))
        root.attributes["tocsin.level"] = max((level, *(one.level for one in self.words))).name
        root.attributes["tocsin.certified"] = level.name
        if certified_ns:
            root.attributes["tocsin.certificate_ms"] = (certified_ns - root.start_ns) / 1e6
        if self.effective_ns:
            root.attributes["tocsin.effect_ms"] = (self.effective_ns - root.start_ns) / 1e6
        if self.overflowed:
            root.attributes["tocsin.spans_dropped"] = self.overflowed
        root.failed = self.escalated

    def _note(self, at_ns: int) -> None:
        self.last_ns = max(self.last_ns, at_ns)

    def _draft(self, name: str, start_ns: int, parent: bytes | None = None) -> Draft | None:
        if len(self._drafts) >= SPANS_MAX:
            self.overflowed += 1
            return None
        span_id = span_of(self._member, self.topic, self.began_ns, len(self._drafts))
        draft = Draft(name, span_id, self.root.span_id if parent is None else parent, start_ns)
        self._drafts.append(draft)
        return draft

    def _taken_up(self, key: bytes, told: dict[str, Value], start_ns: int) -> Acting | None:
        acting = self._acting.get(key)
        if acting is None and (draft := self._draft("action", start_ns)) is not None:
            draft.attributes |= {"tocsin.action": key.hex(), **told}
            acting = self._acting[key] = Acting(draft)
        return acting


def _close(draft: Draft, at_ns: int) -> None:
    """A clock that was set back in between makes no span end before it began."""
    draft.end_ns = max(at_ns, draft.start_ns)

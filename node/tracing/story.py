"""The alarms under way at this node, fed with facts, that give their spans when they are over. Pure and bounded:
whoever floods a node with words fills places here and nothing else."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from node.present import alert_id
from node.tracing.alarm import Alarm, Claimed
from node.tracing.spans import First, Span, Value, Word, trace_of
from node.watch import threat_word
from protocol.messages import Tlp
from protocol.release import Topic

ALARMS_MAX = 64
"""Under way at once; of those beyond it that go first nothing has come."""
NAMED_MAX = 1_024
TOLD_AT_ONCE = 8
"""Under 10 ms where each is full; the rest waits for the next commit, half a second at most."""
LINKS_MAX = 8
DAY_NS = 86_400 * 1_000_000_000


@dataclass(frozen=True)
class Named:
    """By what a trace was named, and when it was last."""

    first: First
    at_ns: int


@dataclass(frozen=True)
class Told:
    """An alarm that is over: what left of it, and whether it was told without what its ceiling keeps back."""

    topic: Topic
    tlp: Tlp
    spans: tuple[Span, ...]


class Story:
    """`held(topic)`: the members' words on it that this node holds now, some of them from before its start."""

    def __init__(
        self, network: bytes, member: str, ceiling: Tlp, held: Callable[[Topic], Iterable[Word]] = lambda topic: ()
    ) -> None:
        self._network, self._member, self._ceiling, self._held = network, member, ceiling, held
        self._alarms: OrderedDict[Topic, Alarm] = OrderedDict()
        self._named: OrderedDict[Topic, Named] = OrderedDict()
        self._turned_out: list[Told] = []
        self.dropped = 0
        """Spans for which there was no room in their alarm."""

    def at(self, topic: Topic, at_ns: int) -> Alarm:
        """The alarm on this topic, begun where none is under way."""
        found = self._alarms.get(topic)
        if found is None:
            if len(self._alarms) >= ALARMS_MAX:
                self._turn_out(at_ns)
            found = self._alarms[topic] = Alarm(self._member, topic, at_ns)
        return found

    def known(self, topic: Topic) -> Alarm | None:
        return self._alarms.get(topic)

    def naming(self, claim: Claimed) -> list[Alarm]:
        """Those under way on which somebody names this claim."""
        return [one for one in self._alarms.values() if one.names(claim)]

    def over(self, now_ns: int) -> list[Told]:
        """What has ended since it was last asked for, TOLD_AT_ONCE of them beside what had to give way."""
        ended = [topic for topic, one in self._alarms.items() if one.over(now_ns)][:TOLD_AT_ONCE]
        found, self._turned_out = self._turned_out, []
        return [*found, *(self._told(self._alarms.pop(topic), now_ns) for topic in ended)]

    def close(self, now_ns: int) -> list[Told]:
        """All of it, at the end of the node."""
        found, self._turned_out = self._turned_out, []
        found += [self._told(one, now_ns) for one in self._alarms.values()]
        self._alarms.clear()
        return found

    def _turn_out(self, now_ns: int) -> None:
        idle = next((topic for topic, one in self._alarms.items() if not one.counts), next(iter(self._alarms)))
        self._turned_out.append(self._told(self._alarms.pop(idle), now_ns))

    def _told(self, alarm: Alarm, now_ns: int) -> Told:
        topic = alarm.topic
        held = list(self._held(topic))
        alarm.words.extend(held)
        alarm.tlp = max((alarm.tlp, *(one.tlp for one in held)))
        firsts = alarm.firsts()
        first = self._first(topic, firsts, now_ns)
        told: dict[str, Value] = {"tocsin.alert": alert_id(topic), "tocsin.threat": threat_word(topic[1])}
        links = [trace_of(self._network, topic, one) for one in firsts if one != first][:LINKS_MAX]
        spans = alarm.spans(trace_of(self._network, topic, first), links, self._ceiling, told)
        self.dropped += alarm.overflowed
        return Told(topic, alarm.tlp, tuple(spans))

    def _first(self, topic: Topic, firsts: list[First], now_ns: int) -> First:
        """As before while anybody names that still; else by the earliest word; of what nobody speaks any more (the
        lift of a day later), as it was."""
        named = self._named.pop(topic, None)
        known = named is not None and now_ns - named.at_ns < DAY_NS and (not firsts or named.first in firsts)
        first = named.first if named is not None and known else next(iter(firsts), ("", b""))
        self._named[topic] = Named(first, now_ns)
        if len(self._named) > NAMED_MAX:
            self._named.popitem(last=False)
        return first

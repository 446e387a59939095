"""When people are disturbed, and with what. Pure: the time is an input, in seconds of a clock that never goes back.

A burst is one page. The first news of a topic goes out at once, with all that came beside it; what follows on that
topic is held until its window ends, unless its level rises, and then it is an update. Two pages are never closer than a
gap. Nothing is forgotten but what a person has acknowledged, and what is beyond the bounds is counted.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from adapters.api import News
from protocol.messages import Level

TOPICS_MAX = 256
"""Beyond it news are told under one name, so that no flood of topics is kept."""
TEXTS_MAX = 8
"""Kept of one topic between two pages, the newest; how many there were stands in the page."""
TEXT_CHARS_MAX = 500
GAP_S = 30.0
_OTHERS = "others"
Acknowledged = Callable[[str, float], bool]
"""(topic, since when in the pager's own seconds)"""


@dataclass(frozen=True)
class Times:
    """Seconds. `after_s`: how long a topic must have stood without an acknowledgement before anybody is told here."""

    gather_s: float
    window_s: float
    after_s: float = 0.0


@dataclass(frozen=True)
class Part:
    """What a page says of one topic: its texts with how often each was said, and how many more there were."""

    topic: str
    level: Level
    texts: tuple[tuple[str, int], ...]
    more: int
    update: bool

    @property
    def count(self) -> int:
        return sum(times for _, times in self.texts) + self.more


@dataclass(frozen=True)
class Page:
    parts: tuple[Part, ...]

    @property
    def level(self) -> Level:
        return max(part.level for part in self.parts)

    @property
    def count(self) -> int:
        return sum(part.count for part in self.parts)


@dataclass
class _Topic:
    """`due_s`: when what is held goes out; `told_s` None: nobody was told of it yet."""

    since_s: float
    due_s: float
    told_s: float | None = None
    level: Level = Level.NONE
    told_level: Level = Level.NONE
    texts: dict[str, int] = field(default_factory=dict)
    more: int = 0

    @property
    def holds(self) -> bool:
        return bool(self.texts) or self.more > 0


class Pager:
    def __init__(self, times: Times) -> None:
        self._times = times
        self._topics: dict[str, _Topic] = {}
        self._last_s: float | None = None
        self.acknowledged = 0
        """News that nobody here was told of, since somebody had taken their topic up."""

    def told(self, news: News, now_s: float) -> None:
        self._forget(now_s)
        name = news.about or news.text[:TEXT_CHARS_MAX]
        if name not in self._topics and len(self._topics) >= TOPICS_MAX:
            name = _OTHERS
        topic = self._topics.get(name)
        if topic is None:
            first_s = now_s + max(self._times.gather_s, self._times.after_s)
            topic = self._topics[name] = _Topic(now_s, first_s)
        elif topic.told_s is not None and not topic.holds:
            topic.due_s = topic.told_s + self._times.window_s
        _keep(topic, news)
        if topic.told_s is not None and topic.level > topic.told_level:
            topic.due_s = min(topic.due_s, now_s + self._times.gather_s)

    def due_s(self) -> float | None:
        """When `page` has something to give, at the earliest; None where nothing is held."""
        due = min((topic.due_s for topic in self._topics.values() if topic.holds), default=None)
        return due if due is None or self._last_s is None else max(due, self._last_s + GAP_S)

    def page(self, now_s: float, acknowledged: Acknowledged) -> Page | None:
        """What is due, and with it all that is held: one page is one interruption. None where nothing is due."""
        due_s = self.due_s()
        if due_s is None or now_s < due_s:
            return None
        self._drop_acknowledged(acknowledged)
        held = [one for one in self._topics.items() if one[1].holds]
        if not any(topic.due_s <= now_s for _, topic in held):
            return None
        ripe = [one for one in held if not self._too_early(one[1], now_s)]
        parts = tuple(_part(name, topic, now_s) for name, topic in sorted(ripe, key=lambda one: -one[1].level))
        self._last_s = now_s
        return Page(parts)

    def _too_early(self, topic: _Topic, now_s: float) -> bool:
        """Who is told first is told of everything; who is told late, of nothing before its time."""
        return self._times.after_s > 0 and topic.told_s is None and now_s < topic.due_s

    def _drop_acknowledged(self, acknowledged: Acknowledged) -> None:
        """Whoever is told late is told only of what nobody took up. Whoever is told first hears all of it."""
        if not self._times.after_s:
            return
        for name, topic in list(self._topics.items()):
            if topic.holds and acknowledged(name, topic.since_s):
                self.acknowledged += sum(topic.texts.values()) + topic.more
                del self._topics[name]

    def _forget(self, now_s: float) -> None:
        """What was quiet for a window is news when it comes again."""
        for name, topic in list(self._topics.items()):
            if not topic.holds and topic.told_s is not None and now_s >= topic.told_s + self._times.window_s:
                del self._topics[name]


def _keep(topic: _Topic, news: News) -> None:
    text = news.text.encode("utf-8", "replace").decode()[:TEXT_CHARS_MAX]
    topic.level = max(topic.level, news.level)
    topic.texts[text] = topic.texts.pop(text, 0) + 1
    while len(topic.texts) > TEXTS_MAX:
        topic.more += topic.texts.pop(next(iter(topic.texts)))


def _part(name: str, topic: _Topic, now_s: float) -> Part:
    part = Part(name, topic.level, tuple(topic.texts.items()), topic.more, topic.told_s is not None)
    topic.told_s, topic.told_level = now_s, topic.level
    topic.texts, topic.more = {}, 0
    return part

"""When people are disturbed: a burst is one page, and nothing that was said is lost."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.api import News
from adapters.notify.letter import LINES_MAX, TITLE_CHARS_MAX, letter
from adapters.notify.pager import GAP_S, TEXTS_MAX, TOPICS_MAX, Page, Pager, Part, Times
from protocol.messages import Level

GATHER_S, WINDOW_S = 2.0, 300.0
FIRST = Times(GATHER_S, WINDOW_S)
LATER = Times(GATHER_S, WINDOW_S, after_s=600.0)


def nobody(topic: str, since_s: float) -> bool:
    return False


@dataclass
class Desk:
    """A pager under a clock that only the test moves; whatever is due is taken the moment it is."""

    times: Times = FIRST
    now_s: float = 0.0
    pages: list[tuple[float, Page]] = field(default_factory=list)
    acknowledged_s: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.pager = Pager(self.times)

    def tell(self, text: str, about: str = "coin", level: Level = Level.ISOLATE) -> None:
        self.pager.told(News(text, about=about, level=level), self.now_s)

    def until(self, at_s: float) -> None:
        while (due_s := self.pager.due_s()) is not None and due_s <= at_s:
            self.now_s = max(due_s, self.now_s)
            page = self.pager.page(self.now_s, self._taken_up)
            if page is not None:
                self.pages.append((self.now_s, page))
        self.now_s = at_s

    def _taken_up(self, topic: str, since_s: float) -> bool:
        return since_s <= self.acknowledged_s.get(topic, -1.0) <= self.now_s

    @property
    def moments(self) -> list[float]:
        return [at_s for at_s, _ in self.pages]


def test_a_burst_of_forty_is_one_page() -> None:
    desk = Desk()
    for n in range(40):
        desk.tell(f"lever {n} waits", about=f"coin {n}")
        desk.until(desk.now_s + 0.04)
    desk.until(60)
    assert [page.count for _, page in desk.pages] == [40]


def test_what_follows_on_a_topic_is_one_update_when_its_window_ends() -> None:
    desk = Desk()
    for at_s in range(0, 200, 5):
        desk.until(at_s)
        desk.tell("again")
    desk.until(2_000)
    assert desk.moments == [GATHER_S, GATHER_S + WINDOW_S]
    assert [(part.update, part.count) for _, page in desk.pages for part in page.parts] == [(False, 1), (True, 39)]


def test_a_level_that_rises_does_not_wait_for_the_window_but_for_the_gap() -> None:
    desk = Desk()
    desk.tell("seen", level=Level.WATCH)
    desk.until(10)
    desk.tell("worse", level=Level.HALT)
    desk.until(100)
    assert desk.moments == [GATHER_S, GATHER_S + GAP_S]


def test_a_level_that_falls_waits() -> None:
    desk = Desk()
    desk.tell("seen", level=Level.HALT)
    desk.until(10)
    desk.tell("better", level=Level.WATCH)
    desk.until(WINDOW_S - 1)
    assert len(desk.pages) == 1


def test_what_was_quiet_for_a_window_is_news_again() -> None:
    desk = Desk()
    desk.tell("seen")
    desk.until(WINDOW_S + 60)
    desk.tell("seen")
    desk.until(WINDOW_S + 70)
    assert desk.moments == [GATHER_S, WINDOW_S + 60 + GATHER_S]


def test_a_page_takes_what_is_held_of_other_topics_along() -> None:
    desk = Desk()
    desk.tell("a", about="a")
    desk.until(40)
    desk.tell("more of a", about="a")
    desk.tell("b", about="b", level=Level.HALT)
    desk.until(2_000)
    assert [[part.topic for part in page.parts] for _, page in desk.pages] == [["a"], ["b", "a"]]


def test_matters_of_the_nodes_own_are_told_apart_by_what_they_say() -> None:
    desk = Desk()
    desk.tell("blind", about="", level=Level.NONE)
    desk.until(40)
    desk.tell("a fork is proven", about="", level=Level.NONE)
    desk.tell("blind", about="", level=Level.NONE)
    desk.until(50)
    assert desk.moments == [GATHER_S, 40 + GATHER_S]


def test_who_is_told_later_is_told_where_nobody_took_it_up() -> None:
    desk = Desk(LATER)
    desk.tell("a lever waits")
    desk.until(599)
    assert desk.pages == []
    desk.until(601)
    assert desk.moments == [600]


def test_who_is_told_later_is_not_told_of_what_was_taken_up() -> None:
    desk = Desk(LATER, acknowledged_s={"coin": 120})
    desk.tell("a lever waits")
    desk.tell("blind", about="")
    desk.until(2_000)
    assert [[part.topic for part in page.parts] for _, page in desk.pages] == [["blind"]]
    assert desk.pager.acknowledged == 1


def test_what_comes_after_it_was_taken_up_must_be_taken_up_again() -> None:
    desk = Desk(LATER, acknowledged_s={"coin": 120})
    desk.tell("a lever waits")
    desk.until(700)
    desk.tell("another lever waits")
    desk.until(2_000)
    assert desk.moments == [1_300]


def test_who_was_told_late_hears_at_once_that_it_became_worse() -> None:
    desk = Desk(LATER)
    desk.tell("seen", level=Level.GUARD)
    desk.until(640)
    desk.tell("worse", level=Level.HALT)
    desk.until(650)
    assert desk.moments == [600, 640 + GATHER_S]


LEVELS = st.sampled_from([Level.NONE, Level.WATCH, Level.ISOLATE, Level.HALT])
STORY = st.lists(st.tuples(st.integers(0, 200), st.integers(0, 4), LEVELS), max_size=60)


@settings(max_examples=100, deadline=None)
@given(STORY, st.sampled_from([FIRST, LATER]))
def test_whatever_comes_every_word_is_told_once_in_time_and_pages_keep_their_distance(
    story: list[tuple[int, int, Level]], times: Times
) -> None:
    desk, said = Desk(times), dict[str, tuple[float, str]]()
    for number, (pause_s, topic, level) in enumerate(story):
        desk.until(desk.now_s + pause_s)
        said[f"text {number}"] = (desk.now_s, f"topic {topic}")
        desk.tell(f"text {number}", about=f"topic {topic}", level=level)
    desk.until(desk.now_s + 3_000)
    assert sum(page.count for _, page in desk.pages) == len(story)
    assert all(later - earlier >= GAP_S for earlier, later in zip(desk.moments, desk.moments[1:]))
    for at_s, page in desk.pages:
        for part in page.parts:
            late_s = [at_s - said[text][0] for text, _ in part.texts]
            assert all(late <= max(times.after_s, WINDOW_S) + GATHER_S + GAP_S for late in late_s)
            assert all(said[text][1] == part.topic for text, _ in part.texts)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.integers(0, 20), min_size=1, max_size=60))
def test_one_topic_at_one_level_is_one_page_a_window(pauses: list[int]) -> None:
    desk = Desk()
    for pause_s in pauses:
        desk.until(desk.now_s + pause_s)
        desk.tell("again")
    desk.until(desk.now_s + 2_000)
    assert all(later - earlier >= WINDOW_S for earlier, later in zip(desk.moments, desk.moments[1:]))


def test_a_flood_of_topics_and_texts_is_counted_and_not_kept() -> None:
    desk = Desk()
    for n in range(TOPICS_MAX * 3):
        desk.tell(f"text {n}", about=f"topic {n}")
    for n in range(TEXTS_MAX * 3):
        desk.tell(f"more {n}", about="topic 0")
    desk.until(10)
    ((_, page),) = desk.pages
    assert len(page.parts) == TOPICS_MAX + 1 and page.count == TOPICS_MAX * 3 + TEXTS_MAX * 3
    assert max(len(part.texts) for part in page.parts) == TEXTS_MAX


# --- letters


def page_of(*texts: tuple[str, int], level: Level = Level.HALT, more: int = 0, update: bool = False) -> Page:
    return Page((Part("coin", level, texts, more, update),))


def test_a_letter_says_each_text_once_and_how_much_more_there_was() -> None:
    told = letter("oncall", page_of(("a lever waits", 1), ("blind", 3), more=7, update=True), 0)
    assert told.text.splitlines() == ["Update: a lever waits", "blind (3 times)", "and 7 more before that"]
    assert (told.title, told.urgent, told.count) == ("Tocsin oncall: HALT: blind", True, 11)


def test_who_is_told_late_reads_why() -> None:
    assert letter("lead", page_of(("blind", 1)), 600).text.startswith("Nobody acknowledged this within 10 min.\n")


@pytest.mark.parametrize(
    "text", ["<!channel> look", "<https://evil.example|your bank>", "<b>x</b>", "a\r\nBcc: x\x1b[31m"]
)
def test_what_others_wrote_calls_no_channel_and_ends_no_header(text: str) -> None:
    told = letter("oncall", page_of((text, 1)), 0)
    assert "<" not in told.text and "\n" not in told.title and "\r" not in told.title + told.text
    assert "\x1b" not in told.text


def test_a_letter_is_bounded_and_never_empty() -> None:
    told = letter("oncall", Page(tuple(Part(f"{n}", Level.WATCH, (("x" * 500, 1),), 0, False) for n in range(99))), 0)
    assert len(told.text.splitlines()) == LINES_MAX + 1 and len(told.title) == TITLE_CHARS_MAX and not told.urgent
    assert letter("oncall", page_of(("", 1)), 0).text == "(no words)"

"""The sink on a virtual clock, with a service that the test plays."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
import trio
import trio.testing

from adapters.api import Acknowledged, Delivering, Instances, News
from adapters.catalog import CatalogFaults, build
from adapters.notify.letter import Letter
from adapters.notify.pager import Times
from adapters.notify.sink import BACKOFF_S, GIVE_UP_S, HASTE_S, Notify
from protocol.messages import Level, Tlp

TIMES = Times(gather_s=2.0, window_s=300.0)


class Service:
    """What arrives, and how each try is answered: True where nothing more is said."""

    def __init__(self, *answers: bool | Exception) -> None:
        self.answers, self.tries, self.letters, self.said = list(answers), 0, list[Letter](), list[str]()

    def carry(self, letter: Letter) -> bool:
        self.tries += 1
        answer = self.answers.pop(0) if self.answers else True
        if isinstance(answer, Exception):
            raise answer
        if answer:
            self.letters.append(letter)
        return answer


def played(
    service: Service, story: Callable[[Notify], Any], times: Times = TIMES, acknowledged: Acknowledged | None = None
) -> Notify:
    sink = Notify("oncall", service.carry, times, Tlp.AMBER, service.said.append, acknowledged or (lambda a, s: False))

    async def run() -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(sink.run)
            await trio.testing.wait_all_tasks_blocked()
            await story(sink)
            nursery.cancel_scope.cancel()

    # a thread is real: the clock may only jump when it has had its time
    trio.run(run, clock=trio.testing.MockClock(autojump_threshold=0.05))
    return sink


def test_forty_told_at_once_are_one_letter() -> None:
    service = Service()

    async def story(sink: Notify) -> None:
        for n in range(40):
            await sink.tell(News(f"lever {n} waits", about=f"coin {n}", level=Level.ISOLATE))
        await trio.sleep(1_000)

    sink = played(service, story)
    assert [one.count for one in service.letters] == [40] and sink.counts["joined"] == 39
    assert isinstance(sink, Delivering)


def test_what_is_not_taken_is_tried_again_and_told_once() -> None:
    service = Service(False, OSError("https://secret.example/T0K3N"), True)

    async def story(sink: Notify) -> None:
        await sink.tell(News("blind"))
        await trio.sleep(sum(BACKOFF_S))

    sink = played(service, story)
    assert (service.tries, len(service.letters), sink.counts["sent"]) == (3, 1, 1)
    assert service.said == ["sink oncall: the service did not take it; tried again", "sink oncall: is heard again"]


def test_after_an_hour_it_is_given_up_and_what_came_meanwhile_is_told() -> None:
    service = Service(*[False] * 20)

    async def story(sink: Notify) -> None:
        await sink.tell(News("blind"))
        await trio.sleep(GIVE_UP_S + 400)
        await sink.tell(News("sees again"))
        service.answers.clear()
        await trio.sleep(400)

    sink = played(service, story)
    assert (sink.counts["failed"], sink.counts["sent"]) == (1, 1)
    assert "given up" in service.said[-1] and service.letters[0].text == "sees again"


def test_what_is_new_does_not_sleep_as_long_as_what_is_old_may() -> None:
    service = Service(*[False] * 5)

    async def story(sink: Notify) -> None:
        await sink.tell(News("blind"))
        await trio.sleep(sum(BACKOFF_S) - 200)
        assert service.letters == []
        await sink.tell(News("a lever failed", about="coin", level=Level.HALT))
        await trio.sleep(HASTE_S + 1)
        assert [one.text for one in service.letters] == ["blind", "a lever failed"]

    played(service, story)


def test_the_next_sink_is_told_where_nobody_acknowledged_and_asks_since_when() -> None:
    service, asked = Service(), list[str]()

    def acknowledged(about: str, since_ms: int) -> bool:
        asked.append(about)
        return about == "taken up"

    async def story(sink: Notify) -> None:
        await sink.tell(News("a lever waits", about="taken up"))
        await sink.tell(News("a lever failed", about="open"))
        await trio.sleep(590)
        assert service.letters == []
        await trio.sleep(20)

    sink = played(service, story, Times(2.0, 300.0, after_s=600.0), acknowledged)
    (letter,) = service.letters
    assert "a lever failed" in letter.text and "waits" not in letter.text and "within 10 min" in letter.text
    assert sorted(asked) == ["open", "taken up"] and sink.counts["acknowledged"] == 1


# --- configuration


def test_a_sink_of_others_that_says_no_ceiling_is_refused_at_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    def foreign(name: str, keys: Any, shop: Any) -> Instances:
        return Instances(sinks=(SimpleNamespace(name=name, counts=Counter(), tell=print),))  # type: ignore[arg-type]

    monkeypatch.setattr("adapters.catalog._factory", lambda section, kind: foreign)
    assert "makes a sink without ceiling" in faults('url_file = "u"')


def faults(section: str, secret: bytes = b"tgram://123456789:abcdefg_hijklmnop/12315544/") -> str:
    import tomllib

    with pytest.raises(CatalogFaults) as caught:
        build(tomllib.loads(f'[sink.oncall]\nkind = "notify"\n{section}'), lambda: None, lambda name: secret, print)  # type: ignore[arg-type, return-value]
    return str(caught.value)


@pytest.mark.parametrize(
    ("section", "secret", "says"),
    [
        ("", b"x", "url_file: is missing"),
        ('url_file = "u"\ntlp = "GREEN"', b"slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/", "one of AMBER"),
        ('url_file = "u"\nafter = "soon"', b"slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/", "duration"),
        ('url_file = "u"', b"exec://rm", "begins with one of mailto://"),
        ('url_file = "u"', b"jsons://hooks.example/S3CRET", "begins with one of mailto://"),
        ('url_file = "u"', b"slack://S3CRET", "no whole address"),
        ('url_file = "u"', b"mailtos://u:S3CRET@mail.example/a@b.example\nmailtos://x", "one line"),
        ('url_file = "u"', b"mailto://u:S3CRET@mail.example/a@b.example", "must be mailtos://"),
        ('url_file = "u"', b"mailtos://u:S3CRET@mail.example/a@b.example?mode=insecure", "must be mailtos://"),
        ('url_file = "u"', b"mailtos://u:S3CRET@mail.example/a@b.example?verify=no", "verify=no"),
        ('url_file = "u"', b"\xff\xfe", "UTF-8"),
    ],
)
def test_a_section_with_a_fault_is_refused_and_the_address_is_not_shown(section: str, secret: bytes, says: str) -> None:
    told = faults(section, secret)
    assert says in told and "S3CRET" not in told


@pytest.mark.parametrize(
    "secret",
    [
        b"mailtos://u:S3CRET@mail.example?from=t@a.example&to=o@b.example\n",
        b"mailto://127.0.0.1:2525?from=t@a.example&to=o@b.example",
        b"slack://T1JJ3T3L2/A1BRTD4JD/TIiajkdnlazkcOXrIdevi7FQ/#alarms",
        b"tgram://123456789:abcdefg_hijklmnop/12315544/",
    ],
)
def test_a_whole_section_makes_a_sink_that_shows_no_secret(secret: bytes) -> None:
    section = {"sink": {"oncall": {"kind": "notify", "url_file": "u", "after": "10m", "tlp": "RED"}}}
    (sink,) = build(section, lambda: None, lambda name: secret, print).sinks  # type: ignore[arg-type, return-value]
    assert (sink.name, sink.ceiling, isinstance(sink, Delivering)) == ("oncall", Tlp.RED, True)
    assert "S3CRET" not in repr(sink) + repr(vars(sink))


def test_without_the_extra_it_says_how_it_is_had(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "apprise", None)
    assert "pip install 'tocsin[notify]'" in faults('url_file = "u"')

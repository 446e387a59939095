"""The facts of a sink."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

import trio

from adapters.api import News, Sink, lacking
from adapters.conformance.fact import Book, Broken, Fact, NotTried, Stand, check_silent, listening

TELL_S_MAX = 10.0
"""As long as a node waits."""
TEXTS = ("", "x" * 100_000, "a line\nand\ttwo \x00 \x1b[31m", "\u202e\U0001f6a8 ééé", "{} %s ${HOME} `id` <b>")
"""What an alarm may quote from others: nothing, much, control characters, marks of templates."""


class SinkCase(Stand):
    """One sink with somebody who hears, made anew for each fact (`async with`)."""

    def sink(self) -> Sink:
        raise NotTried("the case makes no sink")

    async def heard(self) -> list[str]:
        """What has arrived so far."""
        raise NotTried("the case cannot see what arrives")

    async def cut(self) -> None:
        """Nobody takes it any more."""
        raise NotTried("the case cannot cut the receiver off")

    async def hang(self) -> None:
        """Somebody takes the connection and never answers."""
        raise NotTried("the case has no receiver that hangs")


BOOK: Book[SinkCase] = Book()


def sink_facts(make: Callable[[], SinkCase]) -> tuple[Fact, ...]:
    """`make` gives a case; it is called once for each fact, and mostly is the class itself."""
    return BOOK.of(make)


async def tell(sink: Sink, text: str) -> None:
    """Broken where it raises or takes longer than a node waits."""
    try:
        with trio.fail_after(TELL_S_MAX):
            await sink.tell(News(text))
    except trio.TooSlowError:
        raise Broken(f"tell was not through after {TELL_S_MAX:g} s, which is as long as a node waits") from None
    except Exception as error:
        raise Broken(f"tell raised {type(error).__name__}") from error


@BOOK.fact
async def it_says_who_it_is_and_what_it_may_be_told(case: SinkCase) -> None:
    """A name, a ceiling of TLP, and counts that the node may count in."""
    sink = case.sink()
    lacks = lacking(sink)
    if lacks:
        raise Broken(f"it has no {lacks}")


@BOOK.fact
async def what_is_told_arrives(case: SinkCase) -> None:
    """Whole, and once."""
    text = "tocsin: a gate was shut until 12:00"
    await tell(case.sink(), text)
    heard = [one for one in await case.heard() if text in one]
    if len(heard) != 1:
        raise Broken(f"it arrived {len(heard)} times")


@BOOK.fact
async def any_text_is_taken(case: SinkCase) -> None:
    """An alarm quotes what others wrote."""
    sink = case.sink()
    for text in TEXTS:
        await tell(sink, text)


@BOOK.fact
async def a_receiver_that_is_away_costs_no_alarm(case: SinkCase) -> None:
    """Nothing is raised, and soon it is over."""
    sink = case.sink()
    await case.cut()
    await tell(sink, "nobody hears this")


@BOOK.fact
async def a_receiver_that_hangs_costs_no_time(case: SinkCase) -> None:
    """It is given up within the time that a node waits."""
    sink = case.sink()
    await case.hang()
    await tell(sink, "nobody answers this")


@BOOK.fact
async def secrets_are_never_said(case: SinkCase) -> None:
    """Not in a log line or its own repr."""
    if not case.secrets:
        raise NotTried("the case names no secret")
    sink, said = case.sink(), list[str]()
    async with listening(said):
        await tell(sink, "well")
        with contextlib.suppress(NotTried):
            await case.cut()
            await tell(sink, "away")
    check_silent(case.secrets, [*said, repr(sink), str(sink)])

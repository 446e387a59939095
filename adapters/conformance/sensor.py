"""The facts of a sensor."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Callable

import trio

from adapters.api import Observation, Sensor
from adapters.conformance.fact import Book, Broken, Fact, NotTried, Stand, check_sentence, check_silent, listening
from protocol.crypto import sha256

WELL_S_MAX = 15.0
"""Within this a sensor knows how it is."""
STOP_S_MAX = 2.0
QUIET_S = 1.0
"""For so long a sensor runs where nothing is to be seen."""


class SensorCase(Stand):
    """One sensor on a source where nothing is wrong yet, made anew for each fact (`async with`)."""

    def sensor(self) -> Sensor:
        raise NotTried("the case makes no sensor")

    async def happens(self) -> None:
        """What the sensor is to report happens."""
        raise NotTried("the case lets nothing happen")

    async def cut(self) -> None:
        """The source is not reachable from now on."""
        raise NotTried("the case cannot cut the source off")

    async def mend(self) -> None:
        raise NotTried("the case cannot cut the source off")


class Watch:
    """A sensor that runs, and what it has reported."""

    def __init__(self, case: SensorCase) -> None:
        self.case, self.sensor = case, case.sensor()
        self.seen: list[Observation] = []
        self.said: list[str] = []
        self._raised: BaseException | None = None

    async def report(self, seen: Observation) -> None:
        self.seen.append(seen)

    async def run(self) -> None:
        try:
            await self.sensor.run(self.report)
            self._raised = Broken("run ended by itself: a sensor runs until it is cancelled")
        except Exception as error:
            self._raised = error

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Broken where it ends by itself or raises."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.run)
            yield
            nursery.cancel_scope.cancel()
        self.check()

    def check(self) -> None:
        if isinstance(self._raised, Broken):
            raise self._raised
        if self._raised is not None:
            raise Broken(f"run raised {type(self._raised).__name__}: it tells it through health") from self._raised

    def health(self) -> str:
        self.check()
        try:
            says = self.sensor.health()
        except Exception as error:
            raise Broken(f"health raised {type(error).__name__}") from error
        if not isinstance(says, str):
            raise Broken(f"health answered with a {type(says).__name__}")
        self.said.append(says)
        return says

    async def until(self, holds: Callable[[], bool], what: str) -> None:
        with trio.move_on_after(WELL_S_MAX):
            while not holds():  # noqa: ASYNC110 the sensor's own words, which nobody announces
                await trio.sleep(0.02)
            return
        raise Broken(f"{what} within {WELL_S_MAX:g} s")


BOOK: Book[Watch] = Book()


def sensor_facts(make: Callable[[], SensorCase]) -> tuple[Fact, ...]:
    """`make` gives a case where nothing is wrong; it is called once for each fact, and mostly is the class itself."""

    @contextlib.asynccontextmanager
    async def opened() -> AsyncIterator[Watch]:
        async with make() as case:
            yield Watch(case)

    return BOOK.of(opened)


@BOOK.fact
async def it_has_a_name(watch: Watch) -> None:
    """A short one: it stands beside every report."""
    check_sentence("its name", watch.sensor.name, 64)


@BOOK.fact
async def it_stops_when_cancelled(watch: Watch) -> None:
    """At once, and it takes the cancellation for nothing else."""
    begun = trio.current_time()
    with trio.move_on_after(QUIET_S) as scope:
        await watch.sensor.run(watch.report)
    if not scope.cancelled_caught:
        raise Broken("run ended by itself, or swallowed its cancellation")
    if trio.current_time() - begun > QUIET_S + STOP_S_MAX:
        raise Broken(f"run did not end within {STOP_S_MAX:g} s of its cancellation")


@BOOK.fact
async def it_stops_while_its_report_waits(watch: Watch) -> None:
    """A node may be busy when something is reported."""
    waits = trio.Event()

    async def report(seen: Observation) -> None:
        waits.set()
        await trio.sleep_forever()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(watch.sensor.run, report)
        await watch.case.happens()
        with trio.move_on_after(WELL_S_MAX):
            await waits.wait()
        told_s = trio.current_time()
        nursery.cancel_scope.cancel()
    if not waits.is_set():
        raise Broken(f"nothing was reported within {WELL_S_MAX:g} s")
    if trio.current_time() - told_s > STOP_S_MAX:
        raise Broken(f"it did not end within {STOP_S_MAX:g} s of its cancellation")


@BOOK.fact
async def where_nothing_is_wrong_it_is_quiet_and_well(watch: Watch) -> None:
    """No report, and a health of no words."""
    async with watch.running():
        await watch.until(lambda: not watch.health(), "it was not well")
        await trio.sleep(QUIET_S)
    if watch.seen:
        raise Broken(f"it reported {watch.seen[0].detail!r} where nothing is wrong")


@BOOK.fact
async def what_happens_is_reported_once(watch: Watch) -> None:
    """As a whole observation: claims whose digests are those of their inputs, sources, one line for people."""
    async with watch.running():
        await watch.case.happens()
        await watch.until(lambda: bool(watch.seen), "nothing was reported")
        await trio.sleep(QUIET_S)
    first, *others = watch.seen
    if any(one.incident == first.incident and one.claims == first.claims for one in others):
        raise Broken(f"incident {first.incident!r} was reported {len(others) + 1} times")
    check_sentence("the observation", first.detail)
    for claim in first.claims:
        if claim.claim.digest != sha256(claim.blob):
            raise Broken("a claim of it has another digest than its inputs have")


@BOOK.fact
async def a_source_that_is_away_is_told_by_health(watch: Watch) -> None:
    """In one line, without raising; when it is back, so is the sensor."""
    async with watch.running():
        await watch.until(lambda: not watch.health(), "it was not well")
        await watch.case.cut()
        await watch.until(lambda: bool(watch.health()), "health said nothing of the source that is away")
        check_sentence("its health", watch.health())
        await watch.case.mend()
        await watch.until(lambda: not watch.health(), "it was not well again when the source was back")


@BOOK.fact
async def secrets_are_never_said(watch: Watch) -> None:
    """Not in its health, its reports, a log line or its own repr."""
    if not watch.case.secrets:
        raise NotTried("the case names no secret")
    async with listening(watch.said), watch.running():
        await trio.sleep(QUIET_S)
        watch.health()
        with contextlib.suppress(NotTried):
            await watch.case.cut()
            await trio.sleep(QUIET_S)
            watch.health()
    check_silent(watch.case.secrets, [*watch.said, repr(watch.sensor), str(watch.sensor), *map(repr, watch.seen)])

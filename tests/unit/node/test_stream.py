"""The event stream: committed records under their positions, resumed from the store, and no reader holds anybody up."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import trio
import trio.testing

from node import stream
from node.events import OperatorAsked, Raise
from node.records import OperatorDid
from node.stream import OF_ONE_MAX, QUEUE, STREAMS_MAX, Full, Streams, event
from node.transport.memory import MemoryNetwork
from node.watch import Watch
from protocol.messages import Level
from tests.unit.machine.world import COIN, THREAT
from tests.unit.node.stage import House, until, virtually


class Reader:
    """What one stream was told."""

    def __init__(self) -> None:
        self.text = ""
        self.slow = trio.Event()
        self.slow.set()

    async def write(self, part: bytes) -> None:
        await self.slow.wait()
        self.text += part.decode()

    def told(self) -> list[tuple[int, str, dict[str, Any]]]:
        found = []
        for block in self.text.split("\n\n"):
            lines = dict(line.split(": ", 1) for line in block.splitlines() if not line.startswith(":"))
            if "data" in lines:
                found.append((int(lines.get("id", "0")), lines.get("event", ""), json.loads(lines["data"])))
        return found

    def kinds(self) -> list[str]:
        return [data["kind"] for _, _, data in self.told()]


def alone(body: Callable[..., Awaitable[None]], *args: Any) -> None:
    trio.run(body, *args, clock=trio.testing.MockClock(autojump_threshold=0.02))


def streams(watch: Watch, page: Any = lambda after, limit: []) -> Streams:
    return Streams(watch, None, page)  # type: ignore[arg-type]


def test_who_resumes_after_a_restart_gets_from_the_store_what_others_heard_live(tmp_path: Path) -> None:
    async def story() -> None:
        house = House(tmp_path, MemoryNetwork(), 0)
        live, again = Reader(), Reader()
        async with house.living(), trio.open_nursery() as nursery:
            nursery.start_soon(Streams(house.watch, house.state, house.store.page).tell, 0, live.write)
            house.state.signing_ready = True
            for ticket, person in enumerate(("anna", "bert")):
                await house.loop.inbox.send(OperatorAsked(ticket, person, Raise(COIN, THREAT, Level.WATCH, 0, "")))
            await until(lambda: live.kinds().count("operator") == 2)
            assert house.watch.position == house.store.position
            nursery.cancel_scope.cancel()
        heard = {at: data["kind"] for at, _, data in live.told()}
        first, last = min(heard), max(heard)
        assert {"attestation", "operator"} <= set(heard.values())
        async with house.living(), trio.open_nursery() as nursery:
            house.watch.reached(house.store.position)
            nursery.start_soon(Streams(house.watch, house.state, house.store.page).tell, first, again.write)
            await until(lambda: again.kinds().count("operator") == 2)
            nursery.cancel_scope.cancel()
        told = {at: data["kind"] for at, _, data in again.told() if at <= last}
        assert told == {at: kind for at, kind in heard.items() if at > first}

    virtually(story)


def test_a_reader_that_takes_nothing_holds_nobody_up_is_dropped_and_told_to_resume() -> None:
    async def story() -> None:
        watch, reader, quick = Watch(lambda one: None), Reader(), Reader()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(streams(watch).tell, None, reader.write)
            nursery.start_soon(streams(watch).tell, None, quick.write)
            await trio.testing.wait_all_tasks_blocked()
            reader.slow = trio.Event()
            for number in range(1, QUEUE + 100):
                watch.tell({"kind": "keyset"}, number)
                watch.reached(number)
                if number % 50 == 0:
                    await trio.testing.wait_all_tasks_blocked()
            reader.slow.set()
            await trio.testing.wait_all_tasks_blocked()
            nursery.cancel_scope.cancel()
        assert reader.kinds()[-1] == "resume"
        assert len(quick.kinds()) == QUEUE + 100
        assert watch._taps == set()

    alone(story)


def test_an_id_of_another_store_or_too_far_back_is_told_to_begin_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    async def story() -> None:
        monkeypatch.setattr(stream, "BACK_MAX", 10)
        watch = Watch(lambda one: None)
        watch.reached(100)
        for after in (101, 89):
            reader = Reader()
            with trio.move_on_after(1):
                await streams(watch).tell(after, reader.write)
            assert reader.told() == [(100, "reset", {"kind": "reset", "position": 100})]

    alone(story)


def test_a_hint_bears_no_id_and_a_silence_has_a_heartbeat() -> None:
    async def story() -> None:
        watch, reader = Watch(lambda one: None), Reader()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(streams(watch).tell, None, reader.write)
            await trio.sleep(stream.BEAT_S * 2.5)
            watch.hint({"kind": "peer", "up": True})
            await trio.testing.wait_all_tasks_blocked()
            nursery.cancel_scope.cancel()
        assert reader.text.count(": beat") == 2
        assert reader.told()[-1] == (0, "peer", {"kind": "peer", "up": True})

    alone(story)


def test_nobody_who_is_not_welcome_any_more_hears_another_word() -> None:
    async def story() -> None:
        watch, reader, welcome = Watch(lambda one: None), Reader(), [True]
        async with trio.open_nursery() as nursery:
            nursery.start_soon(streams(watch).tell, None, reader.write, lambda: welcome[0])
            await trio.testing.wait_all_tasks_blocked()
            welcome[0] = False
            watch.tell({"kind": "keyset"}, 1)
        assert reader.kinds() == ["hello"]

    alone(story)


def test_streams_are_few_and_one_person_has_not_all_of_them() -> None:
    seats = streams(Watch(lambda one: None))
    held = []
    for number in range(STREAMS_MAX):
        seat = seats.seat(f"person-{number // OF_ONE_MAX}")
        seat.__enter__()
        held.append(seat)
        if number == OF_ONE_MAX - 1:
            with pytest.raises(Full, match="yours"), seats.seat("person-0"):
                pass
    with pytest.raises(Full, match="all"), seats.seat("somebody"):
        pass
    for seat in held:
        seat.__exit__(None, None, None)
    assert seats.count == 0


def test_what_others_wrote_breaks_no_line() -> None:
    hostile = "x\n\nid: 9\r\u2028<script>"
    told = event({"kind": "operator", "deed": hostile}, 7)
    assert told.count(b"\n") == 3 and b"\r" not in told
    assert json.loads(told.split(b"data: ", 1)[1])["deed"] == hostile


def test_what_nobody_reads_moves_a_reader_on_all_the_same() -> None:
    async def story() -> None:
        from node.records import BlobKept, pack_record
        from node.store_rows import RecordRow

        rows = [(at, RecordRow(*pack_record(BlobKept(b"x")))) for at in (1, 2)]
        rows.append((3, RecordRow(*pack_record(OperatorDid("anna", "Raise", 5)))))
        watch, reader = Watch(lambda one: None), Reader()
        watch.reached(3)
        page = lambda after, limit: [one for one in rows if one[0] > after][: min(limit, 2)]  # noqa: E731
        with trio.move_on_after(1):
            await streams(watch, page).tell(0, reader.write)
        assert reader.text.startswith("id: 2\n\n")
        assert reader.told() == [
            (3, "", {"at_ms": 5, "kind": "operator", "person": "anna", "deed": "Raise", "position": 3})
        ]

    alone(story)


def test_a_crowd_gets_a_burst_in_one_write_and_a_few_readers_get_each_word_at_once() -> None:
    async def writes(others: int) -> tuple[int, float]:
        watch, parts, at_s = Watch(lambda one: None), [], []

        async def write(part: bytes) -> None:
            parts.append(part)
            at_s.append(trio.current_time())

        held = streams(watch)
        with ExitStack() as seats:
            for number in range(others):
                seats.enter_context(held.seat(f"person-{number % 6}"))
            async with trio.open_nursery() as nursery:
                nursery.start_soon(held.tell, None, write)
                await trio.testing.wait_all_tasks_blocked()
                began = trio.current_time()
                for number in range(1, 11):
                    watch.tell({"kind": "keyset"}, number)
                    watch.reached(number)
                    await trio.sleep(0.001)
                await trio.sleep(1)
                nursery.cancel_scope.cancel()
        return len(parts) - 1, at_s[1] - began

    async def story() -> None:
        assert await writes(2) == (10, 0.0)
        count, waited_s = await writes(90)
        assert count == 1 and waited_s < 0.1

    alone(story)


def test_what_one_reader_was_told_is_not_written_anew_for_another(monkeypatch: pytest.MonkeyPatch) -> None:
    async def story() -> None:
        written: list[int] = []
        monkeypatch.setattr(stream, "event", lambda one, at, kind="": written.append(at) or event(one, at, kind))
        watch, one, other = Watch(lambda one: None), Reader(), Reader()
        held = streams(watch)
        async with trio.open_nursery() as nursery:
            for reader in (one, other):
                nursery.start_soon(held.tell, None, reader.write)
            await trio.testing.wait_all_tasks_blocked()
            watch.tell({"kind": "keyset"}, 7)
            await trio.testing.wait_all_tasks_blocked()
            nursery.cancel_scope.cancel()
        assert written.count(7) == 1
        assert one.told()[-1] == other.told()[-1] == (7, "", {"kind": "keyset", "position": 7})

    alone(story)

"""Who could know what, and when: what is written down, what is told of it, and what a reader cannot do to it."""

from __future__ import annotations

import inspect
import json
import stat
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

import pytest
import trio
import trio.testing
from fastapi.routing import APIRoute

from node import inside, insiders
from node.api import make_app
from node.effects import Tell
from node.insiders import Insiders, InsidersFault, Reader, Row, Thing, read
from node.machine.step import Step
from protocol.messages import Level, Tlp
from tests.unit.machine.test_actions import alarmed
from tests.unit.machine.world import OTHER_COIN, THREAT, TOPIC, World, opinion

ANNA = Reader("anna", "releaser", "tcp")
ALERT = Thing("alert", "3fa9", "bridge-forgery on a coin", "AMBER")


def thing(number: int) -> Thing:
    return replace(ALERT, id=f"{number:04x}")


def lines(path: Path) -> int:
    return path.read_bytes().count(b"\n")


def played(story: Callable[[Insiders], Awaitable[None]], path: Path) -> list[Row]:
    """What is on the disk after it."""

    async def all_of_it() -> None:
        await story(Insiders(path))

    trio.run(all_of_it, clock=trio.testing.MockClock(autojump_threshold=0.01))
    return [*read(path)[0].values()]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "insiders.jsonl"


def test_a_first_reading_is_on_the_disk_before_its_answer_leaves(path: Path) -> None:
    async def story(log: Insiders) -> None:
        await log.saw(ANNA, [ALERT], 1_000)
        assert [row.count for row in read(path)[0].values()] == [1]

    (row,) = played(story, path)
    assert row == Row("anna", "releaser", "tcp", "alert", "3fa9", "bridge-forgery on a coin", "AMBER", 1_000, 1_000, 1)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_what_is_read_again_is_counted_and_written_within_a_minute(path: Path) -> None:
    async def story(log: Insiders) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(log.keep)
            for at_ms in (1_000, 2_000, 9_000):
                await log.saw(ANNA, [ALERT], at_ms)
            assert lines(path) == 1
            await trio.sleep(insiders.LATER_S + 1)
            assert lines(path) == 2
            nursery.cancel_scope.cancel()

    (row,) = played(story, path)
    assert (row.first_ms, row.last_ms, row.count) == (1_000, 9_000, 3)


def test_a_stop_writes_what_was_not_yet(path: Path) -> None:
    async def story(log: Insiders) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(log.keep)
            await trio.testing.wait_all_tasks_blocked()
            log.knew(ANNA, [ALERT], 1_000)
            nursery.cancel_scope.cancel()

    assert [row.count for row in played(story, path)] == [1]


def test_a_restart_goes_on_counting(path: Path) -> None:
    async def story(log: Insiders) -> None:
        await log.saw(ANNA, [ALERT], 1_000)
        again = Insiders(path)
        assert not again.knew(ANNA, [ALERT], 5_000)
        await again.write()

    (row,) = played(story, path)
    assert (row.first_ms, row.last_ms, row.count) == (1_000, 5_000, 2)


def test_a_row_stays_as_strict_as_the_strictest_word_that_was_read(path: Path) -> None:
    async def story(log: Insiders) -> None:
        for tlp in ("AMBER", "RED", "AMBER"):
            log.knew(ANNA, [replace(ALERT, tlp=tlp)], 1_000)
        await log.write()

    assert [row.tlp for row in played(story, path)] == ["RED"]


def test_another_door_and_another_role_are_other_rows(path: Path) -> None:
    async def story(log: Insiders) -> None:
        for reader in (ANNA, replace(ANNA, role="viewer"), replace(ANNA, door="socket")):
            await log.saw(reader, [ALERT], 1_000)

    assert len(played(story, path)) == 3


def test_who_reads_without_end_has_so_many_rows_and_one_for_the_rest(path: Path) -> None:
    async def story(log: Insiders) -> None:
        await log.saw(ANNA, [thing(number) for number in range(insiders.OF_ONE_MAX + 500)], 1_000)
        await log.saw(replace(ANNA, who="bob"), [ALERT], 2_000)

    rows = played(story, path)
    assert len(rows) == insiders.OF_ONE_MAX + 2
    assert [row.count for row in rows if row.kind == "more"] == [500]
    assert [row.who for row in rows if row.id == ALERT.id] == ["bob"]


def test_the_file_is_written_anew_before_it_grows_without_end(path: Path) -> None:
    async def story(log: Insiders) -> None:
        with mock.patch.object(insiders, "LINES_MAX", 10):
            for at_ms in range(40):
                log.knew(ANNA, [thing(1), thing(2)], at_ms)
                await log.write()
        assert lines(path) <= 12

    assert [(row.last_ms, row.count) for row in played(story, path)] == [(39, 40), (39, 40)]


def test_many_at_once_are_one_write(path: Path) -> None:
    async def story(log: Insiders) -> None:
        with mock.patch.object(log, "_put", wraps=log._put) as put:
            async with trio.open_nursery() as nursery:
                for number in range(50):
                    nursery.start_soon(log.saw, ANNA, [thing(number)], 1_000)
        assert put.call_count <= 2

    assert len(played(story, path)) == 50


def test_a_full_disk_keeps_nobody_from_an_alarm_and_nothing_is_forgotten(path: Path) -> None:
    async def story(log: Insiders) -> None:
        with mock.patch.object(log, "_put", side_effect=OSError(28, "No space left on device")):
            await log.saw(ANNA, [ALERT], 1_000)
        await log.write()

    assert [row.count for row in played(story, path)] == [1]


@pytest.mark.parametrize("torn", [b'{"who":"an', b"\xff\xfe", b"[" * 5_000, b"[1]\n", b'{"who": 1}\n'])
def test_a_torn_line_costs_itself_and_no_other(path: Path, torn: bytes) -> None:
    played(lambda log: log.saw(ANNA, [ALERT], 1_000), path)
    path.write_bytes(path.read_bytes() + torn)

    async def story(log: Insiders) -> None:
        await log.saw(ANNA, [thing(7)], 2_000)

    assert [row.id for row in played(story, path)] == ["3fa9", "0007"]


def test_a_file_that_no_node_writes_is_a_fault(path: Path) -> None:
    path.write_bytes(b"")
    with path.open("r+b") as file:
        file.truncate(insiders.FILE_BYTES_MAX + 1)
    with pytest.raises(InsidersFault, match="move it away"):
        read(path)


# --- what is inside -----------------------------------------------------------------------------------------------


def test_a_word_for_everybody_on_what_is_not_ours_is_nobodys_secret() -> None:
    world = World(4, liars=1)
    world.liars["m3"].say(opinion(Level.GUARD, (), now_ms=world.now_ms, subject=OTHER_COIN, sources=("m3-node",)))
    world.run(1_000)
    assert (OTHER_COIN, THREAT) in world[0].state.opinions
    assert inside.alerts(world[0].state, [(OTHER_COIN, THREAT)]) == []


@pytest.mark.parametrize("tlp", [Tlp.AMBER, Tlp.RED])
def test_a_strict_word_makes_its_alert_one_for_insiders(tlp: Tlp) -> None:
    world = World(4, liars=1)
    word = opinion(Level.GUARD, (), now_ms=world.now_ms, subject=OTHER_COIN, sources=("m3-node",), tlp=tlp)
    world.liars["m3"].say(word)
    world.run(1_000)
    (found,) = inside.alerts(world[0].state, [(OTHER_COIN, THREAT)])
    assert found.tlp == tlp.name


def test_an_alert_on_our_own_exposure_and_its_lever_are_for_insiders() -> None:
    state = alarmed(World(4))[0].state
    (action,) = state.actions.values()
    assert [one.tlp for one in inside.alerts(state, [TOPIC])] == ["AMBER"]
    assert [one.id for one in inside.actions(state.actions.values())] == [action.key.hex()]
    assert {one.kind for one in inside.explained(state, action.key.hex())} == {"alert", "action"}


def test_a_sink_that_was_told_of_an_alert_is_listed_with_it(path: Path) -> None:
    async def story(log: Insiders) -> None:
        world = alarmed(World(4))
        step = Step(world[0].state, world[0].clock())
        step.tell(TOPIC[0], TOPIC[1], "something")
        (effect,) = step.effects
        assert isinstance(effect, Tell)
        inside.note_told(log, "pager", effect)
        inside.note_told(log, "pager", Tell("blind"))
        await log.write()

    rows = played(story, path)
    assert [(row.who, row.door, row.tlp, bool(row.id)) for row in rows] == [
        ("pager", "sink", "AMBER", True),
        ("pager", "sink", "AMBER", False),
    ]


def test_a_line_is_json_in_ascii_whoever_wrote_its_words(path: Path) -> None:
    async def story(log: Insiders) -> None:
        await log.saw(ANNA, [replace(ALERT, about="\n\U0001f514" * 500)], 1_000)

    (row,) = played(story, path)
    assert len(row.about) == insiders.TEXT_CHARS_MAX and path.read_bytes().isascii()
    assert json.loads(path.read_text())["who"] == "anna"


FOR_EVERYBODY = {
    "/v1/me",
    "/v1/feeds",
    "/v1/keys",
    "/v1/network",
    "/v1/network/export",
    "/v1/proposals",
    "/v1/proposals/{id_}",
    *(f"/taxii2/{more}" for more in ("", "alarms/", "alarms/collections/", "alarms/collections/{id_}/")),
}
"""Who one is oneself, what every member tells every other, and which collections there are."""
NOTES = ("surface.saw(", "await paged(")


def test_every_route_writes_down_who_reads_or_tells_what_everybody_may_know() -> None:
    routes = [one for one in make_app(SimpleNamespace()).routes if isinstance(one, APIRoute)]  # type: ignore[arg-type]
    reads = {one.path: inspect.getsource(one.endpoint) for one in routes if "GET" in one.methods}
    silent = {path for path, source in reads.items() if not any(one in source for one in NOTES)}
    assert silent == FOR_EVERYBODY and len(reads) > len(silent)

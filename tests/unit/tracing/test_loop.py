"""Whole nodes without sockets, traced: what the loop lets pass is told, and nothing waits for the telling."""

from __future__ import annotations

import functools
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any
from unittest import mock

import trio

from node.effects import Effect
from node.events import OperatorAsked, Raise, SensorReported
from node.loop import Durable, Loop
from node.machine import Machine
from node.tracing.facts import words_held
from node.tracing.loop import TracedLoop
from node.tracing.story import Story, Told
from node.transport.memory import MemoryNetwork
from protocol.evidence import Judgement, Ruling
from protocol.ids import SourceId
from protocol.messages import Level, Tlp
from tests.unit.machine.world import COIN, NETWORK, THREAT
from tests.unit.node.stage import House, clock, until, virtually
from tests.unit.node.test_loop import SEEN, TRUE, acted, certified
from tests.unit.tracing.stage import names, nested, span


class Traced(House):
    def __init__(self, path: Path, network: MemoryNetwork, i: int) -> None:
        super().__init__(path, network, i)
        self.told: list[Told] = []
        sources = (SourceId(f"{self.name}-node"),)
        supports = Judgement(Ruling.SUPPORTS, "so", COIN, THREAT, Level.ISOLATE, 10, sources)
        self.verifier.truth[TRUE.claim.digest] = supports

    def looped(self, machine: Machine, durable: Durable, perform: Callable[[Effect], None]) -> Loop:
        self.story = Story(NETWORK, self.name, Tlp.AMBER, functools.partial(words_held, machine.state))
        at = (machine, durable, self.watch, perform)
        return TracedLoop(*at, self.story, self.told.extend, lambda: clock().wall_ms * 1_000_000)


def four(path: Path) -> list[Traced]:
    network = MemoryNetwork(delay_s=0.01)
    return [Traced(path, network, i) for i in range(4)]


async def together(stack: AsyncExitStack, nodes: list[Traced]) -> None:
    for node in nodes:
        await stack.enter_async_context(node.living())
    await until(lambda: all(len(node.state.links) == 3 for node in nodes))


def attributes(told: Told, name: str) -> list[dict[str, Any]]:
    return [dict(one.attributes) for one in told.spans if one.name == name]


def test_one_alarm_is_one_trace_on_four_nodes_each_from_its_first_byte_to_its_own_effect(tmp_path: Path) -> None:
    async def told() -> None:
        nodes = four(tmp_path)
        async with AsyncExitStack() as stack:
            await together(stack, nodes)
            await nodes[0].loop.send(SensorReported(SEEN))
            await until(lambda: all(certified(node) and acted(node) for node in nodes))
            await until(lambda: all(node.told for node in nodes))
        first = [node.told[0] for node in nodes]
        assert {one.trace_id for told in first for one in told.spans} == {first[0].spans[0].trace_id}
        for told in first:
            assert nested(told.spans)
            assert {"entry", "certificate", "decision", "action", "lever plan", "lever read_back"} <= {*names(told)}
            assert span(told, "alarm").attributes["tocsin.effect_ms"] > 0  # type: ignore[operator]
            (key,) = {one["tocsin.action"] for one in attributes(told, "action")}
            assert {one["tocsin.action"] for one in attributes(told, "lever apply")} == {key}
        # who saw it itself had nothing to look into
        assert "claim" not in names(first[0])
        assert all(span(told, "claim").attributes["tocsin.ruling"] == "supports" for told in first[1:])

    virtually(told)


def test_what_a_person_raises_is_told_from_the_command_on(tmp_path: Path) -> None:
    async def told() -> None:
        nodes = four(tmp_path)
        async with AsyncExitStack() as stack:
            await together(stack, nodes)
            await nodes[0].loop.send(OperatorAsked(1, "anna", Raise(COIN, THREAT, Level.GUARD, 60_000, "heist")))
            await until(lambda: nodes[0].told and nodes[2].told)
        here, there = nodes[0].told[0], nodes[2].told[0]
        assert here.spans[0].trace_id == there.spans[0].trace_id
        assert [one["tocsin.own"] for one in attributes(here, "entry")] == [True]
        assert attributes(there, "entry")[0]["tocsin.incident"] == "heist"

    virtually(told)


def test_a_node_that_ends_in_the_middle_tells_what_it_has_and_goes_on_in_the_same_trace(tmp_path: Path) -> None:
    async def told() -> None:
        nodes = four(tmp_path)
        async with AsyncExitStack() as stack:
            await together(stack, nodes)
            await nodes[0].loop.send(SensorReported(SEEN))
            await until(lambda: acted(nodes[0]))
            (before,) = nodes[0].story.close(clock().wall_ms * 1_000_000)
        nodes[0].told.clear()
        async with nodes[0].living() as again:
            alarm = again.story.at((COIN, THREAT), clock().wall_ms * 1_000_000)
            alarm.moved(b"k" * 32, "lifted", "undone", {}, alarm.began_ns, alarm.began_ns + 1)
            await until(lambda: nodes[0].told)
        assert nodes[0].told[0].spans[0].trace_id == before.spans[0].trace_id

    virtually(told)


def test_a_fault_of_the_telling_is_logged_once_and_the_alarm_goes_its_way(tmp_path: Path, caplog: Any) -> None:
    async def told() -> None:
        nodes = four(tmp_path)
        async with AsyncExitStack() as stack:
            await together(stack, nodes)
            await nodes[0].loop.send(SensorReported(SEEN))
            await until(lambda: all(certified(node) and acted(node) for node in nodes))

    with mock.patch("node.tracing.loop.tell", side_effect=RuntimeError("a bug")):
        virtually(told)
    faults = [one for one in caplog.records if "a bug" in one.message]
    assert len(faults) == 4


def test_a_frame_whose_reader_went_while_it_waited_for_room_leaves_no_time_behind(tmp_path: Path) -> None:
    async def told() -> None:
        node = four(tmp_path)[0]
        async with node.living():
            loop = node.loop
            assert isinstance(loop, TracedLoop)
            with trio.CancelScope() as gone:
                gone.cancel()
                await loop.send(SensorReported(SEEN))
            assert not loop._arrived_ns

    virtually(told)

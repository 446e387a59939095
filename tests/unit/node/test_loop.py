"""The shell around the machine: durable before told, the same after a restart, and no plug-in or peer stops it."""

from __future__ import annotations

from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path

import trio

from adapters.api import LeverOrder, Observation, Outcome
from node import mark, present
from node.dispatch import Dispatch
from node.effects import Broadcast, Gossip, LookUp, Reply, RunStep, Send, ServeBlobs, ServeEntries, Tell
from node.events import Event, LeverStepped, SensorReported
from node.machine import Phase
from node.machine.step import Step
from node.transport.memory import MemoryNetwork
from node.watch import RING, Watch
from protocol.evidence import Judgement, Ruling
from protocol.frames import WantEntries
from protocol.ids import ActionKey, Digest, MemberName, SourceId
from protocol.messages import Basis, Level
from tests.unit.machine.world import COIN, THREAT, TOPIC, claim, peer_of
from tests.unit.node.stage import House, NotedLever, clock, until, virtually

TRUE = claim()
SEEN = Observation(COIN, THREAT, Level.ISOLATE, Basis.VERIFIED, (TRUE,), (SourceId("m0-node"),), "sensor", "", "seen")


def houses(path: Path) -> list[House]:
    network = MemoryNetwork(delay_s=0.01)
    made = [House(path, network, i) for i in range(4)]
    for house in made:
        sources = (SourceId(f"{house.name}-node"),)
        house.verifier.truth[TRUE.claim.digest] = Judgement(
            Ruling.SUPPORTS, "so", COIN, THREAT, Level.ISOLATE, 10, sources
        )
    return made


def certified(house: House) -> bool:
    return any(held.certificate.level is Level.ISOLATE for held in house.state.certificates.values())


def acted(house: House) -> bool:
    return any(one.phase is Phase.EFFECTIVE for one in house.state.actions.values())


def test_four_whole_nodes_certify_act_and_remember(tmp_path: Path) -> None:
    async def story() -> None:
        four = houses(tmp_path)
        async with AsyncExitStack() as stack:
            for house in four:
                await stack.enter_async_context(house.living())
            await until(lambda: all(len(house.state.links) == 3 for house in four))
            await four[0].loop.inbox.send(SensorReported(SEEN))
            await until(lambda: all(certified(house) and acted(house) for house in four))
            told = present.alert(Step(four[1].state, clock()), TOPIC)
            assert told["level"] == "ISOLATE" and told["own"]["verdict"] == "verified"
        seqs = {house.name: house.state.own_head()[0] for house in four}
        async with four[1].living() as again:
            assert again.state.own_head()[0] == seqs["m1"] and acted(again)
            assert len(again.lever.until_ms) == 1

    virtually(story)


def test_the_mark_names_what_the_store_holds_last(tmp_path: Path) -> None:
    async def story() -> None:
        (house, *_) = houses(tmp_path)
        async with house.living():
            await house.loop.inbox.send(SensorReported(SEEN))
            await until(lambda: house.state.opinions)
        found = mark.read(house.path / "mark")
        assert found is not None
        assert (found.seq, found.hash) == house.state.own_head()

    virtually(story)


def test_happenings_come_in_order_and_only_after_they_are_durable(tmp_path: Path) -> None:
    async def story() -> None:
        (house, *_) = houses(tmp_path)
        async with house.living():
            await house.loop.inbox.send(SensorReported(SEEN))
            got = await house.watch.after(0, 5)
            await until(lambda: any(one["kind"] == "attestation" for one in house.watch.since(0)))
        assert [one["n"] for one in house.heard] == list(range(1, len(house.heard) + 1)) and got
        assert {"manifest", "verdict", "attestation"} <= {one["kind"] for one in house.heard}

    virtually(story)


def test_a_slow_reader_of_the_watch_finds_a_gap_and_holds_nobody_up() -> None:
    async def story() -> None:
        watch = Watch(lambda happening: None)
        for number in range(RING + 10):
            watch.tell({"kind": str(number)})
        assert watch.since(0)[0]["n"] == 11
        assert await watch.after(RING + 10, 0.1) == []
        assert (await watch.after(9_999_999, 0.1))[0]["n"] == 11, "who followed an earlier life gets all of this one"

    virtually(story)


def test_a_verifier_and_a_sink_that_raise_stop_nothing(tmp_path: Path) -> None:
    async def story() -> None:
        four = houses(tmp_path)
        four[1].verifier.fails = True
        async with AsyncExitStack() as stack:
            for house in four:
                await stack.enter_async_context(house.living())
            await until(lambda: all(len(house.state.links) == 3 for house in four))
            await four[0].loop.inbox.send(SensorReported(SEEN))
            four[0].performer(Tell("hear"))
            await until(lambda: acted(four[2]) and four[0].sink.told)
            ruled = four[1].state.ruled[TRUE.claim].judgement
            assert ruled.ruling is Ruling.UNDECIDED and "no such provider" in ruled.why

    virtually(story)


def test_effects_too_large_or_for_nobody_stop_nothing(tmp_path: Path) -> None:
    async def story() -> None:
        four = houses(tmp_path)
        async with four[0].living() as one, four[1].living() as other:
            await until(lambda: one.state.links and other.state.links)
            for effect in (
                Broadcast(bytes(200_000)),
                Gossip(bytes(200_000)),
                Send("peer-of-nobody", b"x"),
                Send(peer_of("m1"), bytes(100_000)),
                Reply(99, True, "too late"),
                ServeEntries(peer_of("m1"), WantEntries("m0", 0, 0, 2**62)),
                ServeBlobs(peer_of("m1"), (Digest(bytes(32)),)),
                LookUp(peer_of("m1"), b"no entry", MemberName("m0"), 0, 0, 2**62),
            ):
                one.performer(effect)
            await until(lambda: other.state.refusals)
            await trio.sleep(1)
            assert one.state.links and other.state.links

    virtually(story)


def test_a_lever_that_raises_is_tried_again(tmp_path: Path) -> None:
    async def story() -> None:
        four = houses(tmp_path)
        four[3].lever.fails = 2
        async with AsyncExitStack() as stack:
            for house in four:
                await stack.enter_async_context(house.living())
            await until(lambda: all(len(house.state.links) == 3 for house in four))
            await four[0].loop.inbox.send(SensorReported(SEEN))
            await until(lambda: acted(four[3]))
            (action,) = four[3].state.actions.values()
            assert any("wire cut" in says for _, _, says, _ in action.steps)

    virtually(story)


def outcomes(lever: NotedLever | None, steps: list[RunStep]) -> list[LeverStepped]:
    heard: list[Event] = []

    async def story() -> None:
        async def report(event: Event) -> None:
            heard.append(event)

        dispatch = Dispatch({"pool:log.freeze": lever} if lever else {}, report)
        for one in steps:
            await dispatch.run(one)

    virtually(story)
    return [one for one in heard if isinstance(one, LeverStepped)]


def order(until_ms: int) -> LeverOrder:
    return LeverOrder(ActionKey(bytes(32)), "freeze", COIN, Level.ISOLATE, until_ms, False)


def step(name: str, until_ms: int = 2**40) -> RunStep:
    return RunStep(ActionKey(bytes(32)), name, "pool:log.freeze", order(until_ms))


def test_a_plan_for_a_longer_lease_is_made_anew() -> None:
    lever = NotedLever()
    outcomes(lever, [step("plan"), step("apply"), step("apply", 2**41)])
    assert lever.until_ms == {bytes(32): 2**41}


def test_expiry_is_believed_only_from_the_target() -> None:
    lever = NotedLever()
    far = 2**50
    standing, free = outcomes(lever, [step("apply", far), step("expire", far)])[-1], None
    lever.until_ms.clear()
    (free,) = outcomes(lever, [step("expire", far)])
    assert not standing.outcome.ok and free.outcome.ok


def test_a_target_that_does_not_answer_is_not_called_free() -> None:
    lever = NotedLever()
    lever.read_back = unanswered  # type: ignore[method-assign]
    (only,) = outcomes(lever, [step("expire")])
    assert not only.outcome.ok and only.outcome.retryable and "chain is down" in only.outcome.says


async def unanswered(order: LeverOrder) -> Outcome:
    return Outcome(False, "the chain is down", retryable=True, answered=False)


def test_a_lever_that_is_not_configured_says_what_to_do() -> None:
    (only,) = outcomes(None, [step("plan")])
    assert not only.outcome.ok and "node.toml" in only.outcome.says


def test_more_own_words_than_one_mark_holds_become_several_commits(tmp_path: Path) -> None:
    async def story() -> None:
        (house, *_) = houses(tmp_path)
        async with house.living():
            for number in range(300):
                one = claim(1_000 + number)
                await house.loop.inbox.send(SensorReported(replace(SEEN, claims=(one,))))
            await until(lambda: house.loop.inbox.statistics().current_buffer_used == 0)
            await trio.sleep(1)
            assert house.state.own_head()[0] >= 299

    virtually(story)

"""The registry on real chains, through the door that nodes use: the embedded chain and, where there is one, anvil."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
import trio

from adapters.evm.abi import abi_of
from adapters.evm.artifacts import artifact
from adapters.evm.client import ChainClient, Connection
from adapters.evm.eip712 import Domain
from adapters.evm.errors import Reverted
from adapters.evm.evm_key import ORDER
from adapters.evm.mirror import differences, read_mirror, read_standing
from adapters.evm.registry import row_of
from adapters.evm.sending import Sender
from node.testnet.chain_process import ChainProcess, find_anvil, start_chain
from protocol.ids import EpochHash, MemberName, SourceId
from protocol.messages import Level
from tests.integration.evm.world import FUNDED, HOME, PEOPLE
from tests.unit.contracts.registry_stage import ISOLATE, SUBJECT, THREAT, Stage, epoch_of, key_of, names_of

SEVEN = names_of(7)
Q = 5
ABI = abi_of("Registry")


@pytest.fixture(scope="module", params=["embedded", "anvil"])
def chain(request: pytest.FixtureRequest) -> Iterator[ChainProcess]:
    if request.param == "anvil" and find_anvil() is None:
        pytest.skip("no anvil on PATH or in TOCSIN_ANVIL")
    started = start_chain(request.param, 1, FUNDED)
    try:
        yield started
    finally:
        started.stop()


class Live(Stage):
    """The same members; the contract stands on a chain and its clock is the chain's."""

    client: ChainClient

    def deployed(self, row: Any, words: Any) -> bytes:
        return bytes(20)

    @property
    def sender(self) -> Sender:
        return Sender(self.client, HOME, PEOPLE["owner"])

    async def begin(self) -> None:
        self.address = await self.sender.deploy(artifact("Registry"), (self.row.values, list(self.words)), 10)
        await self.tick()

    async def tick(self) -> None:
        self.world.now = (await self.client.block(HOME)).value.timestamp

    async def send(self, name: str, *args: Any) -> None:
        await self.sender.transact(self.address, ABI, name, args, 10)
        await self.tick()

    async def refused(self, name: str, *args: Any) -> str:
        with pytest.raises(Reverted) as seen:
            await self.sender.simulate(self.address, ABI, name, args)
        return seen.value.reason

    async def ends(self, level: Level = Level.GUARD) -> int:
        return (await read_standing(self.client, HOME, self.address, SUBJECT, THREAT)).until_s[level]


def play(chain: ChainProcess, story: Callable[[Live], Awaitable[None]], **more: Any) -> None:
    async def run() -> None:
        connections = tuple(Connection(SourceId(f"p{i}.home"), HOME, chain.url) for i in (1, 2))
        clock: Any = SimpleNamespace(now=0)
        scene = Live(epoch_of([(name, more.get(name, name)) for name in SEVEN]), SEVEN, clock)
        scene.client = ChainClient(connections)
        try:
            await scene.begin()
            await story(scene)
        finally:
            await scene.client.aclose()

    trio.run(run)


def test_a_quorum_restricts_lifts_and_moves_on(chain: ChainProcess) -> None:
    async def story(scene: Live) -> None:
        await scene.send("alarm", *scene.alarm(SEVEN[:Q]))
        first = await scene.ends()
        assert first > scene.world.now
        await scene.send("alarm", *scene.alarm(SEVEN[2:], expires=first * 1000 - 1_000))
        assert await scene.ends(Level.ISOLATE) == first
        await scene.send("lift", *scene.lift(SEVEN[:Q], scene.world.now * 1000))
        assert await scene.ends() == 0
        following = epoch_of([(name, name) for name in SEVEN], 1)
        row = scene.next_row(following)
        await scene.send("advance", *scene.advance(row, scene.words, SEVEN[2:]))
        mirror = await read_mirror(scene.client, HOME, scene.address)
        assert (mirror.row, mirror.words, mirror.sources) == (row, scene.words, ("p1.home", "p2.home"))
        evm = {MemberName(name): key_of(name).address for name in SEVEN}
        assert differences(mirror, replace(following, parent=EpochHash(row.parent)), evm) == []

    play(chain, story)


def test_a_lease_ends_by_itself(chain: ChainProcess) -> None:
    async def story(scene: Live) -> None:
        await scene.send("alarm", *scene.alarm(SEVEN[:Q], expires=scene.world.now * 1000 + 2_000))
        until = await scene.ends()
        assert 0 < until - scene.world.now <= 2
        with trio.fail_after(10):
            while scene.world.now < until:
                await scene.send("alarm", *scene.alarm(SEVEN[:Q], subject=bytes(32)))  # somebody else's block
                await trio.sleep(0.1)
        standing = await read_standing(scene.client, HOME, scene.address, SUBJECT, THREAT)
        assert standing.chain_s >= standing.until_s[Level.ISOLATE] == until

    play(chain, story)


def spoilt(call: tuple[Any, ...], **changed: int) -> tuple[Any, ...]:
    *front, votes = call
    names = ("at", "v", "r", "s")
    ballot = dict(zip(names, votes[0][-1])) | changed
    return *front, [(*votes[0][:-1], tuple(ballot[name] for name in names)), *votes[1:]]


def test_what_is_no_quorums_word_is_refused(chain: ChainProcess) -> None:
    async def story(scene: Live) -> None:
        good = scene.alarm(SEVEN[:Q])
        now_ms = scene.world.now * 1000
        *front, votes = good
        _, v, _, s = votes[0][-1]
        values = {name: scene.alarm_values(name) for name in SEVEN[:Q]}
        ahead = scene.next_row(epoch_of([(name, name) for name in SEVEN], 2), number=2)
        cases = [
            ("short of threshold", "alarm", scene.alarm(SEVEN[: Q - 1])),
            ("signer order", "alarm", (*front, [votes[0], *votes])),
            ("signer order", "alarm", (*front, votes[::-1])),
            ("high s", "alarm", spoilt(good, s=ORDER - s, v=55 - v)),
            ("no signer", "alarm", spoilt(good, r=0)),
            ("v", "alarm", spoilt(good, v=v - 27)),
            ("other signer", "alarm", scene.alarm_of(values, ISOLATE, Domain(2, scene.address))),
            ("other signer", "alarm", scene.alarm_of(values, ISOLATE, Domain(1, b"\x01" * 20))),
            ("not this epoch", "alarm", scene.alarm(SEVEN[:Q], epoch=bytes(32))),
            ("late", "alarm", scene.alarm(SEVEN[:Q], issued=now_ms - 700_000)),
            ("short of quorum", "lift", scene.lift(SEVEN[: Q - 1], now_ms)),
            ("not the next epoch", "advance", scene.advance(ahead, scene.words, SEVEN)),
        ]
        for reason, name, call in cases:
            assert await scene.refused(name, *call) == reason
        await scene.send("alarm", *good)
        await scene.send("lift", *scene.lift(SEVEN[:Q], scene.world.now * 1000))
        assert await scene.refused("alarm", *good) == "released"

    play(chain, story)


def test_old_epochs_and_replays_are_refused(chain: ChainProcess) -> None:
    async def story(scene: Live) -> None:
        row = replace(row_of(epoch_of([(name, name) for name in SEVEN], 1)), parent=scene.row.hash)
        old = scene.alarm(SEVEN[:Q])
        call = scene.advance(row, scene.words, SEVEN[:Q])
        keys = scene.change_keys(scene.words[:6], SEVEN[:Q])
        await scene.send("advance", *call)
        assert await scene.refused("advance", *call) == "not the next epoch"
        assert await scene.refused("alarm", *old) == "not this epoch"
        assert await scene.refused("change_keys", *keys) == "other signer"

    play(chain, story)


def test_two_keys_of_one_group_count_once(chain: ChainProcess) -> None:
    async def story(scene: Live) -> None:
        assert scene.row.n == 6
        assert await scene.refused("alarm", *scene.alarm(SEVEN[:5])) == "short of threshold"
        await scene.send("alarm", *scene.alarm(SEVEN[:6]))
        assert await scene.ends(Level.ISOLATE) > 0

    play(chain, story, m01="m00")

"""The sensor and the verifier of this family pass the suite that is offered to the authors of others."""

from __future__ import annotations

import os
import signal
from types import TracebackType
from typing import Any

import pytest

from adapters.conformance import SensorCase, VerifierCase, sensor_facts, verifier_facts
from adapters.evm.client import ChainClient, Connection
from adapters.evm.sensors import BridgeSensor
from adapters.evm.verifiers import EvmVerifier
from protocol.evidence import ClaimBlob, claim_of
from protocol.ids import SourceId
from tests.integration.evm.world import E18, FAR, HOME, World, connections

CANARY = "canary-9a3e"


def watched(url: str) -> str:
    return url.replace("http://", f"http://tocsin:{CANARY}@")


class Bridged:
    """A bridge of this case's own on chains that others share; cut off, they are stopped."""

    secrets = (CANARY,)

    def __init__(self, chains: Any) -> None:
        self.chains = chains

    async def __aenter__(self) -> Any:
        home, far = (chain.url for chain in self.chains)
        # what is tried is the other client: these may wait for a machine that is busy
        self.hands = ChainClient(connections(home, far), 15)
        self.world = World(self.hands)
        await self.world.open_bridge()
        seen = [Connection(SourceId(f"p1.{place}"), chain, watched(url)) for place, chain, url in
                (("home", HOME, home), ("far", FAR, far))]  # fmt: skip
        self.client = ChainClient(tuple(seen), 0.5)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.mend()
        await self.hands.aclose()
        await self.client.aclose()

    async def forge(self) -> ClaimBlob:
        return claim_of(await self.world.deliver(77, "attacker", 1_000 * E18))

    async def cut(self) -> None:
        for chain in self.chains:
            os.kill(chain.pid, signal.SIGSTOP)

    async def mend(self) -> None:
        for chain in self.chains:
            os.kill(chain.pid, signal.SIGCONT)


class Watching(Bridged, SensorCase):
    def sensor(self) -> BridgeSensor:
        return BridgeSensor("watch", self.client, lambda: self.world.epoch, 50)

    async def happens(self) -> None:
        await self.forge()


class Judging(Bridged, VerifierCase):
    def verifier(self) -> EvmVerifier:
        return EvmVerifier(self.client, lambda: self.world.epoch)

    async def true_claim(self) -> ClaimBlob:
        claim = await self.forge()
        await self.world.second_over()
        return claim

    async def false_claim(self) -> ClaimBlob:
        return claim_of(await self.world.deliver(await self.world.burn(E18), "honest", E18))


@pytest.mark.parametrize("name", [fact.name for fact in sensor_facts(SensorCase)])
def test_a_sensor_of_bridges(name: str, chains: Any):
    (found,) = [one for one in sensor_facts(lambda: Watching(chains)) if one.name == name]
    found.check()


@pytest.mark.parametrize("name", [fact.name for fact in verifier_facts(VerifierCase)])
def test_the_verifier(name: str, chains: Any):
    (found,) = [one for one in verifier_facts(lambda: Judging(chains)) if one.name == name]
    found.check()

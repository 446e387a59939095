"""A node between its lives, and what its targets say of its doing: read from the chain, past every lever."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from adapters.evm.aave_abi import CONFIGURATOR
from adapters.evm.pausable_abi import SAYS_PAUSED, SAYS_UNPAUSED
from adapters.evm.trailer import trailer_of
from node.testnet.chain_process import ChainProcess
from tests.integration.kill9.forks import Server
from tests.integration.kill9.scene import Scene, write_member
from tests.integration.levers.aave_market import ABIS, KEYS
from tests.integration.levers.kills.base import LEASE_S, OWN, ROLE, Base, Spot, write_files
from tests.integration.levers.kills.rough import Served, serve
from tests.integration.levers.pausable_token import abi as token_abi
from tests.integration.levers.rpc import People, Refused


@dataclass(frozen=True)
class Done:
    """What stands in the blocks for one action: transactions of the account that restricted and that lifted."""

    sets: int
    lifts: int
    stands: bool


@dataclass
class LeverScene(Scene):
    base: Base = field(kw_only=True)
    served: Served = field(kw_only=True)

    @property
    def people(self) -> People:
        return self.served.people

    def close(self) -> None:
        super().close()
        self.served.stop()

    def spot(self, number: int) -> Spot:
        return self.base.spots[number]

    def shows(self, number: int) -> object:
        """The target's own word, comparable."""
        spot, market = self.spot(number), self.base.market
        if spot.row is None:
            return self.people.view(spot.at, token_abi(), "paused")
        return self.people.view(market.pool, ABIS["pool"](), "getConfiguration", spot.at)

    def done(self, number: int, key: bytes, free: object) -> Done:
        """`free`: what the target showed before anything happened."""
        found = [trailer_of(data) for data in self._calls(number)]
        ours = [one for one in found if one is not None and one.key == key]
        sets = sum(one.until_s > 0 for one in ours)
        return Done(sets, len(ours) - sets, self.shows(number) != free)

    def _calls(self, number: int) -> list[bytes]:
        """Call data of the account's transactions that moved the spot's number, in the blocks as they are now."""
        spot = self.spot(number)
        if spot.row is None:
            at, topics = spot.at, [["0x" + one.hex() for one in (*SAYS_PAUSED, *SAYS_UNPAUSED)]]
        else:
            at = self.base.market.configurator
            topics = [["0x" + CONFIGURATOR.event(spot.row.event).topic.hex()], ["0x" + spot.at.hex().rjust(64, "0")]]
        asked = {"address": "0x" + at.hex(), "topics": topics, "fromBlock": "0x0", "toBlock": "latest"}
        txs = [log["transactionHash"] for log in self.people.ask("eth_getLogs", asked)]
        sent = [self.people.ask("eth_getTransactionByHash", tx) for tx in txs]
        return [bytes.fromhex(one["input"][2:]) for one in sent if one["from"] == "0x" + OWN.hex()]

    def spend_a_nonce(self) -> bool:
        """Somebody sends with the account's key from elsewhere; False where the chain did not take it."""
        try:
            self.people.send(KEYS[ROLE], OWN, b"")
        except (Refused, RuntimeError):
            return False
        return True

    def patiently(self, holds: Callable[[], bool], most_s: float) -> bool:
        until = time.monotonic() + most_s
        while not holds():
            if time.monotonic() > until or self.process is None or not self.process.is_alive():
                return False
            time.sleep(0.02)
        return True

    def phase(self, number: int) -> str:
        told: dict[str, Any] | None = self.told(number)
        return str(told["phase"]) if told is not None else ""


def open_scene(folder: Path, base: Base, forks: Server, *, private: bool = False) -> LeverScene:
    """A node that never lived, beside a rough copy of the base's chain. `private`: its transactions go by a relay."""
    (folder / "data").mkdir(parents=True, mode=0o700)
    served = serve(base.chain)
    chain = ChainProcess(served.url, 1, served.pid, "embedded")
    scene = LeverScene(folder, forks, chain, lent=(forks, chain), base=base, served=served)
    try:
        scene.network = write_member(folder, KEYS[ROLE], LEASE_S)
        write_files(folder, (served.url, served.second_url), base, served.relay_url if private else "")
        served.relay("builds")
    except BaseException:
        scene.close()
        raise
    return scene

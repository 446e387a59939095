"""`python -m tests.integration.levers.outlive [-o json]`: which restrictions outlive their lease where every node is
dead. Each lever is pulled by a process that is then killed; the chain's clock passes the lease, and the target is
looked at; then a node comes back and lifts. Exit 1 where a declaration says otherwise than the target shows."""

from __future__ import annotations

import argparse
import itertools
import json
import os
import signal
import sys
import time
from collections.abc import Iterable
from dataclasses import asdict, dataclass

import trio

from adapters.api import ExpiresBy, Lever, LeverDeclaration, LeverOrder
from adapters.evm.account import Account
from adapters.evm.client import ChainClient, Connection
from adapters.evm.sending import Sender
from node.testnet.chain_evm import EmbeddedChain
from protocol.ids import SourceId
from protocol.messages import Level
from protocol.subjects import asset
from tests.integration.levers.aave_market import FUNDED, build
from tests.integration.levers.cases import KEY, LEASE_S, Stage
from tests.integration.levers.forked import answering
from tests.integration.levers.kills.rough import Served, serving
from tests.integration.levers.managed_token import build_managed
from tests.integration.levers.more_stages import PERP_OF, SUSPENDED, managed_stage, perp_stage, suspend_stage
from tests.integration.levers.others_stages import ROW_OF, aave_stage, pause_stage
from tests.integration.levers.own_stages import OWN, deploy
from tests.integration.levers.packages import AAVE, OPEN_ZEPPELIN, OPEN_ZEPPELIN_4, SYNTHETIX, missing
from tests.integration.levers.pausable_token import build_token
from tests.integration.levers.perp_v2_market import PACKAGES, perp_chain
from tests.integration.levers.synthetix_system import build_system

DAY_S = 86_400


@dataclass(frozen=True)
class Outlived:
    """`within`, `after`, `day_after`: whether it restricts just before the lease ends, just after, a day after;
    `on_return`: whether it is gone once a node came back and undid it."""

    call: str
    expires_by: str
    within: bool
    after: bool
    day_after: bool
    on_return: bool

    @property
    def as_declared(self) -> bool:
        ends_alone = self.expires_by == ExpiresBy.TARGET.value
        return self.within and self.on_return and self.after is self.day_after is not ends_alone


def looked_at(stage: Stage, served: Served) -> Outlived:
    """The chain is this stage's alone."""
    people, free = served.people, stage.shows(served.people)
    declared, order = _pulled_and_killed(stage, served.url)

    def stands() -> bool:
        shown = stage.shows(people)
        if declared.expires_by is ExpiresBy.TARGET:
            # the slot keeps its end as written: it binds as long as the chain's time is before it
            now_s = int(people.ask("eth_getBlockByNumber", "latest", False)["timestamp"], 16)
            return isinstance(shown, int) and now_s < shown
        return shown != free

    def at(wall_ms: float) -> bool:
        now_s = int(people.ask("eth_getBlockByNumber", "latest", False)["timestamp"], 16)
        served.pass_time(max(0, int(wall_ms / 1000) - now_s))
        return stands()

    within, after = at(order.until_ms - 30_000), at(order.until_ms + 2_000)
    day_after = at(order.until_ms + DAY_S * 1_000)
    trio.run(_undone, stage, served.url, order)
    return Outlived(declared.call, declared.expires_by.value, within, after, day_after, not stands())


def _client(stage: Stage, url: str) -> tuple[ChainClient, Lever]:
    client = ChainClient((Connection(SourceId("p1.home"), stage.chain, url),))
    return client, stage.make(client, Sender(client, stage.chain, Account(stage.key)))


def _pulled_and_killed(stage: Stage, url: str) -> tuple[LeverDeclaration, LeverOrder]:
    order = LeverOrder(
        KEY, f"x:{stage.call}", asset(stage.chain, stage.asset), Level.GUARD, int((time.time() + LEASE_S) * 1000), False
    )
    reader, writer = os.pipe()
    child = os.fork()
    if not child:
        try:
            trio.run(_pull, stage, url, order, writer)
        finally:
            os._exit(1)
    os.close(writer)
    said = os.read(reader, 16)
    os.close(reader)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    if said != b"pulled":
        raise RuntimeError(f"{stage.call} was not pulled")

    async def declared() -> LeverDeclaration:
        client, lever = _client(stage, url)
        await client.aclose()
        return lever.declared

    return trio.run(declared), order


async def _pull(stage: Stage, url: str, order: LeverOrder, writer: int) -> None:
    _, lever = _client(stage, url)
    if (await lever.apply(await lever.plan(order))).ok and (await lever.read_back(order)).ok:
        os.write(writer, b"pulled")
        await trio.sleep_forever()


async def _undone(stage: Stage, url: str, order: LeverOrder) -> None:
    client, lever = _client(stage, url)
    await lever.undo(order)
    await client.aclose()


def _fresh() -> EmbeddedChain:
    return EmbeddedChain(1, {bytes.fromhex(address[2:]): wei for address, wei in FUNDED.items()})


def stages() -> Iterable[tuple[EmbeddedChain, Stage]]:
    """Every lever that can be played here, each with the chain that it stands on."""
    chain = _fresh()
    at = deploy("", answering(chain))
    yield from ((chain, OWN[call](at)) for call in sorted(OWN))
    if not missing(AAVE):
        chain = _fresh()
        market = build("", answering(chain))
        yield from ((chain, aave_stage(row, market)) for _, row in sorted(ROW_OF.items()))
    if not missing(OPEN_ZEPPELIN_4):
        chain = _fresh()
        yield chain, pause_stage(build_token("", answering(chain)))


def more_stages() -> Iterable[tuple[EmbeddedChain, Stage]]:
    if not (missing(OPEN_ZEPPELIN_4) or missing(OPEN_ZEPPELIN)):
        chain = _fresh()
        yield chain, managed_stage(build_managed("", answering(chain)))
    if not any(map(missing, PACKAGES)):
        chain, perp = perp_chain()
        yield from ((chain, perp_stage(row, perp)) for _, row in sorted(PERP_OF.items()))
    if not missing(SYNTHETIX):
        chain = _fresh()
        system = build_system("", answering(chain))
        yield from ((chain, suspend_stage(call, system)) for call in SUSPENDED)


def table() -> list[Outlived]:
    found: list[Outlived] = []
    for chain, stage in itertools.chain(stages(), more_stages()):
        with serving(chain) as served:
            found.append(looked_at(stage, served))
    return found


def human(rows: Iterable[Outlived]) -> str:
    lines = ["lever                    ends by  in its lease  after it     a day later  a node came back"]
    for one in rows:
        marks = ["restricts" if flag else "free" for flag in (one.within, one.after, one.day_after, not one.on_return)]
        odd = "" if one.as_declared else "  NOT as declared"
        lines.append(f"{one.call:<24} {one.expires_by:<8} {marks[0]:<13} {marks[1]:<12} {marks[2]:<12} {marks[3]}{odd}")
    return "\n".join([*lines, ""])


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.integration.levers.outlive", description=__doc__)
    parser.add_argument("-o", choices=("human", "json"), default="human", dest="output")
    words, rows = parser.parse_args(), table()
    text = json.dumps([asdict(one) for one in rows], indent=2) + "\n" if words.output == "json" else human(rows)
    sys.stdout.write(text)
    return 0 if rows and all(one.as_declared for one in rows) else 1


if __name__ == "__main__":
    sys.exit(main())

"""Stages on further contracts that others published: an AccessManager, Perpetual Protocol v2, Synthetix v2x."""

from __future__ import annotations

from typing import Any

from adapters.declared import Owned
from adapters.evm.access_manager import CLOSE, LEVERS, ManagedTarget, declared
from adapters.evm.perp_v2 import PerpLever
from adapters.evm.perp_v2_rows import HALT, PERP_ROWS, PerpRow, PerpTarget
from adapters.evm.synthetix import SynthetixTarget, suspend_levers
from adapters.evm.synthetix_rows import REASON, word32
from protocol.messages import Level
from tests.integration.levers import perp_v2_market, synthetix_system
from tests.integration.levers.aave_market import KEYS
from tests.integration.levers.cases import Stage
from tests.integration.levers.managed_token import NODE, PERSON, WAYS, ManagedToken, manager_abi
from tests.integration.levers.pausable_token import HOUR_MS
from tests.integration.levers.perp_v2_market import OWNER, TICKS, Perp
from tests.integration.levers.rpc import People
from tests.integration.levers.synthetix_system import GUARD, MARKET, SYNTH, System

SPREAD, WIDER = 10_000, 100_000
"""In millionths: what the lever keeps a market to, and what stood before."""
PERSONS_REASON = 2


def managed_stage(managed: ManagedToken) -> Stage:
    token, manager = managed.token, managed.at
    said = declared(CLOSE, Owned(Level.HALT, WAYS, True, HOUR_MS, HOUR_MS))
    target = ManagedTarget("wrapped", token.chain, manager, token.at, token.at)

    def move(people: People, shut: bool) -> None:
        people.do(KEYS[PERSON], manager, manager_abi(), "setTargetClosed", token.at, shut)

    def shut(people: People) -> bool:
        return bool(people.view(manager, manager_abi(), "isTargetClosed", token.at))

    return Stage(
        CLOSE,
        token.chain,
        token.at,
        KEYS[NODE],
        lambda client, sender: LEVERS[CLOSE](target, said, client, sender),
        shut,
        lambda people: move(people, True),
        lambda people: move(people, False),
        shut,
    )


def perp_stage(row: PerpRow, perp: Perp) -> Stage:
    """Its owner alone may move it: a person is who uses that account without saying so."""
    target = PerpTarget("eth", perp.chain, perp.at["ClearingHouse"], perp.base, SPREAD)
    contract, view, shut, free = (
        ("Exchange", "getMaxTickCrossedWithinBlock", 0, TICKS)
        if row is HALT
        else ("MarketRegistry", "getMarketMaxPriceSpreadRatio", SPREAD - 1, WIDER)
    )

    def move(people: People, number: int) -> None:
        people.do(KEYS[OWNER], perp.at[contract], perp_v2_market.abi(contract), row.fn, perp.base, number)

    def shows(people: People) -> int:
        return int(people.view(perp.at[contract], perp_v2_market.abi(contract), view, perp.base))

    return Stage(
        row.declared.call,
        perp.chain,
        perp.base,
        KEYS[OWNER],
        lambda client, sender: PerpLever(row, target, client, sender),
        shows,
        lambda people: move(people, shut),
        lambda people: move(people, free),
        lambda people: shows(people) == shut,
    )


def suspend_stage(call: str, system: System) -> Stage:
    what, key, view = SUSPENDED[call]
    target = SynthetixTarget("eth", system.chain, system.at["AddressResolver"], MARKET, SYNTH, REASON)
    status = system.at["SystemStatus"]

    def move(people: People, fn: str, *args: Any) -> None:
        known = synthetix_system.abi("SystemStatus")
        people.do(KEYS[synthetix_system.PERSON], status, known, f"{fn}{what}", word32(key), *args)

    def shows(people: People) -> tuple[bool, int]:
        suspended, reason = people.view(status, synthetix_system.abi("SystemStatus"), view, word32(key))
        return bool(suspended), int(reason)

    return Stage(
        call,
        system.chain,
        system.at[SYNTH],
        KEYS[GUARD],
        lambda client, sender: suspend_levers(target, client, sender)[call],
        shows,
        lambda people: move(people, "suspend", PERSONS_REASON),
        lambda people: move(people, "resume"),
        lambda people: shows(people) == (True, PERSONS_REASON),
    )


PERP_OF = {row.declared.call: row for row in PERP_ROWS}
SUSPENDED = {
    "synthetix.market": ("FuturesMarket", MARKET, "futuresMarketSuspension"),
    "synthetix.synth": ("Synth", SYNTH, "synthSuspension"),
    "synthetix.synth_exchange": ("SynthExchange", SYNTH, "synthExchangeSuspension"),
}
"""Call → what its functions are named by, the key, and the view of what stands."""

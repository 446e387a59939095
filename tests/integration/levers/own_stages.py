"""Stages on the project's own contracts, as the local network deploys them: every row of `lever_rows`."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from adapters.evm.abi import Abi, abi_of
from adapters.evm.account import Account
from adapters.evm.artifacts import artifact
from adapters.evm.lever_rows import ROWS, Row, Target
from adapters.evm.levers import EvmLever
from tests.integration.levers.aave_market import E18, KEYS
from tests.integration.levers.cases import Stage
from tests.integration.levers.rpc import People

CHAIN = "eip155:1"
GUARDIAN = KEYS["risk_admin"]
THEIRS = b"\x70" * 32
"""The key under which a person restricts: people use the guardian's account too, and the other slot."""


def deploy(url: str, answer: Callable[[bytes], bytes | None] | None = None) -> dict[str, bytes]:
    """Contract → where it stands, "Token" being the asset."""
    people, owner, guardian = People(url, answer), Account(KEYS["owner"]).address, Account(GUARDIAN).address

    def make(contract: str, *args: Any) -> bytes:
        found = artifact(contract)
        return people.make(KEYS["owner"], found.bytecode, Abi(found.abi), args)

    at = {"Token": make("Token", "rs", "RS")}
    loan = make("Token", "weth", "WETH")
    at["Lending"] = make("Lending", loan, owner, guardian)
    people.do(KEYS["owner"], at["Lending"], abi_of("Lending"), "add_collateral", at["Token"], E18, 9_000)
    feed = make("Oracle", owner, E18)
    at["Perp"] = make("Perp", loan, at["Token"], 5_000, guardian)
    people.do(KEYS["owner"], at["Perp"], abi_of("Perp"), "add_market", at["Token"], feed, 1_000)
    at["Escrow"] = make("Escrow", at["Token"], owner, guardian)
    return at


def stage(row: Row, at: dict[str, bytes]) -> Stage:
    contract, abi = at[row.contract], abi_of(row.contract)
    scope: tuple[Any, ...] = (at["Token"],) if row.scoped else ()

    def until_s(people: People, by_human: bool) -> int:
        found = people.view(contract, abi, row.view, *scope, by_human)
        return int(found if row.limit is None else found[1])

    def restricts(people: People) -> None:
        now_s = int(people.ask("eth_getBlockByNumber", "latest", False)["timestamp"], 16)
        number = () if row.limit is None else (4_000,)
        people.do(GUARDIAN, contract, abi, row.set, *scope, *number, now_s + 900, True, THEIRS)

    def lifts(people: People) -> None:
        people.do(GUARDIAN, contract, abi, row.lift, *scope, False, THEIRS)

    return Stage(
        row.declared.call,
        CHAIN,
        at["Token"],
        GUARDIAN,
        lambda client, sender: EvmLever(row, Target("own", CHAIN, contract, at["Token"]), client, sender),
        partial(until_s, by_human=False),
        restricts,
        lifts,
        lambda people: until_s(people, True) > 0,
    )


OWN = {row.declared.call: partial(stage, row) for row in ROWS}

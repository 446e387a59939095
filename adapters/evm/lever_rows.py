"""What each lever of the EVM family is: one row per action, declared here and proved by the tests."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from adapters.api import ExpiresBy, LeverDeclaration
from adapters.evm.abi import abi_of
from adapters.evm.client import ChainClient
from protocol.messages import Level

HOUR_MS = 3_600_000
MARGIN_BPS_MAX = 10_000


@dataclass(frozen=True)
class Target:
    """What a lever acts on. `asset` is the collateral, the market (perp) or the escrowed token."""

    name: str
    chain: str
    contract: bytes
    asset: bytes
    margin_bps: int = 0
    """What `perp.margin` asks for; 0: twice the market's own."""


@dataclass(frozen=True)
class Limit:
    """A restriction that carries a number, so that its view gives (number, until): the number to ask for."""

    wanted: Callable[[ChainClient, Target], Awaitable[int]]


@dataclass(frozen=True)
class Row:
    """One action: set(*scope, [number,] until, by_human, key), lift(*scope, by_human, key), view(*scope, by_human)."""

    declared: LeverDeclaration
    contract: str
    what: str
    """The contract's own word in its Restricted and Lifted events."""
    set: str
    lift: str
    view: str
    scoped: bool
    limit: Limit | None = None


def _declared(
    call: str, rung: Level, closes: set[str], hours: int, cool: int, says: str, **more: Any
) -> LeverDeclaration:
    return LeverDeclaration(
        call=call,
        rung=rung,
        closes=frozenset(closes),
        blocks_exit=more.get("blocks_exit", False),
        reversible=True,
        expires_by=ExpiresBy.TARGET,
        max_ms=hours * HOUR_MS,
        cooldown_ms=cool * HOUR_MS,
        says=says,
    )


async def _borrowed(client: ChainClient, target: Target) -> int:
    return int((await client.call(target.chain, target.contract, abi_of("Lending"), "total_borrowed")).value)


async def _raised_margin(client: ChainClient, target: Target) -> int:
    read = await client.call(target.chain, target.contract, abi_of("Perp"), "market_of", (target.asset,))
    own = int(read.value[1])
    return max(own, min(target.margin_bps or 2 * own, MARGIN_BPS_MAX))


ROWS: tuple[Row, ...] = (
    Row(
        _declared(
            "lending.ltv_zero",
            Level.GUARD,
            {"borrow"},
            12,
            2,
            "nothing new is lent against the asset; repaying, supplying and withdrawing stay open",
        ),
        "Lending",
        "ltv_zero",
        "set_ltv_zero",
        "lift_ltv_zero",
        "ltv_zero_until",
        True,
    ),
    Row(
        _declared(
            "lending.freeze",
            Level.ISOLATE,
            {"supply"},
            6,
            2,
            "no more of the asset is taken in; what lies there still backs loans unless its LTV is zero; "
            "repaying and withdrawing stay open",
        ),
        "Lending",
        "freeze",
        "freeze",
        "lift_freeze",
        "frozen_until",
        True,
    ),
    Row(
        _declared(
            "lending.cap",
            Level.GUARD,
            {"borrow"},
            6,
            1,
            "borrowing is capped at what is lent out now; repaying and withdrawing stay open",
        ),
        "Lending",
        "borrow_cap",
        "set_borrow_cap",
        "lift_borrow_cap",
        "borrow_cap_of",
        False,
        Limit(_borrowed),
    ),
    Row(
        _declared(
            "perp.reduce_only",
            Level.GUARD,
            {"open"},
            12,
            1,
            "no position is opened or enlarged in the market; closing and taking out margin stay open",
        ),
        "Perp",
        "reduce_only",
        "set_reduce_only",
        "lift_reduce_only",
        "reduce_only_until",
        True,
    ),
    Row(
        _declared(
            "perp.margin",
            Level.GUARD,
            set(),
            12,
            1,
            "opening in the market, and taking out margin under an open position, ask for more margin; "
            "closing stays open",
        ),
        "Perp",
        "margin",
        "set_initial_margin_bps",
        "lift_initial_margin",
        "initial_margin_of",
        True,
        Limit(_raised_margin),
    ),
    Row(
        _declared(
            "perp.halt",
            Level.HALT,
            {"open", "close"},
            1,
            6,
            "nothing is opened or closed in the market: positions are locked in until it ends",
            blocks_exit=True,
        ),
        "Perp",
        "halt",
        "halt",
        "lift_halt",
        "halted_until",
        True,
    ),
    Row(
        _declared(
            "escrow.pause",
            Level.ISOLATE,
            {"release"},
            6,
            1,
            "nothing is released from the escrow; messages on their way home wait and are delivered afterwards; "
            "locking, and moving the twin on the far chain, stay open",
        ),
        "Escrow",
        "pause",
        "pause_releases",
        "lift_pause",
        "paused_until",
        False,
    ),
)

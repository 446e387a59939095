"""What each lever on a market of Perpetual Protocol v2 is: one row per number of the market that it moves.

Facts of the release 2.8.4. `BaseToken.pause()` is no row: after it a market can only be closed for good."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from adapters.api import LeverDeclaration
from adapters.declared import by_node
from adapters.evm.abi import Abi
from protocol.messages import Level

SPREAD_DEFAULT = 100_000
"""What stands where a market has no spread ratio of its own, in millionths; the setter and its event call that 0."""
SPREAD_PPM = 10_000
NOT_OWNER, HALTED = "SO_CNO", "EX_MIP"
"""The contracts' own words: the caller is not the owner; the market is paused."""


@dataclass(frozen=True)
class PerpTarget:
    """`clearing_house` is the protocol's entry, `base` the virtual token that stands for the market; 20 bytes each."""

    name: str
    chain: str
    clearing_house: bytes
    base: bytes
    spread_ppm: int


@dataclass(frozen=True)
class PerpMarket:
    exchange: bytes
    registry: bytes
    head: int
    chain_s: int
    """The chain's own time, read before the rest."""
    ticks: int
    """How far the price may move at once, in steps of 1/10,000; 0 halts the market."""
    spread: int
    """How far a trade may bring the market off the index, in millionths of it."""
    open: bool
    """False once its base token was paused or closed, from where no way leads back."""
    halted: bool
    """Whether a trade, tried, is refused for the halt."""


@dataclass(frozen=True)
class PerpRow:
    declared: LeverDeclaration
    fn: str
    event: str
    at: Callable[[PerpMarket], bytes]
    """Which contract holds the number and tells of it."""
    stands: Callable[[PerpMarket], int]
    wanted: Callable[[PerpMarket, PerpTarget], int]
    closed: Callable[[PerpMarket, PerpTarget], bool]
    """Whether the market is as restricted as this lever would make it, whoever did that."""
    unset: int
    """What stands where the event says 0."""
    unit: str


HALT = PerpRow(
    by_node(
        "perp2.halt",
        Level.HALT,
        {"open", "close"},
        1,
        6,
        "nothing is opened or closed in the market: positions are locked in until this node ends it; free collateral, "
        "liquidity and liquidations still move, and funding goes on",
        blocks_exit=True,
    ),
    "setMaxTickCrossedWithinBlock",
    "MaxTickCrossedWithinBlockChanged",
    at=lambda market: market.exchange,
    stands=lambda market: market.ticks,
    wanted=lambda market, target: 0,
    closed=lambda market, target: market.halted or not market.open,
    unset=0,
    unit="ticks",
)
SPREAD = PerpRow(
    by_node(
        "perp2.spread",
        Level.GUARD,
        set(),
        12,
        1,
        "no trade brings the market further off the index than the spread, or further than it is; opening and closing "
        "towards the index stay open, closing away from it does not",
        blocks_exit=True,
    ),
    "setMarketMaxPriceSpreadRatio",
    "MarketMaxPriceSpreadRatioChanged",
    at=lambda market: market.registry,
    stands=lambda market: market.spread,
    wanted=lambda market, target: min(market.spread, target.spread_ppm),
    closed=lambda market, target: market.spread <= target.spread_ppm or not market.open,
    unset=SPREAD_DEFAULT,
    unit="millionths",
)
PERP_ROWS: tuple[PerpRow, ...] = (HALT, SPREAD)


def _setter(name: str) -> dict[str, Any]:
    inputs = [{"type": "address", "name": "base"}, {"type": "uint24", "name": "number"}]
    return {"type": "function", "name": name, "inputs": inputs, "outputs": []}


def _event(name: str) -> dict[str, Any]:
    inputs = [
        {"type": "address", "name": "base", "indexed": True},
        {"type": "uint24", "name": "number", "indexed": False},
    ]
    return {"type": "event", "name": name, "inputs": inputs}


SETTERS = Abi([_setter(row.fn) for row in PERP_ROWS] + [_event(row.event) for row in PERP_ROWS])

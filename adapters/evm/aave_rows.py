"""What each lever on a market of Aave v3 is: one row per action, declared here and proved on Aave's own contracts.

Every row moves one number of a reserve: the LTV, a flag (0 or 1) or the borrow cap."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from adapters.api import LeverDeclaration
from adapters.declared import by_node
from adapters.evm.aave_reserve import Reserve
from protocol.messages import Level


@dataclass(frozen=True)
class AaveRow:
    declared: LeverDeclaration
    fn: str
    """Of the PoolConfigurator."""
    event: str
    field: str
    """What the PoolConfigurator says of a change, and where in it the new number stands."""
    stands: Callable[[Reserve], int]
    wanted: Callable[[Reserve], int]
    closed: Callable[[Reserve], bool]
    """Whether the target is as restricted as this lever would make it, whoever did that."""
    arguments: Callable[[Reserve, bytes, int], tuple[Any, ...]]
    """(reserve, asset, number) → arguments of `fn`."""


def _flag(reserve: Reserve, asset: bytes, number: int) -> tuple[Any, ...]:
    return (asset, bool(number))


LTV_ZERO = AaveRow(
    by_node(
        "aave.ltv_zero",
        Level.GUARD,
        {"borrow"},
        12,
        2,
        "nothing new is lent against the asset (an eMode of v3.6 and later lends by its own number); repaying, "
        "supplying and withdrawing stay open, and who owes something withdraws this asset before other collateral",
    ),
    "configureReserveAsCollateral",
    "CollateralConfigurationChanged",
    "ltv",
    stands=lambda reserve: reserve.ltv,
    wanted=lambda reserve: 0,
    closed=lambda reserve: reserve.ltv == 0,
    arguments=lambda reserve, asset, number: (asset, number, reserve.terms.threshold, reserve.terms.bonus),
)
FREEZE = AaveRow(
    by_node(
        "aave.freeze",
        Level.ISOLATE,
        {"supply"},
        6,
        2,
        "no more of the asset is supplied or lent out; up to v3.0 what lies there still backs new loans of other "
        "assets (zero the LTV too), from v3.1 on it does not; repaying and withdrawing stay open",
    ),
    "setReserveFreeze",
    "ReserveFrozen",
    "frozen",
    stands=lambda reserve: int(reserve.terms.frozen),
    wanted=lambda reserve: 1,
    closed=lambda reserve: reserve.terms.frozen,
    arguments=_flag,
)
PAUSE = AaveRow(
    by_node(
        "aave.pause",
        Level.HALT,
        {"supply", "borrow", "withdraw"},
        1,
        6,
        "nothing of the asset is supplied, lent, repaid, withdrawn or liquidated: everybody is locked in until it "
        "ends; what lies there still backs new loans of other assets (zero the LTV too)",
        blocks_exit=True,
    ),
    "setReservePause",
    "ReservePaused",
    "paused",
    stands=lambda reserve: int(reserve.terms.paused),
    wanted=lambda reserve: 1,
    closed=lambda reserve: reserve.terms.paused,
    arguments=_flag,
)
BORROW_CAP = AaveRow(
    by_node(
        "aave.borrow_cap",
        Level.GUARD,
        {"borrow"},
        6,
        1,
        "no more of the asset is lent than is lent out now; repaying, supplying and withdrawing stay open",
    ),
    "setBorrowCap",
    "BorrowCapChanged",
    "cap",
    stands=lambda reserve: reserve.terms.borrow_cap,
    wanted=lambda reserve: max(1, reserve.lent),  # a cap of 0 would be none
    closed=lambda reserve: 0 < reserve.terms.borrow_cap <= max(1, reserve.lent),
    arguments=lambda reserve, asset, number: (asset, number),
)
AAVE_ROWS: tuple[AaveRow, ...] = (LTV_ZERO, FREEZE, PAUSE, BORROW_CAP)

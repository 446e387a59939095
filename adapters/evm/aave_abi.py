"""What is asked of a market of Aave v3: the few functions and events that all its versions share, and its errors.

Facts of Aave's published interfaces, v3.0 and later; a reserve's terms are the one word that the Pool keeps of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from adapters.evm.abi import Abi, keccak256


def _named(fields: str, indexed: Sequence[str] = ()) -> list[dict[str, Any]]:
    pairs = [one.split() for one in fields.split(",") if one]
    return [{"type": kind, "name": name, "indexed": name in indexed} for kind, name in pairs]


def _fn(name: str, takes: str, gives: str = "") -> dict[str, Any]:
    return {"type": "function", "name": name, "inputs": _named(takes), "outputs": _named(gives)}


def _event(name: str, fields: str) -> dict[str, Any]:
    return {"type": "event", "name": name, "inputs": _named(fields, ["asset"])}


POOL = Abi(
    [
        _fn("ADDRESSES_PROVIDER", "", "address provider"),
        _fn("getConfiguration", "address asset", "uint256 word"),
    ]
)
PROVIDER = Abi(
    [
        _fn("getPoolConfigurator", "", "address at"),
        _fn("getPoolDataProvider", "", "address at"),
        _fn("getPriceOracle", "", "address at"),
    ]
)
DATA = Abi(
    [
        _fn("getATokenTotalSupply", "address asset", "uint256 amount"),
        _fn("getTotalDebt", "address asset", "uint256 amount"),
    ]
)
ORACLE = Abi(
    [
        _fn("getAssetPrice", "address asset", "uint256 price"),
        _fn("BASE_CURRENCY", "", "address currency"),
        _fn("BASE_CURRENCY_UNIT", "", "uint256 unit"),
    ]
)
CONFIGURATOR = Abi(
    [
        _fn("configureReserveAsCollateral", "address asset,uint256 ltv,uint256 threshold,uint256 bonus"),
        _fn("setReserveFreeze", "address asset,bool freeze"),
        _fn("setReservePause", "address asset,bool paused"),
        _fn("setBorrowCap", "address asset,uint256 cap"),
        _fn("getPendingLtv", "address asset", "uint256 ltv"),
        _event("CollateralConfigurationChanged", "address asset,uint256 ltv,uint256 threshold,uint256 bonus"),
        _event("ReserveFrozen", "address asset,bool frozen"),
        _event("ReservePaused", "address asset,bool paused"),
        _event("BorrowCapChanged", "address asset,uint256 before,uint256 cap"),
    ]
)


@dataclass(frozen=True)
class Terms:
    """What a reserve's word says. LTV, threshold and bonus in basis points; the cap in whole tokens, 0 for none."""

    ltv: int
    threshold: int
    bonus: int
    decimals: int
    active: bool
    frozen: bool
    paused: bool
    borrow_cap: int
    borrowing: bool
    """Whether it is lent out at all."""
    factor: int
    """Of the interest that is kept, basis points."""


def terms_of(word: int) -> Terms:
    def bits(first: int, width: int) -> int:
        return word >> first & (1 << width) - 1

    ltv, threshold, bonus, decimals = bits(0, 16), bits(16, 16), bits(32, 16), bits(48, 8)
    active, frozen, borrowing, paused = (bits(at, 1) == 1 for at in (56, 57, 58, 60))
    return Terms(ltv, threshold, bonus, decimals, active, frozen, paused, bits(80, 36), borrowing, bits(64, 16))


RIGHTS = {
    ("1", "CallerNotPoolAdmin"): "POOL_ADMIN",
    ("2",): "EMERGENCY_ADMIN",
    ("3", "CallerNotPoolOrEmergencyAdmin"): "EMERGENCY_ADMIN or POOL_ADMIN",
    ("4", "CallerNotRiskOrPoolAdmin"): "RISK_ADMIN or POOL_ADMIN",
    ("96", "CallerNotRiskOrPoolOrEmergencyAdmin"): "RISK_ADMIN, EMERGENCY_ADMIN or POOL_ADMIN",
}
"""Aave's words for a missing right (numbers as text up to v3.3, errors by name after it) → who may."""
FROZEN_SO_ALREADY = ("99", "InvalidFreezeState")


def _said(reason: str, words: Sequence[str]) -> bool:
    """Whether the reason is one of these: a text, or the selector of an error without arguments."""
    selectors = ["0x" + keccak256(f"{word}()".encode())[:4].hex() for word in words if not word.isdigit()]
    return reason in (*words, *selectors)


def right_missing(reason: str) -> str:
    """The roles of which the account has none, "" where the refusal is about something else."""
    return next((who for words, who in RIGHTS.items() if _said(reason, words)), "")


def stands_so_already(reason: str) -> bool:
    """From v3.1 on a freeze of what is frozen, or its opposite, is refused."""
    return _said(reason, FROZEN_SO_ALREADY)

"""The few functions of Perpetual Protocol v2 that people of a story call and that outcomes are read from."""

from __future__ import annotations

from typing import Any, Final

from adapters.evm.abi import Abi

FOREVER: Final = 2**255
"""A deadline that no story reaches."""


def _fn(name: str, takes: str, gives: str = "") -> dict[str, Any]:
    inputs, outputs = ([{"type": kind, "name": kind} for kind in words.split()] for words in (takes, gives))
    return {"type": "function", "name": name, "inputs": inputs, "outputs": outputs}


ORDER = "(address,bool,bool,uint256,uint256,uint256,uint160,bytes32)"
"""Base token, whether base is sold, whether the amount is what goes in, amount, bound, deadline, limit, referral."""
HOUSE: Final = Abi(
    [
        _fn("openPosition", ORDER),
        _fn("closePosition", "(address,uint160,uint256,uint256,bytes32)"),
    ]
)
"""Of the ClearingHouse."""
VAULT: Final = Abi(
    [
        _fn("deposit", "address uint256"),
        _fn("withdraw", "address uint256"),
        _fn("getBalance", "address", "int256"),
        _fn("getFreeCollateralByToken", "address address", "uint256"),
    ]
)


def trade(base: bytes, size: int) -> tuple[Any, ...]:
    """An order for `size` base units of the index: long above zero, short below, at any price that the venue allows."""
    return (base, size < 0, size < 0, abs(size), 0, FOREVER, 0, bytes(32))


def closing(base: bytes) -> tuple[Any, ...]:
    return (base, 0, 0, FOREVER, bytes(32))

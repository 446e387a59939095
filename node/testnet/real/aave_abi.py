"""The few functions of a market of Aave v3.0 that people of a story call and that outcomes are read from."""

from __future__ import annotations

from typing import Any, Final

from adapters.evm.abi import Abi


def _fn(name: str, takes: str, gives: str = "") -> dict[str, Any]:
    inputs, outputs = ([{"type": kind, "name": kind} for kind in words.split()] for words in (takes, gives))
    return {"type": "function", "name": name, "inputs": inputs, "outputs": outputs}


MARKET: Final = Abi(
    [
        _fn("supply", "address uint256 address uint16"),
        _fn("withdraw", "address uint256 address", "uint256"),
        _fn("borrow", "address uint256 uint256 uint16 address"),
        _fn("repay", "address uint256 uint256 address", "uint256"),
    ]
)
"""Of the Pool: (asset, amount, rate mode or nothing, referral or nothing, for whom)."""
CONFIGURE: Final = Abi([_fn("setReserveFreeze", "address bool")])
"""Of the PoolConfigurator."""
DATA: Final = Abi(
    [
        _fn(
            "getUserReserveData",
            "address address",
            "uint256 uint256 uint256 uint256 uint256 uint256 uint256 uint40 bool",
        ),
        _fn(
            "getReserveConfigurationData",
            "address",
            "uint256 uint256 uint256 uint256 uint256 bool bool bool bool bool",
        ),
        _fn("getReserveCaps", "address", "uint256 uint256"),
    ]
)
"""Of the AaveProtocolDataProvider."""
VARIABLE_DEBT: Final = 2
"""Where `getUserReserveData` says what is owed at a variable rate."""

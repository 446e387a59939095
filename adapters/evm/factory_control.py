"""From configuration to levers on what stands between an account and a contract: managers, timelocks, Safes."""

from __future__ import annotations

from dataclasses import dataclass

from adapters.api import Instances
from adapters.catalog import Shop
from adapters.evm import access_manager as managed
from adapters.evm.factory import COOLDOWN_MS_MAX, account_of, client_of, sender_of
from adapters.evm.sending import Sender
from adapters.section import Section
from protocol.messages import Level

RUNGS = [level.name for level in (Level.GUARD, Level.ISOLATE, Level.HALT)]


@dataclass(frozen=True)
class Said:
    """What only the contract's owner can say of a restriction: nothing on a chain does."""

    rung: Level
    closes: tuple[str, ...]
    blocks_exit: bool
    max_ms: int
    cooldown_ms: int


def said_of(keys: Section, most_ms: int) -> Said | None:
    rung, closes = keys.word("rung", RUNGS), keys.names("closes")
    blocks_exit = keys.flag("blocks_exit", True)
    max_ms, cooldown_ms = keys.duration("max", most_ms), keys.duration("cooldown", COOLDOWN_MS_MAX)
    if rung is None or not closes or max_ms is None or cooldown_ms is None:
        return None
    return Said(Level[rung], closes, blocks_exit, max_ms, cooldown_ms)


def seat_of(keys: Section, shop: Shop) -> tuple[str, Sender] | None:
    """The chain, and the account there; None without a connection, or without a key: these levers have no readings."""
    chain, account = keys.chain("chain"), account_of(keys, shop)
    if chain is not None and chain not in shop.chains:
        keys.fault("chain", f"no [[connection]] sees {chain}; add one")
        return None
    if chain is None or account is None:
        return None
    return chain, sender_of(shop, client_of(shop), chain, account)


def access_manager(name: str, keys: Section, shop: Shop) -> Instances:
    """`contract` is the AccessManager; `manages` the contract that is closed or paused through it."""
    keys.text("kind")
    call = keys.word("call", [managed.CLOSE, managed.PAUSE])
    manager, contract, asset = keys.address("contract"), keys.address("manages"), keys.address("asset")
    said, seat = said_of(keys, managed.MAX_MS), seat_of(keys, shop)
    if call is None or manager is None or contract is None or asset is None or said is None or seat is None:
        return Instances()
    chain, sender = seat
    target = managed.ManagedTarget(name, chain, manager, contract, asset)
    declared = managed.declared(
        call,
        said.closes,
        said.rung,
        blocks_exit=said.blocks_exit,
        max_ms=said.max_ms,
        cooldown_ms=said.cooldown_ms,
    )
    return Instances(levers={f"{name}:{call}": managed.LEVERS[call](target, declared, client_of(shop), sender)})

"""From configuration to levers on what stands between an account and a contract: managers, timelocks, Safes."""

from __future__ import annotations

from pathlib import Path

from adapters.api import Instances
from adapters.catalog import Shop
from adapters.declared import owned
from adapters.evm import access_manager as managed
from adapters.evm import pausable as pausables
from adapters.evm import safe as safes
from adapters.evm import safe_module as modules
from adapters.evm import timelock as locks
from adapters.evm.factory import account_of, client_of, sender_of
from adapters.evm.safe_council import SafeTarget, Shows
from adapters.evm.safe_inbox import Inbox
from adapters.evm.safe_tx import CALLS_MAX, Listed, listed, shown_by
from adapters.evm.sending import Sender
from adapters.section import Section

LOCKED_CALLS_MAX = 32


def seat_of(keys: Section, shop: Shop) -> tuple[str, Sender] | None:
    """The chain, and the account there; None without a connection, or without a key: these levers have no readings."""
    chain, account = keys.chain("chain"), account_of(keys, shop)
    if chain is not None and chain not in shop.chains:
        keys.fault("chain", f"no [[connection]] sees {chain}; add one")
        return None
    if chain is None or account is None:
        return None
    return chain, sender_of(shop, client_of(shop), chain, account)


def inbox_of(keys: Section, shop: Shop) -> Inbox | None:
    """A directory below the node's own, or anywhere by its whole path."""
    text = keys.text("inbox")
    if text is None:
        return None
    path = Path(text)
    if not path.is_absolute() and (shop.data_dir is None or ".." in path.parts):
        keys.fault("inbox", f"{text[:80]!r} must be a directory below data_dir, or a whole path")
        return None
    return Inbox(path if shop.data_dir is None else shop.data_dir / path)


def calls_of(keys: Section, key: str) -> tuple[Listed, ...]:
    try:
        return tuple(listed(one) for one in keys.lines(key, CALLS_MAX))
    except ValueError as wrong:
        keys.fault(key, str(wrong))
        return ()


def shows_of(keys: Section) -> Shows | None:
    text = keys.text("shows")
    try:
        return None if text is None else Shows(*shown_by(text))
    except ValueError as wrong:
        keys.fault("shows", str(wrong))
        return None


def safe(name: str, keys: Section, shop: Shop) -> Instances:
    """`contract` is the Safe: what it is to call, once enough of its owners have signed."""
    keys.text("kind")
    contract = keys.address("contract")
    keys.address("asset")
    restrict, lift, shows = calls_of(keys, "restrict"), calls_of(keys, "lift"), shows_of(keys)
    batch = max(len(restrict), len(lift)) > 1
    multi_send, inbox = keys.address("multi_send", needed=batch), inbox_of(keys, shop)
    said, seat = owned(keys), seat_of(keys, shop)
    if contract is None or not restrict or not lift or shows is None or (batch and multi_send is None):
        return Instances()
    if inbox is None or said is None or seat is None:
        return Instances()
    chain, sender = seat
    target = SafeTarget(name, chain, contract, restrict, lift, shows, multi_send or b"")
    declared = safes.declared(said)
    lever = safes.SafeLever(target, declared, client_of(shop), sender, (inbox, shop.tell))
    return Instances(levers={f"{name}:{safes.CALL}": lever})


def safe_module(name: str, keys: Section, shop: Shop) -> Instances:
    """`contract` is the Safe; `pauses` who is paused by it. Wide, and refused unless that is accepted."""
    keys.text("kind")
    contract, pauses, asset = keys.address("contract"), keys.address("pauses"), keys.address("asset")
    said, seat = owned(keys), seat_of(keys, shop)
    if not keys.flag("accept_wide", False):
        keys.fault(
            "accept_wide", f"a thief of this key could {modules.WIDE}; write accept_wide = true, or use evm.safe"
        )
        return Instances()
    if contract is None or pauses is None or asset is None or said is None or seat is None:
        return Instances()
    chain, sender = seat
    declared = pausables.declared(said)
    target = pausables.PausableTarget(name, chain, pauses, asset)
    lever = modules.ModulePauseLever(target, contract, declared, client_of(shop), sender)
    return Instances(levers={f"{name}:{modules.CALL}": lever})


def timelock(name: str, keys: Section, shop: Shop) -> Instances:
    """`contract` is a TimelockController; `calls` what is cancelled where it waits there. People only."""
    keys.text("kind")
    contract, said, seat = keys.address("contract"), owned(keys), seat_of(keys, shop)
    keys.address("asset")
    words = keys.lines("calls", LOCKED_CALLS_MAX)
    try:
        calls = frozenset() if words == (locks.ANY,) else frozenset(locks.call_of(one) for one in words)
    except ValueError as wrong:
        keys.fault("calls", str(wrong))
        return Instances()
    if contract is None or not words or said is None or seat is None:
        return Instances()
    chain, sender = seat
    declared = locks.declared(said)
    lever = locks.CancelLever(locks.LockTarget(name, chain, contract, calls), declared, client_of(shop), sender)
    return Instances(levers={f"{name}:{locks.CALL}": lever})


def access_manager(name: str, keys: Section, shop: Shop) -> Instances:
    """`contract` is the AccessManager; `manages` the contract that is closed or paused through it."""
    keys.text("kind")
    call = keys.word("call", [managed.CLOSE, managed.PAUSE])
    manager, contract, asset = keys.address("contract"), keys.address("manages"), keys.address("asset")
    said, seat = owned(keys), seat_of(keys, shop)
    if call is None or manager is None or contract is None or asset is None or said is None or seat is None:
        return Instances()
    chain, sender = seat
    target = managed.ManagedTarget(name, chain, manager, contract, asset)
    declared = managed.declared(call, said)
    return Instances(levers={f"{name}:{call}": managed.LEVERS[call](target, declared, client_of(shop), sender)})

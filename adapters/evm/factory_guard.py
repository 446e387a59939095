"""From configuration to a lever of an owner's Guard."""

from __future__ import annotations

from adapters.api import Instances
from adapters.catalog import Shop
from adapters.evm.factory import client_of
from adapters.evm.factory_control import said_of, seat_of
from adapters.evm.guard import MAX_MS, GuardLever, declared
from adapters.evm.guard_state import GuardTarget
from adapters.evm.guard_words import LEVERS_MAX
from adapters.section import Section


def guard(name: str, keys: Section, shop: Shop) -> Instances:
    """One lever of a guard, by its operator's key: `contract` is the guard, `lever` its number there."""
    keys.text("kind")
    contract, _ = keys.address("contract"), keys.address("asset")
    number = keys.whole("lever", 0, 0, LEVERS_MAX - 1)
    said, seat = said_of(keys, MAX_MS), seat_of(keys, shop)
    if contract is None or said is None or seat is None:
        return Instances()
    chain, sender = seat
    declaration = declared(
        said.closes, said.rung, blocks_exit=said.blocks_exit, max_ms=said.max_ms, cooldown_ms=said.cooldown_ms
    )
    lever = GuardLever(GuardTarget(name, chain, contract, number), declaration, client_of(shop), sender)
    return Instances(levers={f"{name}:{declaration.call}": lever})

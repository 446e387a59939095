"""From configuration to a lever of an owner's Guard."""

from __future__ import annotations

from adapters.api import Instances
from adapters.catalog import Shop
from adapters.declared import owned
from adapters.evm.factory import client_of
from adapters.evm.factory_control import seat_of
from adapters.evm.guard import GuardLever, declared
from adapters.evm.guard_state import GuardTarget
from adapters.evm.guard_words import LEVERS_MAX
from adapters.section import Section


def guard(name: str, keys: Section, shop: Shop) -> Instances:
    """One lever of a guard, by its operator's key: `contract` is the guard, `lever` its number there."""
    keys.text("kind")
    contract, _ = keys.address("contract"), keys.address("asset")
    number = keys.whole("lever", 0, 0, LEVERS_MAX - 1)
    said, seat = owned(keys), seat_of(keys, shop)
    if contract is None or said is None or seat is None:
        return Instances()
    chain, sender = seat
    declaration = declared(said)
    lever = GuardLever(GuardTarget(name, chain, contract, number), declaration, client_of(shop), sender)
    return Instances(levers={f"{name}:{declaration.call}": lever})

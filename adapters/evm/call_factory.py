"""From configuration to a lever on any contract's own call."""

from __future__ import annotations

from adapters.api import Instances
from adapters.catalog import Shop
from adapters.evm.call import CallLever
from adapters.evm.call_config import CALL, read_target
from adapters.evm.factory import account_of, client_of, sender_of
from adapters.section import Section


def call(name: str, keys: Section, shop: Shop) -> Instances:
    """Any contract, by the fragments of its own functions: `contract` is called; what that closes, its owner says."""
    keys.text("kind")
    chain, contract, asset = keys.chain("chain"), keys.address("contract"), keys.address("asset")
    account = account_of(keys, shop)
    if chain is not None and chain not in shop.chains:
        keys.fault("chain", f"no [[connection]] sees {chain}; add one")
    own = read_target(name, keys, chain or "", contract or b"", asset or b"")
    if own is None or not chain or not contract or not asset or chain not in shop.chains or account is None:
        return Instances()
    client = client_of(shop)
    return Instances(levers={f"{name}:{CALL}": CallLever(own, client, sender_of(shop, client, chain, account))})

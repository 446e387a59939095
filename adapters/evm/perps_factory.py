"""From configuration to levers on perpetuals that others wrote, as `factory` does it for the rest of the family."""

from __future__ import annotations

from adapters.api import Instances
from adapters.catalog import Shop
from adapters.evm.factory import account_of, client_of, sender_of
from adapters.evm.perp_v2 import perp_levers
from adapters.evm.perp_v2_rows import SPREAD_DEFAULT, SPREAD_PPM, PerpTarget
from adapters.evm.synthetix import SynthetixTarget, suspend_levers
from adapters.evm.synthetix_rows import KEY, REASON, REASON_MAX, REASON_MIN
from adapters.section import Section


def synthetix(name: str, keys: Section, shop: Shop) -> Instances:
    """Synthetix v2x: `contract` is its AddressResolver; `market` and `synth` are keys of its own."""
    keys.text("kind")
    chain, resolver = keys.chain("chain"), keys.address("contract")
    market, synth = _key("market", keys), _key("synth", keys)
    reason = keys.whole("reason", REASON, REASON_MIN, REASON_MAX)
    account = account_of(keys, shop)
    if market == synth == "":
        keys.fault("market", "is missing, and so is synth: name what is to be suspended")
    if chain is not None and chain not in shop.chains:
        keys.fault("chain", f"no [[connection]] sees {chain}; add one")
    if chain is None or resolver is None or chain not in shop.chains or account is None:
        return Instances()
    if market is None or synth is None:
        return Instances()
    client, target = client_of(shop), SynthetixTarget(name, chain, resolver, market, synth, reason)
    levers = suspend_levers(target, client, sender_of(shop, client, chain, account))
    return Instances(levers={f"{name}:{call}": lever for call, lever in levers.items()})


def perp_v2(name: str, keys: Section, shop: Shop) -> Instances:
    """Perpetual Protocol v2: `contract` is its ClearingHouse, `asset` the virtual base token of the market."""
    keys.text("kind")
    chain, contract, base = keys.chain("chain"), keys.address("contract"), keys.address("asset")
    spread_ppm = keys.whole("spread_ppm", SPREAD_PPM, 1, SPREAD_DEFAULT)
    account = account_of(keys, shop)
    if chain is not None and chain not in shop.chains:
        keys.fault("chain", f"no [[connection]] sees {chain}; add one")
    if chain is None or contract is None or base is None or chain not in shop.chains or account is None:
        return Instances()
    client, target = client_of(shop), PerpTarget(name, chain, contract, base, spread_ppm)
    levers = perp_levers(target, client, sender_of(shop, client, chain, account))
    return Instances(levers={f"{name}:{call}": lever for call, lever in levers.items()})


def _key(key: str, keys: Section) -> str | None:
    """ "" where it is not set, None where a fault stands."""
    before = len(keys.faults)
    got = keys.text(key, needed=False, allowed="a key like sETHPERP")
    if got is None:
        return "" if len(keys.faults) == before else None
    if not KEY.match(got):
        keys.fault(key, f"{got[:60]!r} must be a key like sETHPERP: at most 32 of letters, digits, '.', '_' and '-'")
        return None
    return got

"""A lender's guardian as a k-of-n Safe of its owners, of the contracts that Safe published (1.4.1): the risk admin of
its market of Aave, as Aave's own guardian is one.

Owners have keys and no accounts: they sign what the node proposes, and the node pays for sending it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from adapters.evm.abi import Abi
from adapters.evm.account import Account
from node.testnet.real.aave_market import ABOVE_LTV_BPS, BONUS_BPS, BPS, GAS, NOBODY
from node.testnet.real.packages import AAVE, SAFE, artifact, linked
from node.testnet.scenario import Scenario, Thing
from node.testnet.world import DEPLOYER, key_of

if TYPE_CHECKING:
    from node.testnet.world_build import Site

FROZEN, ACTIVE, DECIMALS_AT, BONUS_AT, THRESHOLD_AT = 1 << 57, 1 << 56, 48, 32, 16
"""Where Aave v3 keeps what in a reserve's one word; the LTV lies at 0."""
INBOX = "council"


def owner_names(thing: Thing) -> tuple[str, ...]:
    """Accounts of the world, in name alone: nobody funds them."""
    return tuple(f"owner-{number}-{thing.name}" for number in range(1, int(thing.params["owners"]) + 1))


def owner_keys(scenario: Scenario, seed: int, arm: str, thing: Thing) -> tuple[bytes, ...]:
    return tuple(key_of(scenario, seed, arm, name) for name in owner_names(thing))


def plan_safe(site: Site, thing: Thing, seed: int) -> dict[str, bytes]:
    """Part → address; `contract` is the Safe."""
    market = site.at[thing.params["guards"]]

    def make(contract: str, *args: Any) -> bytes:
        found = artifact(SAFE, contract)
        code = linked(found, {}) + Abi(found["abi"]).construct(args)
        return site.home.create(DEPLOYER, code, f"deploy {contract} of Safe's", GAS)

    def do(at: bytes, package: str, contract: str, fn: str, *args: Any) -> None:
        data = Abi(artifact(package, contract)["abi"]).function(fn).encode(args)
        site.home.call(DEPLOYER, at, data, f"{fn} for {thing.name}", GAS)

    safe, batch = make("SafeProxy", make("Safe")), make("MultiSendCallOnly")
    owners = [Account(key).address for key in owner_keys(site.scenario, seed, site.arm, thing)]
    first = (owners, int(thing.params["needed"]), NOBODY, b"", NOBODY, NOBODY, 0, NOBODY)
    do(safe, SAFE, "Safe", "setup", *first)
    do(market["acl"], AAVE, "ACLManager", "addRiskAdmin", safe)
    return {"contract": safe, "multi_send": batch}


def council_target(thing: Thing, market: Thing, at: Mapping[str, Mapping[str, str]]) -> dict[str, Any]:
    """Its `[target.*]` table but for chain and key: no new borrowing against the asset and no more of it, and back."""
    asset = thing.params["asset"]
    token, ltv = at[asset]["token"], round(market.params["collateral"][asset] * BPS)
    configurator, pool = at[market.name]["configurator"], at[market.name]["contract"]
    rest = f"{ltv + ABOVE_LTV_BPS} {BONUS_BPS}"
    terms = f"{configurator} configureReserveAsCollateral(address,uint256,uint256,uint256) {token}"
    frozen = f"{configurator} setReserveFreeze(address,bool) {token}"
    word = FROZEN | ACTIVE | 18 << DECIMALS_AT | BONUS_BPS << BONUS_AT | ltv + ABOVE_LTV_BPS << THRESHOLD_AT
    return {
        "kind": "evm.safe",
        "contract": at[thing.name]["contract"],
        "asset": token,
        "restrict": [f"{terms} 0 {rest}", f"{frozen} true"],
        "lift": [f"{frozen} false", f"{terms} {ltv} {rest}"],
        "shows": f"{pool} getConfiguration(address) {token} = {word}",
        "multi_send": at[thing.name]["multi_send"],
        "inbox": INBOX,
        "rung": "ISOLATE",
        "closes": ["supply", "borrow"],
        "blocks_exit": False,
        "max": "6h",
        "cooldown": "2h",
    }

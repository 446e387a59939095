"""`[target.*]` tables of a node for what stands on contracts of others: see `World.targets_for`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from node.testnet.real.safe_council import council_target

if TYPE_CHECKING:
    from node.testnet.scenario import Thing
    from node.testnet.world import World


def real_target(world: World, thing: Thing, of_loan: bool) -> dict[str, Any]:
    """Without the key. `of_loan`: the member looks at what is lent, not at what is posted; one of Aave's tables has
    one reserve."""
    at = world.things[thing.name]
    if thing.kind == "safe":
        market = world.scenario.things[thing.params["guards"]]
        return {"chain": world.home, **council_target(thing, market, world.things)}
    target = {"kind": thing.is_a.target, "chain": world.home, "contract": at["contract"]}
    if thing.kind == "lending.aave":
        return target | {"asset": at["loan"] if of_loan else world.collateral(thing)}
    if thing.kind == "perp.v2":
        return target | {"asset": at["base"]}
    if thing.kind == "posting":
        return target | _no_deposits(at["token"])
    return target | {"asset": at["token"], "usd_per_loan_unit": world.scenario.usd(thing.params["asset"])}


def _no_deposits(token: str) -> dict[str, Any]:
    """The cap on what may lie at a venue in all becomes 0: nothing more is taken, and what lies there may go."""
    cap, terms = "function setDepositCap(address,uint256)", "uint24 collateralRatio, uint24 discountRatio"
    gives = f"address priceFeed, {terms}, uint256 depositCap"
    read = f"function getCollateralConfig(address) view returns ({gives})"
    event = "event DepositCapChanged(address indexed token, uint256 depositCap)"
    return {
        "asset": token,
        "rung": "GUARD",
        "closes": ["post"],
        "blocks_exit": False,
        "max": "12h",
        "cooldown": "1h",
        "restrict": {"fn": cap, "args": [token, 0]},
        "lift": {"fn": cap, "args": [token, "{before}"]},
        "read": {"fn": read, "args": [token], "field": "depositCap", "stands": ["== 0"]},
        "events": [{"fn": event, "field": "depositCap", "where": {"token": token}}],
    }

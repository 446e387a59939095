"""Building a world: contracts, honest positions and rights, in as few transactions as the story needs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import trio

from adapters.evm.abi import abi_of
from adapters.evm.client import Account, ChainClient
from node.testnet.real.aave_market import AaveMarket
from node.testnet.real.perp_market import PerpMarket
from node.testnet.real.safe_council import plan_safe
from node.testnet.registry import LENDING, PERPS
from node.testnet.scenario import Do, Role, Scenario, Thing
from node.testnet.world import (
    ATTACKER,
    CROWD,
    DEPLOYER,
    DEPLOYER_FAR,
    ENDPOINT,
    FEEDER,
    UNIT,
    World,
    account_names,
    chains_of,
    key_of,
    lever,
    people_events,
    person,
    units,
)
from node.testnet.world_batch import Batch

BPS = 10_000
PAST_S = 16.5
"""How long a venue's market stands before its people come: positions are weighed by the price of 15 seconds ago."""
PLENTY = 10_000_000 * UNIT
"""What the crowd owns of each asset: it must never be the crowd's purse that stops a deed."""
EVER = 2**256 - 1
SAMPLE = 25 * UNIT
"""Size of the honest message of the setup, which lies will cite."""
ORDER = (
    "token", "bridge.escrow", "oracle", "spot", "perp", "perp.v2", "lending", "lending.aave", "safe", "holding",
    "posting", "purse",
)  # fmt: skip


async def build_world(
    scenario: Scenario, client: ChainClient, urls: Mapping[str, str], seed: int, arm: str, members: Sequence[Role]
) -> World:
    site = Site(scenario, client, seed, arm, members)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(site.home.open)
        nursery.start_soon(site.far.open)
    site.plan()
    blocks: dict[str, int] = {}

    async def stand(batch: Batch) -> None:
        blocks[batch.chain] = await batch.flush()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(stand, site.home)
        nursery.start_soon(stand, site.far)
    # the honest messages of the setup arrive after they were burned, as honest messages do
    arrived = site.deliver_samples()
    if site.venues:
        await trio.sleep(PAST_S)
        site.open_venues()
    await stand(site.home)
    return World(
        text=scenario.text,
        arm=arm,
        seed=seed,
        home=site.home.chain,
        far=site.far.chain,
        urls=dict(urls),
        members=tuple(role.name for role in members),
        things={name: {part: "0x" + at.hex() for part, at in parts.items()} for name, parts in site.at.items()},
        blocks=blocks,
        marks=_marks(site, arrived),
        opening=site.opening,
    )


class Site:
    """Plans transactions; nothing here waits."""

    def __init__(self, scenario: Scenario, client: ChainClient, seed: int, arm: str, members: Sequence[Role]) -> None:
        self.scenario, self.arm, self.members = scenario, arm, members
        names = account_names(scenario, arm, members)
        self.signers = {name: Account(key_of(scenario, seed, arm, name)) for name in names}
        home, far = chains_of(scenario)
        self.home = Batch(client, home, self.signers)
        self.far = Batch(client, far, {name: self.signers[name] for name in (DEPLOYER_FAR, CROWD, ENDPOINT)})
        self.at: dict[str, dict[str, bytes]] = {}
        self.opening: dict[str, int] = {}
        self.sample_tx = b""
        self.seed = seed
        self._aave_libraries: dict[str, bytes] = {}
        self.venues: list[PerpMarket] = []

    def plan(self) -> None:
        for kind in ORDER:
            for thing in self.scenario.things.values():
                if thing.kind == kind:
                    getattr(self, "_" + kind.replace(".", "_"))(thing)
        self._attackers_approvals()

    def _of(self, who: str) -> bytes:
        return self.signers[who].address

    def _send(self, who: str, thing: bytes, contract: str, fn: str, *args: Any) -> bytes:
        return self.home.send(who, thing, contract, fn, *args)

    def _approve(self, who: str, asset: str, spender: bytes) -> None:
        self._send(who, self.at[asset]["token"], "Token", "approve", spender, EVER)

    def price(self, base: str, quote: str) -> int:
        """Of one in units of the other, 1e18."""
        return round(self.scenario.usd(base) / self.scenario.usd(quote) * 10**12) * 10**6

    def guardians(self, thing: str) -> list[bytes]:
        """Lever keys of the members that may move it, and the keys of people who do by hand."""
        names = [lever(role.name) for role in self.members if any(one.startswith(f"{thing}.") for one in role.levers)]
        events = people_events(self.scenario, self.arm, self.members)
        names += sorted({person(event.who) for event in events if event.do.thing == thing})
        return [self._of(name) for name in names] or [self._of(DEPLOYER)]

    def _guard(self, at: bytes, contract: str, thing: str) -> None:
        for guardian in self.guardians(thing)[1:]:
            self._send(DEPLOYER, at, contract, "set_guardian", guardian, True)

    def _new_token(self, name: str) -> bytes:
        at = self.home.deploy(DEPLOYER, "Token", name, name.upper()[:16])
        self._send(DEPLOYER, at, "Token", "mint", self._of(CROWD), PLENTY)
        return at

    def _token(self, thing: Thing) -> None:
        at = self._new_token(thing.name)
        self.at[thing.name] = {"contract": at, "token": at}

    def _bridge_escrow(self, thing: Thing) -> None:
        token, endpoint, crowd = self._new_token(thing.name), self._of(ENDPOINT), self._of(CROWD)
        escrow = self.home.deploy(DEPLOYER, "Escrow", token, endpoint, self.guardians(thing.name)[0])
        twin = self.far.deploy(DEPLOYER_FAR, "Twin", thing.name, thing.name.upper()[:16], endpoint)
        self.at[thing.name] = {"contract": escrow, "token": token, "twin": twin}
        self._guard(escrow, "Escrow", thing.name)
        self._approve(CROWD, thing.name, escrow)
        escrowed = units(thing.params["escrowed"])
        self._send(CROWD, escrow, "Escrow", "lock", escrowed, crowd)
        self.far.send(ENDPOINT, twin, "Twin", "deliver", 1, crowd, escrowed)
        self.far.send(CROWD, twin, "Twin", "burn_out", SAMPLE, crowd)

    def deliver_samples(self) -> dict[str, bytes]:
        """Bridge → transaction of an honest release."""
        crowd = self._of(CROWD)
        bridges = [one.name for one in self.scenario.things.values() if one.kind == "bridge.escrow"]
        return {
            name: self._send(ENDPOINT, self.at[name]["contract"], "Escrow", "deliver", 1, crowd, SAMPLE)
            for name in bridges
        }

    def _oracle(self, thing: Thing) -> None:
        price = self.price(thing.params["of"], thing.params["quote"])
        self.at[thing.name] = {"contract": self.home.deploy(DEPLOYER, "Oracle", self._of(FEEDER), price)}

    def _spot(self, thing: Thing) -> None:
        base, quote = thing.params["base"], thing.params["quote"]
        tokens = {"base": self.at[base]["token"], "quote": self.at[quote]["token"]}
        pool = self.home.deploy(DEPLOYER, "SpotPool", tokens["base"], tokens["quote"])
        self.at[thing.name] = {"contract": pool, **tokens}
        depth = units(thing.params["depth"])
        amounts = {base: depth, quote: depth * self.price(base, quote) // UNIT}
        for asset, amount in amounts.items():
            self._send(DEPLOYER, self.at[asset]["token"], "Token", "mint", self._of(DEPLOYER), amount)
            self._approve(DEPLOYER, asset, pool)
            self._approve(CROWD, asset, pool)
        self._send(DEPLOYER, pool, "SpotPool", "add_liquidity", *amounts.values())

    def _index(self, thing: Thing) -> tuple[str, bytes]:
        """(asset that names the market, source of its price)."""
        index = self.scenario.things[thing.params["index"]]
        if index.kind == "spot":
            return index.params["base"], self.at[index.name]["contract"]
        if index.kind == "oracle":
            return index.params["of"], self.at[index.name]["contract"]
        price = self.price(index.name, thing.params["margin"])
        return index.name, self.home.deploy(DEPLOYER, "Oracle", self._of(FEEDER), price)

    def _perp(self, thing: Thing) -> None:
        asset, source = self._index(thing)
        margin, counts = thing.params["margin"], thing.params["counts"]
        market, counted = self.at[asset]["token"], round(thing.params["counted"] * BPS)
        tokens = (self.at[margin]["token"], self.at[counts]["token"])
        perp = self.home.deploy(DEPLOYER, "Perp", *tokens, counted, self.guardians(thing.name)[0])
        self.at[thing.name] = {"contract": perp, "market": market, "index": source}
        self._guard(perp, "Perp", thing.name)
        ratio = thing.params["initial_margin"]
        self._send(DEPLOYER, perp, "Perp", "add_market", market, source, round(ratio * BPS))
        self._approve(CROWD, margin, perp)
        self._send(CROWD, perp, "Perp", "fund_pool", units(thing.params["pool"]))
        size = units(thing.params["open_interest"])
        if size:
            # twice what is asked, so that the honest position stands through raised margins
            held = size * self.price(asset, margin) // UNIT * round(2 * ratio * BPS) // BPS
            self._send(CROWD, perp, "Perp", "deposit_margin", held)
            self._send(CROWD, perp, "Perp", "open", market, size)

    def _lending(self, thing: Thing) -> None:
        loan, guardian = thing.params["loan"], self.guardians(thing.name)[0]
        pool = self.home.deploy(DEPLOYER, "Lending", self.at[loan]["token"], self._of(FEEDER), guardian)
        self.at[thing.name] = {"contract": pool, "loan": self.at[loan]["token"]}
        self._guard(pool, "Lending", thing.name)
        for asset, ltv in thing.params["collateral"].items():
            args = (self.at[asset]["token"], self.price(asset, loan), round(ltv * BPS))
            self._send(DEPLOYER, pool, "Lending", "add_collateral", *args)
        self._approve(CROWD, loan, pool)
        self.sample_tx = self._send(CROWD, pool, "Lending", "provide", units(thing.params["provided"]))
        for asset in thing.params["collateral"]:
            self._approve(CROWD, asset, pool)
        for asset, amount in thing.params["posted"].items():
            self._send(CROWD, pool, "Lending", "supply_collateral", self.at[asset]["token"], units(amount))
        if thing.params["borrowed"]:
            self._honest_debt(thing, pool)

    def _honest_debt(self, thing: Thing, pool: bytes) -> None:
        asset = thing.params["against"] or next(iter(thing.params["collateral"]))
        debt, ltv = units(thing.params["borrowed"]), thing.params["collateral"][asset]
        # half as much again as the debt needs: honest users keep away from the edge
        posted = debt * UNIT // self.price(asset, thing.params["loan"]) * 15_000 // round(ltv * BPS)
        self._send(CROWD, pool, "Lending", "supply_collateral", self.at[asset]["token"], posted)
        self._send(CROWD, pool, "Lending", "borrow", debt)

    def _lending_aave(self, thing: Thing) -> None:
        market = AaveMarket(self, thing, self._aave_libraries)
        self.at[thing.name] = market.plan()
        for asset in (thing.params["loan"], *thing.params["collateral"]):
            self._approve(CROWD, asset, market.pool)
        self.sample_tx = market.people()

    def _perp_v2(self, thing: Thing) -> None:
        venue = PerpMarket(self, thing)
        self.at[thing.name] = venue.plan()
        self.venues.append(venue)

    def open_venues(self) -> None:
        """A venue's people come once its market has a past."""
        for venue in self.venues:
            venue.people()

    def _safe(self, thing: Thing) -> None:
        self.at[thing.name] = plan_safe(self, thing, self.seed)

    def _holding(self, thing: Thing) -> None:
        token = self.at[thing.params["asset"]]["token"]
        self.at[thing.name] = {"contract": self.at[thing.params["at"]]["vault"], "token": token}

    def _posting(self, thing: Thing) -> None:
        token = self.at[thing.params["asset"]]["token"]
        self.at[thing.name] = {"contract": self.at[thing.params["at"]]["collaterals"], "token": token}

    def _purse(self, thing: Thing) -> None:
        for asset, amount in thing.params["holds"].items():
            self._send(DEPLOYER, self.at[asset]["token"], "Token", "mint", self._of(ATTACKER), units(amount))
            self.opening[asset] = self.opening.get(asset, 0) + units(amount)

    def _attackers_approvals(self) -> None:
        for asset, thing in sorted({pair for do in self._attackers_deeds() for pair in self._spends(do)}):
            parts = self.at[thing]
            self._approve(ATTACKER, asset, parts.get("vault", parts["contract"]))

    def _attackers_deeds(self) -> Iterator[Do]:
        for event in self.scenario.events_in(self.arm):
            if event.who == ATTACKER:
                yield from (event.do, *event.fallbacks)

    def _spends(self, do: Do) -> list[tuple[str, str]]:
        """(asset, thing) pairs for which a deed needs an approval."""
        thing = self.scenario.things[do.thing]
        key = {"post_and_open": "counts", "open": "margin"}.get(do.verb)
        if thing.kind in LENDING:
            assets = [do.params["asset"]] if "asset" in do.params else []
        elif thing.kind in PERPS:
            assets = [thing.params[key]] if key else []
        elif thing.kind == "spot":
            assets = [thing.params["base"], thing.params["quote"]]
        else:
            assets = [do.thing] if do.verb == "send_out" else []
        return [(asset, do.thing) for asset in assets]


def _marks(site: Site, arrived: Mapping[str, bytes]) -> dict[str, Any]:
    """Real logs of the setup: an honest release of each bridge, and one of something else altogether."""
    marks: dict[str, Any] = {"releases": {}}
    released = abi_of("Escrow").event("Released").topic
    for name, tx in arrived.items():
        log = next(one for one in site.home.receipts[tx].logs if one.topics[0] == released)
        marks["releases"][name] = {"tx": tx.hex(), "index": log.index, "nonce": 1, "amount": str(SAMPLE)}
        marks["releases"][name]["recipient"] = site.signers[CROWD].address.hex()
    other = next(log for tx in reversed(site.home.receipts) for log in site.home.receipts[tx].logs[-1:])
    if site.sample_tx:
        other = site.home.receipts[site.sample_tx].logs[-1]
    marks["other"] = {
        "tx": other.tx.hex(),
        "index": other.index,
        "address": other.address.hex(),
        "topics": [topic.hex() for topic in other.topics],
        "data": other.data.hex(),
    }
    return marks

"""The world of one arm as built: where everything stands, who holds which key, what a member's node is told of it.

Plain data that survives JSON: processes are forked before and after. Test keys are derived from the seed and stand in
no file of this world; they are worth nothing.
"""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from node.testnet import scenario_toml
from node.testnet.registry import ASSETS, KINDS, OF_OTHERS
from node.testnet.scenario import Event, Role, Scenario, Thing
from node.testnet.scenario_parse import parse_pack
from node.testnet.scenario_policy import policy_of
from protocol.membership import Bridge, OracleFeed
from protocol.subjects import Subject, asset, oracle

UNIT = 10**18
HOME, FAR = "eip155:1", "eip155:130"
"""Where a pack without a bridge plays, and the second chain that every network starts."""
FUNDS_WEI = 1_000 * UNIT
DEPLOYER, DEPLOYER_FAR, CROWD, ENDPOINT, ATTACKER, FEEDER = (
    "deployer",
    "deployer-far",
    "crowd",
    "endpoint",
    "attacker",
    "feeder",
)
"""Two deployers: with one, contracts on the two chains would have equal addresses, and mistakes would look right."""


def units(amount: float) -> int:
    """Whole units → base units, to the millionth."""
    return round(amount * 1_000_000) * 10**12


def chains_of(scenario: Scenario) -> tuple[str, str]:
    """(home, far), CAIP-2."""
    for thing in scenario.things.values():
        if thing.kind == "bridge.escrow":
            return thing.params["home"], thing.params["far"]
    return HOME, FAR


def person(who: str) -> str:
    """Account of a role's people, apart from its node's lever key."""
    return f"person-{who}"


def lever(role: str) -> str:
    return f"lever-{role}"


def key_of(scenario: Scenario, seed: int, arm: str, name: str) -> bytes:
    """secp256k1 key of an account: another seed, arm or scenario is another key."""
    return hashlib.sha256(f"tocsin test key/{scenario.id}/{seed}/{arm}/{name}".encode()).digest()


def account_names(scenario: Scenario, arm: str, members: Sequence[Role]) -> tuple[str, ...]:
    people = {event.who for event in people_events(scenario, arm, members)}
    levers = [lever(role.name) for role in members if any(not one.startswith("node.") for one in role.levers)]
    return (DEPLOYER, DEPLOYER_FAR, CROWD, ENDPOINT, ATTACKER, FEEDER, *map(person, sorted(people)), *levers)


def people_events(scenario: Scenario, arm: str, members: Sequence[Role]) -> tuple[Event, ...]:
    """What people do by their own hand (not over a node)."""
    events = scenario.events_in(arm, [role.name for role in members])
    return tuple(one for one in events if one.do.thing != "node" and one.who not in (ATTACKER, CROWD, "liar"))


def accounts(scenario: Scenario, seed: int, arm: str, members: Sequence[Role]) -> dict[str, int]:
    """0x address → wei: what both chains must fund at their start. Needed before `build`."""
    from adapters.evm.client import Account

    names = account_names(scenario, arm, members)
    return {"0x" + Account(key_of(scenario, seed, arm, name)).address.hex(): FUNDS_WEI for name in names}


@dataclass(frozen=True)
class World:
    """`things`: name → part → 0x address, `contract` being the main one. `urls`: CAIP-2 → the actors' JSON-RPC.
    `blocks`: heights when all stood. `marks`: real transactions of the setup. `opening`: what the attacker owned."""

    text: str = field(repr=False)
    arm: str
    seed: int
    home: str
    far: str
    urls: Mapping[str, str] = field(repr=False)
    members: tuple[str, ...]
    things: Mapping[str, Mapping[str, str]]
    blocks: Mapping[str, int]
    marks: Mapping[str, Any]
    opening: Mapping[str, int]

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> World:
        raw = json.loads(text)
        return cls(**{**raw, "members": tuple(raw["members"])})

    @functools.cached_property
    def scenario(self) -> Scenario:
        return parse_pack(self.text, "world")

    @functools.cached_property
    def roles(self) -> dict[str, Role]:
        return {role.name: role for role in self.scenario.members(len(self.members))}

    def address(self, thing: str, part: str = "contract") -> bytes:
        return bytes.fromhex(self.things[thing][part][2:])

    def key(self, name: str) -> bytes:
        """The account's key: `attacker`, `crowd`, `lever-<role>`, `person-<role>`…"""
        return key_of(self.scenario, self.seed, self.arm, name)

    def lever_key(self, role: str) -> bytes:
        return self.key(lever(role))

    def subjects(self, thing: str) -> tuple[Subject, ...]:
        """All names of one risk, the one at home first."""
        kind = self.scenario.things[thing].kind
        if kind not in ASSETS:
            return (oracle(self.home, self.address(thing)),)
        here = asset(self.home, self.address(thing, "token"))
        return (here, asset(self.far, self.address(thing, "twin"))) if kind == "bridge.escrow" else (here,)

    def asset_text(self, thing: str) -> str:
        """CAIP-19 of an asset at home; `oracle:…` of a price."""
        return str(self.subjects(thing)[0])

    def register(self) -> tuple[tuple[Bridge, ...], tuple[OracleFeed, ...]]:
        """What the charter registers: bridges, and prices that have references."""
        things = self.scenario.things.values()
        bridges = [
            Bridge(self.subjects(t.name)[0], self.home, self.address(t.name), self.far, self.address(t.name, "twin"))
            for t in things
            if t.kind == "bridge.escrow"
        ]
        feeds = [
            OracleFeed(self.subjects(t.name)[0], self.home, self.address(t.name), self._references(t))
            for t in things
            if t.params.get("references")
        ]
        return tuple(bridges), tuple(feeds)

    def _references(self, thing: Thing) -> tuple[bytes, ...]:
        return tuple(self.address(one) for one in thing.params["references"])

    def targets_for(self, role: str, key_file: str = "") -> dict[str, dict[str, Any]]:
        """`[target.*]` tables of a node: everything that its policy reads or its levers move. `key_file` goes to
        those that it may move."""
        member = self.roles[role]
        moved = {one.partition(".")[0] for one in member.levers if not one.startswith("node.")}
        read = {row["target"] for row in member.policy.get("exposure", {}).values() if row.get("target")}
        loans = {
            row["target"]
            for row in member.policy.get("exposure", {}).values()
            if row.get("asset") == self.scenario.things[row["target"]].params.get("loan")
        }
        found = {
            name: self._target(name, key_file if name in moved else "", name in loans) for name in sorted(moved | read)
        }
        return found | ({"log": {"kind": "log"}} if "node.log" in member.levers else {})

    def _target(self, name: str, key_file: str, of_loan: bool) -> dict[str, Any]:
        thing, at = self.scenario.things[name], self.things[name]
        if thing.kind in OF_OTHERS:
            from node.testnet.real.targets import real_target

            return real_target(self, thing, of_loan) | ({"key_file": key_file} if key_file else {})
        unit, asset_at = name, at.get("token", "")
        if thing.kind == "lending":
            unit, asset_at = thing.params["loan"], self.collateral(thing)
        elif thing.kind == "perp":
            unit, asset_at = thing.params["margin"], at["market"]
        target = {
            "kind": KINDS[thing.kind].target,
            "chain": self.home,
            "contract": at["contract"],
            "asset": asset_at,
            "usd_per_loan_unit": self.scenario.usd(unit),
        }
        return target | ({"key_file": key_file} if key_file else {})

    def collateral(self, thing: Thing) -> str:
        """The collateral that levers are about: the bridged one, else the first."""
        names = sorted(thing.params["collateral"], key=lambda one: self.scenario.things[one].kind != "bridge.escrow")
        return self.things[names[0]]["token"]

    def policy_for(self, role: str) -> str:
        """The member's policy as TOML: names of the pack's assets become all their subjects."""
        policy = policy_of(self.roles[role], lambda name: [str(one) for one in self.subjects(name)])
        tables = {name: rows for name, rows in policy.items() if isinstance(rows, Mapping)}
        head = f"policy = {policy['policy']}\nmode = {scenario_toml.value(policy['mode'])}\n"
        return head + "".join(scenario_toml.table(name, rows) for name, rows in tables.items())

    def sensors_for(self, role: str) -> dict[str, dict[str, Any]]:
        """`[sensor.*]` tables of a node. What each looks at is what the charter registers: see `register`."""
        things = self.scenario.things
        pairs = [written.partition(".")[::2] for written in self.roles[role].sensors]
        kinds = {sensor: things[name].is_a.sensors[sensor] for name, sensor in pairs}
        return {sensor: {"kind": kind} for sensor, kind in kinds.items()}


async def build(
    scenario: Scenario, client: Any, urls: Mapping[str, str], seed: int, arm: str, members: Sequence[Role]
) -> World:
    """Deploy and furnish one arm's world over `client` (adapters.evm.client.ChainClient, both chains).

    `urls`: CAIP-2 → JSON-RPC, kept for the actors. The chains must have funded `accounts(…)` of the same arguments.
    Two arms on the same chains do not touch. Raises SetupFailed (what, where) and the client's ChainError.
    """
    from node.testnet.world_build import build_world

    return await build_world(scenario, client, urls, seed, arm, members)

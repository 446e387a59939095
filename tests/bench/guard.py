"""`python -m tests.bench guard`: what a guard costs, in gas, by the number of groups whose words a call carries.

Real transactions on the embedded chain (Cancun rules), on a target of one flag: the receipt's gas, calldata and the
target's own work included. Gas is a property of the code and the rules, not of the machine, so one run says all.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from types import SimpleNamespace
from typing import Any

from adapters.evm.abi import created_address
from adapters.evm.account import Account
from adapters.evm.artifacts import artifact
from node.testnet.chain_evm import EmbeddedChain
from tests.unit.contracts.guard_stage import ABI, GATE, HOUR, KEY, NOBODY, GuardStage, raw
from tests.unit.contracts.registry_stage import ABI as REGISTRY
from tests.unit.contracts.registry_stage import ISOLATE, NETWORK, SUBJECT, THREAT, Stage, epoch_of, names_of
from tests.unit.contracts.world import START

SIZES = (3, 7, 13, 33)
GOALS = {3: 100_000, 7: 125_000, 13: 160_000, 33: 320_000}
"""Of `act` by so many groups, the target's pause included."""
PAYER = Account(b"\x01" * 32)


@dataclass(frozen=True)
class Costs:
    """Gas of one transaction each."""

    groups: int
    listed: int
    """Members in the list: the fewest of whose groups so many are a quorum."""
    act: int
    """A certificate on a lever that never restricted: checked, and the target paused."""
    again: int
    """Other words that only make it last longer."""
    heed: int
    """The same restriction where a registry shows it."""
    alarm: int
    """What it takes to tell the registry, once for all its guards."""
    act_alone: int
    lapse: int
    make_list: int
    add: int
    deploy: int


def members_for(needed: int) -> int:
    """The fewest n, of those that act, with n - f = needed."""
    return next(n for n in range(4, 2 * needed) if n - (n - 1) // 3 == needed)


class Chained(GuardStage):
    """The stage whose contracts stand in blocks; one account owns and operates all of it."""

    def __init__(self, needed: int) -> None:
        clock: Any = SimpleNamespace(now=START)
        self.chain = EmbeddedChain(1, {PAYER.address: 10**24}, lambda: float(clock.now))
        self.nonce, self.made_by_guard, self.costs = 0, 1, dict[str, int]()
        own = "0x" + PAYER.address.hex()
        super().__init__(names_of(members_for(needed)), needed, clock, owner=own, operator=own)

    def made(self, code: bytes) -> str:
        address = created_address(PAYER.address, self.nonce)
        self.costs["deploy"] = self.sent(None, code)
        return "0x" + address.hex()

    def do(self, name: str, *args: Any, by: str = "") -> Any:
        self.costs[name] = self.sent(raw(self.at), ABI.function(name).encode(args))

    def gate_do(self, name: str, *args: Any, by: str = "") -> Any:
        self.sent(raw(self.gate), GATE.function(name).encode(args))

    def listed(self, words: Sequence[int], voice: str = NOBODY) -> bytes:
        at = created_address(raw(self.at), self.made_by_guard)
        self.do("make_list", NETWORK, voice, list(words))
        self.made_by_guard += 1
        return at

    def cost(self, name: str, *args: Any) -> int:
        self.do(name, *args)
        return self.costs[name]

    def sent(self, to: bytes | None, data: bytes) -> int:
        fields = {"chainId": 1, "nonce": self.nonce, "gas": 25_000_000, "value": 0, "data": data}
        fields |= {"maxFeePerGas": 3 * 10**9, "maxPriorityFeePerGas": 1}
        signed, _ = PAYER.sign(fields if to is None else fields | {"to": to})
        self.chain.send_raw(signed)
        self.nonce += 1
        (receipt,) = self.chain.head.receipts
        if receipt.state_root != b"\x01":
            raise RuntimeError(f"transaction {self.nonce} failed: a contract refused it")
        return int(receipt.gas_used)


def measured(needed: int) -> Costs:
    scene = Chained(needed)
    deploy, make_list, add = (scene.costs[one] for one in ("deploy", "make_list", "add"))
    quorum = scene.names[:needed]
    act = scene.cost("act", *scene.call(quorum))
    again = scene.cost("act", *scene.call(quorum, expires=(START + 2 * HOUR) * 1000))
    scene.world.now += 2 * HOUR
    lapse = scene.cost("lapse", 0)
    alone = Chained(needed)
    act_alone = alone.cost("act_alone", 0, START + HOUR, KEY)
    heed, alarm = by_registry(needed)
    return Costs(needed, len(scene.names), act, again, heed, alarm, act_alone, lapse, make_list, add, deploy)


def by_registry(needed: int) -> tuple[int, int]:
    """(heed, alarm): by a registry of the same members, where no restriction stood before."""
    scene = Chained(needed)
    at_registry = InBlocks(scene)
    alarm = at_registry.cost("alarm", *at_registry.alarm(scene.names[: at_registry.row.isolate]))
    scene.do("reason", 0, at_registry.address, SUBJECT, THREAT, ISOLATE, 0)
    return scene.cost("heed", 0, at_registry.address, SUBJECT, THREAT), alarm


class InBlocks(Stage):
    """A registry beside a guard, on its chain."""

    def __init__(self, scene: Chained) -> None:
        self.scene = scene
        super().__init__(epoch_of([(name, name) for name in scene.names]), scene.names, scene.world)

    def deployed(self, row: Any, words: Any) -> bytes:
        return raw(self.scene.made(artifact("Registry").bytecode + REGISTRY.construct((row.values, list(words)))))

    def cost(self, name: str, *args: Any) -> int:
        return self.scene.sent(self.address, REGISTRY.function(name).encode(args))


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--groups", default=",".join(map(str, SIZES)), help="comma-separated, 3 to 64 each")


def run(asked: argparse.Namespace) -> int:
    """1 where a goal is missed."""
    try:
        sizes = [int(one) for one in asked.groups.split(",")]
    except ValueError:
        sizes = []
    if not sizes or not all(3 <= one <= 64 for one in sizes):
        sys.stderr.write("bench: --groups wants numbers from 3 to 64\n")
        return 2
    rows = [measured(needed) for needed in sizes]
    goals = [(row, GOALS[row.groups]) for row in rows if row.groups in GOALS]
    missed = [{"groups": row.groups, "gas": row.act, "goal": goal} for row, goal in goals if row.act > goal]
    if asked.output == "json":
        print(json.dumps({"gas": [asdict(row) for row in rows], "goals": GOALS, "missed": missed}, indent=1))
    else:
        print(table(rows))
        for one in missed:
            print(f"MISSED: act by {one['groups']} groups: {one['gas']:,} gas, at most {one['goal']:,}")
    return int(bool(missed))


def table(rows: list[Costs]) -> str:
    names = list(asdict(rows[0]))
    lines = ["".join(f"{name:>11}" for name in names)]
    return "\n".join([*lines, *("".join(f"{value:>11,}" for value in asdict(row).values()) for row in rows)])

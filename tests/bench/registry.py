"""`python -m tests.bench registry`: what the mirror on a chain costs, in gas, by the number of groups.

Real transactions on the embedded chain (Cancun rules): the receipt's gas, calldata and refunds included. Gas is a
property of the code and the rules, not of the machine, so one run says all.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict, dataclass
from types import SimpleNamespace
from typing import Any

from adapters.evm.abi import abi_of, created_address
from adapters.evm.account import Account
from adapters.evm.artifacts import artifact
from node.testnet.chain_evm import EmbeddedChain
from tests.unit.contracts.registry_stage import GUARD, ISOLATE, Stage, epoch_of, key_of, names_of
from tests.unit.contracts.world import START

SIZES = (7, 13, 33)
GOALS = {"deploy": 4_000_000, "alarm": 400_000, "lift": 300_000, "advance": 1_000_000, "change_keys": 1_000_000}
"""At 33 groups: a deployment fits in a block of any chain many times, a call in a fraction of one."""
ABI = abi_of("Registry")
PAYER = Account(b"\x01" * 32)


@dataclass(frozen=True)
class Costs:
    """Gas of one transaction each."""

    groups: int
    quorum: int
    deploy: int
    guard: int
    """An alarm by the fewest groups of a GUARD."""
    alarm: int
    """An ISOLATE by a quorum, on a subject that was never restricted."""
    sibling: int
    """Another certificate of the same matter: it changes nothing."""
    lift: int
    advance: int
    """To an epoch with one group more: its number, hash, n, thresholds, and every key behind the new one moved."""
    advance_same: int
    """To an epoch with the same keys."""
    change_keys: int
    """One key replaced."""


class Chained(Stage):
    """The stage whose contract stands in blocks."""

    def __init__(self, n: int) -> None:
        self.chain = EmbeddedChain(1, {PAYER.address: 10**24}, lambda: float(START))
        self.nonce, self.gas = 0, 0
        clock: Any = SimpleNamespace(now=START)
        names = names_of(n)
        super().__init__(epoch_of([(name, name) for name in names]), names, clock)

    def deployed(self, row: Any, words: Any) -> bytes:
        address = created_address(PAYER.address, self.nonce)
        self._send(None, artifact("Registry").bytecode + ABI.construct((row.values, list(words))))
        return address

    def cost(self, name: str, *args: Any) -> int:
        self._send(self.address, ABI.function(name).encode(args))
        return self.gas

    def _send(self, to: bytes | None, data: bytes) -> None:
        fields = {"chainId": 1, "nonce": self.nonce, "gas": 25_000_000, "value": 0, "data": data}
        fields |= {"maxFeePerGas": 3 * 10**9, "maxPriorityFeePerGas": 1}
        raw, _ = PAYER.sign(fields if to is None else fields | {"to": to})
        self.chain.send_raw(raw)
        self.nonce += 1
        (receipt,) = self.chain.head.receipts
        if receipt.state_root != b"\x01":
            raise RuntimeError(f"transaction {self.nonce} failed: the registry refused it")
        self.gas = int(receipt.gas_used)


def measured(n: int) -> Costs:
    scene = Chained(n)
    deploy, q, names = scene.gas, scene.row.q, names_of(n)
    guard = scene.cost("alarm", *scene.alarm(names[: scene.row.guard], GUARD))
    alarm = scene.cost("alarm", *scene.alarm(names[:q], ISOLATE))
    sibling = scene.cost("alarm", *scene.alarm(names[-q:], ISOLATE))
    lift = scene.cost("lift", *scene.lift(names[:q], START * 1000))
    fresh = key_of("m00 anew")
    words = sorted([*scene.words[1:], int.from_bytes(fresh.address, "big") << 96 | scene.words[0] & 255])
    gone = next(name for name in names if scene.at(name) == 0)
    change_keys = scene.cost("change_keys", *scene.change_keys(words, [name for name in names if name != gone][:q]))
    same = scene.next_row(epoch_of([(name, name) for name in names], 1))
    scene.words = tuple(words)
    stayed = [name for name in names if name != gone]
    advance_same = scene.cost("advance", *scene.advance(same, words, stayed[:q]))
    scene.entered(same, words)
    grown = epoch_of([(name, name) for name in names_of(n + 1)], 2)
    all_words = scene.words_of(grown, names_of(n + 1))
    advance = scene.cost("advance", *scene.advance(scene.next_row(grown), all_words, stayed[:q]))
    return Costs(n, q, deploy, guard, alarm, sibling, lift, advance, advance_same, change_keys)


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--groups", default=",".join(map(str, SIZES)), help="comma-separated, 4 to 255 each")


def run(asked: argparse.Namespace) -> int:
    """1 where a goal is missed."""
    try:
        sizes = [int(one) for one in asked.groups.split(",")]
    except ValueError:
        sizes = []
    if not sizes or not all(4 <= one <= 255 for one in sizes):
        sys.stderr.write("bench: --groups wants numbers from 4 to 255\n")
        return 2
    rows = [measured(n) for n in sizes]
    missed = [
        {"figure": name, "groups": row.groups, "gas": getattr(row, name), "goal": goal}
        for row in rows
        for name, goal in GOALS.items()
        if row.groups <= max(SIZES) and getattr(row, name) > goal
    ]
    if asked.output == "json":
        print(json.dumps({"gas": [asdict(row) for row in rows], "goals": GOALS, "missed": missed}, indent=1))
    else:
        print(table(rows))
        for one in missed:
            print(f"MISSED: {one['figure']} at {one['groups']} groups: {one['gas']:,} gas, at most {one['goal']:,}")
    return int(bool(missed))


def table(rows: list[Costs]) -> str:
    names = list(asdict(rows[0]))
    lines = ["".join(f"{name:>13}" for name in names)]
    return "\n".join([*lines, *("".join(f"{value:>13,}" for value in asdict(row).values()) for row in rows)])

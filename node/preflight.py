"""Levers looked at before they are needed: what each would do to the real target, and what its credential could do.
Nothing is sent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from adapters.api import Beyond, Instances, Lever, LeverOrder
from adapters.policy import Policy
from node.plugins import told
from protocol.crypto import sha256
from protocol.ids import ActionKey
from protocol.subjects import Kind, Subject, asset, subject_of

LEASE_MS = 600_000
NOTHING = subject_of(Kind.ACCOUNT, "eip155", "1", bytes(20))
"""For a lever of a target without an asset."""


@dataclass(frozen=True)
class Seat:
    """One lever of one target. `name`: as the policy calls it, else `target:call`; `rules`: those that pull it."""

    name: str
    instance: str
    lever: Lever
    subject: Subject
    rules: tuple[str, ...]


@dataclass(frozen=True)
class Tested:
    """`beyond` None: this lever cannot tell, or the target did not answer (then `says` has it)."""

    name: str
    ok: bool
    plan: str
    says: str
    stands: bool
    beyond: Beyond | None
    outstanding: tuple[str, ...] = ()
    """What was signed or scheduled beforehand and may still take effect, as far as this node knows."""


def seats(built: Instances, targets: Mapping[str, Mapping[str, object]], policy: Policy | None) -> list[Seat]:
    """Every lever that a target offers, under each name that the policy gives it."""
    found: list[Seat] = []
    used: set[str] = set()
    for name, use in sorted(policy.levers.items()) if policy is not None else ():
        exposure = policy.exposures[use.on] if policy is not None else None
        instance = policy.instance_of(use) if policy is not None else ""
        lever = built.levers.get(instance)
        if lever is None or policy is None or exposure is None:
            continue
        used.add(instance)
        rules = tuple(sorted(one.name for one in policy.rules if name in one.levers))
        found.append(Seat(name, instance, lever, policy.assets[exposure.asset][0], rules))
    for instance, lever in sorted(built.levers.items()):
        if instance not in used:
            found.append(Seat(instance, instance, lever, _subject(targets.get(instance.partition(":")[0], {})), ()))
    return found


def _subject(table: Mapping[str, object]) -> Subject:
    try:
        return asset(str(table["chain"]), bytes.fromhex(str(table["asset"])[2:]))
    except (KeyError, ValueError):
        return NOTHING


def order_of(seat: Seat, now_ms: int) -> LeverOrder:
    """Ten minutes of it, under a key that no action has."""
    key = ActionKey(sha256(f"preflight {seat.instance} {now_ms}".encode()))
    lease_ms = min(LEASE_MS, seat.lever.declared.max_ms)
    return LeverOrder(key, seat.name, seat.subject, seat.lever.declared.rung, now_ms + lease_ms, False)


async def tested(seat: Seat, now_ms: int) -> Tested:
    """Plan and simulation at the real target. A lever is somebody's plug-in: whatever it raises is told."""
    try:
        plan = await seat.lever.plan(order_of(seat, now_ms))
        outcome = await seat.lever.simulate(plan)
    except Exception as error:
        return Tested(seat.name, False, "", told(error), False, None)
    try:
        ask = getattr(seat.lever, "beyond", None)
        beyond: Beyond | None = await ask() if ask is not None else None
        queue = getattr(seat.lever, "outstanding", None)
        outstanding: tuple[str, ...] = await queue() if queue is not None else ()
    except Exception as error:
        return Tested(seat.name, outcome.ok, plan.says, f"{outcome.says}; {told(error)}", plan.already, None)
    return Tested(seat.name, outcome.ok, plan.says, outcome.says, plan.already, beyond, outstanding)

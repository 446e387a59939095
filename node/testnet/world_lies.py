"""Material for members that lie: well-formed claims that cite real blocks, transactions and logs, and prove nothing.

Two kinds. `altered`: a true log of something else, or of an honest message, with amounts that never were: an honest
verifier refutes it. `irrelevant`: a true claim that says nothing about the subject of the alarm it is attached to.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from node.testnet.scenario import Thing
from node.testnet.world import World, units
from protocol.crypto import sha256
from protocol.evidence import (
    ClaimBlob,
    Inputs,
    LogSeen,
    OracleDeviation,
    ReleaseWithoutBurn,
    claim_of,
)
from protocol.messages import Threat

ALTERED, IRRELEVANT = "altered", "irrelevant"


@dataclass(frozen=True)
class Lie:
    """An alarm to raise: at ISOLATE, VERIFIED, on `subject` for `threat`, with this claim. `says`: for people."""

    which: str
    subject: str
    threat: Threat
    claim: ClaimBlob
    says: str


def lies(world: World, seed: int) -> list[dict[str, Any]]:
    """As JSON values: {which, subject (text), threat (name), claim_type, claim_id, digest, blob (hex), says}."""
    return [_shown(one) for one in lies_of(world, seed)]


def lies_of(world: World, seed: int) -> list[Lie]:
    """Altered ones first; both kinds for every asset or price that the charter registers."""
    chance = random.Random(f"{seed}/lies")  # noqa: S311 (a test's liar, no secret)
    things = world.scenario.things.values()
    found: list[Lie] = []
    for thing in things:
        if thing.kind == "bridge.escrow":
            found += _about_bridge(world, thing, chance)
        elif thing.params.get("references"):
            found += _about_price(world, thing)
    return sorted(found, key=lambda one: one.which)


def _about_bridge(world: World, thing: Thing, chance: random.Random) -> list[Lie]:
    other, honest = world.marks["other"], world.marks["releases"][thing.name]
    taken = units(thing.params["escrowed"] * chance.uniform(0.3, 0.9))
    subject = world.asset_text(thing.name)

    def release(mark: Mapping[str, Any], nonce: int, to: str) -> ReleaseWithoutBurn:
        return ReleaseWithoutBurn(
            home=world.home,
            escrow=world.address(thing.name),
            tx=bytes.fromhex(mark["tx"]),
            log_index=mark["index"],
            far=world.far,
            twin=world.address(thing.name, "twin"),
            nonce=nonce,
            recipient=bytes.fromhex(to),
            amount=taken,
        )

    def lie(which: str, inputs: Inputs, says: str) -> Lie:
        return Lie(which, subject, Threat.BRIDGE_FORGERY, claim_of(inputs), says)

    return [
        lie(ALTERED, release(other, 77, other["address"]), "a transfer of another asset passed off as a release"),
        lie(ALTERED, release(honest, honest["nonce"], honest["recipient"]), "an honest release, its amount altered"),
        lie(IRRELEVANT, _log(world, Threat.BRIDGE_FORGERY), "a true transfer of another asset as evidence"),
    ]


def _about_price(world: World, thing: Thing) -> list[Lie]:
    at = world.address(thing.name)
    calm = OracleDeviation(world.home, at, world.blocks[world.home])
    subject, threat = world.asset_text(thing.name), Threat.ORACLE_MANIPULATION
    log = _log(world, threat)
    return [
        Lie(ALTERED, subject, threat, claim_of(calm), "a deviation at a block at which the price was right"),
        Lie(IRRELEVANT, subject, threat, claim_of(log), "a true log of another contract as evidence"),
    ]


def _log(world: World, threat: Threat) -> LogSeen:
    mark = world.marks["other"]
    topics = tuple(bytes.fromhex(topic) for topic in mark["topics"])
    data_hash = sha256(bytes.fromhex(mark["data"]))
    address = bytes.fromhex(mark["address"])
    return LogSeen(world.home, bytes.fromhex(mark["tx"]), mark["index"], address, topics, data_hash, threat)


def _shown(lie: Lie) -> dict[str, Any]:
    claim = lie.claim.claim
    return {
        "which": lie.which,
        "subject": lie.subject,
        "threat": lie.threat.word,
        "claim_type": claim.type,
        "claim_id": claim.id.hex(),
        "digest": claim.digest.hex(),
        "blob": lie.claim.blob.hex(),
        "says": lie.says,
    }

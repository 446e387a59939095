"""S8, S14: epochs form one chain, and a proof takes nobody out of the count. Each is made again from the one before
as this run knows it, so a node that enters another is seen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from governance.epochs import check, parse_epoch_certificate
from node.records import EpochCertified, EpochEntered, Record
from protocol.errors import ProtocolError
from protocol.membership import Epoch
from tests.sim.shell import Process
from tests.sim.world import World

if TYPE_CHECKING:
    from tests.sim.checks.base import Checker


def follow(checker: Checker, world: World, process: Process, records: Sequence[Record]) -> None:
    """Before anything else is asked of a decision: what it may have changed is the ground that the rest stands on."""
    for record in records:
        if isinstance(record, EpochCertified):
            checker.tell("S8 epochs form one chain", world, process, _certified(world, process, record))
        elif isinstance(record, EpochEntered) and process.state.epoch.hash not in world.epochs:
            checker.tell("S8 epochs form one chain", world, process, "it is in an epoch that nobody certified")


def _certified(world: World, process: Process, record: EpochCertified) -> str:
    certificate = parse_epoch_certificate(record.raw)
    for parent in list(world.epochs.values()):
        try:
            made = check(certificate, parent).epoch
        except ProtocolError:
            continue
        return _follows(world, parent, made)
    return "it took an epoch certificate that follows nothing here"


def _follows(world: World, parent: Epoch, made: Epoch) -> str:
    rivals = [one for one in world.epochs.values() if one.number == made.number and one.hash != made.hash]
    world.epochs.setdefault(made.hash, made)
    if rivals:
        return f"two epochs have the number {made.number}"
    sits = [sorted((one.name, one.group) for one in epoch.members) for epoch in (parent, made)]
    voted = dict(parent.formulas) != dict(made.formulas)
    if sits[0] == sits[1] and not voted and (made.n, made.thresholds) != (parent.n, parent.thresholds):
        return "S14: thresholds moved though nobody came, left or moved"
    return ""

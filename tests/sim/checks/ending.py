"""L5, S9: what is asked once votes had the time to end. Who voted for what is taken from the people's own books."""

from __future__ import annotations

from governance import rules
from governance.ballots import open_ballot
from governance.proposals import Reinstate, Rekey
from protocol.errors import ProtocolError
from protocol.membership import Epoch
from protocol.messages import Level
from tests.sim import cast
from tests.sim.checks.base import Seen
from tests.sim.checks.safety import faults_of
from tests.sim.voting import Told
from tests.sim.world import World

ROUND_MS = 10_000
"""The time-outs of a first round together, and what each later one adds to the three of them."""
MORE_MS = 3_000
ROUNDS_MOST = 24
"""More than a safety phase and its longest pause have time for: who is further was led there."""


def bound_ms(world: World) -> int:
    """Each epoch takes its delay, and at most f rounds of liars and the one after them, by the time-outs that have
    grown by now. One epoch a proposal and a proof, at most."""
    f = faults_of(world.epoch)
    reached = min(max(one.state.rounds.round for one in world.honest()), ROUNDS_MOST) + f + 2
    rounds_ms = (f + 2) * (ROUND_MS + MORE_MS * reached)
    epochs = 1 + len(world.liar_names) + (len(world.people.told) if world.people else 0)
    return epochs * (rounds_ms + 2 * world.options.change_delay_ms + 2_000)


def waits_for(world: World) -> str:
    """What has not ended yet, or ""."""
    for one in world.honest():
        if not one.up or one.state.epoch.hash != world.epoch.hash:
            return f"{one.name} is in epoch {one.state.epoch.number}, the newest is {world.epoch.number}"
        fault = one.state.may_sign()
        if fault:
            return f"{one.name} may not speak: {fault}"
    if cast.JOINER in world.epoch.by_name and cast.JOINER not in world.processes:
        return "who was let in has not come up"
    for told in world.people.told.values() if world.people else ():
        if _is_due(world, told):
            return f"{told.proposal.change} passed, and no epoch has come of it"
    return _unpunished(world)


def _is_due(world: World, told: Told) -> bool:
    """Q honest groups stand by their yes, and nothing stops it. What shipped rules call impossible by now is over."""
    epoch, proposal = world.epoch, told.proposal
    if _key_of(told.parent, proposal.author) != _key_of(epoch, proposal.author):
        return False  # its author left or moved its key: who has not heard of it by now takes it no more
    if any(told.sealed.hash in one.made_of for one in world.epochs.values()):
        return False
    try:
        rules.judge(epoch, proposal, world.time.now_ms)
    except ProtocolError:
        return False
    if rules.loosens(epoch, proposal.change) and _alarm_stands(world):
        return False
    if isinstance(proposal.change, Reinstate) and not _has_fresh_key(world, epoch, proposal.change.member):
        return False
    yes, against = _groups(world, told, epoch)
    liars = {epoch.group_of(one.name) for one in epoch.members if one.name in world.liar_names}
    if isinstance(proposal.change, Rekey) and len(proposal.consents) == 2:
        return True  # its owner's own affair
    needed = max(_quorum(told.parent), _quorum(epoch))
    return len(yes - against) >= needed and 3 * len(against | liars) <= len(epoch.groups)


def _has_fresh_key(world: World, epoch: Epoch, name: str) -> bool:
    """Who was proven delegates a new attestation key first; a liar may never do so."""
    proven = next((one.proven for one in epoch.members if one.name == name), -1)
    return proven < 0 or all(max(one.state.keysets.get(name, {-1: None})) > proven for one in world.honest())


def _key_of(epoch: Epoch, name: str) -> bytes | None:
    return next((one.governance_key for one in epoch.members if one.name == name), None)


def _quorum(epoch: Epoch) -> int:
    return len({one.group for one in epoch.members}) - faults_of(epoch)


def _groups(world: World, told: Told, epoch: Epoch) -> tuple[set[str], set[str]]:
    """Honest groups that said yes in time with the key in force, and those that ever said no."""
    yes: set[str] = set()
    against: set[str] = set()
    for name, ballots in told.ballots.items():
        seat = next((one for one in epoch.members if one.name == name), None)
        lost = isinstance(told.proposal.change, Rekey) and told.proposal.change.member == name
        if seat is None or seat.since > told.parent.number or lost:
            continue
        for raw, says in ballots:
            try:
                ballot = open_ballot(raw, epoch.network, seat.governance_key).ballot
            except ProtocolError:
                continue
            if not says:
                against.add(seat.group)
            elif ballot.cast_ms <= told.proposal.closes_ms:
                yes.add(seat.group)
    return yes, against


def _alarm_stands(world: World) -> bool:
    return any(
        held.certificate.level >= Level.ISOLATE and held.ends_ms > world.time.now_ms - 60_000
        for one in world.honest()
        for held in one.state.certificates.values()
    )


def _unpunished(world: World) -> str:
    """A proof under the key in force suspends, without ballots."""
    for one in world.honest():
        for author, version in one.state.equivocations:
            seat = one.state.epoch.by_name.get(author)
            current = max(one.state.keysets.get(author, {-1: None}))
            if seat is not None and not seat.suspended and seat.proven < version == current:
                return f"{author} forked its feed and sits in epoch {one.state.epoch.number} as before"
    return ""


def l5_a_vote_ends(seen: Seen, world: World, process: None) -> str:
    return waits_for(world)


def s9_removed_means_removed(seen: Seen, world: World, process: None) -> str:
    """Whoever sat once and sits no more: no word of it is held as an opinion, no connection is its."""
    once = {one.name for epoch in world.epochs.values() for one in epoch.members}
    for one in world.honest():
        gone = once - {seat.name for seat in world.epoch.members}
        held = {author for opinions in one.state.opinions.values() for author in opinions} & gone
        if held:
            return f"{one.name} holds opinions of {sorted(held)}, who left"
        linked = {name for link in one.state.links.values() for name in link.members} & gone
        if linked:
            return f"{one.name} takes a connection for {sorted(linked)}'s, who left"
    return ""


ENDING = {
    "voted": (("L5 a vote ends", l5_a_vote_ends), ("S9 removed means removed", s9_removed_means_removed)),
    "ended": (("S9 removed means removed", s9_removed_means_removed),),
}

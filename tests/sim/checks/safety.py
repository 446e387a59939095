"""S: nothing that must not happen happened. Counting is done again here, naively and by other means."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from adapters.api import ExpiresBy
from node.effects import RunStep
from node.machine.action import ENDED, Phase
from node.machine.governing import PAST_PATIENCE_MS
from protocol.envelope import Verified
from protocol.feed import ballot_of, value_of
from protocol.frames import pack_frame
from protocol.membership import Epoch
from protocol.messages import Attestation, Basis, Level, Release
from protocol.quorum import CheckedCertificate
from tests.sim.checks.base import Seen
from tests.sim.shell import Process
from tests.sim.world import World

SLACK_MS = 90_000
"""Clocks of honest nodes differ by at most 60 s, targets round, ticks come late."""


def faults_of(epoch: Epoch) -> int:
    """f of so many groups as sit there, suspended or not."""
    return (len({one.group for one in epoch.members}) - 1) // 3


def threshold(level: Level, epoch: Epoch) -> int:
    """The table of PROTOCOL 3, written again, with what members may have voted for instead."""
    f, n = faults_of(epoch), len({one.group for one in epoch.members})
    if epoch.formulas[level] == "n":
        return n
    return max(2, f + 1) if level is Level.GUARD else n - f


def groups_behind(world: World, certificate: CheckedCertificate, now_ms: int) -> dict[str, list[Any]]:
    """Group → its attestations in this certificate that count: naively, one rule a line."""
    told = certificate.certificate
    by_group: dict[str, list[Any]] = {}
    epoch = world.epochs.get(told.epoch)
    if epoch is None:
        return {}
    seats = {seat.name: seat.group for seat in epoch.members}
    suspended = {one.name for one in epoch.members if one.suspended}
    for opinion in certificate.opinions:
        body, entry = opinion.body, opinion.entry
        bound_ms = epoch.lease_ms[body.level if body.level > 0 else Level.WATCH]
        of_before = body.epoch == epoch.parent and entry.issued_ms < epoch.activates_ms + 600_000
        counts = (
            entry.author in seats
            and entry.author not in suspended
            and (body.epoch == told.epoch or of_before)
            and (body.subject, body.threat) == (told.subject, told.threat)
            and body.level >= told.level
            and body.basis is not Basis.HEARSAY
            and body.expires_ms > now_ms
            and body.expires_ms - entry.issued_ms <= bound_ms
            and entry.issued_ms <= now_ms + 60_000
            and body.since_ms <= entry.issued_ms
        )
        if counts:
            by_group.setdefault(seats[entry.author], []).append(opinion)
    return by_group


def s1_distinct_groups_reach_the_threshold(seen: Seen, world: World, process: Process, held: CheckedCertificate) -> str:
    now_ms, level = process.clock().wall_ms, held.certificate.level
    epoch = world.epochs.get(held.certificate.epoch, world.epoch_of(process))
    groups, needed = groups_behind(world, held, now_ms), threshold(level, epoch)
    if len(groups) < needed:
        return f"{level.name} accepted with {len(groups)} of {epoch.n} groups, {needed} are needed"
    if level is Level.GUARD:
        blind: set[str] = set()
        seeing = 0
        for opinions in groups.values():
            if all(one.body.basis is Basis.OBSERVED for one in opinions):
                operators = {_operator(world, source) for one in opinions for source in one.body.sources} - {""}
                if len(operators) <= 1:
                    blind.add(next(iter(operators), ""))
                    continue
            seeing += 1
        if seeing + len(blind) < needed:
            return f"GUARD counts one operator's view {len(groups) - seeing} times"
    return ""


def _operator(world: World, source: str) -> str:
    found = [one.operator for one in world.epoch.sources if one.id == source]
    return found[0] if found else ""


def s2_liars_alone_certify_nothing(seen: Seen, world: World, process: Process, held: CheckedCertificate) -> str:
    now_ms, level = process.clock().wall_ms, held.certificate.level
    epoch = world.epochs.get(held.certificate.epoch, world.epoch_of(process))
    faulty = {seat.group for seat in epoch.members if seat.name in world.untrusted}
    honest = {
        group
        for group, opinions in groups_behind(world, held, now_ms).items()
        if group not in faulty and any(_left(seen, one) for one in opinions)
    }
    needed = 1 if level is Level.GUARD else epoch.n - 2 * faults_of(epoch)
    if len(honest) < needed:
        return f"{level.name} stands on {len(honest)} honest groups, {needed} must stand behind it"
    return ""


def _left(seen: Seen, one: Verified[Any]) -> bool:
    entry = one.entry
    return seen.said.get((entry.author, entry.key_version, entry.seq)) in (None, bytes(one.hash))


def s3_no_operator_fed_all_honest(seen: Seen, world: World, process: Process, held: CheckedCertificate) -> str:
    if held.certificate.level < Level.ISOLATE:
        return ""
    honest = [one for one in held.opinions if one.entry.author not in world.liar_names and not one.body.by_person]
    if len(honest) < len([one for one in held.opinions if one.entry.author not in world.liar_names]):
        return ""  # a person read it elsewhere
    views = [{_operator(world, eye) for eye in world.eyes[one.entry.author]} for one in honest]
    for operator in sorted(set().union(*views)):
        if all(view == {operator} for view in views):
            return f"{operator} alone fed all {len(views)} honest signers"
    return ""


def s4_one_payload_at_one_seq(seen: Seen, world: World, process: Process, own: Sequence[Verified[Any]]) -> str:
    for one in own:
        key = (one.entry.author, one.entry.key_version, one.entry.seq)
        if seen.said.setdefault(key, bytes(one.hash)) != bytes(one.hash):
            return f"two payloads at seq {one.entry.seq} of key {one.entry.key_version} left this node"
    return ""


def s4_one_value_at_one_place_of_the_rounds(
    seen: Seen, world: World, process: Process, own: Sequence[Verified[Any]]
) -> str:
    """Whatever its key, and though its store was lost: for so long the others are waited for, who have what it said."""
    for one in own:
        place = ballot_of(one)
        if place is None:
            continue
        if seen.voted.setdefault((one.entry.author, place), value_of(one)) != value_of(one):
            waited_ms = process.clock().mono_ms - process.state.started_mono_ms
            if waited_ms < PAST_PATIENCE_MS or process.state.past_back:
                return f"two values in round {place[2]} left this node, the second by its key {one.entry.key_version}"
    return ""


def s5_nothing_outlives_its_reasons(seen: Seen, world: World, process: Process, effect: RunStep) -> str:
    """Without a new claim or a person's mark by honest groups the whole of it ends: two leases of opinions (the first
    word may come at the end of what others said) and the lever's own. Who slept through it all may be told of a true
    claim much later, and then acts on its own evidence: once, for one lease."""
    if effect.step != "apply":
        return ""
    order = effect.order
    causes = world.history.causes.get(order.subject.raw, [])
    if not causes:
        return f"a lever restricts {order.subject} for which nothing was ever true and nobody spoke"
    lease_ms = process.setup.policy.levers[order.lever].max_ms
    bound_ms = 2 * world.lease_ms(Level.GUARD) + lease_ms
    action = process.state.actions.get(order.action_key)  # gone where the node died and lost it while its lever ran
    names = action.claims if action is not None else ()
    found = [seen.first_found_ms.get((process.name, *name), 0) for name in names]
    latest_ms = max(max(causes) + bound_ms, max(found, default=0) + lease_ms) + SLACK_MS
    if order.until_ms > latest_ms:
        return f"restricted until {(order.until_ms - latest_ms) // 1000} s after everything it may rest on has ended"
    return ""


def s5_a_lease_once_applied_is_kept(seen: Seen, world: World, process: Process, effect: RunStep) -> str:
    """It falls by release, owner or expiry: never because another action on the same lever ended."""
    if effect.step != "undo" or not process.up:
        return ""
    now_ms, state = process.clock().wall_ms, process.state
    for key, action in state.actions.items():
        holds = key != effect.key and action.instance == effect.lever and action.phase is Phase.EFFECTIVE
        if holds and action.until_ms > now_ms + SLACK_MS:
            return f"freed while action {key.hex()[:8]} holds it for {(action.until_ms - now_ms) // 1000} s more"
    return ""


def s5_nothing_stays_past_its_lease(seen: Seen, world: World, process: None) -> str:
    """Asked when every lease is over, everybody is well and ticks have come."""
    for name, target in world.targets.items():
        if name not in world.processes or name in world.untrusted:
            continue
        for spell in target.spells:
            standing = target.stands_until_ms(spell.instance, world.time.now_ms)
            late_ms = world.time.now_ms - standing - slack_ms(world, world.processes[name])
            if not spell.ended_ms and standing and late_ms > 0:
                return f"{name}: {spell.instance} still stands {(world.time.now_ms - standing) // 1000} s after its end"
    return ""


def s6_expiry_needs_nobody(seen: Seen, world: World, process: None) -> str:
    for name, target in world.targets.items():
        late = [one for one in target.spells if one.ended_ms > one.until_ms + SLACK_MS]
        if target.expires_by is ExpiresBy.TARGET and late:
            return f"{name}: a restriction that ends by itself ended late"
    return ""


def s7_no_action_acts_twice(seen: Seen, world: World, process: Process, effect: RunStep) -> str:
    """A renewal that the target meets a moment after its own end is the same act: the two clocks differ."""
    if effect.step != "apply" or "persisted_but_failed" in process.disk.met:
        return ""
    spells = [one for one in world.targets[process.name].spells if one.key == effect.key]
    for before, after in pairwise(spells):
        if before.undone_by == effect.key:
            return f"action {effect.key.hex()[:8]} restricted again after its own undo"
        if before.undone_by is None and after.since_ms > before.until_ms + slack_ms(world, process):
            late_ms = after.since_ms - before.until_ms
            return f"action {effect.key.hex()[:8]} restricted again {late_ms} ms after it had ended"
    return ""


def slack_ms(world: World, process: Process) -> int:
    """How far a node's idea of a lease may be from its target's: clocks, and ticks that come rarely."""
    clocks = {"skew", "clock_jump"} & world.options.faults
    return 2 * process.tick_ms + (SLACK_MS if clocks else 3_000)


def s7_nothing_of_another_epoch(seen: Seen, world: World, process: Process, held: CheckedCertificate) -> str:
    """One of an epoch before runs to its end, for who was away then and for who has joined since."""
    epoch = world.epochs.get(held.certificate.epoch)
    if epoch is None or epoch.number > world.epoch_of(process).number:
        return "a certificate of another epoch was accepted"
    return ""


def s11_released_never_counts_again(seen: Seen, world: World, process: Process, held: CheckedCertificate) -> str:
    """Points and released claims are counted again from the Releases on this node's disk."""
    releases: dict[str, list[Release]] = {}
    for feed in process.state.feeds.values():
        for link in feed.links.values():
            body = link.body
            told = isinstance(body, Release) and link.raw not in seen.later
            if told and (body.subject, body.threat) == held.certificate.topic:
                releases.setdefault(link.entry.author, []).append(body)
    if not releases:
        return ""
    groups: dict[str, int] = {}
    epoch = world.epoch_of(process)
    suspended = {member.name for member in epoch.members if member.suspended}
    for seat in epoch.members:
        if seat.name in suspended:  # a group's point is its unsuspended members'
            groups.setdefault(seat.group, 0)
            continue
        through = max((one.through_ms for one in releases.get(seat.name, ())), default=0)
        groups[seat.group] = min(through, groups.get(seat.group, through))
    point_ms = sorted(groups.values(), reverse=True)[epoch.n - faults_of(epoch) - 1]
    for opinion in held.opinions:
        if opinion.body.since_ms <= point_ms:
            return f"{opinion.entry.author}'s word of {opinion.body.since_ms} counts; all to {point_ms} is released"
    return ""


def s12_what_is_sent_is_canonical(seen: Seen, world: World, process: Process, frame: Any, raw: bytes) -> str:
    return "" if pack_frame(frame) == raw else "a frame left in bytes that are not its canonical ones"


def s10_levers_only_restrict(seen: Seen, world: World, process: Process, effect: RunStep) -> str:
    if effect.step == "undo" and process.up:
        action = process.state.actions.get(effect.key)
        if action is not None and action.phase in ENDED and action.until_ms > process.clock().wall_ms + SLACK_MS:
            return "undone after its action had ended"
    return ""


def attests_beyond_its_eyes(seen: Seen, world: World, process: Process, own: Sequence[Verified[Any]]) -> str:
    """A node never corroborates above its verifier's verdict: VERIFIED words rest on what its own eyes showed."""
    for one in own:
        body = one.body
        if not isinstance(body, Attestation) or body.level is Level.NONE or body.basis is not Basis.VERIFIED:
            continue
        best = Level.NONE
        for told in body.claims:
            fact = world.truth.facts.get(told.digest)
            if fact is None or (fact.subject, fact.threat) != (body.subject, body.threat):
                continue
            eyes = {_operator(world, eye) for eye in world.eyes[process.name]}
            if fact.true or eyes <= fact.shown_by:
                best = max(best, fact.level)
        if body.level > best:
            return f"{body.level.name} on {body.subject} said as VERIFIED, its own eyes show {best.name}"
    return ""

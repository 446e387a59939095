"""Invariants that planted bugs asked for: each was added where a bug went by unseen."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from node.effects import RunStep
from node.machine import Decision
from node.machine.action import ENDED, Action, Phase
from node.machine.watching import AFTER_MS
from node.records import (
    ActionOpened,
    ActionRenewed,
    CertificateAccepted,
    EntryAccepted,
    EpochEntered,
    KeySetLearned,
)
from protocol.envelope import Verified, parse_entry
from protocol.ids import MemberName
from protocol.membership import Epoch
from protocol.messages import Attestation, Basis, Level, Manifest, Release
from protocol.quorum import CheckedCertificate
from protocol.release import Topic
from tests.sim.cast import NETWORK
from tests.sim.checks.base import Seen, held_of
from tests.sim.checks.liveness import of_a_moved_key
from tests.sim.checks.safety import SLACK_MS, faults_of, threshold
from tests.sim.shell import Process
from tests.sim.world import World

SKEW_MS = 35_000
"""Clocks of honest nodes that do not jump, and ticks, with room."""
LOOKED_AT_MS = AFTER_MS[-1] + 2 * AFTER_MS[0]
"""By then a node has seen twice that what it restricted stands free."""
BACK_MS = 5_000
"""After a start."""
ANSWER_MS = 4_000
"""What was said so long before the heal's end has been answered by everybody who could."""
OPINIONS_MOST = 64


def _words(process: Process, author: str) -> Iterator[Verified[Any]]:
    for (name, _), feed in process.state.feeds.items():
        if name == author:
            yield from feed.links.values()


def _order(word: Verified[Any]) -> tuple[int, int]:
    return word.entry.key_version, word.entry.seq


def _newest_version(process: Process, author: str) -> int:
    return max(process.state.keysets.get(MemberName(author), {0: None}))


def s1_the_latest_words_count(seen: Seen, world: World, process: Process, decision: Decision) -> str:
    """Whatever stands in a certificate: who has said something later, or has a newer key, counts by that."""
    raws = [record.raw for record in decision.records if isinstance(record, EntryAccepted | CertificateAccepted)]
    entered = [at for at, record in enumerate(decision.records) if isinstance(record, EpochEntered)]
    # what was accepted ahead of it in one decision was by keys that are gone by now
    for record in decision.records[entered[-1] if entered else 0 :]:
        if isinstance(record, KeySetLearned):
            return ""
        if isinstance(record, CertificateAccepted):
            fault = _latest_words(
                world, process, held_of(seen, world, process, record), set(raws[raws.index(record.raw) :])
            )
            if fault:
                return fault
    return ""


def _latest_words(world: World, process: Process, held: CheckedCertificate, after: set[bytes]) -> str:
    """`after`: entries that came only after the certificate in the same decision."""
    topic, level, now_ms = held.certificate.topic, held.certificate.level, process.clock().wall_ms
    epoch = world.epochs.get(held.certificate.epoch, world.epoch_of(process))
    groups = set()
    for one in held.opinions:
        author = one.entry.author
        later = [word for word in _words(process, author) if _topic(word) == topic and word.raw not in after]
        now = max([one, *later], key=_order)
        body = now.body
        alive = body.expires_ms > now_ms and now.entry.key_version >= _newest_version(process, author)
        if alive and body.level >= level and body.basis is not Basis.HEARSAY:
            groups.add(epoch.group_of(author))
    needed = threshold(level, epoch)
    if len(groups) < needed:
        return f"{level.name} accepted, by their latest words {len(groups)} groups stand behind it, {needed} must"
    return ""


def _topic(word: Verified[Any]) -> Topic | None:
    return (word.body.subject, word.body.threat) if isinstance(word.body, Attestation) else None


def l1_a_word_counts_at_once(seen: Seen, world: World, process: Process, record: EntryAccepted) -> str:
    """Whatever is missing before it; and a later word of a feed is never held back by an earlier one."""
    entry = parse_entry(record.raw, NETWORK).entry
    if not isinstance(entry.body, Attestation) or entry.key_version < _newest_version(process, entry.author):
        return ""
    state = process.state
    there = state.opinions.get((entry.body.subject, entry.body.threat), {}).get(entry.author)
    if there is None or _order(there) < (entry.key_version, entry.seq):
        if sum(entry.author in held for held in state.opinions.values()) >= OPINIONS_MOST:
            return ""
        topic = (entry.body.subject, entry.body.threat)
        others = [word for word in _words(process, entry.author) if _topic(word) == topic and word.raw != record.raw]
        if there is None and any(_order(word) >= (entry.key_version, entry.seq) for word in others):
            return ""  # that one, or its twin, has ended, and what it replaced does not count instead
        return f"{entry.author}'s word {entry.seq} was taken, {_seq(there)} is held of it"
    return ""


def _seq(word: Verified[Any] | None) -> str:
    return "nothing" if word is None else f"word {word.entry.seq}"


def s5_words_on_a_claim_end(seen: Seen, world: World, process: Process, own: Sequence[Verified[Any]]) -> str:
    """No self-sustaining halt: what a node says on claims that were certified ends a lease after they were."""
    for one in own:
        body = one.body
        if not isinstance(body, Attestation) or not body.claims or body.by_person or body.level is Level.NONE:
            continue
        if any(_holds_as_long(word, one) for word in _words(process, process.name)):
            continue  # said again to the same end, in a new epoch or under a new key
        firsts = [seen.margins.get(_first(process, _topic(one), claim.type, claim.id)) for claim in body.claims]
        if any(first is None for first in firsts) or any(_lost(seen, process, one, claim) for claim in body.claims):
            continue
        latest_ms = max(first for first in firsts if first is not None) + world.lease_ms(body.level)
        if body.expires_ms > latest_ms + SLACK_MS:
            return f"claims certified long ago are said again for {(body.expires_ms - latest_ms) // 1000} s too long"
    return ""


def _holds_as_long(word: Verified[Any], one: Verified[Any]) -> bool:
    """An earlier word on at least the same claims that ends no sooner."""
    earlier = _topic(word) == _topic(one) and _order(word) < _order(one)
    return earlier and word.body.expires_ms >= one.body.expires_ms and {*one.body.claims} <= {*word.body.claims}


def _first(process: Process, topic: Topic | None, kind: str, id_: bytes) -> str:
    subject, threat = topic or ("", 0)
    return f"first/{process.name}/{subject}/{threat}/{kind}/{id_.hex()}"


def _lost(seen: Seen, process: Process, one: Verified[Any], claim: Any) -> bool:
    """It died before what it had accepted was on its disk: that it never accepted."""
    topic = (one.body.subject, one.body.threat)
    name = _first(process, _topic(one), claim.type, claim.id)
    held_ms = process.state.first_newest_ms.get(topic, {}).get(_name(claim))
    return seen.margins[f"life of {name}"] != process.life and held_ms != seen.margins[name]


def note_first_certificates(seen: Seen, world: World, process: Process, held: CheckedCertificate) -> str:
    """Remembers when each claim that more groups name than may lie was first certified here."""
    groups: dict[tuple[str, bytes], set[str]] = {}
    epoch = world.epochs.get(held.certificate.epoch, world.epoch_of(process))
    for one in held.opinions:
        for claim in one.body.claims:
            groups.setdefault((claim.type, claim.id), set()).add(epoch.group_of(one.entry.author))
    for (kind, id_), told in groups.items():
        if len(told) > epoch.f:
            name = _first(process, held.certificate.topic, kind, id_)
            seen.margins.setdefault(name, held.newest_issued_ms)
            seen.margins.setdefault(f"life of {name}", process.life)
    return ""


def s2_nobody_speaks_of_what_nobody_runs(
    seen: Seen, world: World, process: Process, own: Sequence[Verified[Any]]
) -> str:
    for one in own:
        body = one.body
        if not isinstance(body, Attestation) or body.level is Level.NONE or body.by_person:
            continue
        manifests = [
            word.body for name in world.eyes for word in _words(process, name) if isinstance(word.body, Manifest)
        ]
        # its own is said a moment after its seat begins
        own_too = body.subject in process.setup.manifest
        if not own_too and not any(body.subject in manifest.subjects for manifest in manifests):
            return f"{body.level.name} on {body.subject}, which stands in nobody's manifest"
    return ""


def s5_only_a_withdrawal_lowers(seen: Seen, world: World, process: Process, own: Sequence[Verified[Any]]) -> str:
    """What a node says is lowered by its end, by a release or by a person who takes it back: not by another reason to
    say less."""
    if _clocks_jump(world, process):
        return ""
    for one in own:
        body, topic = one.body, _topic(one)
        if topic is None or body.level is Level.NONE or process.state.releases.point_ms(topic):
            continue
        earlier = [
            word for word in _words(process, process.name) if _topic(word) == topic and _order(word) < _order(one)
        ]
        before = max(earlier, key=_order, default=None)
        if before is not None and before.body.expires_ms > one.entry.issued_ms and before.body.level > body.level:
            return f"{before.body.level.name} on {body.subject} is lowered to {body.level.name}"
    return ""


def s7_one_restriction_at_a_time(seen: Seen, world: World, process: Process, record: ActionOpened) -> str:
    """For one lever, subject and rung; and what one restriction rested on opens no other."""
    now_ms = process.clock().wall_ms
    names = {(claim.type, claim.id) for claim in record.claims}
    for key, action in process.state.actions.items():
        same = (action.lever, action.subject, action.rung) == (record.lever, record.subject, record.rung)
        if key == record.key or not same:
            continue
        if action.phase not in ENDED and action.until_ms > now_ms + SLACK_MS:
            return f"a second {record.lever} is opened while action {key.hex()[:8]} stands"
        if names and names <= action.claims:
            return f"{record.lever} is opened again on what action {key.hex()[:8]} rested on"
    return ""


def l7_the_blind_act_on_little(seen: Seen, world: World, process: Process, record: ActionOpened) -> str:
    state = process.state
    heard = {member for link in state.links.values() for member in link.members} | {MemberName(process.name)}
    epoch = world.epoch_of(process)
    groups = {epoch.group_of(member) for member in heard if member in epoch.by_name}
    if record.rule == "isolated" and len(groups) < epoch.n - faults_of(epoch):
        return f"hears {len(groups)} groups and pulls {record.lever} on the network's word"
    return ""


def s5_undone_only_for_a_reason(seen: Seen, world: World, process: Process, effect: RunStep) -> str:
    """A restriction falls by its end, by its owner, or by the Releases of a quorum; by nothing else."""
    action = process.state.actions.get(effect.key)
    if effect.step != "undo" or action is None or effect.order.until_ms <= world.time.now_ms + SLACK_MS:
        return ""
    if any("the owner's own word" in says for _, _, says, _ in action.steps):
        return ""
    for epoch in world.epochs.values():
        released, needed = _released_by(epoch, process, action), epoch.n - faults_of(epoch)
        if released >= needed:
            break
    if released < needed:
        left_s = (effect.order.until_ms - world.time.now_ms) // 1000
        return f"{effect.lever} is freed {left_s} s before its end; {released} of {needed} groups have released it"
    return ""


def _released_by(epoch: Epoch, process: Process, action: Action) -> int:
    """Groups all of whose unsuspended seats have ever released this subject for one and the same threat."""
    suspended = {one.name for one in epoch.members if one.suspended}
    found = 0
    for threat in {action.threat, *(one.threat for one in process.state.actions.values())}:
        groups: dict[str, bool] = {}
        for seat in epoch.members:
            if seat.name not in suspended:
                said = any(_releases(word, action, threat) for word in _words(process, seat.name))
                groups[seat.group] = groups.get(seat.group, True) and said
        found = max(found, sum(groups.values()))
    return found


def _releases(word: Verified[Any], action: Action, threat: int) -> bool:
    body = word.body
    return isinstance(body, Release) and (body.subject, body.threat) == (action.subject, threat)


def s5_what_is_effective_stands(seen: Seen, world: World, process: Process) -> str:
    """Asked on ticks: a restriction that a node calls effective stands on its target until its end, or was found out
    not to."""
    target, now_ms = world.targets[process.name], world.time.now_ms
    if process.clock().mono_ms - process.state.started_mono_ms < BACK_MS:
        return ""  # a disk that lied lost the undo with what it rested on: both are told it again
    slack_ms = SLACK_MS if _clocks_jump(world, process) else SKEW_MS
    for key, action in process.state.actions.items():
        lasts = action.phase is Phase.EFFECTIVE and action.until_ms > max(now_ms, process.clock().wall_ms) + slack_ms
        found_out = now_ms > target.freed_ms.get(action.instance, -LOOKED_AT_MS) + LOOKED_AT_MS
        if lasts and found_out and target.stands_until_ms(action.instance, now_ms) <= now_ms:
            return f"action {key.hex()[:8]} is called effective and {action.instance} stands free"
    return ""


def _clocks_jump(world: World, process: Process) -> bool:
    return "clock_jump" in world.options.faults or process.name in world.faulty


def s5_an_undo_frees_nothing_else(seen: Seen, world: World, process: Process, effect: RunStep) -> str:
    """To the second, as one node's own clock tells both ends."""
    if effect.step != "undo" or not process.up or _clocks_jump(world, process):
        return ""
    now_ms = process.clock().wall_ms
    for key, action in process.state.actions.items():
        holds = action.instance == effect.lever and action.phase is Phase.EFFECTIVE and action.until_ms > now_ms + 1_500
        if key != effect.key and holds:
            return f"freed while action {key.hex()[:8]} holds it for {action.until_ms - now_ms} ms more"
    return ""


def s10_undone_once(seen: Seen, world: World, process: Process, effect: RunStep) -> str:
    """What was undone, and answered for, is not undone again in the same life."""
    if effect.step != "undo" or "lever_unsure" in world.options.faults:
        return ""
    since_ms = world.time.now_ms - (process.clock().mono_ms - process.state.started_mono_ms)
    done = [at_ms for at_ms in world.targets[process.name].undone.get(effect.key, ()) if at_ms >= since_ms]
    return f"action {effect.key.hex()[:8]} is undone again" if len(done) > 1 else ""


def s5_renewed_for_something_new(seen: Seen, world: World, process: Process, record: ActionRenewed) -> str:
    """A lease is lengthened by a claim that it did not rest on or by a person, and by nothing else."""
    if record.claims or record.threat is not None:
        return ""
    if record.why.startswith("approved by"):
        return ""
    return f"action {record.key.hex()[:8]} is renewed, and nothing new is claimed"


def l3_feeds_have_no_holes(seen: Seen, world: World, process: None) -> str:
    """Counted by entries, not by what a node says of them."""
    for author in world.honest():
        for key in author.state.feeds:
            most = seen.margins.get(f"{key[0]}/{key[1]}", -1)
            if key[0] != author.name or most >= 1_000 or of_a_moved_key(world, *key):
                continue
            for one in world.honest():
                feed = one.state.feeds.get(key)
                holes = [seq for seq in range(most + 1) if feed is None or seq not in feed.links]
                if holes:
                    return f"{one.name} lacks {key[0]}'s words {holes[:5]} of {most + 1}"
    return ""


def l3_everybody_answers(seen: Seen, world: World, process: None) -> str:
    """What an honest member said some seconds ago, and is so, everybody has answered who sees it. Not asked where a
    clock jumped (what came meanwhile had expired by it) nor of a claim whose inputs were lost with a disk."""
    if "clock_jump" in world.options.faults:
        return ""
    for one in world.honest():
        for topic, held in one.state.opinions.items():
            waiting = [
                word
                for author, word in held.items()
                if author not in world.faulty
                and one.state.epoch.may_count(author)
                and _is_due(world, one, word)
                and not _lease_is_over(one, topic, word)
            ]
            if one.state.me in held or one.state.may_sign() or one.state.releases.point_ms(topic):
                continue
            for word in waiting:
                seen_too = any(_sees(world, one, claim.digest, topic) for claim in word.body.claims)
                if seen_too and not {_name(claim) for claim in word.body.claims} <= _answered(one, topic):
                    return f"{one.name} has not answered {word.entry.author} on {topic[0]}, which it sees as well"
    return ""


def _is_due(world: World, process: Process, word: Verified[Any]) -> bool:
    """By true time: the clocks of honest nodes differ."""
    ahead_ms = world.processes[word.entry.author].wall.ahead_ms
    spoken_ms = world.time.now_ms - (word.entry.issued_ms - ahead_ms)
    return spoken_ms > ANSWER_MS and word.body.expires_ms > process.clock().wall_ms + ANSWER_MS


def _lease_is_over(process: Process, topic: Topic, word: Verified[Any]) -> bool:
    """All that it names was certified so long ago that who answers only now would have nothing left to say: leases may
    have been shortened by an epoch since."""
    firsts = process.state.first_newest_ms.get(topic, {})
    caps = [firsts.get(_name(claim)) for claim in word.body.claims]
    if not caps or any(cap is None for cap in caps):
        return False
    lease_ms = process.state.epoch.lease_bound_ms(word.body.level)
    return max(cap for cap in caps if cap is not None) + lease_ms <= process.clock().wall_ms + ANSWER_MS


def _name(claim: Any) -> tuple[str, bytes]:
    return claim.type, claim.id


def _answered(process: Process, topic: Topic) -> set[tuple[str, bytes]]:
    """Claims that its own words name, but for those under a replaced key that could live on."""
    now_ms, newest = process.clock().wall_ms, _newest_version(process, process.name)
    words = [word for word in _words(process, process.name) if _topic(word) == topic]
    said = [word for word in words if word.entry.key_version == newest or word.body.expires_ms <= now_ms]
    if words and max(words, key=_order).body.level is Level.NONE:
        said = words  # a person took it back; that the key was renewed since makes no new reason to say it
    return {_name(claim) for word in said for claim in word.body.claims}


def _sees(world: World, process: Process, digest: Any, topic: Topic) -> bool:
    fact = world.truth.facts.get(digest)
    if not any(one.disk.blob(digest) for one in world.honest()):
        return False
    return fact is not None and fact.true and (fact.subject, fact.threat) == topic


MORE = {
    "certificate": (("S5 (remembers first certificates)", note_first_certificates),),
    "certified": (("S1 the latest words count", s1_the_latest_words_count),),
    "entry": (("L1 a word counts at once", l1_a_word_counts_at_once),),
    "renewed": (("S5 renewed for something new", s5_renewed_for_something_new),),
    "own": (
        ("S5 words on a claim end", s5_words_on_a_claim_end),
        ("S5 only a withdrawal lowers", s5_only_a_withdrawal_lowers),
        ("S2 nobody speaks of what nobody runs", s2_nobody_speaks_of_what_nobody_runs),
    ),
    "lever": (
        ("S5 undone only for a reason", s5_undone_only_for_a_reason),
        ("S5 an undo frees nothing else", s5_an_undo_frees_nothing_else),
        ("S10 undone once", s10_undone_once),
    ),
    "opened": (
        ("S7 one restriction at a time", s7_one_restriction_at_a_time),
        ("L7 the blind act on little", l7_the_blind_act_on_little),
    ),
    "tick": (("S5 what is effective stands", s5_what_is_effective_stands),),
    "healed": (
        ("L3 feeds have no holes", l3_feeds_have_no_holes),
        ("L3 everybody answers", l3_everybody_answers),
    ),
}
"""What can break them → rows, for `table`."""

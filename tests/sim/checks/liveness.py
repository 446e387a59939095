"""L: what must come, comes in time. Asked only of nodes that promises are made to, after the heal."""

from __future__ import annotations

from protocol.alarm import is_live, weigh
from protocol.messages import Level
from tests.sim.checks.base import Seen
from tests.sim.checks.safety import threshold
from tests.sim.shell import Process
from tests.sim.world import World


def _common_words(seen: Seen, world: World) -> dict[tuple[object, int], dict[str, object]]:
    """Topic → author → the latest word that any honest node holds of an honest author, of those said before the last
    seconds."""
    words: dict[tuple[object, int], dict[str, object]] = {}
    for process in world.honest():
        for topic, held in process.state.opinions.items():
            for author, opinion in held.items():
                told_by_then = seen.margins.get(f"{author}/{opinion.entry.key_version}", -1)
                if opinion.entry.seq > told_by_then:
                    continue
                there = words.setdefault(topic, {}).get(author)
                if author not in world.faulty and (there is None or _later(opinion, there)):
                    words[topic][author] = opinion
    return words


def _later(one: object, other: object) -> bool:
    a, b = one.entry, other.entry  # type: ignore[attr-defined]
    return (a.key_version, a.seq) > (b.key_version, b.seq)


def l3_certificates_are_everywhere(seen: Seen, world: World, process: None) -> str:
    """What honest words alone reach, every honest node has reached."""
    for topic, words in sorted(_common_words(seen, world).items(), key=lambda one: (one[0][0].raw, one[0][1])):  # type: ignore[attr-defined]
        for one in world.honest():
            now_ms, state = one.clock().wall_ms, one.state
            live = [word for word in words.values() if is_live(word, world.epoch_of(one), now_ms)]  # type: ignore[arg-type]
            due = weigh(live, world.epoch_of(one), now_ms, state.releases).level
            if due < Level.GUARD:
                continue
            held = [
                two.certificate.level
                for two in state.certificates.values()
                if two.certificate.topic == topic and two.ends_ms > now_ms - 3 * one.tick_ms
            ]
            if max(held, default=Level.NONE) < due:
                return f"{one.name} holds no {due.name} certificate on {topic[0]}, which honest words reach"
    return ""


def of_a_moved_key(world: World, author: str, version: int) -> bool:
    """A feed under a KeySet that a replaced governance key sealed: that KeySet is none any more, and what is missing of
    the feed is asked for by nobody."""
    moved = world.people is not None and author in world.people.moved
    return moved and version < world.processes[author].setup.key_version


def l3_feeds_are_everywhere(seen: Seen, world: World, process: None) -> str:
    """Every honest node has every honest feed whole, up to the end that its author had some seconds ago."""
    for author in world.honest():
        for key, feed in author.state.feeds.items():
            if key[0] != author.name or of_a_moved_key(world, *key):
                continue
            for one in world.honest():
                theirs = one.state.feeds.get(key)
                if theirs is None or theirs.whole < seen.margins.get(f"{key[0]}/{key[1]}", -1):
                    reached = theirs.whole if theirs is not None else None
                    return f"{one.name} has {key[0]}'s feed {key[1]} to {reached}, it ends at {feed.top}"
    return ""


def l3_everybody_may_speak(seen: Seen, world: World, process: None) -> str:
    for one in world.honest():
        if not one.up:
            return f"{one.name} is down: {one.refused_to_start}"
        why = one.state.may_sign()
        if why:
            return f"{one.name} is well and says nothing: {why}"
    return ""


def l1_a_fresh_alarm_is_certified(seen: Seen, world: World, process: None, number: int, bound_ms: int) -> str:
    """After the heal: sensed by one, certified at all within two delays and processing."""
    from tests.sim import cast

    subject, digest = cast.subject_of_claim(number), cast.claim(number).claim.digest
    if _one_operator_shows_too_much(world) or _too_few_may_count(world):
        return ""
    for one in world.honest():
        held = [
            two
            for two in one.state.certificates.values()
            if two.certificate.subject == subject
            and two.certificate.level >= Level.ISOLATE
            and any(claim.digest == digest for opinion in two.opinions for claim in opinion.body.claims)
        ]
        if not held:
            return f"{one.name} holds no certificate on claim {number} {bound_ms} ms after it was first told"
    return ""


def _one_operator_shows_too_much(world: World) -> bool:
    """Where too few honest groups read through anybody else, the source rule lets no ISOLATE be: that is its price."""
    seats = {one.name: one for one in world.epoch.members if not one.suspended}
    eyes = {seats[one.state.me].group: set(world.eyes[one.name]) for one in world.honest() if one.state.me in seats}
    return sum(one != {"vendor0"} for one in eyes.values()) < world.epoch.f + 1


def _too_few_may_count(world: World) -> bool:
    """Where members suspended honest ones, what is left may fall short of the thresholds, which do not fall (S14)."""
    count = {one.group for one in world.epoch.members if not one.suspended and one.name not in world.faulty}
    return world.people is not None and len(count) < threshold(Level.ISOLATE, world.epoch)


def l7_blindness_is_said(seen: Seen, world: World, process: Process) -> str:
    """Asked on ticks: who has heard too few for long says so."""
    state = process.state
    if process.clock().mono_ms - state.started_mono_ms < 6_000 or not state.seated():
        return ""
    key = f"blind/{process.name}/{process.life}"
    if state.margin() >= 0:
        seen.margins.pop(key, None)
        return ""
    since_ms = seen.margins.setdefault(key, world.time.now_ms)
    if world.time.now_ms - since_ms > 3 * process.tick_ms + 500 and state.margin_said != "blind":
        return f"hears {state.heard_groups()} groups for {world.time.now_ms - since_ms} ms and has not said it is blind"
    return ""

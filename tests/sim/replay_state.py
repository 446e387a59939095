"""A node's state in sorted, readable lines, so that the difference of two states says what a step changed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from node.machine import State
from node.mark import NOTHING_SIGNED
from tests.sim.replay_words import brief, listed, seconds, threat_words, topic_words
from tests.sim.shell import Process
from tests.sim.world import World

Said = tuple[str, int]
"""(what is so, when it ends by the node's clock in ms; 0: it has no end)"""
Fact = tuple[str, str, int]
"""(section, what is so, when it ends)"""


def dump(world: World, process: Process) -> list[Fact]:
    """By section, sorted in each."""
    state = process.state
    sections: dict[str, Iterator[Said]] = {
        "process": _process(process),
        "may sign": iter([(state.may_sign() or "yes", 0)]),
        "opinion": _opinions(state),
        "certificate": _certificates(state),
        "action": _actions(state),
        "target": _target(world, process),
        "feed": _feeds(state),
        "keysets": _keysets(state),
        "link": _links(state),
        "release": _releases(state),
        "equivocation": ((f"{author}/{version}", 0) for author, version in state.equivocations),
        "false statements": ((f"{author}: {len(said)}", 0) for author, said in state.false_statements.items()),
        "claim": _claims(state),
        "disk": _disk(process),
    }
    return [(section, what, ends_ms) for section, said in sections.items() for what, ends_ms in sorted(said)]


def full_lines(facts: list[Fact]) -> list[str]:
    """Each says where it belongs, and nothing that changes because time passes: what differs has happened."""
    return [f"{section}: {what}{f', ends at {seconds(ends)}' if ends else ''}" for section, what, ends in facts]


def page(facts: list[Fact], now_ms: int) -> list[str]:
    """For people: under headings, and how long everything still runs."""
    told: list[str] = []
    heading = ""
    for section, what, ends_ms in facts:
        if section != heading:
            heading = section
            told.append(f"{section}:")
        left = (ends_ms - now_ms) / 1000
        told.append(f"  {what}{f', {_ends(ends_ms, left)}' if ends_ms else ''}")
    return told


def _ends(ends_ms: int, left: float) -> str:
    return (
        f"ends at {seconds(ends_ms)}, in {left:.1f} s"
        if left > 0
        else f"ended at {seconds(ends_ms)}, {-left:.1f} s ago"
    )


def _process(process: Process) -> Iterator[Said]:
    yield f"{'up' if process.up else 'down'}, life {process.life}, key {process.setup.key_version}", 0
    yield f"clock {process.wall.ahead_ms:+d} ms from true time", 0
    if process.refused_to_start:
        yield f"refused to start: {process.refused_to_start}", 0


def _opinions(state: State) -> Iterator[Said]:
    for (subject, threat), held in state.opinions.items():
        for author, one in held.items():
            body, entry = one.body, one.entry
            words = f"{body.level.name} ({body.basis.name}{', by a person' if body.by_person else ''})"
            where = f"{topic_words(subject, threat)}: {author}/{entry.key_version}#{entry.seq}"
            yield f"{where} {words}, first at {seconds(body.since_ms)}, {len(body.claims)} claims", body.expires_ms


def _certificates(state: State) -> Iterator[Said]:
    for name, one in state.certificates.items():
        held = one.certificate
        signed = listed(sorted(f"{two.entry.author}#{two.entry.seq}" for two in one.opinions))
        yield f"{topic_words(*held.topic)}: {held.level.name} {brief(name)} by {signed}", one.ends_ms


def _actions(state: State) -> Iterator[Said]:
    for key, one in state.actions.items():
        running = f", at step {one.running}" if one.running else ""
        tries = f", {one.attempts} attempts" if one.attempts else ""
        topic = topic_words(one.subject, one.threat)
        yield f"{one.lever} {brief(key)} {one.phase.value}{running}{tries} on {topic}, rule {one.rule}", one.until_ms


def _target(world: World, process: Process) -> Iterator[Said]:
    """What stands there, by the target's own clock, which is true time."""
    target = world.targets[process.name]
    for instance in target.until_ms:
        stands = target.stands_until_ms(instance, world.time.now_ms)
        yield f"{instance} {'restricted' if stands else 'free'}", stands


def _feeds(state: State) -> Iterator[Said]:
    for (author, version), feed in state.feeds.items():
        rivals = f", {len(feed.rivals)} rivals" if feed.rivals else ""
        yield f"{author}/{version} top {feed.top} {brief(feed.top_hash)}, whole to {feed.whole}{rivals}", 0


def _keysets(state: State) -> Iterator[Said]:
    for member, versions in state.keysets.items():
        yield f"{member}: {listed(f'{version} {brief(one.hash)}' for version, one in sorted(versions.items()))}", 0


def _links(state: State) -> Iterator[Said]:
    for peer_id, link in state.links.items():
        wanted = sorted(
            f"{author}/{version}#{want.from_seq}..{want.to_seq}" for (author, version), want in link.wanted.items()
        )
        asks = f", asked for {listed(wanted)}" if wanted else ""
        own = ", has shown our head" if link.own_head_seen else ""
        yield f"{link.member or peer_id}, shows {len(link.shown)} certificates{own}{asks}", 0


def _releases(state: State) -> Iterator[Said]:
    for (subject, threat), by_member in state.releases.latest.items():
        topic, point_ms = topic_words(subject, threat), state.releases.points.get((subject, threat), 0)
        yield f"{topic}: {f'released through {seconds(point_ms)}' if point_ms else 'not released yet'}", 0
        for author, through_ms in by_member.items():
            yield f"{topic}: {author} through {seconds(through_ms)}", 0


def _claims(state: State) -> Iterator[Said]:
    for claim, ruled in state.ruled.items():
        found: Any = ruled.judgement
        what = f" {found.level.name} {threat_words(found.threat)}" if found.subject else ""
        yield f"{brief(claim.digest)} {found.ruling.value}{what}, {ruled.tries} tries", 0
    for digest, one in state.missing.items():
        yield f"{brief(digest)} its blob is missing, asked for {one.tries} times", 0
    for claim, author in state.judging.items():
        yield f"{brief(claim.digest)} is being looked at on {author}'s word", 0


def _disk(process: Process) -> Iterator[Said]:
    disk = process.disk
    if disk.mark is None:
        yield "no mark", 0
    else:
        seq = "nothing signed" if disk.mark.seq == NOTHING_SIGNED else f"seq {disk.mark.seq} {brief(disk.mark.hash)}"
        yield f"mark: {seq} of key {disk.mark.key_version}", 0
    yield f"rows: {len(disk.rows)}", 0
    trouble = [word for word, so in ((disk.fault, disk.fault), ("full", disk.full), ("newer", disk.newer)) if so]
    if trouble:
        yield f"trouble: {', '.join(trouble)}", 0

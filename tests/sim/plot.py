"""What happens in the safety phase of a seed: a list of timed deeds, drawn before the first of them. A shorter list of
the same deeds is the same seed with less happening."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from node.events import Raise, ReleaseTopic, Withdraw
from protocol.limits import SKEW_MS_MAX
from protocol.messages import Level
from tests.sim import cast
from tests.sim.options import Options
from tests.sim.shell import DEATHS

if TYPE_CHECKING:
    from tests.sim.world import World

PAUSES_MS = (1_000, 5_000, 15_000, 60_000, 120_000)


@dataclass(frozen=True)
class Deed:
    """`who`: index among the honest processes, taken modulo how many there are."""

    at_ms: int
    kind: str
    who: int = 0
    number: int = 0
    word: str = ""


def draw(chance: random.Random, options: Options) -> list[Deed]:
    """An alarm in each seed, and as many deeds besides as its options say."""
    kinds = kinds_of(options)
    span_ms = options.span_ms
    deeds = [Deed(chance.randrange(1_200, 2 * span_ms // 3), "alarm", chance.randrange(64), 0, "ISOLATE")]
    for number in range(1, options.deeds):
        kind = chance.choice(kinds)
        word = chance.choice(_WORDS.get(kind, ("",)))
        deeds.append(Deed(chance.randrange(800, span_ms), kind, chance.randrange(64), number, word))
    return sorted(deeds, key=lambda one: (one.at_ms, one.number))


_BY_FAULT = {
    "partition": "cut", "one_way": "one_way", "flapping": "flap", "slow_links": "slow", "torn_write": "disk",
    "lost_write": "disk", "disk_full": "disk_full", "failed_but_persisted": "disk", "persisted_but_failed": "disk",
    "clock_jump": "jump", "pause": "pause", "crash": "crash", "crash_at_step": "crash_at_step",
    "newer_records": "newer_records", "rekey": "rekey", "poisoned_vendor": "poison", "outage": "outage",
    "quiet_hours": "quiet", "people": "person", "releases": "release",
}  # fmt: skip
_DISK = ("torn_write", "lost_write", "failed_but_persisted", "persisted_but_failed")
_WORDS = {
    "alarm": ("ISOLATE", "ISOLATE", "GUARD", "HALT"),
    "person": ("raise GUARD", "raise ISOLATE", "withdraw"),
    "crash_at_step": DEATHS,
    "cut": ("half", "third", "one"),
}


def kinds_of(options: Options) -> list[str]:
    """What may happen where these faults are on."""
    return ["alarm", *(_BY_FAULT[fault] for fault in sorted(options.faults) if fault in _BY_FAULT)]


def play(world: World, deed: Deed) -> None:
    """Does it, and counts that it was done."""
    process = world.honest()[deed.who % len(world.honest())]
    _TABLE[deed.kind](world, deed, process)


def _alarm(world: World, deed: Deed, process: Any) -> None:
    subject, level = cast.subject_of_claim(deed.number), Level[deed.word]
    world.truth.happens(deed.number, subject, level, world.time.now_ms)
    world.cause(subject)
    world.note("world", f"claim {deed.number} comes true: {level.name} on {subject}")
    for near in range(1 + deed.who % 3):
        seer = world.honest()[(deed.who + near) % len(world.honest())]
        world.time.after(50 * near, world.sense, seer, deed.number, level)


def _cut_pairs(world: World, deed: Deed) -> tuple[list[tuple[str, str]], str]:
    names = list(world.network.names)
    random.Random(deed.who).shuffle(names)
    size = {"half": len(names) // 2, "third": max(1, len(names) // 3), "one": 1}.get(deed.word, 1)
    side, rest = names[:size], names[size:]
    return [(a, b) for a in side for b in rest], "|".join(sorted(side))


def _cut(world: World, deed: Deed, process: Any) -> None:
    pairs, side = _cut_pairs(world, deed)
    both = [*pairs, *((b, a) for a, b in pairs)]
    world.network.cut(both)
    _did(world, "partition", "world", f"cut: {side} from the others")
    world.time.after(3_000 + deed.who * 200, world.network.heal, both)


def _one_way(world: World, deed: Deed, process: Any) -> None:
    pairs, side = _cut_pairs(world, deed)
    world.network.cut(pairs)
    _did(world, "one_way", "world", f"nothing passes from {side} to the others; the other way it does")
    world.time.after(2_000 + deed.who * 200, world.network.heal, pairs)


def _flap(world: World, deed: Deed, process: Any) -> None:
    pairs, side = _cut_pairs(world, deed)
    both = [*pairs, *((b, a) for a, b in pairs)]
    _did(world, "flapping", "world", f"flaps: {side}")
    for beat in range(6):
        world.time.after(1_000 * beat, world.network.cut, both)
        world.time.after(1_000 * beat + 500, world.network.heal, both)


def _slow(world: World, deed: Deed, process: Any) -> None:
    world.network.slow[process.name] = 400 + 20 * deed.who
    _did(world, "slow_links", process.name, "its links get slow")


def _disk(world: World, deed: Deed, process: Any) -> None:
    names = sorted(world.options.faults.intersection(_DISK))
    process.disk.fault = names[deed.who % len(names)]
    world.time.after(4_000, _again, world, process)


def _disk_full(world: World, deed: Deed, process: Any) -> None:
    process.disk.full = True
    world.note(process.name, "its disk is full")
    world.time.after(4_000, _space, world, process)


def _space(world: World, process: Any) -> None:
    process.disk.full = False
    _again(world, process)


def _jump(world: World, deed: Deed, process: Any) -> None:
    """Another clock for some seconds, then it is set right. Beyond the bound it counts among the f while it lasts."""
    small_ms = world.skew_most_ms()
    by_ms = (-small_ms, small_ms, 7 * cast.HOUR_MS, -40_000)[deed.who % 4]
    if abs(by_ms) > SKEW_MS_MAX and not world.may_misset(process.name):
        by_ms = small_ms
    if abs(process.wall.ahead_ms + by_ms) > SKEW_MS_MAX and not world.may_misset(process.name):
        return  # two small jumps are one large one
    process.wall.ahead_ms += by_ms
    if abs(process.wall.ahead_ms) > SKEW_MS_MAX:
        world.misset.add(process.name)
    _did(world, "clock_jump", process.name, f"its clock jumps by {by_ms} ms")
    world.time.after(5_000, _set_clock, world, process, by_ms)


def _set_clock(world: World, process: Any, by_ms: int) -> None:
    """One jump is taken back, whatever other came between; the heal has set all clocks right."""
    if world.network.calm:
        return
    process.wall.ahead_ms -= by_ms
    world.note(process.name, "its clock is set right")


def _pause(world: World, deed: Deed, process: Any) -> None:
    ms = PAUSES_MS[deed.who % len(PAUSES_MS)]
    world.pause(process, ms)
    _did(world, "pause", process.name, f"stands still for {ms} ms")


def _crash(world: World, deed: Deed, process: Any) -> None:
    if process.up:
        process.die("is killed")
        world.history.told["crash"] += 1
        world.time.after(500 + deed.who * 100, world.bring_up, process)


def _crash_at_step(world: World, deed: Deed, process: Any) -> None:
    process.dies_at = deed.word
    world.time.after(6_000, _again, world, process)


def _again(world: World, process: Any) -> None:
    process.dies_at = process.disk.fault = ""
    world.bring_up(process)


def _newer(world: World, deed: Deed, process: Any) -> None:
    """Started once by a program that does not know its records: it must not start, and lose nothing."""
    if process.up:
        process.die("is stopped to be downgraded")
        process.disk.newer = True
        world.bring_up(process)
        process.disk.newer = False
        world.history.told["newer_records"] += 1
        world.time.after(2_000, world.bring_up, process)


def old_backup(world: World, process: Any) -> None:
    """Its store is put back to what it was; the mark, which is in no backup, is not."""
    process.die("is stopped; an older store is put in its place")
    process.disk.roll_back(len(process.disk.rows) // 2)
    world.history.told["old_backup"] += 1
    world.bring_up(process)


def _rekey(world: World, deed: Deed, process: Any) -> None:
    if process.up:
        process.die("is stopped; its owner delegates a fresh key")
        process.rekey()
        version = process.setup.key_version
        fresh = world.people.keyset(process.name, version) if world.people else cast.keyset(process.name, version)
        world.extra_keysets.append(fresh)
        world.history.told["rekey"] += 1
        world.time.after(400, world.bring_up, process)


def _poison(world: World, deed: Deed, process: Any) -> None:
    """An operator shows what is not so to everyone who reads through it."""
    operator = f"operator{deed.who % max(world.options.vendors, 1) if world.options.vendors < 3 else 0}"
    subject, number = cast.subject_of_claim(deed.number), 1_000 + deed.number
    world.truth.happens(number, subject, Level.ISOLATE, world.time.now_ms, true=False, shown_by=[operator])
    world.cause(subject)
    _did(world, "poisoned_vendor", "world", f"{operator} shows claim {number}, which is not so")
    for seer in world.honest()[:4]:
        world.sense(seer, number, Level.ISOLATE)


def _outage(world: World, deed: Deed, process: Any) -> None:
    for eye in world.eyes[process.name]:
        world.truth.blind_until_ms[eye] = world.time.now_ms + 3_000
    _did(world, "outage", process.name, "its providers do not answer")


def _quiet(world: World, deed: Deed, process: Any) -> None:
    world.history.told["quiet_hours"] += 1


def _person(world: World, deed: Deed, process: Any) -> None:
    verb, _, level = deed.word.partition(" ")
    subject = cast.SUBJECTS[deed.number % len(cast.SUBJECTS)]
    world.history.told["people"] += 1
    if verb == "raise":
        lease_ms = world.epoch.lease_bound_ms(Level[level]) // 2
        world.cause(subject)
        world.ask(process, Raise(subject, cast.THREAT, Level[level], lease_ms, "by hand"), f"raise {level} {subject}")
    elif verb == "withdraw":
        world.ask(process, Withdraw(subject, cast.THREAT), f"withdraw {subject}")


def _release(world: World, deed: Deed, process: Any) -> None:
    """Operators of many members end what runs on a subject, one after the other; some of the wrong threat."""
    threat = cast.OTHER_THREAT if deed.who % 5 == 3 else cast.THREAT
    subject = cast.SUBJECTS[deed.number % len(cast.SUBJECTS)]
    world.history.told["releases"] += 1
    for at, other in enumerate(world.honest()):
        if (deed.who + at) % 5:
            command = ReleaseTopic(subject, threat, 0)
            world.time.after(100 * at, world.ask, other, command, f"release {subject}")


def _did(world: World, fault: str, who: str, words: str) -> None:
    world.history.told[fault] += 1
    world.note(who, words)


_TABLE = {
    "alarm": _alarm, "cut": _cut, "one_way": _one_way, "flap": _flap, "slow": _slow, "disk": _disk,
    "disk_full": _disk_full, "jump": _jump, "pause": _pause, "crash": _crash, "crash_at_step": _crash_at_step,
    "newer_records": _newer, "rekey": _rekey, "poison": _poison, "outage": _outage, "quiet": _quiet,
    "person": _person, "release": _release,
}  # fmt: skip

"""How each rule of `rules.py` is driven: what is done to a shell, and what is read of it then."""

from __future__ import annotations

from typing import Any

from node.events import Event, OperatorAsked, Raise
from protocol.envelope import parse_entry, seal_entry
from protocol.frames import Blobs, Entries, Frame, Head, Heads, WantEntries
from protocol.ids import ZERO_HASH
from protocol.messages import Attestation, Basis, Level, Notice, Tlp
from protocol.subjects import asset
from tests.sim import cast
from tests.sim.scheduler import START_MS
from tests.sim.shells import EPOCH, ME, OTHERS, Shell

SETTLED_MS = 2_000
"""By then the Manifest and a first Heartbeat are said; the next Heartbeat comes after a minute."""


def question(ticket: int, level: Level = Level.WATCH) -> Event:
    """One event that makes one own word, one record besides and one reply."""
    subject = asset(cast.CHAIN, ticket.to_bytes(20, "big"))
    return OperatorAsked(ticket, "ann", Raise(subject, cast.THREAT, level, 0, "by hand"))


async def settled(shell: Shell) -> int:
    """A node of which nothing more is to come by itself; where its log ends then."""
    await shell.start()
    await shell.run(SETTLED_MS)
    return len(shell.log)


async def says(shell: Shell, *tickets: int, ms: int = 50) -> list[str]:
    """What the log says of so many operators' questions that came at once."""
    before = len(shell.log)
    await shell.push(*(question(ticket) for ticket in tickets))
    await shell.run(ms)
    return shell.log[before:]


async def again(shell: Shell, *, shown_by: tuple[str, ...] = OTHERS[:2]) -> None:
    """A second life; these peers show that they hold nothing of ours beyond what we have."""
    await shell.start()
    for peer in shown_by:
        await shell.hear(peer, Heads((), ()), sync=True)
    await shell.run(SETTLED_MS)


def peers_entry(seq: int = 0, text: str = "hello", author: str = "m1", prev: Any = ZERO_HASH) -> bytes:
    made = seal_entry(cast.NETWORK, cast.hot(author), author=author, key_version=0, seq=seq, prev=prev,
                      issued_ms=START_MS, body=Notice(text, Tlp.GREEN))  # fmt: skip
    return made.raw


def alarm() -> tuple[Frame, Frame]:
    """A claim of m1's, its blob ahead of it."""
    blob = cast.claim(1)
    body = Attestation(EPOCH.hash, cast.SUBJECTS[0], cast.THREAT, Level.GUARD, Basis.OBSERVED, (blob.claim,),
                       ("m1.node",), "test", "", START_MS, START_MS + cast.HOUR_MS, False, Tlp.GREEN)  # fmt: skip
    made = seal_entry(cast.NETWORK, cast.hot("m1"), author="m1", key_version=0, seq=0, prev=ZERO_HASH,
                      issued_ms=START_MS, body=body)  # fmt: skip
    return Blobs((blob.blob,)), Entries((made.raw,))


# the commit
async def in_order(shell: Shell) -> Any:
    await settled(shell)
    return await says(shell, 1)


async def many_in_order(shell: Shell) -> Any:
    await settled(shell)
    return await says(shell, 1, 2, 3)


async def slow_disk(shell: Shell) -> Any:
    before = await settled(shell)
    shell.slow_ms = 1_000
    await shell.push(question(1))
    await shell.run(900)
    early = [one for one in shell.log[before:] if "Entries" in one or "reply" in one]
    await shell.run(200)
    return early, shell.log[before:]


async def look(shell: Shell) -> Any:
    before = await settled(shell)
    shell.slow_ms = 600
    for frame in alarm():
        await shell.hear("m1", frame)
    await shell.run(100)
    early = list(shell.log[before:])
    await shell.run(3_000)
    return early, [one for one in shell.log[before:] if one == "look" or "EntryAccepted" in one]


async def sixty_four(shell: Shell) -> Any:
    await settled(shell)
    log = await says(shell, *range(1, 101))
    return [one for one in log if one.startswith(("mark", "store"))]


async def split(shell: Shell) -> Any:
    await settled(shell)
    shell.machine.words = 5
    log = await says(shell, *range(1, 101))
    return [one for one in log if one.startswith(("mark", "store"))]


async def ticks(shell: Shell) -> Any:
    await settled(shell)
    shell.slow_ms = 5_000
    await shell.push(question(1))
    await shell.run(300)
    before = len(shell.machine.handled)
    await shell.run(5_000)
    return shell.machine.handled[before:].count("Ticked") <= 6


async def no_records(shell: Shell) -> Any:
    before = await settled(shell)
    shell.slow_ms = 60_000
    await shell.hear("m2", WantEntries(ME, 0, 0, 0), sync=True)
    await shell.run(50)
    return shell.log[before:]


# death
async def _dies(shell: Shell, at: str) -> tuple[int, list[str]]:
    """The last seq before it, and what the log says of the word at which it died."""
    await settled(shell)
    head = shell.head()
    shell.dies_at = at
    return head, await says(shell, 1)


async def before_mark(shell: Shell) -> Any:
    head, log = await _dies(shell, "before_mark")
    dead = (shell.alive, shell.head() - head, shell.marked() - head)
    await again(shell)
    await says(shell, 2)
    return log, dead, shell.seqs() == list(range(head + 3)), f"all: Entries {head + 1}" in shell.log


async def after_mark(shell: Shell) -> Any:
    head, log = await _dies(shell, "after_mark")
    mark = shell.mark()
    dead = (shell.alive, shell.head() - head, shell.marked() - head)
    await again(shell)
    adopted = mark is not None and len(mark.raws) == 1 and shell.own()[head + 1] == mark.raws[0]
    return log == [f"mark {head + 1}"], dead, adopted, shell.seqs() == list(range(shell.head() + 1)), shell.silent()


async def after_store(shell: Shell) -> Any:
    head, log = await _dies(shell, "after_store")
    kept = shell.own()[-1]
    dead = (shell.alive, shell.head() - head, shell.marked() - head, [one for one in log if "Entries" in one])
    await again(shell)
    before = len(shell.log)
    await shell.hear("m3", WantEntries(ME, 0, head + 1, head + 1), sync=True)
    await shell.run(50)
    same = shell.own()[head + 1] == kept
    return dead, same, [one.replace(str(head + 1), "it") for one in shell.log[before:]]


async def mid_release(shell: Shell) -> Any:
    head, log = await _dies(shell, "mid_release")
    dead = (shell.alive, shell.head() - head, [one.replace(str(head + 1), "it") for one in log])
    await again(shell)
    return dead, shell.seqs() == list(range(shell.head() + 1)), shell.silent()


async def failed(shell: Shell, how: str) -> Any:
    """What left; alive; how far store and mark are beyond the head before it; and after a restart on a sound disk
    whether all own seqs are there once, and whether the word was adopted as it was."""
    await settled(shell)
    head = shell.head()
    shell.fails = how
    log = await says(shell, 1)
    left = [one for one in log if "Entries" in one or "reply" in one]
    stopped = (left, shell.alive, shell.head() - head, shell.marked() - head)
    mark = shell.mark()
    shell.fails = ""
    await again(shell)
    await says(shell, 2)
    adopted = mark is not None and mark.seq > head and shell.own()[head + 1] == mark.raws[-1]
    return stopped, shell.seqs() == list(range(shell.head() + 1)), adopted, shell.silent()


# the mark
async def rolled_back(shell: Shell) -> Any:
    await settled(shell)
    await shell.kill()
    shell.copy_store()
    await again(shell)
    await says(shell, 1)
    await says(shell, 2)
    head = shell.head()
    await shell.kill()
    shell.put_back_store()
    await again(shell, shown_by=OTHERS)
    log = await says(shell, 2)
    return head - shell.head(), shell.silent(), [one for one in log if "Entries" in one], "must not" in shell.says[-1]


async def no_mark(shell: Shell) -> Any:
    await settled(shell)
    await shell.kill()
    shell.lose_mark()
    await again(shell, shown_by=OTHERS)
    log = await says(shell, 2)
    return shell.alive, shell.silent(), [one for one in log if "Entries" in one]


async def lost_store(shell: Shell) -> Any:
    await settled(shell)
    await shell.kill()
    shell.lose_store()
    await again(shell, shown_by=OTHERS)
    return shell.alive, shell.silent(), shell.head()


async def empty(shell: Shell) -> Any:
    shell.peers = ()
    await shell.start()
    return [one for one in shell.log if "store K" not in one][:3], shell.silent()


async def waits(shell: Shell) -> Any:
    await settled(shell)
    await shell.kill()
    await again(shell, shown_by=())
    alone = shell.silent()
    await shell.hear("m1", Heads((), ()), sync=True)
    await shell.run(20)
    one = shell.silent()
    await shell.hear("m2", Heads((), ()), sync=True)
    await shell.run(20)
    return alone, one, shell.silent()


async def nobody(shell: Shell) -> Any:
    await settled(shell)
    await shell.kill()
    shell.peers = ()
    await shell.start()
    await shell.run(12_000)
    return shell.silent(), [told for told in shell.told if "observes" in told]


async def lying_head(shell: Shell) -> Any:
    await settled(shell)
    await shell.kill()
    await again(shell, shown_by=("m1", "m2"))
    await shell.hear("m3", Heads((Head(ME, 0, 0, 10**9, ZERO_HASH),), ()), sync=True)
    await shell.run(100)
    return shell.silent(), shell.stops()


async def ahead(shell: Shell) -> Any:
    await settled(shell)
    beyond = peers_entry(shell.head() + 1, "what was forgotten", ME, shell.machine.state.own_head()[1])
    await shell.hear("m1", Entries((beyond,)), sync=True)
    await shell.run(50)
    log = await says(shell, 2)
    first = (shell.silent(), shell.stops(), [one for one in log if "Entries" in one])
    await shell.kill()
    await again(shell, shown_by=OTHERS)
    return first, shell.silent(), shell.stops()


# what peers ask for
async def served(shell: Shell) -> Any:
    await settled(shell)
    shell.machine.words = 60
    await says(shell, *range(1, 8), ms=500)
    before = len(shell.log)
    await shell.hear("m1", WantEntries(ME, 0, 10, 2**62), sync=True)
    await shell.run(200)
    frames = [list(map(int, one.split()[2:])) for one in shell.log[before:] if one.startswith("m1: Entries")]
    return [(one[0], one[-1]) for one in frames], all(one == list(range(one[0], one[-1] + 1)) for one in frames)


async def served_bytes(shell: Shell) -> Any:
    await settled(shell)
    big, prev = [], ZERO_HASH
    for seq in range(60):
        raw = peers_entry(seq, "x" * 4_000, prev=prev)
        prev = _hash(raw)
        big.append(raw)
    for raw in big:
        await shell.hear("m1", Entries((raw,)))
        await shell.run(20)
    before = len(shell.log)
    await shell.hear("m2", WantEntries("m1", 0, 0, 59), sync=True)
    await shell.run(200)
    served = [int(seq) for one in shell.log[before:] if one.startswith("m2: Entries") for seq in one.split()[2:]]
    return served == list(range(192 * 1024 // len(big[-1])))


async def twins(shell: Shell) -> Any:
    await settled(shell)
    await shell.hear("m1", Entries((peers_entry(0, "one"), peers_entry(0, "two"), peers_entry(1, "three"))))
    await shell.run(50)
    before = len(shell.log)
    await shell.hear("m2", WantEntries("m1", 0, 0, 1), sync=True)
    await shell.run(50)
    return [one for one in shell.log[before:] if one.startswith("m2")]


def _hash(raw: bytes) -> Any:
    return parse_entry(raw, cast.NETWORK).hash

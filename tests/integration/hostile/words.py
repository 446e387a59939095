"""Attacks of a member in well-formed frames: signatures that are none, others' names, old words, heads that move."""

from __future__ import annotations

import hashlib
import time

import trio

from node.transport.limits import FRAME_MAX
from tests.integration.hostile import claims
from tests.integration.hostile.wire import Mouth, Stage, mouth
from tests.sim.actors import pen as ink

MOST = (1 << 63) - 1
KEY_VERSION = 1


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def heartbeat(on: Stage) -> dict[int, bytes]:
    return {1: on.epoch}


def spoilt(raw: bytes) -> bytes:
    """The same entry with a signature that is none."""
    return raw[:-1] + bytes([raw[-1] ^ 1])


async def bad_signatures(on: Stage) -> None:
    """Its own next entries, each with a signature that does not hold, as fast as the wire takes them."""
    pen = on.pen()
    pen.version = KEY_VERSION
    seq = 0
    async with mouth(on) as mine:
        while True:
            raws = [pen.seal(ink.HEARTBEAT, heartbeat(on), now_ms(), 10_000 + seq + i, ink.ZERO)[0] for i in range(4)]
            seq += 4
            # one signature of ours makes sixteen entries that each must be verified to be refused
            frame = ink.entries(*(raw[:-2] + bytes([raw[-2] ^ i, raw[-1] ^ 1]) for raw in raws for i in range(16)))
            await mine.tell(frame)
            on.did("entries", 64)


async def names_honest(on: Stage) -> None:
    """Junk under honest members' names, at the places that their next words will have."""
    pens = {target.name: on.pen(target.name) for target in on.targets}
    for pen in pens.values():
        pen.version = KEY_VERSION
    async with mouth(on) as mine:
        while True:
            raws = []
            for pen in pens.values():
                seq = on.chance.choice((on.chance.randrange(64), on.chance.randrange(4_000)))
                raws += [pen.seal(ink.HEARTBEAT, heartbeat(on), now_ms(), seq, on.chance.randbytes(32))[0]]
            await mine.tell(ink.entries(*raws))
            on.did("entries", len(raws))


async def future_stamps(on: Stage) -> None:
    """Validly signed, from tomorrow, from the year 2500, from the end of time."""
    pen = on.pen()
    pen.version = KEY_VERSION
    async with mouth(on) as mine:
        while True:
            ahead = on.chance.choice((61_000, 86_400_000, 15_000_000_000_000, MOST - now_ms()))
            at_ms = min(now_ms() + ahead, MOST)
            number = on.chance.randrange(1 << 30)
            body = opinion(on, number, at_ms, min(at_ms + 4_000, MOST))
            await mine.tell(ink.entries(pen.say(ink.ATTESTATION, body, at_ms)))
            on.did("entries")
            await trio.sleep(0.02)


def opinion(on: Stage, number: int, since_ms: int, until_ms: int, level: int = ink.ISOLATE) -> dict[int, object]:
    claim = claims.claimed(number).claim
    told = {1: claim.type, 2: claim.id, 3: claim.digest}
    topic = (claims.subject(number).raw, int(claims.THREAT))
    return ink.attestation(on.epoch, topic, level, since_ms, until_ms, [told], [f"{on.author}.test"])


async def member_flood(on: Stage) -> None:
    """All that it may say and more: alarms of its own on claims that are not so, Heartbeats, as fast as they go."""
    pen = on.pen()
    pen.version = KEY_VERSION
    number = 1 << 30
    async with mouth(on) as mine:
        nothing = 0
        while True:
            raws = [pen.say(ink.HEARTBEAT, heartbeat(on), now_ms()) for _ in range(15)]
            number += 1
            at_ms = now_ms()
            raws.append(pen.say(ink.ATTESTATION, opinion(on, number, at_ms, at_ms + 4_000), at_ms))
            await mine.tell(ink.entries(*raws))
            on.did("entries", len(raws))
            nothing += 1


async def replays(on: Stage) -> None:
    """Everything that it ever heard, again, in any order, on either stream."""
    async with mouth(on) as mine:
        while True:
            if not mine.heard:
                await trio.sleep(0.05)
                continue
            for frame in on.chance.choices(mine.heard, k=32):
                await mine.tell(frame, sync=on.chance.random() < 0.5)


async def moving_heads(on: Stage) -> None:
    """Heads of everybody far ahead, further each time; whoever asks for what is missing gets junk, or nothing."""
    seq = 10**9
    async with mouth(on) as mine:
        while True:
            seq += 1
            authors = [*(target.name for target in on.targets), on.author]
            told = [(author, KEY_VERSION, seq, seq, on.chance.randbytes(32)) for author in authors]
            await mine.tell(ink.heads(told, [on.chance.randbytes(32) for _ in range(64)]), sync=True)
            on.did("heads")
            await _answer_with_junk(on, mine)
            await trio.sleep(0.002)


async def _answer_with_junk(on: Stage, mine: Mouth) -> None:
    wants, mine.wants = mine.wants, []
    for peer, frame in wants[:8]:
        asked = ink.fields_of(frame)
        if ink.kind_of(frame) == ink.WANT_ENTRIES:
            pen = on.pen(asked[1])
            pen.version = KEY_VERSION
            junk = [pen.seal(ink.HEARTBEAT, heartbeat(on), now_ms(), asked[3] + i, ink.ZERO)[0] for i in range(8)]
            await mine.tell(ink.entries(*junk), sync=True, to=peer)
            on.did("junk answers")


async def endless_ranges(on: Stage) -> None:
    """Ranges to the end of numbers, of everybody's feed; blobs and certificates that are nobody's."""
    async with mouth(on) as mine:
        while True:
            author = on.chance.choice(on.targets).name
            await mine.tell(ink.want_entries(author, KEY_VERSION, 0, MOST), sync=True)
            await mine.tell(ink.want_entries(author, KEY_VERSION, MOST, 0), sync=True)
            digests = [on.chance.randbytes(32) for _ in range(64)]
            await mine.tell(ink.listed(on.chance.choice((ink.WANT_BLOBS, ink.WANT_CERTIFICATES)), digests), sync=True)
            on.did("questions", 3)


async def fat_frames(on: Stage) -> None:
    """Frames of the greatest size: nothing inside, nests, thousands of items, blobs that nobody named."""
    most = FRAME_MAX[1] - 64  # type: ignore[index]
    nest = b"\x82\x02" + b"\x81" * (most - 8) + b"\xa0"
    items = b"\x82\x06\xa1\x01\x99\x80\x00" + b"\x00" * 0x8000
    async with mouth(on) as mine:
        while True:
            blobs = ink.listed(ink.BLOBS, [on.chance.randbytes(30_000) for _ in range(2)])
            certificate = ink.certified(ink.certificate(on.epoch, _topic(on), ink.ISOLATE, [bytes(15_000)] * 4))
            await mine.tell(on.chance.choice((nest, items, blobs, certificate, on.chance.randbytes(most))))


async def invented_shown(on: Stage) -> None:
    """Certificates that nobody has: shown, promised, never given; KeySets of strangers."""
    async with mouth(on) as mine:
        while True:
            ids = [on.chance.randbytes(32) for _ in range(256)]
            await mine.tell(ink.listed(ink.SHOWN, ids), sync=True)
            await mine.tell(ink.heads([], ids), sync=True)
            stranger = ink.keyset(f"nobody-{on.chance.randrange(99)}", 1, on.network, now_ms() + 10**8, [on.peer_id])
            await mine.tell(ink.listed(ink.KEYSETS, [stranger]), sync=True)
            on.did("invented", 256)


def _topic(on: Stage) -> tuple[bytes, int]:
    return claims.subject(on.chance.randrange(claims.SUBJECTS)).raw, int(claims.THREAT)


async def silent(on: Stage) -> None:
    """Connected, answering pings, saying nothing: what a victim's neighbours do to eclipse it."""
    async with mouth(on):
        await trio.sleep_forever()


def lie_id(name: str) -> bytes:
    return hashlib.sha256(name.encode()).digest()

"""The floor: what plain TCP and one verification an entry cost on the same ground, with the same bytes.

One process a member, one TCP connection a pair, length-prefixed entries sealed as ours are. An entry that is new is
verified once, counted, and answered with an own one where the mode says so; done at Q. No store, no encryption, no
policy, no catching up: nobody's certificate can be faster than this in this language.

Run as `python -m tests.bench.mesh_floor JOB-JSON`; prints one JSON line.
"""

from __future__ import annotations

import json
import math
import os
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, BinaryIO

import trio

from protocol.codec import decode, encode
from protocol.crypto import Signer, sha256, verify
from protocol.envelope import PROTECTED, domain_tag, seal_entry
from protocol.ids import EntryHash, EpochHash, MemberName, NetworkId, PublicKey
from protocol.messages import Attestation, Basis, EntryKind, Level, Threat, Tlp
from tests.bench import namespaces
from tests.bench.ground import Ground, Road, end_with_parent, ground
from tests.bench.immediate import claimed, subject
from tests.bench.members import names_of, source_of
from tests.bench.round import Round, schedule, spans

NETWORK = NetworkId(bytes(32))
AUTHOR, SEQ, ISSUED_MS = 1, 3, 5
HEAD_BYTES = 4
READ_BYTES = 64 * 1024


@dataclass
class Job:
    """`mode`: answer or storm; `count` rounds of it."""

    mode: str
    members: int
    count: int
    road: dict[str, Any] = field(default_factory=dict)


def _template(name: str, signer: Signer) -> dict[int, Any]:
    """The fields of an attestation of ours."""
    about = subject(1)
    now_ms = time.time_ns() // 1_000_000
    body = Attestation(
        epoch=EpochHash(bytes(32)),
        subject=about,
        threat=Threat.BRIDGE_FORGERY,
        level=Level.ISOLATE,
        basis=Basis.VERIFIED,
        claims=(claimed(about).claim,),
        sources=(source_of(name),),
        detector="immediate",
        incident="bench-1",
        since_ms=now_ms,
        expires_ms=now_ms + 4_000,
        by_person=False,
        tlp=Tlp.GREEN,
    )
    sealed = seal_entry(
        NETWORK,
        signer,
        author=MemberName(name),
        key_version=1,
        seq=1,
        prev=EntryHash(bytes(32)),
        issued_ms=now_ms,
        body=body,
    )
    fields: dict[int, Any] = decode(decode(sealed.raw, bytes_max=READ_BYTES)[2], bytes_max=READ_BYTES)
    return fields


def _to_be_signed(payload: bytes) -> bytes:
    return encode(["Signature1", PROTECTED, encode([domain_tag(EntryKind.ATTESTATION), NETWORK]), payload])


class Member:
    def __init__(self, name: str, stands: Ground, quorum: int) -> None:
        self.name, self.stands, self.quorum = name, stands, quorum
        self.signer = Signer(sha256(name.encode()))
        self.keys = {one: Signer(sha256(one.encode())).public for one in stands.names}
        self.template = _template(name, self.signer)
        self.lines: list[_Line] = []
        self.answers = False
        self.rounds: dict[int, Round] = {}

    async def run(self, asks: BinaryIO, answers: BinaryIO) -> None:
        async with trio.open_nursery() as nursery:
            host, port = self.stands.listen[self.name]
            listeners = await trio.open_tcp_listeners(port, host=host)
            nursery.start_soon(trio.serve_listeners, self._connected, listeners)
            for other in self.stands.names:
                if other > self.name:
                    nursery.start_soon(self._dial, other)
            while len(self.lines) < len(self.stands.names) - 1:  # noqa: ASYNC110 (start only)
                await trio.sleep(0.01)
            _tell(answers, "ready")
            while line := await trio.to_thread.run_sync(asks.readline, abandon_on_cancel=True):
                await self._play(json.loads(line))
                _tell(answers, [one.told() for one in self.rounds.values()])
            nursery.cancel_scope.cancel()

    async def _play(self, plan: dict[str, Any]) -> None:
        self.answers = plan["mode"] == "answer"
        self.rounds.clear()
        for number, at_ms, who in plan["alarms"]:
            if who == self.name:
                await trio.sleep(max(0.0, at_ms / 1000 - time.time()))
                self._say(number)
        await trio.sleep(max(0.0, plan["until_ms"] / 1000 - time.time()))

    def _say(self, number: int) -> None:
        one = self.rounds.setdefault(number, Round(number))
        if one.said_ms:
            return
        payload = encode(self.template | {SEQ: number, ISSUED_MS: time.time_ns() // 1_000_000})
        raw = encode([PROTECTED, {}, payload, self.signer.sign(_to_be_signed(payload))])
        one.said_ms = time.time_ns() / 1e6
        one.count(self.name, self.quorum)
        for line in self.lines:
            line.put(len(raw).to_bytes(HEAD_BYTES, "big") + raw)

    def _heard(self, raw: bytes) -> None:
        _, _, payload, signature = decode(raw, bytes_max=READ_BYTES)
        fields = decode(payload, bytes_max=READ_BYTES)
        author, number = fields[AUTHOR], fields[SEQ]
        one = self.rounds.setdefault(number, Round(number))
        if author in one.authors or not verify(PublicKey(self.keys[author]), _to_be_signed(payload), signature):
            return
        one.count(author, self.quorum)
        if self.answers and not one.said_ms:
            self._say(number)

    async def _dial(self, other: str) -> None:
        while True:
            try:
                stream = await trio.open_tcp_stream(*self.stands.dial[(self.name, other)])
                # a delay proxy accepts before the other listens, and hangs up then: only a word from there counts
                await stream.send_all(b"?")
                if await stream.receive_some(1) == b"!":
                    break
            except (OSError, trio.BrokenResourceError):
                pass
            await trio.sleep(0.05)
        await self._carry(stream)

    async def _connected(self, stream: trio.SocketStream) -> None:
        try:
            if await stream.receive_some(1) != b"?":
                return
            await stream.send_all(b"!")
        except trio.BrokenResourceError:
            return
        await self._carry(stream)

    async def _carry(self, stream: trio.SocketStream) -> None:
        stream.setsockopt(trio.socket.IPPROTO_TCP, trio.socket.TCP_NODELAY, 1)
        line = _Line(stream)
        self.lines.append(line)
        async with stream, trio.open_nursery() as nursery:
            nursery.start_soon(line.write)
            buffer = bytearray()
            while chunk := await stream.receive_some(READ_BYTES):
                buffer += chunk
                while len(buffer) >= HEAD_BYTES:
                    end = HEAD_BYTES + int.from_bytes(buffer[:HEAD_BYTES], "big")
                    if len(buffer) < end:
                        break
                    self._heard(bytes(buffer[HEAD_BYTES:end]))
                    del buffer[:end]


class _Line:
    """What waits for one peer goes out in one write."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self._stream = stream
        self._waiting = bytearray()
        self._news = trio.Event()

    def put(self, frame: bytes) -> None:
        self._waiting += frame
        self._news.set()

    async def write(self) -> None:
        while True:
            await self._news.wait()
            self._news = trio.Event()
            data, self._waiting = bytes(self._waiting), bytearray()
            await self._stream.send_all(data)


def _tell(answers: BinaryIO, what: Any) -> None:
    answers.write(json.dumps(what).encode() + b"\n")
    answers.flush()


def _child(name: str, stands: Ground, quorum: int, asks: int, answers: int) -> None:
    code = 1
    try:
        end_with_parent()
        if stands.namespaces:
            namespaces.enter(stands.namespace(name))
        with os.fdopen(asks, "rb") as heard, os.fdopen(answers, "wb") as told:
            trio.run(Member(name, stands, quorum).run, heard, told)
        code = 0
    except BaseException as error:
        sys.stderr.write(f"floor of {name}: {type(error).__name__}: {error}\n")
    finally:
        os._exit(code)


def _fork(stands: Ground, quorum: int) -> list[tuple[int, BinaryIO, BinaryIO]]:
    found: list[tuple[int, BinaryIO, BinaryIO]] = []
    for name in stands.names:
        (asks_read, asks_write), (answers_read, answers_write) = os.pipe(), os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(asks_write)
            os.close(answers_read)
            for _, asks, answers in found:  # or nobody's input would end before everybody's
                asks.close()
                answers.close()
            _child(name, stands, quorum, asks_read, answers_write)
        os.close(asks_read)
        os.close(answers_write)
        found.append((pid, os.fdopen(asks_write, "wb"), os.fdopen(answers_read, "rb")))
    return found


def run(job: Job) -> dict[str, list[float]]:
    """{span_ms: one a round}: first said → Q verified on the last member."""
    names: Sequence[str] = names_of(job.members)
    quorum = job.members - math.floor((job.members - 1) / 3)
    road = Road(**job.road)
    with ground(names, road) as stands:
        forked = _fork(stands, quorum)
        try:
            for _, _, answers in forked:
                answers.readline()
            plan = schedule(job.mode, names, job.count, road)
            for _, asks, _ in forked:
                _tell(asks, plan)
            told = [json.loads(answers.readline()) for _, _, answers in forked]
        finally:
            for pid, asks, _ in forked:
                asks.close()
            for pid, _, _ in forked:
                os.kill(pid, signal.SIGTERM)
                os.waitpid(pid, 0)
    found = spans(told, "quorum_ms", job.count)
    if len(found) < job.count:
        raise RuntimeError(f"{job.count - len(found)} of {job.count} rounds did not reach everybody")
    return {"span_ms": found}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(run(Job(**json.loads(sys.argv[1])))) + "\n")

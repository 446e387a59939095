"""What the transport costs: `python -m tests.integration.transport.measure [--peers 7] [--seconds 4] [--idle 15]`.

One process a peer, full mesh, 400-byte frames; CPU of whole processes (trio, pings and all), the idle share taken off.
Not a test: nothing is asserted, since times belong to a machine. Prints one JSON line.
"""

from __future__ import annotations

import argparse
import cProfile
import json
import multiprocessing
import os
import sys
import time
from multiprocessing.connection import Connection
from typing import Any

import trio

from node.transport.api import PeerAddress, ReceivedFrame
from node.transport.host import Libp2pTransport
from tests.integration.transport.support import TOPIC, seed

FRAME = 400


class Child:
    """One transport that does what its parent says: `allow`, `send` (rate, seconds), `burst`, `count`, `cpu`."""

    def __init__(self, name: str, pipe: Connection) -> None:
        self.transport = Libp2pTransport(seed(name), "/ip4/127.0.0.1/tcp/0", {}, TOPIC)
        self.pipe = pipe
        self.got = 0
        self.late_ms: list[float] = []

    async def run(self) -> None:
        async with trio.open_nursery() as nursery:
            await nursery.start(self._transport)
            nursery.start_soon(self._take)
            self.pipe.send((self.transport.peer_id, self.transport.listening))
            while True:
                await trio.lowlevel.wait_readable(self.pipe.fileno())
                asked, *args = self.pipe.recv()
                if asked == "end":
                    nursery.cancel_scope.cancel()
                    return
                self.pipe.send(await getattr(self, asked)(*args))

    async def _transport(self, task_status: Any) -> None:
        await self.transport.run(task_status=task_status)

    async def _take(self) -> None:
        async for event in self.transport.events:
            if isinstance(event, ReceivedFrame):
                self.got += 1
                self.late_ms.append((time.monotonic() - float(event.frame[:16])) * 1000)

    async def allow(self, peers: dict[str, PeerAddress]) -> None:
        self.transport.allow(peers)

    async def up(self) -> int:
        return sum(line.up for line in self.transport.status())

    async def send(self, rate: float, seconds: float) -> int:
        begin, sent = trio.current_time(), 0
        while sent < rate * seconds:
            await trio.sleep_until(begin + sent / rate)
            self._one()
            sent += 1
        return sent

    async def burst(self, frames: int, together: int) -> int:
        for start in range(0, frames, together):
            for _ in range(min(together, frames - start)):
                self._one()
            await trio.sleep(0.02)
        return frames

    def _one(self) -> None:
        self.transport.broadcast(f"{time.monotonic():<16.6f}".encode()[:16] + bytes(FRAME - 16))

    async def figures(self) -> tuple[float, int, list[float]]:
        late, self.late_ms = self.late_ms, []
        return time.process_time(), self.got, late


def child(name: str, pipe: Connection) -> None:
    folder = os.environ.get("MEASURE_PROFILE")
    if folder and name in ("p0", "p1"):
        profiler = cProfile.Profile(time.thread_time)
        profiler.runcall(trio.run, Child(name, pipe).run)
        profiler.dump_stats(f"{folder}/{name}.prof")
    else:
        trio.run(Child(name, pipe).run)


class Mesh:
    def __init__(self, count: int) -> None:
        context = multiprocessing.get_context("fork")
        self.pipes, self.children = [], []
        for number in range(count):
            ours, theirs = context.Pipe()
            one = context.Process(target=child, args=(f"p{number}", theirs), daemon=True)
            one.start()
            self.pipes.append(ours)
            self.children.append(one)
        self.addresses = [PeerAddress(*pipe.recv()) for pipe in self.pipes]

    def ask(self, who: int, *question: Any) -> Any:
        self.pipes[who].send(question)
        return self.pipes[who].recv()

    def meet(self) -> float:
        begin = time.monotonic()
        everyone = {one.peer_id: one for one in self.addresses}
        for who in range(len(self.pipes)):
            self.ask(who, "allow", everyone)
        while any(self.ask(who, "up") < len(self.pipes) - 1 for who in range(len(self.pipes))):
            time.sleep(0.05)
        return time.monotonic() - begin

    def figures(self) -> list[tuple[float, int, list[float]]]:
        return [self.ask(who, "figures") for who in range(len(self.pipes))]

    def spent(self, senders: list[int], *deed: Any) -> dict[str, float]:
        """CPU seconds of the first sender and of the mean other, frames, delays."""
        before, begin = self.figures(), time.monotonic()
        for who in senders:
            self.pipes[who].send(deed)
        sent = [self.pipes[who].recv() for who in senders]
        time.sleep(0.3)
        after, took = self.figures(), time.monotonic() - begin
        cpu = [now[0] - then[0] for then, now in zip(before, after)]
        late = sorted(one for now in after for one in now[2])
        return {
            "took_s": took, "sent": sum(sent), "got": sum(now[1] - then[1] for then, now in zip(before, after)),
            "cpu_first": cpu[0], "cpu_others": sum(cpu[1:]) / (len(cpu) - 1), "cpu_all": sum(cpu),
            "p50_ms": late[len(late) // 2] if late else 0, "p95_ms": late[len(late) * 95 // 100] if late else 0,
        }  # fmt: skip

    def end(self) -> None:
        for pipe, one in zip(self.pipes, self.children):
            pipe.send(("end",))
            one.join(5)
            one.kill()


def measured(peers: int, seconds: float, idle_s: float) -> dict[str, Any]:
    mesh = Mesh(peers)
    try:
        result: dict[str, Any] = {"peers": peers, "mesh_s": round(mesh.meet(), 2)}
        time.sleep(1.5)
        quiet = mesh.spent([], "up")
        before, begin = mesh.figures(), time.monotonic()
        time.sleep(idle_s)
        share = sum(now[0] - then[0] for then, now in zip(before, mesh.figures())) / peers / (time.monotonic() - begin)
        result["idle_percent"] = round(share * 100, 2)
        others = peers - 1
        deeds: list[tuple[str, list[int], tuple[Any, ...]]] = [
            *((f"one_sends_{rate}_per_s", [0], ("send", rate, seconds)) for rate in (10, 100, 400)),
            ("one_bursts_of_300", [0], ("burst", 3000, 300)),
            *((f"all_send_{rate}_per_s", list(range(peers)), ("send", rate / peers, seconds)) for rate in (100, 400)),
            ("all_burst_16", list(range(peers)), ("burst", 320, 16)),
        ]
        for name, senders, deed in deeds:
            told = mesh.spent(senders, *deed)
            rest = share * told["took_s"]
            line = {"p50_ms": round(told["p50_ms"], 2), "p95_ms": round(told["p95_ms"], 2)}
            if len(senders) == 1:
                line["send_us"] = round((told["cpu_first"] - rest) / told["sent"] / others * 1e6)
                line["receive_us"] = round((told["cpu_others"] - rest) / (told["got"] / others) * 1e6)
            else:
                line["either_us"] = round((told["cpu_all"] - rest * peers) / (2 * told["got"]) * 1e6)
            if told["got"] != told["sent"] * others:
                line["refused_or_late"] = told["sent"] * others - told["got"]
            result[name] = line
        del quiet
        return result
    finally:
        mesh.end()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--peers", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=4)
    parser.add_argument("--idle", type=float, default=15)
    asked = parser.parse_args()
    sys.stdout.write(json.dumps(measured(asked.peers, asked.seconds, asked.idle)) + "\n")

"""A network of real nodes, one of which has its console open; what its API costs, and whom.

Run as `python -m tests.bench.api_job JOB-JSON`: an interpreter of its own, because the zygote must be forked before any
loop or thread exists. Prints one JSON line. Members have one core and clients the other, where there are two: a client
costs what it makes the node do, and not what it takes from it by running.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from typing import Any

import trio

from node import people
from node.config import PEOPLE_NAME
from node.stream import STREAMS_MAX
from node.testnet.processes import Processes
from node.testnet.runfile import make_run_dir
from tests.bench.api_clients import Job as ClientJob
from tests.bench.ground import Road, end_with_parent, ground
from tests.bench.immediate import subject
from tests.bench.live import Live, cpu_s, fork_zygote
from tests.bench.members import names_of
from tests.bench.network_figures import spans

LEASE_MS = 8_000
LEAD_MS = 700
APART_MS = 350
ASK_S, ASKING = 4.0, 8
PATHS = ("/v1/status", "/v1/alerts", "/v1/openapi.json")
READ_S = 10.0
RATES = (10, 100)
"""Happenings a second, of which a subject that all members see makes `2 + members` and certificates made anew."""
PEOPLE = 6
WARM_S = 1.0
ARRIVE_S = 30
FRESH = 100_000


@dataclass
class Job:
    """`alarms` in each of `rounds` quiet and as many loaded rounds, in turn: the machine changes under us."""

    members: int
    alarms: int
    rounds: int
    streams: int = STREAMS_MAX
    floods: int = 6
    only_load: bool = False


class Bench:
    def __init__(self, job: Job, live: Live, cores: tuple[set[int], set[int]]) -> None:
        self.job, self.live = job, live
        self.clients_cores = cores[1]
        self.names = list(live.seats)
        self.seat = live.seats[self.names[1]]
        self.result: dict[str, Any] = {"cores": [sorted(one) for one in cores]}
        self._next, self._alarms = FRESH, 0
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        with self.seat.config.open("a", encoding="utf-8") as file:
            file.write(f'\n[console]\nlisten = "127.0.0.1:{self.port}"\n')
        listed = self.seat.folder / "data" / PEOPLE_NAME
        self.tokens = [people.add(listed, f"person-{number}", "viewer") for number in range(PEOPLE)]

    async def run(self) -> None:
        async with trio.open_nursery() as listening:
            listening.start_soon(self.live.processes.listen)
            try:
                await self.live.start(*self.names)
                await self.live.mesh()
                await trio.sleep(WARM_S)
                if not self.job.only_load:
                    await self._requests()
                    await self._events()
                await self._rounds()
            finally:
                await self.live.aclose()
                listening.cancel_scope.cancel()

    async def _begin(self, job: ClientJob) -> subprocess.Popen[str]:
        command = [sys.executable, "-m", "tests.bench.api_clients", json.dumps(asdict(job), default=str)]
        child = subprocess.Popen(  # noqa: ASYNC220 (a fork; what it says is read in a thread)
            command, stdout=subprocess.PIPE, text=True, preexec_fn=end_with_parent
        )
        os.sched_setaffinity(child.pid, self.clients_cores)
        assert child.stdout is not None
        await trio.to_thread.run_sync(child.stdout.readline)
        return child

    async def _end(self, child: subprocess.Popen[str], now: bool = False) -> dict[str, Any]:
        if now:
            child.terminate()
        told, _ = await trio.to_thread.run_sync(child.communicate)
        found: dict[str, Any] = json.loads(told.splitlines()[-1])
        return found

    # --- requests a second, and how late a happening is

    async def _requests(self) -> None:
        self.result["requests"] = {}
        for path in PATHS:
            job = ClientJob(s=ASK_S, socket=str(self.seat.control), path=path, asking=ASKING)
            told = await self._end(await self._begin(job))
            answered = told["statuses"].get("200", 0)
            self.result["requests"][path] = {"per_s": round(answered / ASK_S), "took_ms": told["took_ms"]}

    async def _events(self) -> None:
        self.result["events"] = {}
        for rate in RATES:
            subjects = max(2, round(rate * READ_S / (2 + self.job.members)))
            reader = await self._begin(ClientJob(port=self.port, tokens=self.tokens, plain=1))
            begin_ms = time.time() * 1000 + LEAD_MS
            due = [begin_ms + READ_S * 1000 * number / subjects for number in range(subjects)]
            numbers = list(range(self._next, self._next + subjects))
            self._next += subjects
            self.live.plan({name: list(zip(due, numbers)) for name in self.names})
            await trio.sleep(due[-1] / 1000 - time.time() + WARM_S)
            late_ms = (await self._end(reader, now=True))["late_ms"]
            self.result["events"][str(rate)] = {"per_s": round(len(late_ms) / READ_S, 1), "late_ms": late_ms}

    # --- alarms, quiet and under load in turn

    async def _rounds(self) -> None:
        found: dict[str, list[list[float]]] = {"quiet_ms": [], "loaded_ms": []}
        cpu: dict[str, list[float]] = {"quiet": [], "loaded": []}
        await self._round()
        for _ in range(self.job.rounds):
            for name in ("quiet", "loaded"):
                load = await self._load() if name == "loaded" else None
                before, at = self._cpu_s(), time.monotonic()
                found[f"{name}_ms"].append(await self._round())
                cpu[name].append(100 * (self._cpu_s() - before) / (time.monotonic() - at))
                if load is not None:
                    self._count(await self._end(load, now=True))
        self.result["alarms"] = found
        self.result["cpu_percent"] = {name: round(sum(got) / len(got), 1) for name, got in cpu.items()}

    def _cpu_s(self) -> float:
        """Of the member whose API it is."""
        return cpu_s(self.live.processes.pids[self.seat.name])

    async def _load(self) -> subprocess.Popen[str]:
        slow = self.job.streams // 3
        plain = self.job.streams - slow
        load = ClientJob(port=self.port, tokens=self.tokens, plain=plain, slow=slow, floods=self.job.floods)
        child = await self._begin(load)
        await trio.sleep(WARM_S)
        return child

    def _count(self, told: dict[str, Any]) -> None:
        held = self.result.setdefault("load_answers", {})
        for status, times in told["statuses"].items():
            held[status] = held.get(status, 0) + times
        self.result["load_heard"] = self.result.get("load_heard", 0) + len(told["late_ms"])

    async def _round(self) -> list[float]:
        since, begin_ms = self.live.marks(), time.time() * 1000 + LEAD_MS
        numbers = range(self._alarms + 1, self._alarms + 1 + self.job.alarms)
        self._alarms += self.job.alarms
        plans: dict[str, list[tuple[float, int]]] = {name: [] for name in self.names}
        for turn, number in enumerate(numbers):
            plans[self.names[number % len(self.names)]].append((begin_ms + turn * APART_MS, number))
        self.live.plan(plans)
        await trio.sleep((begin_ms + self.job.alarms * APART_MS) / 1000 - time.time())
        await self.live.hold(since, self.job.alarms, self.job.alarms * len(self.names), ARRIVE_S)
        return spans(self.live.told(since), [str(subject(number)) for number in numbers])


def run(job: Job) -> dict[str, Any]:
    cores = sorted(os.sched_getaffinity(0))
    ours, theirs = (set(cores[:1]), set(cores[1:2])) if len(cores) > 1 else (set(cores), set(cores))
    os.sched_setaffinity(0, ours)
    zygote, asks, answers = fork_zygote()
    run_dir = make_run_dir(None)
    processes = Processes(zygote, asks, answers, run_dir)
    answered = job.alarms * (2 * job.rounds + 1)
    try:
        with ground(names_of(job.members), Road()) as stands:
            bench = Bench(job, Live(stands, processes, run_dir, LEASE_MS, answered), (ours, theirs))
            trio.run(bench.run)
        return bench.result
    finally:
        processes.close()
        if not os.environ.get("BENCH_KEEP"):
            shutil.rmtree(run_dir, ignore_errors=True)


if __name__ == "__main__":
    sys.stdout.write(json.dumps(run(Job(**json.loads(sys.argv[1])))) + "\n")

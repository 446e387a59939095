"""One network of real processes, and one of the three things that are measured on it.

Run as `python -m tests.bench.network_job JOB-JSON`: an interpreter of its own, because the zygote must be forked before
any loop or thread exists. Prints one JSON line.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import trio

from node.testnet.processes import Processes, pss_mb
from node.testnet.runfile import make_run_dir
from tests.bench import profile
from tests.bench.ground import Road, ground
from tests.bench.immediate import subject
from tests.bench.live import Live, cpu_s, fork_zygote
from tests.bench.members import names_of, node_toml
from tests.bench.network_figures import acceptances, kept_up, lags, spans

LEAD_MS = 700
"""From a plan's file to its first time: a sensor looks ten times a second."""
SHORT_LEASE_MS = 8_000
"""A machine that is busy with something else must still count a word before it expires."""
LONG_LEASE_MS = 3_600_000
ALARM_MS = 350
ALARM_LOSSY_MS = 600
ANSWERED_MOST = 200
ARRIVE_S = 30
"""Until the last certificate of a phase: who waits longer has lost it."""
SETTLE_S = 1.0
BURST = 40
STEP_S = 2.5
STEP_PAUSE_S = 1.5
REST_S = 3.0
"""After the burst: an author's budget fills again."""
RATES = (4, 8, 16, 32, 64, 128)
"""Subjects a second on which all members speak. Two minutes of rest would be needed to go on: an author may say 256
things at once and 20 a second (`node.ingress`)."""
PROFILED = 2
"""Profiling all would change what is measured."""
STORM_MS = 1_200
IDLE_S = 15.0
IDLE_SETTLE_S = 4.0
AT_ONCE = 30
"""Of the certificates that form while one is away: an author's live opinions are capped at 64, and what falls behind
that is never counted."""


@dataclass
class Job:
    """`kind`: alarms, storm or catch-up. `count`: alarms, storms or certificates. `profile`: a folder; two members'
    CPU profiles are left there, and the figures are then not to be compared with others."""

    kind: str
    members: int
    count: int
    quick: bool = False
    """One by one, and no more; with a profile also one burst."""
    road: dict[str, Any] = field(default_factory=dict)
    profile: str = ""


class Bench:
    def __init__(self, job: Job, live: Live) -> None:
        self.job, self.live = job, live
        self.names = list(live.seats)
        self.result: dict[str, Any] = {}
        self._next = 10_000

    async def run(self) -> None:
        async with trio.open_nursery() as listening:
            listening.start_soon(self.live.processes.listen)
            try:
                await {"alarms": self.alarms, "storm": self.storm, "catch-up": self.catch_up}[self.job.kind]()
            finally:
                await self.live.aclose()
                listening.cancel_scope.cancel()

    def _fresh(self, count: int) -> list[int]:
        """Numbers of subjects nobody has spoken of: no Manifest names them, so that nobody answers."""
        self._next += count
        return list(range(self._next - count, self._next))

    async def _all_say(
        self, numbers: Sequence[int], due_ms: Sequence[float], within_s: float, who: Sequence[str] = ()
    ) -> None:
        """Every member sees each of these at its time; back when all hold all of it. RuntimeError if not."""
        names = who or self.names
        since = {name: mark for name, mark in self.live.marks().items() if name in names}
        self.live.plan({name: list(zip(due_ms, numbers)) for name in names})
        await trio.sleep(max(0.0, due_ms[-1] / 1000 - time.time()))
        if not await self.live.hold(since, len(numbers), len(numbers) * len(names), within_s):
            wanted = f"{len(numbers)} certificates and {len(numbers) * len(names)} entries"
            raise RuntimeError(f"after {within_s:.0f} s not all hold {wanted}: {self.live.counts(since)}")

    # --- alarms: one says, all answer; then as much as the network takes ------------------------------------------

    async def alarms(self) -> None:
        await self.live.start(*self.names)
        await self.live.mesh()
        await trio.sleep(SETTLE_S)
        if self.job.profile:
            for name in self.names[:PROFILED]:
                self.live.processes.signal(name, signal.SIGUSR1)
        pids = [self.live.processes.pids[name] for name in self.names]
        self.result["pss_mb_per_node"] = round(pss_mb(pids) / len(pids), 1)
        await self._one_by_one()
        parts = [("burst", self._burst), ("ramp", self._ramp)]
        if self.job.quick or self.job.road.get("loss_percent"):
            parts = parts[:1] if self.job.profile else []
        for name, part in parts:
            await trio.sleep(REST_S)
            try:
                await part()
            except RuntimeError as error:  # what was found before is still true
                self.result.setdefault("failed", {})[name] = str(error)

    async def _one_by_one(self) -> None:
        """Alarms go round the members: no place in the mesh is favoured."""
        apart_ms = (ALARM_LOSSY_MS if self.job.road.get("loss_percent") else ALARM_MS) + self._way_ms() * 2
        since, begin_ms = self.live.marks(), time.time() * 1000 + LEAD_MS
        plans: dict[str, list[tuple[float, int]]] = {name: [] for name in self.names}
        for number in range(1, self.job.count + 1):
            plans[self.names[number % len(self.names)]].append((begin_ms + number * apart_ms, number))
        before = self.live.cpu_s()
        self.live.plan(plans)
        await trio.sleep((begin_ms + self.job.count * apart_ms) / 1000 - time.time())
        await self.live.hold(since, self.job.count, self.job.count * len(self.names), ARRIVE_S)
        told = self.live.told(since)
        self.result["alarm_ms"] = spans(told, [str(subject(number)) for number in range(1, self.job.count + 1)])
        self.result["alarm_cpu_ms_per_entry"] = (self.live.cpu_s() - before) * 1000 / acceptances(told)

    def _way_ms(self) -> float:
        return float(self.job.road.get("delay_ms", 0))

    async def _burst(self) -> None:
        """Everybody sees the same things at once: what an entry costs when all batching there is can work."""
        numbers, at_ms = self._fresh(BURST), time.time() * 1000 + LEAD_MS
        since, before, sent = self.live.marks(), self.live.cpu_s(), self.live.bytes_sent()
        await self._all_say(numbers, [at_ms] * BURST, ARRIVE_S)
        await trio.sleep(SETTLE_S)
        count = acceptances(self.live.told(since))
        self.result["burst_cpu_ms_per_entry"] = (self.live.cpu_s() - before) * 1000 / count
        now_sent = self.live.bytes_sent()
        self.result["bytes_per_entry"] = None if sent is None or now_sent is None else (now_sent - sent) / count

    async def _ramp(self) -> None:
        """Twice as fast each time until that is too fast; then once between."""
        steps = self.result["ramp"] = []
        for before, rate in zip((0, *RATES), RATES):
            steps.append(await self._step(rate))
            await trio.sleep(STEP_PAUSE_S)
            if not steps[-1]["kept_up"]:
                if before:
                    steps.append(await self._step((before + rate) // 2))
                return

    async def _step(self, rate: int) -> dict[str, Any]:
        numbers = self._fresh(int(rate * STEP_S))
        begin_ms = time.time() * 1000 + LEAD_MS
        due = {number: begin_ms + place * 1000 / rate for place, number in enumerate(numbers)}
        since, before = self.live.marks(), self.live.cpu_s()
        late = False
        try:
            await self._all_say(numbers, list(due.values()), 4 * STEP_S)
        except RuntimeError:
            late = True
        told = self.live.told(since)
        lagging = lags(told, {str(subject(number)): at_ms for number, at_ms in due.items()})
        known = [lag for lag in lagging if lag is not None]
        return {
            "entries_per_s": rate * len(self.names),
            "kept_up": not late and kept_up(lagging, STEP_S * 1000),
            "lag_first_ms": round(known[0], 1) if known else None,
            "lag_last_ms": round(known[-1], 1) if known else None,
            "cpu_ms_per_entry": round((self.live.cpu_s() - before) * 1000 / max(1, acceptances(told)), 3),
        }

    # --- storm: all see the same thing at once ----------------------------------------------------------------------

    async def storm(self) -> None:
        await self.live.start(*self.names)
        await self.live.mesh()
        await trio.sleep(SETTLE_S)
        numbers = self._fresh(self.job.count)
        begin_ms = time.time() * 1000 + LEAD_MS
        due_ms = [begin_ms + place * (STORM_MS + 2 * self._way_ms()) for place in range(len(numbers))]
        since, before = self.live.marks(), self.live.cpu_s()
        await self._all_say(numbers, due_ms, ARRIVE_S)
        await trio.sleep(SETTLE_S)
        told = self.live.told(since)
        self.result["storm_ms"] = spans(told, [str(subject(number)) for number in numbers])
        self.result["storm_cpu_ms_per_entry"] = (self.live.cpu_s() - before) * 1000 / acceptances(told)

    # --- one is alone and idle, then away, then back ------------------------------------------------------------------

    async def catch_up(self) -> None:
        *others, last = self.names
        seat = self.live.seats[last]
        sensing = seat.config.read_text("utf-8")
        seat.config.write_text(node_toml(self.live.stands, seat, sensing=False), "utf-8")
        await self.live.start(*others)
        one = self.live.alone(last)
        try:
            await self.live.mesh()
            await trio.sleep(IDLE_SETTLE_S)
            before, at = cpu_s(one.pid), time.monotonic()
            await trio.sleep(IDLE_S)
            self.result["idle_cpu_percent"] = round((cpu_s(one.pid) - before) / (time.monotonic() - at) * 100, 2)
            self.result["idle_pss_mb"] = round(pss_mb([one.pid]), 1)
        finally:
            one.send_signal(signal.SIGTERM)
            await trio.to_thread.run_sync(one.wait)
        seat.config.write_text(sensing, "utf-8")
        formed: set[str] = set()
        while len(formed) < self.job.count:
            numbers = self._fresh(min(AT_ONCE, self.job.count - len(formed)))
            await self._all_say(numbers, [time.time() * 1000 + LEAD_MS] * len(numbers), ARRIVE_S, others)
            formed |= {str(subject(number)) for number in numbers}
        await trio.sleep(SETTLE_S)
        await self._back(last, formed)

    async def _back(self, last: str, formed: set[str]) -> None:
        """From when it hears the first peer to its last certificate."""
        mark = {last: self.live.marks()[last]}
        await self.live.start(last)
        heard_ms = 0.0
        with trio.move_on_after(ARRIVE_S):
            while not heard_ms:
                status = await self.live.status(last)
                if any(peer["up"] for peer in status.get("peers", ())):
                    heard_ms = time.time() * 1000
                await trio.sleep(0.01)
        await self.live.hold(mark, len(formed), 0, ARRIVE_S)
        await trio.sleep(0.3)
        told = self.live.told(mark)[last]
        held: dict[str, float] = {}
        for one in told:
            if one["kind"] == "certificate" and one["level"] == "ISOLATE" and one["subject"] in formed:
                held.setdefault(one["subject"], one["at_ms"])
        self.result["catch_up"] = {
            "formed": len(formed),
            "held": len(held),
            "entries": acceptances({last: told}),
            "s": round((max(held.values()) - heard_ms) / 1000, 3) if held else None,
        }
        self.result["catch_up_cpu_s"] = round(self.live.cpu_s([last]), 2)


def run(job: Job) -> dict[str, Any]:
    if job.profile:
        profile.plug_in(job.profile, names_of(job.members)[:PROFILED], from_start=False)
    zygote, asks, answers = fork_zygote()
    run_dir = make_run_dir(None)
    processes = Processes(zygote, asks, answers, run_dir)
    lease_ms = LONG_LEASE_MS if job.kind == "catch-up" else SHORT_LEASE_MS
    answered = min(job.count, ANSWERED_MOST) if job.kind == "alarms" else 0
    try:
        with ground(names_of(job.members), Road(**job.road)) as stands:
            bench = Bench(job, Live(stands, processes, run_dir, lease_ms, answered))
            trio.run(bench.run)
        return bench.result
    finally:
        processes.close()
        if not os.environ.get("BENCH_KEEP"):
            shutil.rmtree(run_dir, ignore_errors=True)


if __name__ == "__main__":
    sys.stdout.write(json.dumps(run(Job(**json.loads(sys.argv[1])))) + "\n")

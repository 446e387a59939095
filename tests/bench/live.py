"""A network of real node processes without chains, and what its members wrote down. No figure is taken from the
harness's own clock where a member has a durable record of it."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import trio

from node.testnet import zygote
from node.testnet.follow import Happening, Operator
from node.testnet.processes import Processes
from tests.bench import immediate, namespaces
from tests.bench.ground import Ground, end_with_parent
from tests.bench.members import Seat, compose

MESH_S = 60.0
LOOK_S = 0.25
CERTIFICATE = re.compile(rb'^{"level":"ISOLATE".*"kind":"certificate","subject":"([^"]*)"', re.MULTILINE)
"""Its subject: one may be made anew, on more words."""
ENTRY = b'"kind":"attestation"'


def fork_zygote() -> tuple[int, int, int]:
    """The testnet's, with the bench's claim type; its children enter the namespace that their job names."""
    immediate.plug_in()
    plain = zygote.import_everything

    def entering(job: zygote.Job) -> zygote.Job:
        def run(asked: dict[str, Any]) -> int:
            if asked.get("namespace"):
                namespaces.enter(asked["namespace"])
            return job(asked)

        return run

    zygote.import_everything = lambda: {kind: entering(job) for kind, job in plain().items()}
    try:
        return zygote.fork_zygote()
    finally:
        zygote.import_everything = plain


class Live:
    """`lease_ms`: of every opinion. The subjects 1 to `answered` are answered by all when one speaks of them."""

    def __init__(self, stands: Ground, processes: Processes, run_dir: Path, lease_ms: int, answered: int) -> None:
        self.stands = stands
        self.processes = processes
        self.seats = {seat.name: seat for seat in compose(stands, run_dir, lease_ms, answered)}
        self.operators = {name: Operator(seat.control) for name, seat in self.seats.items()}

    # --- lives --------------------------------------------------------------------------------------------------

    async def start(self, *names: str) -> None:
        for name in names:
            seat = self.seats[name]
            await self.processes.start(name, "member", config=str(seat.config), namespace=self.stands.namespace(name))

    async def stop(self, name: str) -> None:
        self.processes.signal(name, signal.SIGTERM)
        if not await self.processes.wait(name, 5):
            self.processes.signal(name, signal.SIGKILL)
            await self.processes.wait(name, 5)

    def alone(self, name: str) -> subprocess.Popen[bytes]:
        """A process that shares no page with anybody, started as an operator does. It ends when this one does."""
        seat = self.seats[name]
        command = [sys.executable, "-m", "node.cli", "up", "--config", str(seat.config)]
        with self.stands.inside(name), (seat.folder / "alone.err").open("wb") as told:
            return subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=told,
                stderr=told,
                preexec_fn=end_with_parent,
            )

    async def mesh(self, names: Sequence[str] = ()) -> None:
        """Each of these (default: all) hears all others of them and may sign."""
        wanted = names or tuple(self.seats)
        for name in wanted:
            with trio.move_on_after(MESH_S) as scope:
                while not await self._ready(name, len(wanted) - 1):  # noqa: ASYNC110 (another process's news)
                    await trio.sleep(0.05)
            if scope.cancelled_caught:
                raise RuntimeError(
                    f"{name} did not reach every member in {MESH_S:.0f} s. {self.processes.stderr(name)}"
                )

    async def _ready(self, name: str, others: int) -> bool:
        status = await self.status(name)
        heard = sum(1 for peer in status.get("peers", ()) if peer["up"])
        return heard >= others and bool(status["signing"]["may"])

    async def status(self, name: str) -> dict[str, Any]:
        """{} where it does not answer."""
        with suppress(httpx.HTTPError, ValueError):
            found: dict[str, Any] = await self.operators[name].get("/status")
            return found
        return {}

    async def aclose(self) -> None:
        with trio.CancelScope(shield=True):
            for one in self.operators.values():
                await one.aclose()
            await self.processes.end_all()

    # --- what they are told to see, and what they wrote down -------------------------------------------------------

    def plan(self, plans: Mapping[str, Sequence[tuple[float, int]]]) -> None:
        for name, plan in plans.items():
            immediate.put_plan(self.seats[name].plan, sorted(plan))

    def marks(self) -> dict[str, int]:
        """Where each log ends now; for `counts` and `told`."""
        return {name: _size(seat) for name, seat in self.seats.items()}

    def counts(self, since: Mapping[str, int]) -> dict[str, tuple[int, int]]:
        """(subjects with an ISOLATE certificate, attestations) that each has committed since; the lines are not parsed:
        that would cost CPU which the members lack."""
        read = {name: _read(self.seats[name], mark) for name, mark in since.items()}
        return {name: (len(set(CERTIFICATE.findall(lines))), lines.count(ENTRY)) for name, lines in read.items()}

    async def hold(self, since: Mapping[str, int], certificates: int, entries: int, within_s: float) -> bool:
        """All of these hold so many more."""

        def enough() -> bool:
            return all(got[0] >= certificates and got[1] >= entries for got in self.counts(since).values())

        return await _true(enough, within_s)

    def told(self, since: Mapping[str, int]) -> dict[str, list[Happening]]:
        """What each committed since, in order. `at_ms`: when it was durable."""
        return {name: list(_happenings(_read(self.seats[name], mark))) for name, mark in since.items()}

    def cpu_s(self, names: Iterable[str] = ()) -> float:
        return sum(cpu_s(self.processes.pids[name]) for name in names or self.seats)

    def bytes_sent(self) -> int | None:
        """By all members over TCP, connections that stand now; None where `ss` (iproute2) does not tell."""
        pids = {self.processes.pids[name] for name in self.seats}
        total = 0
        for name in self.seats if self.stands.namespaces else ("",):
            try:
                with self.stands.inside(name):
                    told = subprocess.run(["ss", "-tinpHO"], capture_output=True, text=True, check=True).stdout
            except (OSError, subprocess.CalledProcessError):
                return None
            total += sum(sent for pid, sent in sockets(told) if pid in pids)
        return total


def sockets(told: str) -> Iterable[tuple[int, int]]:
    """(pid, bytes sent) of each line of `ss -tinpHO`."""
    for line in told.splitlines():
        _, found, rest = line.partition("pid=")
        _, counted, sent = line.partition("bytes_sent:")
        if found and counted:
            yield int(rest.partition(",")[0]), int(sent.split()[0])


def cpu_s(pid: int) -> float:
    """Seconds of CPU that a process has used, all its threads; 0.0 where it is gone."""
    try:
        parts = Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(parts[11]) + int(parts[12])) / os.sysconf("SC_CLK_TCK")


async def _true(found: Callable[[], bool], within_s: float) -> bool:
    deadline = time.monotonic() + within_s
    while not found():
        if time.monotonic() > deadline:
            return False
        await trio.sleep(LOOK_S)
    return True


def _size(seat: Seat) -> int:
    with suppress(FileNotFoundError):
        return seat.log.stat().st_size
    return 0


def _read(seat: Seat, mark: int) -> bytes:
    with suppress(FileNotFoundError), seat.log.open("rb") as file:
        file.seek(mark)
        return file.read()
    return b""


def _happenings(lines: bytes) -> Iterable[Happening]:
    for line in lines.splitlines():
        if b'"kind":' in line:
            with suppress(ValueError):  # the last may be half-written
                yield json.loads(line)

"""One network of real processes, brought up by the testnet's own supervisor, with the bench's deeds instead of a story.

Run as `python -m tests.bench.alarm_network JOB-JSON`: an interpreter of its own, because the zygote must be forked
before any loop or thread exists, and what the bench itself imported would make the start look faster. Prints one JSON
line.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import httpx
import trio

from adapters.evm.abi import abi_of
from adapters.evm.client import Account, ChainClient, Connection
from adapters.evm.sending import Sender
from node.testnet.compose import Seat
from node.testnet.follow import Follower, Happening
from node.testnet.processes import Processes, pss_mb
from node.testnet.runfile import make_run_dir
from node.testnet.scenario import Scenario, load
from node.testnet.supervisor import Facts, Supervisor
from node.testnet.world import ENDPOINT, UNIT, World, units
from node.testnet.zygote import fork_zygote
from protocol.ids import SourceId
from tests.bench import immediate, profile

PACK = "forged-bridge-release"
BRIDGE = "rs"
SHORT_LEASES = {"GUARD": 1.5, "ISOLATE": 1.5, "HALT": 1.5}
"""A certificate of one subject is made anew only after the last one ended."""
ALARM_S = 0.45
FORGED_S = 2.2
FORGED_UNITS = 1_600
"""At least one percent of what the escrow holds, thirty times over."""
FIRST_NONCE = 1_000_000
QUIET_S = 5.0
FOLLOW_S = 0.7


@dataclass(frozen=True)
class Options:
    """What the supervisor asks for; a bench kills nobody and nobody lies."""

    members: int
    chain: str
    seed: int = 1
    scenario: str = PACK
    check: bool = True
    output: str = "json"
    keep: Path | None = None
    kill: int | None = 0
    expect_blind: bool = False
    delay_ms: int = 0
    speed: float = 1.0


@dataclass
class Job:
    """`alarms` 0: none of that kind. `drain`: policies act, one forged message, until its last effect."""

    members: int
    chain: str
    immediate: int = 0
    forged: int = 0
    drain: bool = False
    profile: str = ""
    began: float = 0.0
    """time.monotonic() of whoever started this interpreter: its start and imports count too."""
    result: dict[str, Any] = field(default_factory=dict)


class SlowFollower(Follower):
    """Asks now and then instead of holding a question open: the figures are the members' own times, and answering
    the bench must not be part of them."""

    async def follow(self, name: str) -> None:
        one, number = self.members[name], 0
        while True:
            with suppress(httpx.HTTPError, ValueError):
                told = await one.operator.get("/events", after=number, wait_s=0)
                number = told["next"]
                one.happenings += told["events"]
            changed, self._changed = self._changed, trio.Event()
            changed.set()
            await trio.sleep(FOLLOW_S)


class Bench(Supervisor):
    def __init__(self, job: Job, scenario: Scenario, processes: Processes, run_dir: Path) -> None:
        quiet = Options(job.members, job.chain)
        super().__init__(quiet, scenario, processes, run_dir, lambda *_: None, lambda _: None, lambda _: None)
        self.job = job
        self.follower = SlowFollower(self._heard)
        self.plans: dict[str, Path] = {}
        self.began = job.began or self.began
        self._dressed: set[str] = set()

    def _cast(self, charter: Any) -> tuple[tuple[str, ...], tuple[str, ...]]:
        return (), ()

    async def _start_member(self, seat: Seat) -> None:
        if seat.name not in self._dressed:
            self._dressed.add(seat.name)
            self._dress(seat)
        await super()._start_member(seat)

    def _dress(self, seat: Seat) -> None:
        """The pack's policies act in a drain and observe else; the immediate sensor and its subjects beside them."""
        policy = seat.folder / "policy.toml"
        text = policy.read_text("utf-8")
        for mode in ("act", "ask", "observe"):
            text = text.replace(f'mode = "{mode}"', f'mode = "{"act" if self.job.drain else "observe"}"', 1)
        if self.job.immediate and seat.name == next(iter(self.seats)):
            names = ", ".join(f'"{immediate.subject(number)}"' for number in range(1, self.job.immediate + 1))
            text += f"\n[asset]\nbench = [{names}]\n" if "[asset]" not in text else ""
            text = text.replace("[asset]\n", f"[asset]\nbench = [{names}]\n", 1) if "bench = [" not in text else text
            text += '\n[exposure.bench]\nasset = "bench"\nread = "bench.none"\nmax_age = "1m"\nways_out = ["none"]\n'
        policy.write_text(text, "utf-8")
        if self.job.immediate:
            plan = self.plans[seat.name] = seat.folder / "plan.json"
            with seat.config.open("a", encoding="utf-8") as config:
                config.write(f'\n[sensor.immediate]\nkind = "{immediate.KIND}"\nplan = "{plan}"\n')

    # --- what is measured ---------------------------------------------------------------------------------------

    async def _play(self, facts: Facts, nursery: trio.Nursery) -> None:
        result = self.job.result
        result["mesh_up_s"] = round(facts.startup_s, 2)
        await trio.sleep(1.0)
        result["pss_mb_total"] = round(pss_mb([*self.processes.pids.values(), self.processes.zygote, os.getpid()]), 1)
        result["idle_cpu_percent"] = await self._idle()
        if self.job.immediate:
            before = self._cpu()
            result["immediate"] = await self._immediate()
            result["immediate_cpu_s"] = round(self._cpu() - before, 2)
        if self.job.forged:
            before = self._cpu()
            result["forged"] = await self._forged(facts.world)
            result["forged_cpu_s"] = round(self._cpu() - before, 2)
        if self.job.drain:
            result["drain"] = await self._drain(facts)
        result["cpu_s"] = {name: round(_cpu_s(pid), 2) for name, pid in self.processes.pids.items()}

    async def _collect(self, facts: Facts) -> None:
        facts.pss_mb = self.job.result["pss_mb_total"]

    def told(self) -> dict[str, list[Happening]]:
        return {name: one.happenings for name, one in self.follower.members.items()}

    def _cpu(self) -> float:
        """Seconds of CPU that all members have used."""
        return sum(_cpu_s(self.processes.pids[name]) for name in self.seats)

    async def _idle(self) -> float:
        before, at = self._cpu(), time.monotonic()
        self.job.result["start_cpu_s"] = round(before, 2)
        await trio.sleep(QUIET_S)
        return round((self._cpu() - before) / (time.monotonic() - at) / len(self.seats) * 100, 1)

    async def _immediate(self) -> list[tuple[str, float, float]]:
        """Alarms go round the members: no member's place in the mesh is favoured."""
        begin_ms = time.time() * 1000 + 500
        names = list(self.seats)
        alarms: list[tuple[str, float, float]] = []
        plans: dict[str, list[tuple[float, int]]] = {name: [] for name in names}
        for number in range(1, self.job.immediate + 1):
            at_ms = begin_ms + number * ALARM_S * 1000
            plans[names[number % len(names)]].append((at_ms, number))
            alarms.append((str(immediate.subject(number)), at_ms - 100, at_ms + 60_000))
        for name, plan in plans.items():
            immediate.put_plan(self.plans[name], plan)
        await trio.sleep(alarms[-1][1] / 1000 - time.time() + 3)
        return alarms

    def _forger(self, world: World, client: ChainClient) -> Sender:
        return Sender(client, world.home, Account(world.key(ENDPOINT)))

    async def _forge(self, world: World, sender: Sender, nonce: int, amount: int) -> float:
        """ms of the wall clock when the provider had taken it (the embedded chain mines at once)."""
        to = Account(world.key("attacker")).address
        tx = await sender.send(world.address(BRIDGE), abi_of("Escrow"), "deliver", (nonce, to, amount))
        at_ms = time.time() * 1000
        await sender.wait(tx)
        return at_ms

    async def _forged(self, world: World) -> list[tuple[str, float, float]]:
        client = ChainClient((Connection(SourceId("bench"), world.home, world.urls[world.home]),))
        sender, about = self._forger(world, client), world.asset_text(BRIDGE)
        at: list[float] = []
        try:
            for number in range(self.job.forged):
                begun = trio.current_time()
                at.append(await self._forge(world, sender, FIRST_NONCE + number, units(FORGED_UNITS)))
                await trio.sleep(FORGED_S + 0.1 * (number % 3) - (trio.current_time() - begun))
        finally:
            await client.aclose()
        ends = [*at[1:], at[-1] + FORGED_S * 1000]
        # the backing sensors speak of the same subject under another threat: kept apart where spans are made
        return [(about, begin - 20, end - 20) for begin, end in zip(at, ends)]

    async def _drain(self, facts: Facts) -> dict[str, Any]:
        """The exposed members' levers, all of them on `act`: until the last says that its effect was read back."""
        world = facts.world
        exposed = {role.name for role in facts.roles if BRIDGE in _held(self.scenario, role.exposed)}
        wanted = {
            (role.name, lever)
            for role in facts.roles
            if role.name in exposed
            for name, rule in role.policy.get("rule", {}).items()
            if name == "shut"
            for lever in rule["do"]
        }
        client = ChainClient((Connection(SourceId("bench"), world.home, world.urls[world.home]),))
        try:
            at_ms = await self._forge(world, self._forger(world, client), FIRST_NONCE, 116_500 * UNIT)
        finally:
            await client.aclose()

        def effective() -> dict[tuple[str, str], float]:
            return {
                (name, one["lever"]): one["at_ms"]
                for name, told in self.told().items()
                for one in reversed(told)
                if one["kind"] == "action" and one["phase"] == "effective"
            }

        await self.follower.until(lambda: wanted <= effective().keys(), 30)
        found = effective()
        missing = sorted(wanted - found.keys())
        if missing or not wanted:
            raise RuntimeError(f"no effect was read back within 30 s of {missing or 'anybody'}")
        return {"last_ms": round(max(found[one] for one in wanted) - at_ms, 1), "levers": len(wanted)}


def _held(scenario: Scenario, things: tuple[str, ...]) -> set[str]:
    """Assets that these things are or take as collateral or index."""
    found = set(things)
    for thing in (scenario.things[name] for name in things):
        found |= {*thing.params.get("collateral", ()), thing.params.get("index", "")}
    return found


def _cpu_s(pid: int) -> float:
    try:
        parts = Path(f"/proc/{pid}/stat").read_text("utf-8").rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(parts[11]) + int(parts[12])) / os.sysconf("SC_CLK_TCK")


def run(job: Job) -> dict[str, Any]:
    """Everything the job asks for; the happenings that figures are made of come along."""
    immediate.plug_in()
    if job.profile:
        profile.plug_in(job.profile)
    zygote, asks, answers = fork_zygote()
    run_dir = make_run_dir(None)
    scenario = load(PACK)
    if not job.drain:
        scenario = replace(scenario, run=replace(scenario.run, lease_s=SHORT_LEASES))
    bench = Bench(job, scenario, Processes(zygote, asks, answers, run_dir), run_dir)
    try:
        trio.run(bench.run)
        return {**job.result, "told": bench.told()}
    finally:
        bench.processes.close()
        if not os.environ.get("BENCH_KEEP"):
            shutil.rmtree(run_dir, ignore_errors=True)


if __name__ == "__main__":
    sys.stdout.write(json.dumps(run(Job(**json.loads(sys.argv[1])))) + "\n")

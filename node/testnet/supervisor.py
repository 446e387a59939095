"""Brings a local network up, plays a scenario against it, and takes it down again, whatever happens."""

from __future__ import annotations

import json
import random
import signal
import socket
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import trio

from adapters.evm.client import ChainClient, Connection
from governance.charter import Charter
from node.testnet import actors, hands, world
from node.testnet.chain_process import start_chain
from node.testnet.compose import Seat, compose
from node.testnet.console import open_console
from node.testnet.follow import Follower, Happening
from node.testnet.options import Options
from node.testnet.processes import Processes, pss_mb
from node.testnet.real.owners import Signed
from node.testnet.scenario import CONTROL, TOCSIN, Role, Scenario
from node.testnet.witness import Witness, witness
from node.testnet.world_lies import lies
from node.testnet.world_measure import Outcome, measure
from protocol.ids import SourceId

CHAIN_S = 15.0
SETUP_S = 20.0
"""For one request of the setup: ten large contracts at once take a busy machine seconds."""
MESH_S = 40.0
START_LEAD_S = 0.5
BACK_AFTER_S = 2.0
"""A killed member is started again that long after: as an init system would."""
SETTLE_S = 6.0


class RunFailed(Exception):
    """What went wrong, where, and what to look at."""


def free_ports(count: int) -> list[int]:
    """Loopback ports that nobody has now; all are held until the last is found."""
    held = [socket.socket() for _ in range(count)]
    try:
        for one in held:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in held]
    finally:
        for one in held:
            one.close()


@dataclass
class Facts:
    """What a run left behind, for checks and the report. Times are wall clock ms."""

    scenario: Scenario
    roles: Sequence[Role]
    charter: Charter
    world: world.World
    victims: tuple[str, ...]
    liars: tuple[str, ...]
    start_ms: int
    startup_s: float
    kill_topic: str = ""
    killed_ms: dict[str, int] = field(default_factory=dict)
    back_ms: dict[str, int] = field(default_factory=dict)
    kill_while_forming: bool = False
    told: dict[str, list[Happening]] = field(default_factory=dict)
    deeds: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    outcomes: dict[str, Outcome] = field(default_factory=dict)
    statuses: dict[str, dict[str, Any]] = field(default_factory=dict)
    alerts: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    actions: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    feeds: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    lies: list[dict[str, Any]] = field(default_factory=list)
    chain: Witness = field(default_factory=Witness)
    pss_mb: float = 0.0
    by_hand: set[tuple[str, str]] = field(default_factory=set)
    """(member, what its people did at its node)."""
    owners: dict[str, list[Signed]] = field(default_factory=dict)


class Supervisor:
    """One run. `news(member, happening)` and `say(text)` are the story's."""

    def __init__(
        self,
        options: Options,
        scenario: Scenario,
        processes: Processes,
        run_dir: Path,
        news: Callable[[str, Happening], None],
        say: Callable[[str], None],
        deed: Callable[[dict[str, Any]], None],
    ) -> None:
        self.options, self.scenario = options, scenario
        self.processes, self.run_dir = processes, run_dir
        self.follower = Follower(self._heard)
        self._news, self.say, self._deed = news, say, deed
        self.began = time.monotonic()
        self.seats: dict[str, Seat] = {}
        self.chance = random.Random(f"{options.seed}/story")  # noqa: S311 (a schedule, no secret)
        self.facts: Facts | None = None
        self._first_attestation: dict[str, trio.Event] = {}

    # --- building -----------------------------------------------------------------------------------------------

    async def run(self) -> Facts:
        async with trio.open_nursery() as listening:
            listening.start_soon(self.processes.listen)
            try:
                async with trio.open_nursery() as nursery:
                    facts = await self._build(nursery)
                    await self._play(facts, nursery)
                    await self._collect(facts)
                    nursery.cancel_scope.cancel()
            finally:
                with trio.CancelScope() as scope:
                    scope.shield = True
                    await self.follower.aclose()
                    await self.processes.end_all()
                listening.cancel_scope.cancel()
        return facts

    async def _build(self, nursery: trio.Nursery) -> Facts:
        roles = self.scenario.members(self.options.members)
        urls, kind = await self._chains(roles)
        where = ", ".join(f"{chain} {url}" for chain, url in urls)
        self.say(f"two {kind} chains run ({where}); each member is declared operator of its own connections,")
        self.say("but on this machine one process a chain stands behind them all")
        client = ChainClient(tuple(Connection(SourceId(f"setup-{chain}"), chain, url) for chain, url in urls), SETUP_S)
        try:
            worlds = await self._worlds(client, dict(urls), roles)
        finally:
            await client.aclose()
        ports = dict(zip((role.name for role in roles), free_ports(len(roles))))
        routes = await self._proxy(ports)
        tocsin = worlds[TOCSIN]
        seats, charter = compose(self.scenario, tocsin, roles, self.run_dir, ports, routes, self.options.seed)
        self.seats = {seat.name: seat for seat in seats}
        victims, liars = self._cast(charter)
        self.facts = Facts(self.scenario, roles, charter, tocsin, victims, liars, 0, 0.0)
        self.worlds = worlds
        page = open_console(seats, (*victims, *liars)) if self.options.console else ""
        for seat in seats:
            await self._start_member(seat)
            self.follower.add(seat.name, seat.control)
            nursery.start_soon(self.follower.follow, seat.name)
        await self._mesh()
        if page:
            self.say(f"the page of one member, good for one sign-in: {page}")
        self.facts.startup_s = time.monotonic() - self.began
        return self.facts

    async def _worlds(self, client: ChainClient, urls: dict[str, str], roles: Sequence[Role]) -> dict[str, world.World]:
        """Both arms beside each other: a market of others may have to stand a while before anybody can use it."""
        found: dict[str, world.World] = {}

        async def build(arm: str) -> None:
            found[arm] = await world.build(self.scenario, client, urls, self.options.seed, arm, roles)

        async with trio.open_nursery() as nursery:
            for arm in (TOCSIN, CONTROL):
                nursery.start_soon(build, arm)
        return {arm: found[arm] for arm in (TOCSIN, CONTROL)}

    async def _chains(self, roles: Sequence[Role]) -> tuple[list[tuple[str, str]], str]:
        accounts: dict[str, int] = {}
        for arm in (TOCSIN, CONTROL):
            accounts |= world.accounts(self.scenario, self.options.seed, arm, roles)
        urls: list[tuple[str, str]] = []
        kind: Any = self.options.chain
        for chain, port in zip(world.chains_of(self.scenario), free_ports(2)):
            number = int(chain.partition(":")[2])
            if kind == "embedded":
                name = f"chain-{number}"
                await self.processes.start(name, "chain", chain_id=number, port=port, accounts=accounts)
                urls.append((chain, f"http://127.0.0.1:{port}"))
            else:
                process = await trio.to_thread.run_sync(start_chain, kind, number, accounts)
                self.processes.adopt(f"chain-{number}", process)
                urls.append((chain, process.url))
        await self._chains_answer(urls)
        return urls, kind

    async def _chains_answer(self, urls: list[tuple[str, str]]) -> None:
        async with httpx.AsyncClient(timeout=2.0) as http:
            for chain, url in urls:
                question = {"jsonrpc": "2.0", "id": 1, "method": "eth_chainId", "params": []}
                deadline = trio.current_time() + CHAIN_S
                while True:
                    try:
                        answer = (await http.post(url, json=question)).json()
                        if int(answer["result"], 16) == int(chain.partition(":")[2]):
                            break
                    except (httpx.HTTPError, ValueError, KeyError):
                        pass
                    if trio.current_time() > deadline:
                        raise RunFailed(f"the chain {chain} at {url} does not answer; see its .err file with --keep")
                    await trio.sleep(0.05)

    async def _proxy(self, ports: dict[str, int]) -> dict[tuple[str, str], int]:
        """One listener for each ordered pair of members, where links are to be slow."""
        if not self.options.delay_ms:
            return {}
        pairs = [(one, other) for one in ports for other in ports if one != other]
        routes = dict(zip(pairs, free_ports(len(pairs))))
        table = [
            {
                "listen_host": "127.0.0.1",
                "listen_port": port,
                "target_host": "127.0.0.1",
                "target_port": ports[other],
                "delay_ms": self.options.delay_ms,
            }
            for (_, other), port in routes.items()
        ]
        await self.processes.start("proxy", "proxy", routes=json.dumps(table))
        return routes

    def _cast(self, charter: Charter) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Who dies and who lies: the seed's choice, at most min(2, f) each unless asked otherwise."""
        names = [str(member.name) for member in charter.members]
        f = charter.epoch0().f
        count = min(2, f)
        killed = self.options.kill if self.options.kill is not None else count
        return tuple(self.chance.sample(names, killed)), tuple(self.chance.sample(names, count))

    async def _start_member(self, seat: Seat) -> None:
        liar = self.facts is not None and seat.name in self.facts.liars
        kind, extra = ("liar", {"lies": str(seat.lies)}) if liar else ("member", {})
        await self.processes.start(seat.name, kind, config=str(seat.config), **extra)

    async def _mesh(self) -> None:
        """Every member hears every other, and may sign."""
        deadline = trio.current_time() + MESH_S
        for name in self.seats:
            while True:
                with suppress(httpx.HTTPError, ValueError):
                    status = await self.follower.members[name].operator.get("/status")
                    heard = sum(1 for peer in status["peers"] if peer["up"])
                    if heard == len(self.seats) - 1 and status["signing"]["may"]:
                        break
                if not self.processes.alive(name):
                    raise RunFailed(f"{name} did not start: {self.processes.stderr(name)}")
                if trio.current_time() > deadline:
                    raise RunFailed(f"{name} did not reach every member within {MESH_S:.0f} s")
                await trio.sleep(0.05)

    # --- playing ------------------------------------------------------------------------------------------------

    async def _play(self, facts: Facts, nursery: trio.Nursery) -> None:
        if self.options.expect_blind:
            await self._blind(facts)
        facts.pss_mb = pss_mb([*self.processes.pids.values(), self.processes.zygote])
        facts.start_ms = int((time.time() + START_LEAD_S) * 1000)
        self._write_lies(facts)
        for arm, built in self.worlds.items():
            for actor in ("attacker", "crowd", "people"):
                out = self.run_dir / f"{arm}-{actor}.jsonl"
                spec = actors.spec(built, start_ms=facts.start_ms, out=out, speed=self.options.speed)
                await self.processes.start(f"{arm}-{actor}", "actor", actor=actor, spec=spec)
        nursery.start_soon(self._tell_deeds)
        if not self.options.expect_blind and facts.victims:
            nursery.start_soon(self._kill_and_restart, facts)
        hands.start(self, facts, nursery)
        await self._until_over(facts)

    async def _tell_deeds(self) -> None:
        """Follows what the actors of the defended arm write down."""
        told: dict[str, int] = {}
        while True:
            for actor in ("attacker", "crowd", "people"):
                deeds = actors.read_deeds(self.run_dir / f"{TOCSIN}-{actor}.jsonl")
                for deed in deeds[told.get(actor, 0) :]:
                    self._deed(deed)
                told[actor] = len(deeds)
            await trio.sleep(0.2)

    def _write_lies(self, facts: Facts) -> None:
        told = lies(facts.world, self.options.seed)
        events = [one for one in self.scenario.events_in(TOCSIN) if str(one.do) == "node.lie"]
        for liar in facts.liars:
            mine = []
            for event in events:
                at_ms = facts.start_ms + int(self.scenario.play_s(event.at_s, self.options.speed) * 1000)
                mine += [{**one, "at_ms": at_ms} for one in told if one["which"] == event.do.params["which"]]
            self.seats[liar].lies.write_text(json.dumps(mine), "utf-8")
        facts.lies = told if events else []

    async def _blind(self, facts: Facts) -> None:
        for name in facts.victims:
            self.processes.signal(name, signal.SIGKILL)
            facts.killed_ms[name] = int(time.time() * 1000)
        self.say(f"{', '.join(facts.victims)} are killed: too few are left for a quorum")
        left = [name for name in self.seats if name not in facts.victims]
        deadline = trio.current_time() + MESH_S
        for name in left:
            while trio.current_time() < deadline:
                status = await self.follower.members[name].operator.get("/status")
                if status["quorum"]["blind"]:
                    break
                await trio.sleep(0.1)

    def _heard(self, member: str, happening: Happening) -> None:
        if happening["kind"] == "attestation" and happening["level"] == "ISOLATE" and happening["own"]:
            self._first_attestation.setdefault(happening["threat"], trio.Event()).set()
        self._news(member, happening)

    async def _kill_and_restart(self, facts: Facts) -> None:
        """While an ISOLATE certificate is forming: at the first attestation of the topic that the seed chose."""
        topics = sorted({"bridge-forgery", "unbacked-supply"} if self._has_bridge() else {"oracle-manipulation"})
        facts.kill_topic = self.chance.choice(topics)
        await self._first_attestation.setdefault(facts.kill_topic, trio.Event()).wait()
        formed = {name for name in self.seats if self._has_certificate(name, facts.kill_topic)}
        for name in facts.victims:
            self.processes.signal(name, signal.SIGKILL)
            facts.killed_ms[name] = int(time.time() * 1000)
        facts.kill_while_forming = len(formed) < len(self.seats)
        when = "while it was forming" if facts.kill_while_forming else "just after it had formed everywhere"
        self.say(f"{' and '.join(facts.victims)} killed (SIGKILL): the {facts.kill_topic} certificate, {when}")
        await trio.sleep(BACK_AFTER_S)
        for name in facts.victims:
            await self.processes.wait(name, 5)
            await self._start_member(self.seats[name])
            facts.back_ms[name] = int(time.time() * 1000)
            self.say(f"{name} is started again, from its own disk")

    def _has_bridge(self) -> bool:
        return any(thing.kind == "bridge.escrow" for thing in self.scenario.things.values())

    def _has_certificate(self, name: str, threat: str) -> bool:
        return any(
            one["kind"] == "certificate" and one["level"] == "ISOLATE" and one["threat"] == threat
            for one in self.follower.members[name].happenings
        )

    async def _until_over(self, facts: Facts) -> None:
        """The last event played, every actor done, every restriction ended by itself."""
        ends_s = self.scenario.play_s(self.scenario.run.ends_s, self.options.speed)
        await trio.sleep(max(0.0, facts.start_ms / 1000 + ends_s - time.time()))
        for name in [one for one in self.processes.pids if one.endswith(("-attacker", "-crowd", "-people"))]:
            await self.processes.wait(name, 15)
        longest_s = max(self.scenario.run.lease_s.values(), default=60.0)
        # one alarm may renew what another pulled as late as when that one ends
        deadline = trio.current_time() + 2 * longest_s + SETTLE_S
        while trio.current_time() < deadline:
            if all([await self._at_rest(name) for name in self.seats]):
                return
            await trio.sleep(0.25)

    async def _at_rest(self, name: str) -> bool:
        if not self.processes.alive(name):
            return True
        with suppress(httpx.HTTPError, ValueError):
            return not (await self.follower.members[name].operator.get("/status"))["actions"]
        return False

    # --- collecting ---------------------------------------------------------------------------------------------

    async def _collect(self, facts: Facts) -> None:
        for name, followed in self.follower.members.items():
            facts.told[name] = followed.happenings
            if self.processes.alive(name):
                with suppress(httpx.HTTPError, ValueError):
                    facts.statuses[name] = await followed.operator.get("/status")
                    facts.alerts[name] = await followed.operator.get("/alerts")
                    facts.actions[name] = await followed.operator.get("/actions")
                    facts.feeds[name] = await followed.operator.get("/feeds")
        client = ChainClient(
            tuple(Connection(SourceId(f"end-{chain}"), chain, url) for chain, url in facts.world.urls.items())
        )
        try:
            for arm, built in self.worlds.items():
                deeds = [
                    deed
                    for actor in ("attacker", "crowd", "people")
                    for deed in actors.read_deeds(self.run_dir / f"{arm}-{actor}.jsonl")
                ]
                facts.deeds[arm] = sorted(deeds, key=lambda deed: int(deed["at_ms"]))
                facts.outcomes[arm] = await measure(built, client, facts.deeds[arm])
            facts.chain = await witness(facts.world, client, facts.roles)
        finally:
            await client.aclose()

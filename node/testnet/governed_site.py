"""Members of a governed network as their operators have them: directories, commands, processes, control sockets.

Nothing here reaches into a node: what its people could not do with `tocsin`, a file or a signal is not done.
"""

from __future__ import annotations

import hashlib
import json
import random
import shutil
import signal
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import trio

from node.commands.home import GOVERNANCE_NAME, make_home
from node.testnet.follow import Operator
from node.testnet.processes import Processes
from node.testnet.supervisor import free_ports

Json = dict[str, Any]
SUBJECT = "eip155:1/erc20:0xa1290d69c65a6fe4df752f95823fae25cb99e5a7"
CHANGE_S, LOOSEN_S = 1.0, 1.5
"""Of the charter: days in a real one."""
COMMAND_S = 60.0
LOOK_S = 0.1
_POLICY = f"""policy = 1
mode = "observe"
asset.rseth = ["{SUBJECT}"]
[exposure]
dry = {{ asset = "rseth", read = "lending.reserve", max_age = "5m", ways_out = ["borrow"] }}
[lever]
note = {{ on = "dry", call = "log.note", closes = [], expires_by = "target", max = "6h", cooldown = "1h" }}
[rule]
shut = {{ asset = "rseth", level = "ISOLATE", own = "any", do = ["note"], for = "1h" }}
other = {{ asset = "any", level = "any", own = "any", do = [], page = true }}
"""
"""Exposed to the subject, so that what loosens waits for an alarm on it; the one lever writes a line."""


class Stuck(Exception):
    """What did not come, or a command that failed: the story cannot go on from there."""


@dataclass(frozen=True)
class Ran:
    code: int
    out: str
    err: str

    def json(self) -> Any:
        return json.loads(self.out)


@dataclass(frozen=True)
class Cast:
    """Who plays what: the seed's choice. `near` and `far` are the sides of the partition; the joiner is near."""

    founders: tuple[str, ...]
    joiner: str
    leaver: str
    robbed: str
    forker: str
    near: tuple[str, ...]
    far: tuple[str, ...]

    @property
    def stay(self) -> tuple[str, ...]:
        """All that have a seat at the end."""
        return (*(name for name in self.founders if name != self.leaver), self.joiner)


def cast_of(members: int, seed: int) -> Cast:
    chance = random.Random(f"{seed}/governance")  # noqa: S311 (a schedule, no secret)
    founders = tuple(f"member-{number + 1}" for number in range(members))
    leaver, robbed, forker, *others = chance.sample(founders, members)
    stay = [robbed, forker, *others]
    chance.shuffle(stay)
    half = members // 2
    return Cast(
        founders, "joiner", leaver, robbed, forker, ("joiner", leaver, *stay[: half - 1]), tuple(stay[half - 1 :])
    )


class Site:
    """One network. `cold` is a machine of its own: governance keys and the charter, no node."""

    def __init__(self, processes: Processes, run_dir: Path, cast: Cast, seed: int) -> None:
        self.processes, self.cast, self.seed = processes, cast, seed
        self.folder, self.cold = run_dir / "members", run_dir / "cold"
        self.network_file = run_dir / "network.cbor"
        names = (*cast.founders, cast.joiner)
        near, far = cast.near, cast.far
        pairs = [(one, other) for one in near for other in far]
        pairs += [(other, one) for one, other in pairs if one != cast.joiner]
        # all at one time: of two draws the second may hold what the first gave away
        ports = free_ports(len(names) + len(pairs))
        self.ports = dict(zip(names, ports))
        self._between = dict(zip(pairs, ports[len(names) :]))
        self._operators: dict[str, Operator] = {}
        self._commands = 0

    # --- a machine of each --------------------------------------------------------------------------------------

    def home(self, member: str) -> Path:
        return self.folder / member

    def config(self, member: str) -> Path:
        return self.home(member) / "node.toml"

    def key(self, member: str) -> Path:
        return self.cold / f"{member}.key"

    def settle(self, member: str) -> None:
        """`tocsin init`, but with keys that the seed makes; the governance key goes to the cold machine."""
        self.cold.mkdir(exist_ok=True, parents=True)
        seed = hashlib.sha256(f"tocsin testnet/governance/{self.seed}/{member}".encode()).digest()
        home = make_home(self.home(member), member, "", (f"/ip4/127.0.0.1/tcp/{self.ports[member]}",), seed=seed)
        (home.directory / GOVERNANCE_NAME).rename(self.key(member))
        home.policy_path.write_text(_POLICY, "utf-8")
        text = home.config_path.read_text("utf-8") + '\n[target.dry]\nkind = "log"\n'
        home.config_path.write_text(text, "utf-8")

    async def found(self) -> None:
        for name in self.cast.founders:
            self.settle(name)
        charter = self.cold / "charter.toml"
        cards = [self.home(name) / "card.toml" for name in self.cast.founders]
        delays = ("--delay", f"change={CHANGE_S * 1000:.0f}ms", "--delay", f"loosen={LOOSEN_S * 1000:.0f}ms")
        await self.run("charter", "create", *cards, "--out", charter, "--name", "governance", *delays)
        for name in self.cast.founders:
            signed = ("--dir", self.home(name), "--governance-key", self.key(name))
            await self.run("charter", "sign", charter, *signed)
        for name in self.cast.founders:
            shutil.copy(charter, self.home(name) / "charter.toml")
        await self._wire()

    async def _wire(self) -> None:
        """Every link between the sides leads through one process: stopping it cuts them, and nothing else."""
        table, peers = [], dict[str, str]()
        for (one, other), port in self._between.items():
            here = {"listen_host": "127.0.0.1", "listen_port": port, "delay_ms": 0}
            table.append({**here, "target_host": "127.0.0.1", "target_port": self.ports[other]})
            peers[one] = peers.get(one, "") + f'\n[[peer]]\nmember = "{other}"\naddrs = ["/ip4/127.0.0.1/tcp/{port}"]\n'
        self._peers = peers
        for name in self.cast.founders:
            self.dial_through(name)
        await self.processes.start("between", "proxy", routes=json.dumps(table))

    def dial_through(self, member: str) -> None:
        with self.config(member).open("a", encoding="utf-8") as file:
            file.write(self._peers[member])

    def cut(self) -> None:
        self.processes.signal("between", signal.SIGSTOP)

    def heal(self) -> None:
        self.processes.signal("between", signal.SIGCONT)

    # --- commands -----------------------------------------------------------------------------------------------

    async def tocsin(self, *words: object) -> Ran:
        self._commands += 1
        name = f"command-{self._commands}"
        out = self.cold.parent / f"{name}.out"
        await self.processes.start(name, "command", words=[str(word) for word in words], out=str(out))
        if not await self.processes.wait(name, COMMAND_S):
            self.processes.signal(name, signal.SIGKILL)
            raise Stuck(f"tocsin {words[0]} {words[1]} did not end in {COMMAND_S:g} s")
        return Ran(self.processes.codes[name], out.read_text("utf-8"), self.processes.stderr(name))

    async def run(self, *words: object) -> Ran:
        ran = await self.tocsin(*words)
        if ran.code:
            raise Stuck(f"tocsin {' '.join(map(str, words[:3]))}: exit {ran.code}: {ran.err}")
        return ran

    async def at(self, member: str, *words: object) -> Ran:
        return await self.run(*words, "--config", self.config(member))

    async def all_at(self, members: Iterable[str], *words: object) -> None:
        """The same by each one's operator, side by side."""
        async with trio.open_nursery() as nursery:
            for member in members:
                nursery.start_soon(self.at, member, *words)

    # --- processes ----------------------------------------------------------------------------------------------

    async def up(self, member: str, kind: str = "member", **job: str) -> None:
        await self.processes.start(member, kind, config=str(self.config(member)), **job)

    async def down(self, member: str, number: signal.Signals = signal.SIGTERM) -> None:
        self.processes.signal(member, number)
        if not await self.processes.wait(member, 10):
            raise Stuck(f"{member} does not end")

    async def aclose(self) -> None:
        self.heal()
        await self.close_operators()

    async def close_operators(self) -> None:
        for one in self._operators.values():
            await one.aclose()

    # --- what members tell --------------------------------------------------------------------------------------

    async def ask(self, member: str, path: str, **params: Any) -> Any:
        """None where nobody answers, or not with that."""
        operator = self._operators.get(member)
        if operator is None:
            operator = self._operators[member] = Operator(self.home(member) / "data" / "control.sock")
        with suppress(httpx.HTTPError, ValueError):
            return await operator.get(path, **params)
        return None

    async def epoch(self, member: str) -> tuple[int, str]:
        told = await self.ask(member, "/network")
        return (told["epoch"]["number"], told["epoch"]["hash"]) if told else (-1, "")

    async def alert(self, member: str, threat: str) -> Json:
        found = await self.ask(member, "/alerts") or []
        return next((one for one in found if one["threat"] == threat and one["subject"] == SUBJECT), {})

    async def proposal(self, member: str, id_: str) -> Json:
        return dict(await self.ask(member, f"/proposals/{id_}") or {})

    async def hears(self, members: Sequence[str], groups: int, within_s: float = 40.0) -> None:
        async def whole(member: str) -> bool:
            told = await self.ask(member, "/status")
            return bool(told) and told["quorum"]["hears"] == groups and bool(told["signing"]["may"])

        try:
            await self.at_all(f"hears {groups} groups and signs", members, whole, within_s)
        except Stuck as stuck:
            raise Stuck(f"{stuck}; {await self._why(members)}") from None

    async def _why(self, members: Sequence[str]) -> str:
        """What each says of itself, and of who has ended, its last words."""
        told = []
        for member in members:
            status = await self.ask(member, "/status")
            if status is not None:
                told.append(f"{member}: {status['quorum']['says']} {status['signing']['why']}".strip())
            else:
                told.append(f"{member} does not answer: {self.processes.stderr(member)[-200:]}")
        return "; ".join(told)

    async def at_all(
        self, what: str, members: Sequence[str], true: Callable[[str], Awaitable[bool]], within_s: float
    ) -> None:
        """Stuck names the first at which it is not so in time."""
        deadline = trio.current_time() + within_s
        for member in members:
            while not await true(member):
                if trio.current_time() > deadline:
                    raise Stuck(f"not within {within_s:g} s at {member}: {what}")
                await trio.sleep(LOOK_S)


def now_ms() -> int:
    return time.time_ns() // 1_000_000

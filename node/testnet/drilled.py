"""`tocsin testnet --scenario drill`: an exercise among members of a real network, and what it must not have done.

Each member runs two nodes, the real one and the drill one, made by the commands that an operator has. The exercise is
scored; then a real alarm shows that the real levers move, and that the drill network hears nothing of it.
"""

from __future__ import annotations

import json
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import trio

from node.commands.home import GOVERNANCE_NAME, make_home
from node.testnet.governed import report_lines
from node.testnet.governed_site import SUBJECT, Cast, Ran, Site, Stuck
from node.testnet.options import Options
from node.testnet.processes import Processes
from node.testnet.scenario import Check
from node.testnet.supervisor import free_ports

NAME = "drill"
Json = dict[str, Any]
REAL_S = 30.0
WAIT_S = 15
REAL_THREAT = "key-compromise"
"""Of the alarm afterwards; the exercise is about a bridge-forgery."""
ASKS, UNEXPOSED = "member-3", "member-4"
ABSENT = "member-2"
"""Whose people do not acknowledge."""
PULLED = "lever pool: note"
"""What the lever of this network writes into a node's log where it is pulled."""
_POLICY = f"""policy = 1
mode = "MODE"
asset.rseth = ["{SUBJECT}"]
[exposure]
pool = {{ asset = "rseth", read = "lending.reserve", max_age = "5m", ways_out = ["borrow"] }}
[lever]
note = {{ on = "pool", call = "log.note", closes = [], expires_by = "target", max = "6h", cooldown = "1h" }}
[rule]
shut = {{ asset = "rseth", level = "ISOLATE", own = "any", do = ["note"], for = "1h" }}
other = {{ asset = "any", level = "any", own = "any", do = [], page = true }}
"""
_WATCHES = 'policy = 1\n[rule]\nother = { asset = "any", level = "any", own = "any", do = [], page = true }\n'


def fault_of(options: Options) -> str:
    plain = options.kill is None and options.opinions is None and options.speed == 1
    if not plain or options.expect_blind or options.delay_ms or options.members not in (4, 7):
        return f"{NAME} plays two networks of 4 members (or 7) without chains; leave the other options out"
    return ""


class DrillSite(Site):
    """`member` and `member/drill` are nodes of one member."""

    def __init__(self, processes: Processes, run_dir: Path, members: int, seed: int) -> None:
        names = tuple(f"member-{number + 1}" for number in range(members))
        super().__init__(processes, run_dir, Cast(names, "", "", "", "", (), ()), seed)
        self.names = names
        self._drill_ports = dict(zip(names, free_ports(members)))

    def drill(self, member: str) -> Path:
        return self.home(member) / "drill.toml"

    def settle(self, member: str) -> None:
        home = make_home(self.home(member), member, "", (f"/ip4/127.0.0.1/tcp/{self.ports[member]}",))
        self.cold.mkdir(exist_ok=True, parents=True)
        (home.directory / GOVERNANCE_NAME).rename(self.key(member))
        mode = "ask" if member == ASKS else "act"
        home.policy_path.write_text(_WATCHES if member == UNEXPOSED else _POLICY.replace("MODE", mode), "utf-8")
        with home.config_path.open("a", encoding="utf-8") as file:
            file.write('\n[target.pool]\nkind = "log"\n')

    async def found(self) -> None:
        for name in self.names:
            self.settle(name)
        charter = self.cold / "charter.toml"
        await self.run("charter", "create", *(self.home(one) / "card.toml" for one in self.names), "--out", charter)
        for name in self.names:
            await self.run("charter", "sign", charter, "--dir", self.home(name), "--governance-key", self.key(name))
        for name in self.names:
            shutil.copy(charter, self.home(name) / "charter.toml")

    async def found_drill(self) -> Ran:
        for name in self.names:
            address = f"/ip4/127.0.0.1/tcp/{self._drill_ports[name]}"
            await self.at(name, "drill", "init", "--addr", address)
        charter = self.cold / "drill.toml"
        cards = [self.home(one) / "drill" / "card.toml" for one in self.names]
        made = await self.run(
            "drill", "found", *cards, "--charter", self.cold / "charter.toml", "--out", charter, "-o", "json"
        )
        for name in self.names:
            await self.run("charter", "sign", charter, "--dir", self.home(name) / "drill")
        for name in self.names:
            shutil.copy(charter, self.home(name) / "drill" / "charter.toml")
        return made

    async def all_up(self) -> None:
        for name in self.names:
            await self.up(name)
            await self.processes.start(f"{name}-drill", "member", config=str(self.drill(name)))
        await self.hears(self.names, len(self.names))
        for name in self.names:
            await self._drill_hears(name)

    async def _drill_hears(self, name: str) -> None:
        with trio.move_on_after(REAL_S):
            while True:
                told = await self.tocsin("status", "-o", "json", "--config", self.drill(name))
                status = told.json() if told.code == 0 else None
                if status and status["quorum"]["hears"] == len(self.names) and status["signing"]["may"]:
                    return
                await trio.sleep(0.3)
        raise Stuck(f"the drill node of {name} does not hear every member")

    def logs(self, drill: bool) -> dict[str, str]:
        """By member, whole."""
        paths = {name: self.home(name) / ("drill/node.log" if drill else "node.log") for name in self.names}
        return {name: path.read_text("utf-8", errors="replace") for name, path in paths.items() if path.exists()}


class Story:
    """`checks` are facts, `score` is what `tocsin drill start` told."""

    def __init__(self, site: DrillSite, say: Callable[[str], None]) -> None:
        self.site, self.say = site, say
        self.checks: list[Check] = []
        self.score: Json = {}

    def told(self, name: str, ok: bool, expected: str, got: object) -> None:
        self.checks.append(Check(name, ok, expected, str(got)))

    async def play(self) -> None:
        await self.site.found()
        made = (await self.site.found_drill()).json()
        await self.site.all_up()
        of = made["drill_of"]
        self.told("an-id-of-its-own", made["network"] != of, f"another id than {of[:16]}…", f"{made['network'][:16]}…")
        self.say(f"{len(self.site.names)} members, a node each in {of[:12]}… and in its drill {made['network'][:12]}…")
        await self._exercise()
        await self._harmless()
        await self._real()

    async def _exercise(self) -> None:
        site = self.site
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._acknowledge)
            at = ("--config", site.drill(site.names[0]))
            ran = await site.tocsin("drill", "start", "--wait", f"{WAIT_S}s", "-o", "json", *at)
        self.score = ran.json() if ran.out else {"members": [], "points": 0, "of": 0}
        rows = {row["member"]: row for row in self.score["members"]}
        whole = len(rows) == len(site.names)
        verified = sorted(name for name, row in rows.items() if row["verified_ms"] is not None)
        self.told("every-member-verified", whole and len(verified) == len(rows), "all", ", ".join(verified) or ran.err)
        planned = sorted(name for name, row in rows.items() if row["planned"])
        self.told("all-planned-but-who-asks", set(rows) - set(planned) == {ASKS}, f"all but {ASKS}", ", ".join(planned))
        silent = sorted(name for name, row in rows.items() if row["acknowledged_ms"] is None)
        self.told("silence-is-seen", silent == [ABSENT], ABSENT, ", ".join(silent))
        self.say(f"scored {self.score['points']} of {self.score['of']}: not acknowledged by {', '.join(silent)}")

    async def _acknowledge(self) -> None:
        """As people do, once their node heard of it."""

        async def acknowledged(name: str) -> bool:
            at = ("--config", self.site.drill(name))
            return (await self.site.tocsin("drill", "ack", "--person", "anna", *at)).code == 0

        people = [name for name in self.site.names if name != ABSENT]
        await self.site.at_all("an exercise to acknowledge", people, acknowledged, WAIT_S)

    async def _harmless(self) -> None:
        site = self.site
        pulled = [name for name, log in (*site.logs(True).items(), *site.logs(False).items()) if PULLED in log]
        self.told("no-lever-was-pulled", not pulled, "none", pulled or "none")
        heard = [name for name in site.names if await site.ask(name, "/alerts")]
        self.told("the-real-network-heard-nothing", not heard, "no alarm at any real node", heard or "nothing")
        alerts = (await site.run("alert", "list", "-o", "json", "--config", site.drill(site.names[1]))).json()
        listed = (await site.run("alert", "list", "--config", site.drill(site.names[1]))).out
        self.told("its-lists-say-so", listed.startswith("EXERCISE, no alarm"), "marked", listed.split(":")[0])
        export = site.cold / "drill.cert"
        await site.run("alert", "show", alerts[0]["id"], "--export", export, "--config", site.drill(site.names[1]))
        for charter, wanted, what in (("drill.toml", 0, "holds-there"), ("charter.toml", 1, "proves-nothing-here")):
            ran = await site.tocsin("verify", export, "--charter", site.cold / charter)
            says = (ran.out or ran.err.rpartition("drill.cert: ")[2]).strip().split("\n")[0][:70]
            marked = ran.out.startswith("EXERCISE, no alarm") == (wanted == 0)
            self.told(f"its-certificate-{what}", ran.code == wanted and marked, f"exit {wanted}, marked", says)
        refused = await site.tocsin("drill", "start", "--config", site.config(site.names[0]))
        says = refused.err.strip().rpartition("node.toml: ")[2].partition(";")[0]
        self.told("no-exercise-at-a-real-node", refused.code == 1, "refused", says)

    async def _real(self) -> None:
        """An alarm of the same subject in the real network moves real levers and stays there."""
        site = self.site
        words = (SUBJECT, REAL_THREAT, "ISOLATE", "--person", "anna")
        quorum = len(site.names) - (len(site.names) - 1) // 3
        await site.all_at(site.names[:quorum], "alert", "raise", *words)
        acting = [name for name in site.names if name not in (ASKS, UNEXPOSED)]

        async def pulled(member: str) -> bool:
            return PULLED in site.logs(False)[member]

        await site.at_all("its lever was pulled", acting, pulled, REAL_S)
        moved = sorted(name for name, log in site.logs(False).items() if PULLED in log)
        self.told("a-real-alarm-moves-real-levers", moved == sorted(acting), ", ".join(acting), ", ".join(moved))
        drilled = [name for name, log in site.logs(True).items() if PULLED in log]
        alerts = (await site.run("alert", "list", "-o", "json", "--config", site.drill(site.names[0]))).json()
        threats = sorted(one["threat"] for one in alerts)
        quiet = threats == ["bridge-forgery"] and not drilled
        self.told("the-drill-heard-nothing-of-it", quiet, "the exercise alone", ", ".join(threats))
        self.say("a real alarm on the same subject moved the real levers, and the drill network heard nothing of it")


def play(options: Options, run_dir: Path, human: bool) -> int:
    """0: every check holds."""
    from node.testnet.zygote import fork_zygote

    zygote, asks, answers = fork_zygote()
    processes = Processes(zygote, asks, answers, run_dir)
    began = time.monotonic()

    def say(text: str) -> None:
        if human and not options.check:
            sys.stdout.write(f"{time.monotonic() - began:7.1f} s  {text}\n")
            sys.stdout.flush()

    story = Story(DrillSite(processes, run_dir, options.members, options.seed), say)
    try:
        trio.run(whole, story)
    except BaseExceptionGroup as group:
        if group.subgroup(KeyboardInterrupt) is not None:
            raise KeyboardInterrupt from None
        raise
    finally:
        processes.close()
    checks = [{"name": one.name, "ok": one.ok, "expected": one.expected, "got": one.got} for one in story.checks]
    took_s = round(time.monotonic() - began, 1)
    told = {"scenario": NAME, "seed": options.seed, "checks": checks, "score": story.score, "took_s": took_s}
    sys.stdout.write(("\n".join(report_lines(checks)) if human else json.dumps(told)) + "\n")
    sys.stdout.flush()
    return 0 if all(one.ok for one in story.checks) else 1


async def whole(story: Story) -> None:
    """The story between the start and the end of its processes."""
    processes = story.site.processes
    async with trio.open_nursery() as listening:
        listening.start_soon(processes.listen)
        try:
            await story.play()
        except* Stuck as stuck:
            story.told("the-whole-story", False, "played", "; ".join(map(str, stuck.exceptions)))
        finally:
            with trio.CancelScope(shield=True):
                await story.site.close_operators()
                await processes.end_all()
            listening.cancel_scope.cancel()

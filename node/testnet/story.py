"""The story as it happens: what members tell and what actors did, put into sentences.

Each line carries two clocks: seconds of play since the forged message, and the moment of history that is played then.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from typing import Any

from node.testnet.follow import Happening
from node.testnet.options import Options
from node.testnet.scenario import Scenario

PHASES_TOLD = {
    "asked": "waits for a person",
    "armed": "is planned and simulated, not sent",
    "effective": "acts; read back from the target",
    "lapsed": "has ended by itself; read back",
    "lifted": "is lifted",
    "escalated": "FAILED and calls for people",
}
TOLD_ONCE = frozenset({"flee", "join"})
"""Crowds of small deeds: the first one stands for all."""


class Story:
    """Prints each thing once, however many members tell it."""

    def __init__(self, options: Options, scenario: Scenario, aloud: bool) -> None:
        self._options, self._scenario, self._aloud = options, scenario, aloud
        self._seen: set[tuple[str, ...]] = set()
        self._certified: dict[tuple[str, str], list[str]] = {}
        self._taken: dict[str, bool] = {}
        self._supervisor: Any = None
        self._began = time.monotonic()

    def begin(self, supervisor: Any) -> None:
        self._supervisor = supervisor
        run, speed = self._scenario.run, self._options.speed
        self.say(self._scenario.says)
        if self._scenario.hindsight():
            self.say(self._scenario.hindsight())
        by_speed = f" and by --speed {speed:g}" if speed != 1 else ""
        self.say(
            f"history is divided by {run.history_divided_by:g}{by_speed}; nodes, leases and chains run in real time"
        )
        leases = ", ".join(f"{level} {lease:g} s" for level, lease in run.lease_s.items())
        self.say(f"the charter of this network has short leases: {leases}")

    def say(self, text: str) -> None:
        if self._aloud:
            sys.stdout.write(f"{self._clock()} {self._named(text)}\n")
            sys.stdout.flush()

    def _clock(self) -> str:
        facts = getattr(self._supervisor, "facts", None)
        if facts is None or not facts.start_ms:
            return f"{time.monotonic() - self._began:7.1f} s               "
        play_s = time.time() - facts.start_ms / 1000
        history_s = play_s * self._scenario.run.history_divided_by * self._options.speed
        return f"{play_s:+7.1f} s  {_clock(history_s):>11}  "

    def _named(self, text: str) -> str:
        """Subjects by the names of the pack: nobody reads addresses."""
        for written, name in self._names().items():
            text = text.replace(written, name)
        return text

    def _names(self) -> Mapping[str, str]:
        facts = getattr(self._supervisor, "facts", None)
        if facts is None:
            return {}
        things = self._scenario.things.values()
        named = [thing.name for thing in things if thing.kind == "bridge.escrow" or thing.params.get("references")]
        return {str(subject): name for name in named for subject in facts.world.subjects(name)}

    def _once(self, *key: str) -> bool:
        if key in self._seen:
            return False
        self._seen.add(key)
        return True

    # --- what members tell ---------------------------------------------------------------------------------------

    def heard(self, member: str, told: Happening) -> None:
        teller = getattr(self, "_" + told["kind"].replace("-", "_"), None)
        if teller is not None:
            teller(member, told)

    def _lied(self, told: Happening) -> bool:
        facts = self._supervisor.facts
        lies = {one["claim_id"][:12] for one in facts.lies} if facts is not None else set()
        return bool(lies & set(told["claims"]))

    def _attestation(self, member: str, told: Happening) -> None:
        if not told["own"] or not self._once("attestation", member, told["threat"], told["level"], *told["claims"]):
            return
        if self._lied(told):
            self.say(f"{member} LIES: signs {told['level']} {told['threat']} on a claim that does not carry it")
            return
        how = "re-ran the claim" if told["detector"] == "verifier" else "its own sensor saw it"
        self.say(f"{member} attests {told['level']} {told['threat']} ({how})")

    def _certificate(self, member: str, told: Happening) -> None:
        holders = self._certified.setdefault((told["threat"], told["level"]), [])
        if member in holders:
            return
        holders.append(member)
        what = f"{told['level']} certificate on {told['threat']}"
        if len(holders) == 1:
            self.say(f"▲ {what}: {len(told['signers'])} groups, first at {member}")
        elif len(holders) == self._options.members:
            self.say(f"▲ {what} is at all {len(holders)} members")

    def _decision(self, member: str, told: Happening) -> None:
        if told["verdict"] in ("act", "ask", "arm") and self._once("decision", member, told["rule"], told["lever"]):
            self.say(f"{member} decides {told['verdict']}: {told['why']}")

    def _action(self, member: str, told: Happening) -> None:
        phase = PHASES_TOLD.get(told["phase"])
        if phase and self._once("action", member, told["key"], told["phase"]):
            self.say(f"■ {member}: {told['lever']} ({told['rung']}) {phase}")

    def _false_statement(self, member: str, told: Happening) -> None:
        author, _, why = told["why"].partition("#")
        if self._once("false", author, why.partition(": ")[2]):
            self.say(f"{author} is refuted, the proof kept: {why.partition(': ')[2]}")

    def _equivocation(self, member: str, told: Happening) -> None:
        if self._once("equivocation", told["author"]):
            self.say(f"{told['author']} signed two payloads under one number")

    # --- what actors did -----------------------------------------------------------------------------------------

    def deed(self, told: Mapping[str, Any]) -> None:
        """An actor's deed, told when it is the first of its kind or turns out otherwise than the one before."""
        if told["event"] == "in-flight" or (told["event"] in TOLD_ONCE and not self._once("deed", told["event"])):
            return
        key = f"{told['who']}/{told['do']}/{told['event']}"
        if self._taken.get(key) == told["ok"]:
            return
        self._taken[key] = bool(told["ok"])
        amount = f" {told['amount']:,.0f}" if told["amount"] else ""
        result = "done" if told["ok"] else f"REFUSED: {told['why']}"
        mark = "!" if told["who"] == "attacker" else "·"
        self.say(f"{mark} {told['who']}: {told['do']}{amount} — {result}")


def _clock(history_s: float) -> str:
    sign = "-" if history_s < 0 else "+"
    minutes, seconds = divmod(int(abs(history_s)), 60)
    return f"{sign}{minutes}m{seconds:02d}s then"

"""The story as it happens: what members tell, put into sentences, each with the times it was due and it took."""

from __future__ import annotations

import sys
import time
from typing import Any

from node.testnet.follow import Happening
from node.testnet.options import Options
from node.testnet.scenario import Scenario

PHASES_TOLD = {
    "asked": "waits for a person",
    "armed": "is planned and simulated, not sent",
    "effective": "acts: read back from the target",
    "lapsed": "has ended by itself, read back",
    "lifted": "is lifted",
    "escalated": "FAILED and calls for people",
}


class Story:
    """Prints each thing once, however many members tell it."""

    def __init__(self, options: Options, scenario: Scenario, aloud: bool) -> None:
        self._options, self._scenario, self._aloud = options, scenario, aloud
        self._seen: set[tuple[str, ...]] = set()
        self._certified: dict[tuple[str, str], list[str]] = {}
        self._supervisor: Any = None
        self._began = time.monotonic()

    def begin(self, supervisor: Any) -> None:
        self._supervisor = supervisor
        hindsight = self._scenario.hindsight()
        self.say(self._scenario.says)
        if hindsight:
            self.say(hindsight)
        leases = ", ".join(f"{level} {lease:g} s" for level, lease in self._scenario.run.lease_s.items())
        self.say(
            f"history is divided by {self._scenario.run.history_divided_by:g}"
            + (f" and by --speed {self._options.speed:g}" if self._options.speed != 1 else "")
            + f"; nodes, leases and chains run in real time; this charter's leases are short: {leases}"
        )

    def say(self, text: str) -> None:
        if self._aloud:
            sys.stdout.write(f"{self._clock()} {text}\n")
            sys.stdout.flush()

    def _clock(self) -> str:
        facts = getattr(self._supervisor, "facts", None)
        if facts is None or not facts.start_ms:
            return f"[{time.monotonic() - self._began:6.1f} s       ]"
        play_s = time.time() - facts.start_ms / 1000
        history_s = play_s * self._scenario.run.history_divided_by * self._options.speed
        return f"[{play_s:+6.1f} s {_clock(history_s)}]"

    def heard(self, member: str, told: Happening) -> None:
        teller = getattr(self, "_" + told["kind"].replace("-", "_"), None)
        if teller is not None:
            teller(member, told)

    def _once(self, *key: str) -> bool:
        if key in self._seen:
            return False
        self._seen.add(key)
        return True

    def _attestation(self, member: str, told: Happening) -> None:
        if told["own"] and self._once("attestation", member, told["threat"], told["level"], *told["claims"]):
            how = "its own sensor saw it" if told["detector"] not in ("verifier", "person") else "re-ran the claim"
            self.say(f"{member} attests {told['level']} {told['threat']} ({told['basis'].lower()}: {how})")

    def _certificate(self, member: str, told: Happening) -> None:
        key = (told["threat"], told["level"])
        holders = self._certified.setdefault(key, [])
        if member not in holders:
            holders.append(member)
            count, total = len(holders), self._options.members
            if count == 1:
                self.say(f"{told['level']} certificate on {told['threat']} at {member}: {len(told['signers'])} groups")
            elif count == total:
                self.say(f"{told['level']} certificate on {told['threat']} is at all {total} members")

    def _action(self, member: str, told: Happening) -> None:
        phase = PHASES_TOLD.get(told["phase"])
        if phase and self._once("action", member, told["key"], told["phase"]):
            rests = "certificate" if told["certificate"] else "own evidence"
            self.say(f"{member}: {told['lever']} ({told['rung']}, rule {told['rule']}, {rests}) {phase}")

    def _false_statement(self, member: str, told: Happening) -> None:
        author = told["why"].partition("#")[0]
        if self._once("false", author, told["why"]):
            self.say(f"refused, kept as proof: {told['why']}")

    def _equivocation(self, member: str, told: Happening) -> None:
        if self._once("equivocation", told["author"]):
            self.say(f"{told['author']} signed two payloads under one number")


def _clock(history_s: float) -> str:
    sign = "-" if history_s < 0 else "+"
    minutes, seconds = divmod(int(abs(history_s)), 60)
    return f"history {sign}{minutes:02d}:{seconds:02d}"

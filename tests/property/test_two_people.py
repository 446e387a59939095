"""Under any sequence of commands, by anybody, at either door, over restarts and pauses: where two people are wanted,
nothing is lifted and nothing released without two of them."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from adapters.policy import Ending
from node.events import ActionCommand, OperatorAsked, ReleaseTopic
from node.machine import Phase
from node.machine.action import ENDED
from node.records import ActionStepped, EntryAccepted, Record, unpack_record
from protocol.envelope import parse_carried
from protocol.messages import Release
from tests.property.test_core_machine import BOUNDED
from tests.unit.machine.test_actions import alone
from tests.unit.machine.world import NETWORK, TOPIC, World, claim

WITHIN_MS = 30 * 60_000
NAMES = st.sampled_from(["anna", "Anna", "ANNA", "bob", "Bob", "carol"])
HOLDER = "carol"
"""Whose the control socket is, where it is anybody's."""


class TwoPeople(RuleBasedStateMachine):
    @initialize(held=st.booleans())
    def begin(self, held: bool) -> None:
        self.socket = HOLDER if held else ""
        ending = Ending(2, WITHIN_MS, self.socket)
        self.world = World(4, liars=3, policy=replace(alone(), ending=ending))
        self.node = self.world[0]
        self.said: dict[str, dict[str, int]] = {"lift": {}, "release": {}}
        """What was asked → who said so, when: since it was last done or taken back."""
        self.read = 0
        self.claims = 0
        self.alarm()

    def standing(self) -> list[bytes]:
        held = self.node.state.actions.values()
        return [one.key for one in held if one.phase not in ENDED and one.phase is not Phase.LIFTING]

    @precondition(lambda self: not self.standing())
    @rule()
    def alarm(self) -> None:
        self.claims += 1
        self.said["lift"] = {}
        self.node.sense(self.world.true(claim(self.claims)))
        self.world.run(1_000)

    @rule(person=NAMES, token=st.booleans(), what=st.sampled_from(["lift", "lift", "release"]), back=st.integers(0, 5))
    def ask(self, person: str, token: bool, what: str, back: int) -> None:
        keys = self.standing()
        if what == "lift" and not keys:
            return
        takes_back = back == 0
        who = (person if token else self.socket).lower()
        if not takes_back and who:
            self.said[what][who] = self.world.now_ms
        command = ReleaseTopic(*TOPIC, 0, takes_back) if what == "release" else ActionCommand(keys[0], what, takes_back)
        self.node.handle(OperatorAsked(1, person, command, token))
        self.judge()
        if takes_back:
            self.said[what] = {}

    @rule(seconds=st.sampled_from([1, 60, 600, 1_740, 1_860]))
    def wait(self, seconds: int) -> None:
        self.world.skip(seconds * 1_000)

    @rule()
    def restart(self) -> None:
        self.node.stop()
        self.node.restart()
        self.world.replug(self.node.name)
        self.world.run(1_000)

    @invariant()
    def judge(self) -> None:
        rows, self.read = self.node.disk[self.read :], len(self.node.disk)
        for what in [what for row in rows if (what := ended_by_people(unpack_record(*row)))]:
            lately = [who for who, at_ms in self.said[what].items() if self.world.now_ms - at_ms < WITHIN_MS]
            assert len(lately) >= 2, f"{what} on the word of {lately}"
            self.said[what] = {}


def ended_by_people(record: Record) -> str:
    if isinstance(record, ActionStepped) and record.phase in ("lifting", "lifted") and "'s word" in record.says:
        return "lift"
    if isinstance(record, EntryAccepted) and record.own:
        return "release" if isinstance(parse_carried(record.raw, NETWORK).entry.body, Release) else ""
    return ""


TestTwoPeople = TwoPeople.TestCase
TestTwoPeople.settings = settings(BOUNDED, max_examples=60)

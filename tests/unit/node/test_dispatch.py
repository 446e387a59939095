"""Steps of levers: whatever a lever answers, the journal gets the truth."""

from __future__ import annotations

from dataclasses import dataclass

import trio

from adapters.api import LeverDeclaration, LeverOrder, Outcome, Plan
from node.dispatch import Dispatch
from node.effects import RunStep
from node.events import Event, LeverStepped
from protocol.ids import ActionKey
from protocol.messages import Level
from protocol.subjects import from_text

KEY = ActionKey(bytes(32))
ORDER = LeverOrder(KEY, "freeze", from_text("eip155:1"), Level.ISOLATE, 1_000, by_human=False)


@dataclass
class Answers:
    """A lever whose target answers `standing` when asked how it stands."""

    standing: Outcome
    declared: LeverDeclaration = None  # type: ignore[assignment]

    async def plan(self, order: LeverOrder) -> Plan:
        return Plan(order, "nothing")

    async def simulate(self, plan: Plan) -> Outcome:
        return Outcome(True, "would")

    async def apply(self, plan: Plan) -> Outcome:
        raise RuntimeError("the plug-in broke")

    async def read_back(self, order: LeverOrder) -> Outcome:
        return self.standing

    async def undo(self, order: LeverOrder) -> Outcome:
        return Outcome(True, "undone")


def outcome_of(step: str, standing: Outcome) -> Outcome:
    heard: list[Event] = []

    async def report(event: Event) -> None:
        heard.append(event)

    trio.run(Dispatch({"t:freeze": Answers(standing)}, report).run, RunStep(KEY, step, "t:freeze", ORDER))
    assert isinstance(heard[0], LeverStepped)
    return heard[0].outcome


def test_a_lease_that_ended_is_read_back_as_ended() -> None:
    assert outcome_of("expire", Outcome(False, "no restriction")).ok


def test_a_target_that_cannot_be_asked_has_not_ended() -> None:
    answer = outcome_of("expire", Outcome(False, "the chain is down", answered=False))
    assert not answer.ok
    assert answer.retryable


def test_a_restriction_that_outlives_its_lease_is_said() -> None:
    assert not outcome_of("expire", Outcome(True, "stands", until_ms=9_999_999_999_999)).ok


def test_what_a_plug_in_raises_stays_its_own() -> None:
    answer = outcome_of("apply", Outcome(True, ""))
    assert "the plug-in broke" in answer.says
    assert answer.retryable

"""The suite for authors of levers can fail: each wrong lever is caught by the fact that names what is wrong with it."""

from __future__ import annotations

import logging
import time
from dataclasses import replace

import pytest
import trio

from adapters.api import ExpiresBy, Lever, LeverOrder, Outcome, Plan
from adapters.conformance import Fact, LeverCase, faults, lever_facts
from adapters.log_lever import LogLever
from protocol.ids import ActionKey
from protocol.messages import Level
from protocol.subjects import asset
from tests.unit.adapters.flag_target import CANARY, FlagCase, FlagLever


@pytest.mark.parametrize("fact", lever_facts(FlagCase), ids=str)
def test_a_right_lever_passes(fact: Fact):
    fact.check()


class LogCase(LeverCase):
    """Its target is the node's own log, which nobody reads back after a restart."""

    keeps_keys = False

    def __init__(self) -> None:
        self.lines: list[str] = []

    def lever(self) -> Lever:
        return LogLever("dry", self.lines.append)

    def order(self) -> LeverOrder:
        until_ms = int(time.time() * 1000) + 600_000
        return LeverOrder(
            ActionKey(b"\1" * 32), "dry:log.note", asset("eip155:1", bytes(20)), Level.GUARD, until_ms, False
        )

    async def shows(self) -> object:
        return bool(self.lines) and "is over" not in self.lines[-1]

    async def sent(self) -> int:
        return len(self.lines)


@pytest.mark.parametrize("fact", lever_facts(LogCase), ids=str)
def test_the_log_passes(fact: Fact):
    fact.check()


# --- wrong ones


class ActsTwice(FlagLever):
    async def apply(self, plan: Plan) -> Outcome:
        await self.flags.put(plan.order.action_key, plan.order.until_ms)
        return Outcome(True, "raised")


class PlanSends(FlagLever):
    async def plan(self, order: LeverOrder) -> Plan:
        await self.flags.put(order.action_key, order.until_ms)
        return await super().plan(order)


class SimulationSends(FlagLever):
    async def simulate(self, plan: Plan) -> Outcome:
        await self.flags.put(plan.order.action_key, plan.order.until_ms)
        return Outcome(True, "it would be raised")


class ReadingSends(FlagLever):
    async def read_back(self, order: LeverOrder) -> Outcome:
        self.flags.sent += 1
        return await super().read_back(order)


class DoesNothing(FlagLever):
    async def apply(self, plan: Plan) -> Outcome:
        return Outcome(True, "raised")


class ReadsItsOwnMind(FlagLever):
    """Believes what it was told to do."""

    async def read_back(self, order: LeverOrder) -> Outcome:
        return Outcome(True, "it is raised", until_ms=order.until_ms)


class SaysNoWhenAskedAgain(FlagLever):
    async def apply(self, plan: Plan) -> Outcome:
        if plan.order.action_key in self.flags.stands:
            return Outcome(False, "it is raised already")
        return await super().apply(plan)


class Forgets(FlagLever):
    """Knows its own doing in memory only."""

    def __init__(self, flags):
        super().__init__(flags)
        self.mine: set[bytes] = set()

    async def apply(self, plan: Plan) -> Outcome:
        if plan.order.action_key in self.mine:
            return Outcome(True, "done before")
        self.flags.done.discard(plan.order.action_key)
        self.flags.stands.pop(plan.order.action_key, None)
        outcome = await super().apply(plan)
        if outcome.ok:
            self.mine.add(plan.order.action_key)
        return outcome


class UndoneActsAgain(FlagLever):
    async def undo(self, order: LeverOrder) -> Outcome:
        outcome = await super().undo(order)
        self.flags.done.discard(order.action_key)
        return outcome


class LiftsAPersons(FlagLever):
    async def undo(self, order: LeverOrder) -> Outcome:
        await super().undo(order)
        self.flags.stands.clear()
        return Outcome(True, "taken down")


class ActsAgainstAPerson(FlagLever):
    async def apply(self, plan: Plan) -> Outcome:
        if plan.order.action_key not in self.flags.stands:
            self.flags.done.clear()
        return await super().apply(plan)


class UndoLeavesSomething(FlagLever):
    async def undo(self, order: LeverOrder) -> Outcome:
        found = await super().undo(order)
        self.flags.stands["left"] = 1
        return found


class UndoSendsTwice(FlagLever):
    async def undo(self, order: LeverOrder) -> Outcome:
        await self.flags.take(order.action_key)
        return Outcome(True, "taken down")


class TakesAnyLength(FlagLever):
    def _fault(self, order: LeverOrder) -> str:
        return "" if order.until_ms > time.time() * 1000 else "it has ended"


class TakesWhatEnded(FlagLever):
    def _fault(self, order: LeverOrder) -> str:
        return "" if order.until_ms < time.time() * 1000 + self.declared.max_ms else "too long"


class Raises(FlagLever):
    async def apply(self, plan: Plan) -> Outcome:
        return Outcome(True, "raised", str(plan.order.until_ms.to_bytes(8, "big")))


class RaisesWhenAway(FlagLever):
    async def undo(self, order: LeverOrder) -> Outcome:
        await self.flags.ask()
        return await super().undo(order)


class CallsSilenceFreedom(FlagLever):
    def nobody(self) -> Outcome:
        return Outcome(False, "nothing stands")


class CancelledHalfway(FlagLever):
    """Sends, and learns of it only later."""

    async def apply(self, plan: Plan) -> Outcome:
        if plan.order.action_key in self.flags.done:
            return await super().apply(plan)
        self.flags.sent += 1
        await trio.sleep(0.2)
        return await super().apply(plan)


class NoRenewal(FlagLever):
    async def apply(self, plan: Plan) -> Outcome:
        if plan.order.action_key in self.flags.done:
            return Outcome(True, "done before; nothing sent")
        return await super().apply(plan)


class Leaks(FlagLever):
    def nobody(self) -> Outcome:
        return Outcome(False, f"https://user:{CANARY}@flags.invalid does not answer", answered=False)


class LeaksIntoTheLog(FlagLever):
    async def undo(self, order: LeverOrder) -> Outcome:
        logging.getLogger("acme").warning("undo with %s", CANARY)
        return await super().undo(order)


class LeaksInItsRepr(FlagLever):
    def __repr__(self) -> str:
        return f"Leaks(token={CANARY!r})"


class SpeaksInPages(FlagLever):
    async def plan(self, order: LeverOrder) -> Plan:
        return Plan(order, "raise\nthe flag")


class HaltsNothing(FlagLever):
    declared = replace(FlagLever.declared, closes=frozenset(), rung=Level.HALT)


class NeverEnds(FlagLever):
    declared = replace(FlagLever.declared, max_ms=0)


class IrreversibleAndAutomatic(FlagLever):
    declared = replace(FlagLever.declared, reversible=False, expires_by=ExpiresBy.NODE)


class TriesForReal(FlagLever):
    async def beyond(self):
        await self.flags.put(b"owner", 1)


@pytest.mark.parametrize(
    ("kind", "fact"),
    [
        (ActsTwice, "applied_twice_is_one_effect"),
        (PlanSends, "a_plan_sends_nothing"),
        (SimulationSends, "a_simulation_sends_nothing"),
        (ReadingSends, "reading_sends_nothing"),
        (DoesNothing, "read_back_is_the_targets_word"),
        (ReadsItsOwnMind, "read_back_is_the_targets_word"),
        (ReadsItsOwnMind, "a_target_that_is_away_is_an_answer"),
        (SaysNoWhenAskedAgain, "applied_twice_is_one_effect"),
        (Forgets, "a_restart_forgets_nothing"),
        (UndoneActsAgain, "an_undone_key_never_acts_again"),
        (LiftsAPersons, "undo_leaves_what_a_person_set_before"),
        (LiftsAPersons, "undo_leaves_what_a_person_set_since"),
        (ActsAgainstAPerson, "a_key_that_a_person_lifted_never_acts_again"),
        (UndoLeavesSomething, "undo_puts_back_what_stood"),
        (UndoSendsTwice, "undone_twice_is_harmless"),
        (UndoSendsTwice, "undo_of_nothing_sends_nothing"),
        (TakesAnyLength, "too_long_an_order_is_refused"),
        (TakesWhatEnded, "an_order_that_has_ended_is_refused"),
        (Raises, "nonsense_numbers_are_refused"),
        (RaisesWhenAway, "a_target_that_is_away_is_an_answer"),
        (CallsSilenceFreedom, "a_target_that_is_away_is_an_answer"),
        (CancelledHalfway, "cut_short_it_is_finished_later"),
        (NoRenewal, "a_later_end_is_a_renewal"),
        (Leaks, "secrets_are_never_said"),
        (LeaksIntoTheLog, "secrets_are_never_said"),
        (LeaksInItsRepr, "secrets_are_never_said"),
        (SpeaksInPages, "what_is_said_is_a_line"),
        (HaltsNothing, "what_is_declared_is_consistent"),
        (NeverEnds, "what_is_declared_is_consistent"),
        (IrreversibleAndAutomatic, "what_is_declared_is_consistent"),
        (TriesForReal, "beyond_sends_nothing"),
    ],
)
def test_a_wrong_lever_is_caught_by_the_fact_that_names_it(kind: type[FlagLever], fact: str):
    class Wrong(FlagCase):
        pass

    Wrong.kind = kind
    found = faults(one for one in lever_facts(Wrong) if one.name == fact)
    assert fact in found and CANARY not in found[fact], found


def test_every_fact_can_fail():
    marks = test_a_wrong_lever_is_caught_by_the_fact_that_names_it.pytestmark[0].args[1]
    assert {fact.name for fact in lever_facts(FlagCase)} == {fact for _, fact in marks}

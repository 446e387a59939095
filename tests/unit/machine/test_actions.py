"""From a decision to an effect and to its end: by expiry, release, owner; and what never happens twice."""

from __future__ import annotations

from dataclasses import replace

import pytest

from adapters.api import ExpiresBy, ExposureReading, Outcome
from adapters.policy import Limits, Mode, OwnWord, Policy, Rule
from node.events import ActionCommand, ExposuresRead, LeverStepped, Raise, ReleaseTopic, Withdraw
from node.machine import Phase
from node.records import ActionOpened, ActionRenewed
from protocol.alarm import is_live
from protocol.messages import Level
from tests.unit.machine.world import COIN, FREEZE, HOUR_MS, THREAT, TOPIC, Node, World, claim, opinion, policy_of


def alarmed(world: World, number: int = 1, i: int = 0) -> World:
    """A true claim, certified, and every lever pulled that is going to be."""
    world[i].sense(world.true(claim(number)))
    world.run(1_000)
    return world


def alone(level: Level = Level.NONE) -> Policy:
    rule = Rule("own", "coin", "", level, OwnWord.VERIFIED, ("freeze",), HOUR_MS)
    return replace(policy_of(), rules=(rule,))


def lift_hours(world: World, hours: float) -> None:
    world.skip(int(hours * HOUR_MS))
    world.run(2_000)


def test_expiry_lapses_an_action_after_reading_back() -> None:
    world = alarmed(World(7))
    lift_hours(world, 1)
    node = world[2]
    assert node.action().phase is Phase.LAPSED
    assert node.target.times("expire") == 1 and node.target.times("undo") == 0


def test_what_still_stands_after_its_lease_is_escalated_and_paged_once() -> None:
    world = alarmed(World(4))
    node = world[2]
    node.target.until_ms[node.action().key] += 50_000
    lift_hours(world, 1)
    assert node.action().phase is Phase.EFFECTIVE, "a chain's own time may lag behind by some blocks"
    world.run(36_000)
    assert node.action().phase is Phase.ESCALATED
    assert sum("should have ended" in told for told in node.told) == 1
    world.run(20_000)
    assert node.action().phase is Phase.LAPSED


def test_no_halt_sustains_itself() -> None:
    world = alarmed(World(4))
    newest = max(one.entry.issued_ms for one in world[0].state.opinions[TOPIC].values())
    for _ in range(15):
        lift_hours(world, 0.5)
        world[1].sense(claim())
    for node in world:
        assert not node.state.certificates or not any(
            is_live(one, world.epoch, world.now_ms) for one in node.state.opinions.get(TOPIC, {}).values()
        )
        assert node.count(ActionOpened) == 1 and node.count(ActionRenewed) == 0
    assert world.now_ms > newest + 6 * HOUR_MS


def test_who_comes_late_says_nothing_that_outlives_the_first_certificate_and_its_lease() -> None:
    world = World(7)
    world.unplug("m6")
    alarmed(world)
    held = world[0].certificate()
    assert held is not None
    world.skip(2 * HOUR_MS)
    world.replug("m6")
    world.run(3_000)
    said = world[0].opinion("m6")
    assert said is not None and said.body.expires_ms <= held.newest_issued_ms + 6 * HOUR_MS


def test_a_claim_that_a_liar_named_before_it_came_true_is_not_cut_short() -> None:
    world = World(7, liars=1)
    world.liars["m6"].say(opinion(Level.ISOLATE, (claim(1), claim(2))), claim(1), claim(2))
    alarmed(world, 1)
    world.skip(5 * HOUR_MS)
    world[0].state.ruled.clear()
    for node in world:
        node.state.ruled.pop(claim(2).claim, None)
    world[0].sense(world.true(claim(2)))
    world.run(300)
    said = world[0].opinion("m0")
    assert said is not None and said.body.expires_ms > world.now_ms + 5 * HOUR_MS


def test_a_new_claim_renews_and_opens_nothing() -> None:
    world = alarmed(World(7))
    before = world[2].action().until_ms
    world.skip(HOUR_MS // 2)
    alarmed(world, 2, i=1)
    for node in world:
        action = node.action()
        assert action.phase is Phase.EFFECTIVE and action.until_ms >= before + HOUR_MS // 2
        assert node.target.until_ms[action.key] == action.until_ms
        assert node.count(ActionRenewed) == 1


def test_what_renewed_one_action_opens_no_second() -> None:
    world = alarmed(World(4, policy=alone()))
    world.skip(HOUR_MS // 2)
    alarmed(world, 2)
    lift_hours(world, 2)
    assert world[0].action().phase is Phase.LAPSED and world[0].count(ActionRenewed) == 1


def test_a_lift_amid_a_renewal_frees_the_target() -> None:
    world = alarmed(World(4))
    node = world[0]
    world.skip(HOUR_MS // 2)
    world[1].sense(world.true(claim(2)))
    world.until(lambda: node.action().running != "")
    node.ask(ActionCommand(node.action().key, "lift"))
    world.run(1_000)
    assert node.action().phase is Phase.LIFTED and not node.target.until_ms


def test_a_stray_outcome_moves_nothing() -> None:
    world = alarmed(World(4))
    node = world[0]
    node.handle(LeverStepped(node.action().key, "expire", Outcome(True, "gone")))
    assert node.action().phase is Phase.EFFECTIVE


def test_the_same_claim_is_not_said_again_after_its_opinion_expired() -> None:
    world = World(7)
    for i in range(2, 7):
        world[i].stop()
    alarmed(world)
    first = world[0].opinion("m0")
    world.skip(13 * HOUR_MS)
    world[0].sense(claim())
    assert first is not None and world[0].opinion("m0") is None and not world[0].state.certificates


def test_a_liars_new_claim_renews_nothing_and_opens_nothing_later() -> None:
    world = World(7, liars=1)
    liar = world.liars["m6"]
    liar.say(opinion(Level.ISOLATE, (world.true(claim(1)),)), claim(1))
    world.run(1_000)
    for number in range(2, 6):
        liar.say(opinion(Level.ISOLATE, (claim(1), claim(number)), now_ms=world.now_ms), claim(number))
        world.run(500)
    lift_hours(world, 1.5)
    assert all(node.count(ActionOpened) == 1 and node.count(ActionRenewed) == 0 for node in world)


def test_after_a_release_a_second_attack_is_certified_anew() -> None:
    world = alarmed(World(7))
    for i in range(5):
        world[i].ask(ReleaseTopic(COIN, THREAT, 0))
    world.run(1_000)
    assert all(node.action().phase is Phase.LIFTED for node in world)
    alarmed(world, 2, i=1)
    for node in world:
        assert [one.phase for one in node.state.actions.values()].count(Phase.EFFECTIVE) == 1
        assert node.target.until_ms


def test_release_by_a_quorum_lifts_automatic_actions_and_by_one_fewer_does_not() -> None:
    world = alarmed(World(7))
    for i in range(4):
        world[i].ask(ReleaseTopic(COIN, THREAT, 0))
    world.run(1_000)
    assert all(node.action().phase is Phase.EFFECTIVE for node in world)
    world[4].ask(ReleaseTopic(COIN, THREAT, 0))
    world.run(1_000)
    assert all(node.action().phase is Phase.LIFTED and not node.target.until_ms for node in world)


def test_a_withdrawal_lifts_nothing_that_stands() -> None:
    world = alarmed(World(7))
    for i in range(7):
        assert world[i].ask(Withdraw(COIN, THREAT)).ok
    world.run(1_000)
    assert all(node.action().phase is Phase.EFFECTIVE for node in world)


def test_ask_waits_for_a_person_and_approve_sends() -> None:
    world = alarmed(World(7, policy=policy_of(Mode.ASK)))
    node = world[2]
    assert node.action().phase is Phase.ASKED and not node.target.calls
    world.skip(HOUR_MS // 2)
    assert node.ask(ActionCommand(node.action().key, "approve")).ok
    world.run(500)
    assert node.action().phase is Phase.EFFECTIVE and node.action().until_ms >= world.now_ms + HOUR_MS - 1_000
    assert not node.ask(ActionCommand(node.action().key, "approve")).ok


def test_a_refused_action_is_never_sent() -> None:
    world = alarmed(World(7, policy=policy_of(Mode.ASK)))
    node = world[2]
    assert node.ask(ActionCommand(node.action().key, "refuse")).ok
    world.run(3_000)
    assert node.action().phase is Phase.REFUSED and not node.target.calls


def test_the_owner_lifts_its_own_lever_alone_and_it_stays_lifted() -> None:
    world = alarmed(World(7))
    node = world[2]
    assert node.ask(ActionCommand(node.action().key, "lift")).ok
    world.run(3_000)
    assert node.action().phase is Phase.LIFTED and not node.target.until_ms
    assert world[3].action().phase is Phase.EFFECTIVE


def test_a_lift_waits_for_the_step_under_way() -> None:
    world = World(7)
    node = world[2]
    world[0].sense(world.true(claim()))
    world.until(lambda: any(one.running == "apply" for one in node.state.actions.values()))
    node.ask(ActionCommand(node.action().key, "lift"))
    world.run(1_000)
    assert node.action().phase is Phase.LIFTED and not node.target.until_ms
    assert [name for name, _ in node.target.calls][-2:] == ["apply", "undo"]


def failing(step: str, times: int, *, retryable: bool = True) -> Node:
    world = World(4)
    world[2].target.script[step] = [Outcome(False, "no", retryable=retryable)] * times
    alarmed(world)
    world.run(22_000 if times > 1 else 0)
    return world[2]


def test_a_lever_that_fails_is_tried_again_with_backoff() -> None:
    node = failing("apply", 4)
    assert node.action().phase is Phase.EFFECTIVE and node.target.times("apply") == 5


def test_a_lever_that_keeps_failing_is_escalated() -> None:
    node = failing("apply", 100)
    assert node.action().phase is Phase.ESCALATED and node.target.times("apply") == 9
    assert any("failed at apply" in told for told in node.told)


def test_what_the_target_does_not_confirm_is_escalated_and_not_effective() -> None:
    node = failing("read_back", 1, retryable=False)
    assert node.action().phase is Phase.ESCALATED
    assert "effective" not in [phase for _, phase, _, _ in node.action().steps]


def test_armed_by_a_filling_pool_then_sent_by_a_full_one() -> None:
    rule = Rule("pool", "", "pool", Level.NONE, OwnWord.ANY, ("freeze",), HOUR_MS,
                arm_above=0.9, utilisation_above=0.95)  # fmt: skip
    guard = replace(FREEZE, rung=Level.GUARD)
    world = World(7, policy=replace(policy_of(), rules=(rule,)))
    node = world[0]
    node.setup = replace(node.setup, declarations={"freeze": guard})
    node.stop()
    node.restart(fresh=True)
    read = lambda share: node.handle(  # noqa: E731
        ExposuresRead((ExposureReading("pool", 1e6, 1.0, share, world.now_ms),))
    )
    read(0.92)
    world.run(500)
    assert node.action().phase is Phase.ARMED and node.target.times("apply") == 0
    read(0.97)
    world.run(500)
    assert node.action().phase is Phase.EFFECTIVE
    read(0.1)
    lift_hours(world, 1)
    assert node.action().phase is Phase.LAPSED
    read(0.97)
    world.run(500)
    assert len(node.state.actions) == 2, "a full pool is no claim: it counts each time"


def test_a_blind_node_pulls_its_own_lever_on_its_own_evidence() -> None:
    world = World(7, policy=alone())
    for i in range(1, 7):
        world[i].stop()
    alarmed(world)
    assert world[0].state.blind() and world[0].action().phase is Phase.EFFECTIVE


def test_a_node_that_must_not_sign_still_pulls_its_own_lever() -> None:
    world = World(7, policy=alone())
    world[0].stop()
    world[0].restart(stopped_why="mark and store disagree")
    alarmed(world)
    assert world[0].opinion("m0") is None and world[0].action().phase is Phase.EFFECTIVE


def test_a_certificate_after_own_evidence_is_one_action_still() -> None:
    world = alarmed(World(7, policy=replace(alone(), rules=(*alone().rules, *policy_of().rules))))
    lift_hours(world, 3)
    assert all(node.count(ActionOpened) == 1 and node.count(ActionRenewed) == 0 for node in world)


def test_calls_per_hour_hold_what_is_beyond_them() -> None:
    world = World(7, policy=replace(policy_of(), limits=Limits(1)))
    alarmed(world)
    world[2].ask(ActionCommand(world[2].action().key, "lift"))
    world.run(500)
    alarmed(world, 2, i=1)
    assert len(world[2].state.actions) == 1
    world.skip(HOUR_MS)
    world.run(500)
    assert len(world[2].state.actions) == 2


@pytest.mark.parametrize("ends", [ExpiresBy.NODE, ExpiresBy.GUARD])
def test_what_somebody_must_end_this_node_ends_on_time(ends: ExpiresBy) -> None:
    lever = {"expires_by": ends, "accept_overdue": True}
    world = World(4, policy=policy_of(**lever))
    for node in world:
        node.setup = replace(node.setup, declarations={"freeze": replace(FREEZE, expires_by=ends)})
        node.stop()
        node.restart(fresh=True)
    for node in world:
        world.replug(node.name)
    world.run(1_500)
    alarmed(world)
    assert world[0].action().phase is Phase.EFFECTIVE
    lift_hours(world, 1)
    assert world[0].action().phase is Phase.LIFTED and not world[0].target.until_ms


def test_persons_marks_of_a_quorum_move_levers_and_move_them_again_next_time() -> None:
    world = World(7)

    def raise_all() -> None:
        for i in range(5):
            world[i].ask(Raise(COIN, THREAT, Level.ISOLATE, 0, "by hand"))
        world.run(1_000)

    raise_all()
    assert all(node.action().phase is Phase.EFFECTIVE for node in world)
    lift_hours(world, 7)
    assert all(node.action().phase is Phase.LAPSED for node in world)
    raise_all()
    assert all(len(node.state.actions) == 2 for node in world)


def test_a_person_raises_what_the_node_says_and_never_lowers_it() -> None:
    world = alarmed(World(7))
    assert world[0].ask(Raise(COIN, THREAT, Level.GUARD, 0, "")).ok
    said = world[0].opinion("m0")
    assert said is not None and said.body.by_person
    assert said.body.level is Level.ISOLATE and said.body.claims == (claim().claim,)
    assert world[0].ask(Raise(COIN, THREAT, Level.HALT, 0, "")).ok
    alarmed(world, 2)
    said = world[0].opinion("m0")
    assert said is not None and said.body.level is Level.HALT and len(said.body.claims) == 2


def test_a_hold_counts_from_the_certificate_and_not_from_an_authors_word() -> None:
    rule = Rule("late", "coin", "", Level.ISOLATE, OwnWord.ANY, ("freeze",), HOUR_MS, hold_ms=60_000)
    world = World(7, liars=1, policy=replace(policy_of(), rules=(rule,)))
    old = opinion(Level.ISOLATE, (world.true(claim()),), since_ms=world.now_ms - HOUR_MS)
    world.liars["m6"].say(old, claim())
    world.run(2_000)
    assert world[0].certificate() and not world[0].state.actions
    world.skip(60_000)
    world.run(300)
    assert world[0].action().phase is Phase.EFFECTIVE

"""What no policy and no situation may ever make `decide` do."""

from __future__ import annotations

from dataclasses import replace
from random import Random
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from adapters.api import ExposureReading, LeverDeclaration
from adapters.policy import AlarmView, Mode, Own, OwnWord, Policy, Rule, Situation, Verdict, decide
from protocol.membership import LEASE_MS_MOST
from protocol.messages import Basis, Level, Threat
from tests.unit.policy.stage import DECLARED, HOUR_MS, NOW_MS, ORACLE, OTHER, RSETH, WETH, example

MOVES = (Verdict.ACT, Verdict.ASK)
BASES = [example(title) for title in ("Lender, acting", "Perpetuals venue", "Issuer, acting")]
HOP2 = example("Second-hop lender")
WIDE = settings(max_examples=75, deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""Other processes may hold the machine: time is no fact of these tests."""


def mostly(usual: Any, *others: Any) -> st.SearchStrategy[Any]:
    """Scenes in which every floor is drawn evenly hardly ever move a lever, and then prove nothing."""
    return st.sampled_from([*[usual] * 20, *others])


@st.composite
def rules(draw: st.DrawFn, policy: Policy) -> tuple[Rule, ...]:
    """Any rule that can be written, sane or not: `check` may have been skipped."""
    levers = st.lists(st.sampled_from(sorted(policy.levers)), unique=True, min_size=1, max_size=2).map(tuple)
    return tuple(
        Rule(
            name=name,
            asset=draw(st.sampled_from(["any", *policy.assets])),
            exposure="",
            level=draw(st.sampled_from([Level.NONE, Level.GUARD, Level.ISOLATE, Level.HALT])),
            own=draw(mostly(OwnWord.VERIFIED, *OwnWord)),
            do=draw(levers),
            for_ms=draw(mostly(HOUR_MS, 0, 1, 100 * HOUR_MS)),
            basis=draw(st.sampled_from([None, Basis.OBSERVED, Basis.VERIFIED])),
            groups=draw(mostly(0, 3, 7)),
            sources=draw(mostly(0, 2, 4)),
            min_loss_usd=draw(mostly(None, 0.0, 250_000.0)),
            hold_ms=draw(mostly(0, 240_000)),
            silent=draw(st.just(()) | levers),
        )
        for name in draw(st.lists(st.sampled_from("abcdef"), unique=True, min_size=2, max_size=5))
    )


@st.composite
def alarms(draw: st.DrawFn) -> AlarmView:
    return AlarmView(
        subject=draw(mostly(RSETH, ORACLE, WETH, OTHER)),
        threat=draw(st.sampled_from([Threat.BRIDGE_FORGERY, Threat.UNBACKED_SUPPLY])),
        network_level=draw(mostly(Level.ISOLATE, *Level)),
        groups=draw(mostly(5, 0, 2, 7)),
        groups_verified=draw(mostly(5, 0, 2, 7)),
        operators=draw(mostly(4, 0, 1)),
        own=draw(mostly(Own.VERIFIED, *Own)),
        own_level=draw(mostly(Level.ISOLATE, *Level)),
        amount=draw(mostly(10**24, -1, 0, 1, 2**300)),
        claims=tuple(sorted(draw(st.lists(st.tuples(st.sampled_from("ab"), st.binary(max_size=2)), max_size=2)))),
        since_ms=NOW_MS - draw(st.sampled_from([0, 240_000, HOUR_MS, -HOUR_MS])),
        ends_ms=draw(mostly(NOW_MS + HOUR_MS, None, NOW_MS)),
    )


@st.composite
def readings(draw: st.DrawFn, name: str) -> ExposureReading:
    odd = (None, 0.0, -1.0, float("nan"), float("inf"))
    at_ms = NOW_MS - draw(mostly(1000, 0, HOUR_MS, -HOUR_MS))
    return ExposureReading(name, draw(mostly(1e9, *odd)), draw(mostly(1e3, *odd)), draw(mostly(0.9, 0.65, *odd)), at_ms)


@st.composite
def scenes(draw: st.DrawFn) -> tuple[Policy, Situation]:
    base = draw(st.sampled_from(BASES))
    policy = replace(base, mode=draw(mostly(Mode.ACT, Mode.ASK)), rules=draw(rules(base)))
    return policy, _situation(draw, policy, draw(st.lists(alarms(), min_size=1, max_size=4)))


def _situation(draw: st.DrawFn, policy: Policy, heard: list[AlarmView]) -> Situation:
    return Situation(
        now_ms=NOW_MS,
        epoch_lease_ms={level: draw(mostly(2 * HOUR_MS, 0, 1, 20 * HOUR_MS)) for level in LEASE_MS_MOST},
        alarms=tuple(heard),
        exposures={name: draw(readings(name)) for name in policy.exposures if draw(mostly(True, False))},
        only_informs=draw(mostly(False, True)),
        blind=draw(mostly(False, True)),
        levers={name: draw(declared(policy.levers[name].call)) for name in policy.levers},
    )


@st.composite
def declared(draw: st.DrawFn, call: str) -> LeverDeclaration:
    rung = draw(mostly(DECLARED[call].rung, Level.GUARD, Level.ISOLATE, Level.HALT))
    return replace(
        DECLARED[call],
        rung=rung,
        reversible=draw(mostly(True, False)),
        blocks_exit=draw(mostly(False, True)),
        max_ms=draw(mostly(3 * HOUR_MS, 0, 1, 20 * HOUR_MS)),
    )


def test_the_scenes_drawn_here_move_levers_often_enough_to_prove_something() -> None:
    moved: list[bool] = []

    @settings(max_examples=150, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))
    @given(scenes())
    def play(scene: tuple[Policy, Situation]) -> None:
        moved.append(any(one.verdict in MOVES for one in decide(*scene)))

    play()
    assert sum(moved) > len(moved) / 4


@WIDE
@given(scenes(), st.randoms(use_true_random=False))
def test_the_order_of_rules_alarms_and_names_never_matters(scene: tuple[Policy, Situation], chance: Random) -> None:
    policy, now = scene
    mixed, heard = list(policy.rules), list(now.alarms)
    chance.shuffle(mixed)
    chance.shuffle(heard)
    other = replace(policy, rules=tuple(mixed), levers=dict(reversed(list(policy.levers.items()))))
    assert decide(other, replace(now, alarms=tuple(heard))) == decide(policy, now)


@WIDE
@given(scenes())
def test_every_alarm_is_answered_and_no_lever_twice_on_a_subject(scene: tuple[Policy, Situation]) -> None:
    policy, now = scene
    keys = [(one.lever, one.subject) for one in decide(policy, now)]
    assert len(keys) == len(set(keys))
    assert {alarm.subject for alarm in now.alarms} == {subject for _, subject in keys}


@WIDE
@given(scenes())
def test_observe_and_a_network_that_only_informs_never_act_ask_or_arm(scene: tuple[Policy, Situation]) -> None:
    policy, now = scene
    still = (*decide(replace(policy, mode=Mode.OBSERVE), now), *decide(policy, replace(now, only_informs=True)))
    assert {one.verdict for one in still} <= {Verdict.HOLD, Verdict.IGNORE}


@WIDE
@given(scenes())
def test_ask_never_acts(scene: tuple[Policy, Situation]) -> None:
    policy, now = scene
    assert all(one.verdict is not Verdict.ACT for one in decide(replace(policy, mode=Mode.ASK), now))


@WIDE
@given(scenes())
def test_what_is_contradicted_never_moves_a_lever(scene: tuple[Policy, Situation]) -> None:
    policy, now = scene
    heard = tuple(replace(alarm, own=Own.CONTRADICTED) for alarm in now.alarms)
    assert all(one.verdict not in MOVES for one in decide(policy, replace(now, alarms=heard)))


@WIDE
@given(scenes())
def test_watch_never_moves_a_lever(scene: tuple[Policy, Situation]) -> None:
    policy, now = scene
    heard = tuple(replace(alarm, network_level=Level.WATCH, own_level=Level.WATCH) for alarm in now.alarms)
    assert all(one.verdict not in MOVES for one in decide(policy, replace(now, alarms=heard)))


@WIDE
@given(scenes())
def test_nobody_moves_a_lever_without_a_certificate_or_own_evidence(scene: tuple[Policy, Situation]) -> None:
    policy, now = scene
    silent = tuple(replace(alarm, network_level=Level.NONE, own=Own.NONE) for alarm in now.alarms)
    assert all(one.verdict not in MOVES for one in decide(policy, replace(now, alarms=silent)))


@WIDE
@given(scenes())
def test_a_move_is_bounded_reversible_and_within_its_level(scene: tuple[Policy, Situation]) -> None:
    policy, now = scene
    by_name = {rule.name: rule for rule in policy.rules}
    for one in decide(policy, now):
        if one.verdict not in MOVES or one.lever is None:
            continue
        rule, lever, adapter = by_name[one.rule], policy.levers[one.lever], now.levers[one.lever]
        bounds = (rule.for_ms, lever.max_ms, adapter.max_ms, now.epoch_lease_ms[one.rung], LEASE_MS_MOST[one.rung])
        assert 0 < one.lease_ms <= min(bounds)
        assert adapter.reversible
        assert one.rung <= rule.level or rule.level is Level.NONE
        assert rule.hold_ms or not (adapter.blocks_exit or lever.blocks_exit)


@WIDE
@given(scenes())
def test_more_rules_never_move_less(scene: tuple[Policy, Situation]) -> None:
    policy, now = scene
    fewer = replace(policy, rules=policy.rules[1:])
    moved = {(one.lever, one.subject) for one in decide(policy, now) if one.verdict in MOVES}
    assert {(one.lever, one.subject) for one in decide(fewer, now) if one.verdict in MOVES} <= moved


@WIDE
@given(scenes())
def test_blind_never_moves_more(scene: tuple[Policy, Situation]) -> None:
    policy, now = scene
    sighted = {(one.lever, one.subject) for one in decide(policy, replace(now, blind=False)) if one.verdict in MOVES}
    blind = {(one.lever, one.subject) for one in decide(policy, replace(now, blind=True)) if one.verdict in MOVES}
    assert blind <= sighted


@WIDE
@given(st.data())
def test_a_utilisation_moves_only_on_a_fresh_reading_above_its_threshold(data: st.DataObject) -> None:
    read = data.draw(readings("hop2"))
    adapter = data.draw(declared("lending.cap"))
    now = Situation(NOW_MS, exposures={"hop2": read}, levers={"cap": adapter})
    for one in decide(HOP2, now):
        if one.verdict is Verdict.HOLD:
            continue
        assert read.utilisation is not None and abs(NOW_MS - read.at_ms) <= 60_000
        assert read.utilisation > (0.70 if one.verdict is Verdict.ACT else 0.60)
        assert one.rung is Level.GUARD and adapter.reversible

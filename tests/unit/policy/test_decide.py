"""What a policy makes of a situation, told by the roles of the README."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from adapters.api import ExpiresBy
from adapters.policy import Own, Verdict, decide, within_limits
from protocol.membership import LEASE_MS_MOST
from protocol.messages import Level, Threat
from tests.unit.policy.stage import (
    DECLARED,
    HOUR_MS,
    MINUTE_MS,
    NOW_MS,
    ORACLE,
    OTHER,
    RSETH,
    WETH,
    WHOLE,
    alarm,
    example,
    only,
    reading,
    situation,
    verdicts,
)

LENDER, VENUE, HOP2, ISSUER = (
    example(title) for title in ("Lender, acting", "Perpetuals venue", "Second-hop lender", "Issuer, acting")
)
ASKING, EXCHANGE = example("Lender, asking"), example("Unexposed exchange")
ALONE = {"network_level": Level.NONE, "groups": 0, "groups_verified": 0, "operators": 1, "ends_ms": None}


def test_a_verified_certificate_shuts_the_lenders_gates() -> None:
    assert verdicts(LENDER, situation(LENDER, alarm())) == {"ltv0": Verdict.ACT, "freeze": Verdict.ACT}


def test_the_decision_says_rung_subject_claims_and_why() -> None:
    one = only(LENDER, situation(LENDER, alarm()), "freeze")
    assert (one.rule, one.exposure, one.rung, one.subject, one.threat) == (
        "shut",
        "lend",
        Level.ISOLATE,
        RSETH,
        Threat.BRIDGE_FORGERY,
    )
    assert one.claims == alarm().claims
    assert one.why == (
        "shut: network says ISOLATE (5 groups, 5 re-ran it), own check verified; freeze closes supply for 6h"
    )


def test_at_guard_only_the_guard_lever_moves() -> None:
    assert verdicts(LENDER, situation(LENDER, alarm(network_level=Level.GUARD))) == {"ltv0": Verdict.ACT}


def test_on_own_verified_evidence_the_issuer_pauses_alone() -> None:
    assert verdicts(ISSUER, situation(ISSUER, alarm(**ALONE))) == {"pause": Verdict.ACT}


def test_a_sensors_word_alone_carries_guard_and_no_more() -> None:
    seen = alarm(**ALONE, own=Own.OBSERVED)
    assert verdicts(LENDER, situation(LENDER, seen)) == {"ltv0": Verdict.ACT}
    assert verdicts(ISSUER, situation(ISSUER, seen)) == {"pause": Verdict.HOLD}


def test_own_evidence_goes_no_further_than_it_supports() -> None:
    weak = alarm(**ALONE, own_level=Level.GUARD)
    assert verdicts(ISSUER, situation(ISSUER, weak)) == {"pause": Verdict.HOLD}


def test_on_ask_a_person_is_asked() -> None:
    assert verdicts(ASKING, situation(ASKING, alarm())) == {"ltv0": Verdict.ASK, "freeze": Verdict.ASK}


def test_on_observe_it_says_what_it_would_have_done() -> None:
    from adapters.policy import Mode

    watching = replace(LENDER, mode=Mode.OBSERVE)
    one = only(watching, situation(watching, alarm()), "freeze")
    assert one.verdict is Verdict.HOLD
    assert "observe: would have acted" in one.why


def test_a_network_of_three_only_informs() -> None:
    one = only(LENDER, situation(LENDER, alarm(), only_informs=True), "freeze")
    assert one.verdict is Verdict.HOLD
    assert "only informs" in one.why


def test_a_blind_node_takes_the_networks_word_up_to_guard() -> None:
    blind = situation(LENDER, alarm(), blind=True)
    assert verdicts(LENDER, blind) == {"ltv0": Verdict.ACT, "freeze": Verdict.HOLD}
    assert "blind" in only(LENDER, blind, "freeze").why


def test_a_blind_node_still_acts_on_its_own_evidence() -> None:
    assert verdicts(ISSUER, situation(ISSUER, alarm(**ALONE), blind=True)) == {"pause": Verdict.ACT}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"groups": 2, "groups_verified": 2}, "2 of 3 groups that re-ran it"),
        ({"groups_verified": 1}, "1 of 3 groups that re-ran it"),
        ({"operators": 1}, "1 of 2 source operators"),
        ({"own": Own.NONE}, "has not confirmed it"),
        ({"own": Own.OBSERVED}, "has not confirmed it"),
        ({"own_level": Level.GUARD}, "supports GUARD only"),
        ({"own": Own.CONTRADICTED}, "contradicts"),
        ({"amount": WHOLE}, "2,400 USD at risk in lend, below 250,000"),
    ],
)
def test_a_floor_that_is_not_met_holds_and_says_which(change: dict[str, Any], said: str) -> None:
    one = only(LENDER, situation(LENDER, alarm(**change)), "freeze")
    assert one.verdict is Verdict.HOLD
    assert said in one.why


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (None, "never read"),
        ({"at_ms": NOW_MS - 6 * MINUTE_MS}, "older than its max_age"),
        ({"at_ms": NOW_MS + 6 * MINUTE_MS}, "older than its max_age"),
        ({"usd": None}, "unknown"),
        ({"usd": float("nan")}, "unknown"),
        ({"unit_usd": None}, "unknown"),
    ],
)
def test_an_amount_that_is_unknown_holds_and_is_never_zero(change: dict[str, Any] | None, said: str) -> None:
    read = {} if change is None else {"lend": reading("lend", **change)}
    one = only(LENDER, situation(LENDER, alarm(), exposures=read), "freeze")
    assert one.verdict is Verdict.HOLD
    assert said in one.why


def test_a_rule_without_a_floor_in_usd_needs_no_reading() -> None:
    assert verdicts(ISSUER, situation(ISSUER, alarm(), exposures={})) == {"pause": Verdict.ACT}


def test_a_claim_without_an_amount_may_cost_all_that_is_held() -> None:
    moved = alarm(subject=ORACLE, threat=Threat.ORACLE_MANIPULATION, amount=0)
    assert verdicts(VENUE, situation(VENUE, moved)) == {"margin": Verdict.ACT, "reduce": Verdict.ACT}


def test_a_small_holding_is_not_worth_a_lever() -> None:
    few = {"lend": reading("lend", usd=100_000.0)}
    assert set(verdicts(LENDER, situation(LENDER, alarm(), exposures=few)).values()) == {Verdict.HOLD}


def test_watch_never_moves_a_lever() -> None:
    watch = alarm(network_level=Level.WATCH, own_level=Level.WATCH)
    one = only(LENDER, situation(LENDER, watch), None)
    assert one.verdict is Verdict.IGNORE
    assert "WATCH" in one.why


def test_an_ended_certificate_weighs_nothing() -> None:
    ended = alarm(ends_ms=NOW_MS, own=Own.NONE, own_level=Level.NONE)
    assert verdicts(LENDER, situation(LENDER, ended)) == {None: Verdict.IGNORE}


def test_the_unexposed_exchange_touches_nothing_and_pages() -> None:
    one = only(EXCHANGE, situation(EXCHANGE, alarm()), None)
    assert (one.verdict, one.page) == (Verdict.IGNORE, True)


def test_a_true_alarm_about_another_asset_moves_nothing() -> None:
    assert verdicts(LENDER, situation(LENDER, alarm(subject=OTHER))) == {None: Verdict.IGNORE}


def test_while_own_providers_cannot_tell_the_stronger_lever_waits_for_people() -> None:
    unable = alarm(own=Own.UNABLE, own_level=Level.NONE, since_ms=NOW_MS)
    assert verdicts(LENDER, situation(LENDER, unable)) == {"ltv0": Verdict.ACT, "freeze": Verdict.HOLD}
    assert "waits 4m for people, 240 s are left" in only(LENDER, situation(LENDER, unable), "freeze").why


def test_after_the_hold_it_moves_for_the_rules_shorter_time() -> None:
    unable = alarm(own=Own.UNABLE, own_level=Level.NONE, since_ms=NOW_MS - 4 * MINUTE_MS)
    one = only(LENDER, situation(LENDER, unable), "freeze")
    assert (one.verdict, one.rule, one.lease_ms) == (Verdict.ACT, "blind", HOUR_MS)


def test_a_halt_is_held_then_asked_since_its_lever_is_stricter_than_the_policy() -> None:
    stop = alarm(network_level=Level.HALT, since_ms=NOW_MS)
    assert verdicts(VENUE, situation(VENUE, stop))["halt"] is Verdict.HOLD
    waited = replace(stop, since_ms=NOW_MS - 5 * MINUTE_MS)
    assert verdicts(VENUE, situation(VENUE, waited)) == {
        "halt": Verdict.ASK,
        "margin": Verdict.ACT,
        "reduce": Verdict.ACT,
    }


@pytest.mark.parametrize(
    "change",
    [
        {"reversible": False},
        {"rung": Level.HALT},
        {"blocks_exit": True},
        {"max_ms": 0},
        {"expires_by": ExpiresBy.HUMAN},
    ],
)
def test_what_check_would_refuse_is_held_all_the_same(change: dict[str, Any]) -> None:
    levers = {"freeze": replace(DECLARED["lending.freeze"], **change), "ltv0": DECLARED["lending.ltv_zero"]}
    assert verdicts(LENDER, situation(LENDER, alarm(), levers=levers))["freeze"] is Verdict.HOLD


def test_a_lever_that_is_not_connected_is_told() -> None:
    one = only(LENDER, situation(LENDER, alarm(), levers={}), "freeze")
    assert "not connected" in one.why


def test_the_lease_is_the_least_of_all_bounds() -> None:
    short = {**LEASE_MS_MOST, Level.ISOLATE: 60_000}
    now = situation(LENDER, alarm(), epoch_lease_ms=short)
    assert only(LENDER, now, "freeze").lease_ms == 60_000
    assert only(LENDER, now, "ltv0").lease_ms == 6 * HOUR_MS


def test_two_threats_on_one_subject_are_one_decision_for_each_lever() -> None:
    both = (alarm(), alarm(threat=Threat.UNBACKED_SUPPLY))
    assert len(decide(LENDER, situation(LENDER, *both))) == 2


def test_a_contradicted_threat_does_not_veto_a_verified_one() -> None:
    both = (alarm(), alarm(threat=Threat.UNBACKED_SUPPLY, own=Own.CONTRADICTED))
    decisions = decide(LENDER, situation(LENDER, *both))
    assert {(one.verdict, one.threat) for one in decisions} == {(Verdict.ACT, Threat.BRIDGE_FORGERY)}


@pytest.mark.parametrize(
    ("share", "expected"),
    [(0.60, {}), (0.61, {"cap": Verdict.ARM}), (0.70, {"cap": Verdict.ARM}), (0.71, {"cap": Verdict.ACT})],
)
def test_a_filling_pool_arms_then_caps_without_any_alarm(share: float, expected: dict[str, Verdict]) -> None:
    read = {"hop2": reading("hop2", utilisation=share)}
    assert verdicts(HOP2, situation(HOP2, exposures=read)) == expected


@pytest.mark.parametrize("change", [{"at_ms": NOW_MS - 2 * MINUTE_MS}, {"utilisation": None}, {"utilisation": -1.0}])
def test_a_utilisation_that_is_unknown_holds(change: dict[str, Any]) -> None:
    read = {"hop2": reading("hop2", **{"utilisation": 0.99, **change})}
    assert verdicts(HOP2, situation(HOP2, exposures=read)) == {"cap": Verdict.HOLD}


def test_the_cap_is_about_the_pools_own_asset_and_names_what_it_stands_behind() -> None:
    read = {"hop2": reading("hop2", utilisation=0.9)}
    one = only(HOP2, situation(HOP2, alarm(subject=WETH), exposures=read), "cap")
    assert (one.subject, one.rung, one.lease_ms) == (WETH, Level.GUARD, 2 * HOUR_MS)
    assert "behind supplier (an alarm is live there)" in one.why


def test_on_observe_a_full_pool_moves_and_arms_nothing() -> None:
    from adapters.policy import Mode

    watching = replace(HOP2, mode=Mode.OBSERVE)
    for share in (0.65, 0.9):
        read = {"hop2": reading("hop2", utilisation=share)}
        assert verdicts(watching, situation(watching, exposures=read)) == {"cap": Verdict.HOLD}


def test_beyond_the_limit_of_calls_no_new_restriction_fits() -> None:
    sent = [NOW_MS - minutes * MINUTE_MS for minutes in (1, 2, 3, 4, 5, 61)]
    assert within_limits(ISSUER, sent, NOW_MS)
    assert not within_limits(ISSUER, [*sent, NOW_MS], NOW_MS)

"""Packs as they ship: each loads, says what it should, and gives the same schedule for the same seed."""

from __future__ import annotations

import importlib.resources

import pytest

from node.testnet.actors_deeds import DEEDS
from node.testnet.registry import KINDS, NODE
from node.testnet.scenario import load, pack_names

FORGED = "forged-bridge-release"


@pytest.mark.parametrize("name", pack_names())
def test_a_pack_loads_and_bears_its_own_name(name: str) -> None:
    assert load(name).id == name


@pytest.mark.parametrize("name", pack_names())
def test_packs_come_in_pairs(name: str) -> None:
    scenario = load(name)
    assert load(scenario.twin).twin == name


@pytest.mark.parametrize("name", pack_names())
def test_real_names_stand_in_facts_alone(name: str) -> None:
    scenario = load(name)
    outside = scenario.text[: scenario.text.index("[fact]")] + scenario.text[scenario.text.index("[thing]") :]
    assert not [brand for brand in ("Kelp", "Aave", "rsETH", "Mango", "LayerZero") if brand in outside]


@pytest.mark.parametrize("name", pack_names())
def test_every_fact_has_source_and_error(name: str) -> None:
    assert all(fact.src and fact.err for fact in load(name).facts.values())


def test_a_moment_of_history_is_played_divided_by_history_and_speed() -> None:
    scenario = load(FORGED)
    assert scenario.play_s(46 * 60) == 46.0
    assert scenario.play_s(46 * 60, speed=2) == 23.0


def test_the_first_four_are_needed_and_strangers_join_beyond_the_list() -> None:
    scenario = load(FORGED)
    assert [role.name for role in scenario.members(4)] == ["issuer", "lender-a", "venue", "lender-b"]
    assert [role.name for role in scenario.members(9)][-2:] == ["observer-1", "observer-2"]
    assert not scenario.members(9)[-1].is_exposed
    assert (scenario.members_min, scenario.members_default) == (4, 7)


def test_steps_of_one_seed_are_one_schedule() -> None:
    scenario = load(FORGED)
    events = scenario.events_in("control")
    assert scenario.steps(events, 3) == scenario.steps(events, 3)
    assert scenario.steps(events, 3) != scenario.steps(events, 4)


def test_steps_share_out_an_amount_exactly_and_keep_its_ends() -> None:
    scenario = load(FORGED)
    post = [step for step in scenario.steps(scenario.events_in("control"), 11) if step.event.name == "post"]
    assert sum(step.share for step in post) == pytest.approx(1)
    assert (post[0].history_s, post[-1].history_s) == (180.0, 180.0 + 2400.0)


def test_what_comes_after_the_end_is_told_and_not_played() -> None:
    scenario = load(FORGED)
    assert [event.name for event in scenario.only_told()] == ["frozen"]
    assert "frozen" not in [event.name for event in scenario.events_in("control")]


def test_an_event_of_an_absent_member_is_left_out() -> None:
    scenario = load(FORGED)
    names = [event.name for event in scenario.events_in("tocsin", present=["issuer"])]
    assert "people" in names and "approve" not in names


def test_younger_detectors_are_called_hindsight() -> None:
    scenario = load(FORGED)
    assert scenario.hindsight().startswith("HINDSIGHT")
    assert scenario.hindsight(made="2026-03") == ""


def test_a_check_needs_its_metric_and_its_members() -> None:
    scenario = load(FORGED)
    metrics = {"attacker.borrowed.weth": 41_000.0}
    found = scenario.checks("tocsin", metrics, ["lender-a", "lender-b"])
    assert [(check.name, check.ok) for check in found] == [("spared.tocsin", False)]
    assert scenario.checks("tocsin", metrics, ["lender-a"]) == []


def test_a_replay_within_tolerance_holds() -> None:
    scenario = load(FORGED)
    assert [check.ok for check in scenario.checks("control", {"attacker.borrowed.weth": 80_000.0}, [])] == [True]
    assert [check.ok for check in scenario.checks("control", {"attacker.borrowed.weth": 70_000.0}, [])] == [False]


def test_every_verb_of_the_registry_can_be_done() -> None:
    verbs = {(kind, verb) for kind, declared in KINDS.items() for verb in declared.verbs}
    assert verbs == set(DEEDS)


def test_the_guide_names_everything_of_the_registry() -> None:
    guide = (importlib.resources.files("deploy") / "scenarios" / "README.md").read_text("utf-8")
    named = {word for kind in (*KINDS.values(), NODE) for word in (*kind.params, *kind.verbs, *kind.levers)}
    named |= {word for kind in KINDS.values() for verb in kind.verbs.values() for word in verb.params}
    assert not [word for word in sorted(named | set(KINDS)) if f"`{word}`" not in guide]

"""Alarms told as traces: what is in them, what is kept back, what they are called, and how many there may be."""

from __future__ import annotations

from node.tracing.alarm import SPANS_MAX
from node.tracing.spans import ROOT
from node.tracing.story import ALARMS_MAX, LINKS_MAX, TOLD_AT_ONCE
from protocol.crypto import sha256
from protocol.messages import Level, Tlp
from tests.unit.machine.cast import COIN, THREAT, TOPIC
from tests.unit.tracing.stage import (
    CLAIM,
    KEY,
    LEVER,
    OTHER,
    freezes,
    ms,
    names,
    nested,
    ns,
    over,
    says,
    span,
    story,
    word,
)


def test_an_alarm_of_an_own_sensor_is_told_from_its_report_to_the_effect() -> None:
    told = story()
    says(told, 0, word(own=True))
    freezes(told, 20)
    found = over(told)
    steps = ["lever plan", "lever apply", "lever read_back"]
    assert names(found) == ["alarm", "entry", "decision", "action", *steps]
    assert nested(found.spans)
    root = span(found, "alarm")
    assert root.parent == ROOT and ms(root) == (0, 52) and root.attributes["tocsin.effect_ms"] == 52
    action = span(found, "action")
    assert ms(action) == (20, 52) and action.attributes["tocsin.phase"] == "effective"
    assert {span(found, one).parent for one in steps} == {action.span_id}


def test_an_alarm_of_a_peer_is_judged_counted_and_ends_with_its_certificate_where_nothing_is_ours() -> None:
    told = story()
    says(told, 0, word("m1"))
    told.at(TOPIC, ns(1)).asked(CLAIM, ns(1))
    (alarm,) = told.naming(CLAIM)
    alarm.judged(CLAIM, "supports", "so", ns(40))
    says(told, 42, word("m0", 42, own=True))
    says(told, 50, word("m2", 50))
    alarm.certificate(Level.ISOLATE, Tlp.GREEN, ("m0", "m1", "m2"), True, ns(50), ns(58))
    found = over(told)
    assert names(found) == ["alarm", "entry", "claim", "entry", "entry", "certificate"] and nested(found.spans)
    assert ms(span(found, "claim")) == (1, 40) and span(found, "claim").attributes["tocsin.ruling"] == "supports"
    counting = span(found, "certificate")
    assert ms(counting) == (5, 58) and counting.attributes["tocsin.signers"] == ("m0", "m1", "m2")
    root = span(found, "alarm")
    assert ms(root) == (0, 58) and root.attributes["tocsin.certificate_ms"] == 58
    assert "tocsin.effect_ms" not in root.attributes


def test_nothing_is_told_while_something_is_under_way() -> None:
    told = story()
    says(told, 0, word("m1"))
    told.at(TOPIC, ns(1)).asked(CLAIM, ns(1))
    assert told.over(ns(9_000)) == []
    told.naming(CLAIM)[0].judged(CLAIM, "undecided", "no answer", ns(9_500))
    assert told.over(ns(10_000)) == [] and over(told, 12_000).spans


def test_what_never_ends_is_told_after_two_minutes_as_far_as_it_came() -> None:
    told = story()
    told.at(TOPIC, ns(0)).step_begun(KEY, "apply", LEVER, ns(0))
    assert told.over(ns(119_000)) == []
    found = over(told, 121_000)
    assert span(found, "action").attributes["tocsin.cut"] is True and nested(found.spans)


def test_a_lever_that_fails_and_is_escalated_is_an_error_up_to_the_root() -> None:
    told = story()
    freezes(told, 0, "escalated", "no answer")
    found = over(told)
    assert span(found, "lever read_back").failed == "no answer"
    assert span(found, "action").failed == span(found, "alarm").failed == "escalated: people are called"
    assert span(found, "lever apply").attributes["tocsin.ok"] is False and not span(found, "decision").failed


def test_above_the_ceiling_neither_subject_nor_incident_nor_claims_are_told() -> None:
    def said(ceiling: Tlp) -> str:
        told = story(ceiling=ceiling)
        says(told, 0, word("m1", tlp=Tlp.GREEN))
        told.at(TOPIC, ns(1)).asked(CLAIM, ns(1))
        says(told, 10, word("m2", 10, tlp=Tlp.RED))
        freezes(told, 20)
        return " ".join(str(one) for one in over(told, 200_000).spans)

    secrets = (str(COIN), "the-heist", CLAIM[1].hex()[:12], CLAIM[0])
    assert all(one in said(Tlp.RED) for one in secrets)
    assert not any(one in said(Tlp.AMBER) for one in secrets)
    assert all(one in said(Tlp.AMBER) for one in (KEY.hex(), "freeze", "effective"))


def test_two_nodes_give_one_alarm_one_name_in_whatever_order_they_hear_of_it() -> None:
    here, there = story("m0"), story("m1")
    first, second = word("m2", 100, (OTHER,)), word("m3", 130)
    says(here, 0, first)
    says(here, 40, second)
    says(there, 7, second)
    says(there, 90, first)
    one, other = over(here), over(there)
    assert {each.trace_id for each in (*one.spans, *other.spans)} == {one.spans[0].trace_id}
    assert not {each.span_id for each in one.spans} & {each.span_id for each in other.spans}


def test_a_node_that_missed_the_first_word_links_to_the_name_that_others_give() -> None:
    here, there = story("m0"), story("m1")
    says(here, 0, word("m2", 100, (OTHER,)))
    says(here, 40, word("m3", 130))
    says(there, 7, word("m3", 130))
    one, other = over(here), over(there)
    assert one.spans[0].trace_id != other.spans[0].trace_id
    assert other.spans[0].trace_id in one.spans[0].links and not one.spans[1].links


def test_people_who_raise_one_after_the_other_raise_one_alarm() -> None:
    here, there = story("m0"), story("m1")
    anna, bert = word("m2", 100, ()), word("m3", 900, ())
    for told, words in ((here, (anna, bert)), (there, (bert, anna))):
        for at_ms, one in enumerate(words):
            says(told, at_ms, one)
    assert over(here).spans[0].trace_id == over(there).spans[0].trace_id


def test_a_lift_of_hours_later_is_a_turn_of_its_own_in_the_same_trace() -> None:
    told = story()
    says(told, 0, word())
    before = over(told)
    alarm = told.at(TOPIC, ns(7_200_000))
    alarm.moved(KEY, "lifting", "its lease ended", LEVER, ns(7_200_000), ns(7_200_003))
    alarm.moved(KEY, "lifted", "undone", LEVER, ns(7_200_020), ns(7_200_023))
    after = over(told, 7_300_000)
    assert names(after) == ["alarm", "action"] and nested(after.spans)
    assert after.spans[0].trace_id == before.spans[0].trace_id
    assert not {one.span_id for one in before.spans} & {one.span_id for one in after.spans}


def test_a_node_that_was_started_anew_finds_the_name_in_the_words_that_it_holds() -> None:
    before, after = story(), story(held=(word("m1"),))
    says(before, 0, word("m1"))
    after.at(TOPIC, ns(5_000)).moved(KEY, "lifted", "undone", LEVER, ns(5_000), ns(5_003))
    assert over(before).spans[0].trace_id == over(after).spans[0].trace_id


def test_another_attack_on_the_same_topic_has_another_trace() -> None:
    told = story()
    says(told, 0, word())
    before = over(told)
    says(told, 100_000, word("m1", 100_000, (OTHER,)))
    assert over(told, 200_000).spans[0].trace_id != before.spans[0].trace_id


def test_a_flood_of_words_on_one_alarm_fills_its_places_and_is_counted() -> None:
    told = story()
    for number in range(3 * SPANS_MAX):
        says(told, number / 10, word("m1", number, ((OTHER[0], sha256(bytes([number % 256, number // 256]))),)))
    found = over(told)
    assert len(found.spans) == SPANS_MAX and told.dropped == 2 * SPANS_MAX + 1
    assert found.spans[0].attributes["tocsin.spans_dropped"] == told.dropped
    assert len(found.spans[0].links) == LINKS_MAX and nested(found.spans)


def test_a_flood_of_topics_turns_out_what_nothing_came_of() -> None:
    told = story()
    freezes(told, 0)
    for number in range(3 * ALARMS_MAX):
        alarm = told.at((COIN, THREAT + 1 + number % 200), ns(100 + number))
        alarm.word(word("m1"), ns(100 + number), ns(101 + number))
    found = told.over(ns(500))
    assert told.known(TOPIC) is not None and len(found) == 2 * ALARMS_MAX + 1
    assert len(told.close(ns(600))) == ALARMS_MAX


def test_many_that_end_together_are_told_in_portions() -> None:
    told = story()
    for number in range(TOLD_AT_ONCE + 3):
        told.at((COIN, number), ns(0)).word(word("m1"), ns(0), ns(1))
    assert [len(told.over(ns(9_000 + number))) for number in range(3)] == [TOLD_AT_ONCE, 3, 0]


def test_a_clock_that_was_set_back_makes_no_span_end_before_it_began() -> None:
    told = story()
    told.at(TOPIC, ns(1_000)).word(word(), ns(1_000), ns(400))
    freezes(told, 300)
    assert nested(over(told).spans)

"""An alarm as others' tools read it: the same each time, and a newer version where something changed."""

from dataclasses import replace
from typing import Any

import pytest

from adapters.intel import misp, stix
from adapters.intel.model import Author, alarm_of
from protocol.messages import Tlp
from tests.unit.intel.stage import COIN, MINUTE, NOW, T0, US, action, alarm, alert, opinion

TOLD = alarm(opinion("lender-a"), opinion("issuer", issued_ms=T0 + 9_000), acts=(action(),))


def of_type(objects: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [one for one in objects if one["type"] == kind]


def test_exporting_twice_gives_the_same_bundle() -> None:
    later = NOW + MINUTE
    assert stix.bundle(stix.objects([TOLD], US, NOW)) == stix.bundle(stix.objects([TOLD], US, later))
    assert misp.event(TOLD, US, NOW) == misp.event(TOLD, US, later)


def test_the_order_in_which_alarms_come_changes_nothing() -> None:
    other = alarm_of(alert(opinion("issuer"), id="cd" * 32, subject="domain:a.example"), [])
    assert stix.objects([TOLD, other], US, NOW) == stix.objects([other, TOLD], US, NOW)


def test_each_member_that_spoke_has_one_sighting_of_the_one_indicator() -> None:
    found = stix.objects([TOLD], US, NOW)
    (indicator,) = of_type(found, "indicator")
    names = {one["id"]: one["name"] for one in of_type(found, "identity")}
    seen = {names[one["where_sighted_refs"][0]]: one["sighting_of_ref"] for one in of_type(found, "sighting")}
    assert seen == {"issuer": indicator["id"], "lender-a": indicator["id"]}


def test_every_reference_is_to_an_object_of_the_bundle() -> None:
    found = stix.objects([TOLD], US, NOW)
    ids = {one["id"] for one in found}
    refs = [one[key] for one in found for key in one if key.endswith("_ref")]
    refs += [ref for one in found for key in one if key.endswith("_refs") for ref in one[key]]
    assert refs and set(refs) <= ids and len(ids) == len(found)


def test_alarms_of_one_name_are_one_incident() -> None:
    other = alarm_of(alert(opinion("issuer"), id="cd" * 32, subject="domain:a.example"), [])
    nameless = alarm_of(alert(opinion("issuer", incident=""), id="ef" * 32, subject="domain:b.example"), [])
    found = stix.objects([TOLD, other, nameless], US, NOW)
    assert sorted(one["name"] for one in of_type(found, "incident")) == ["bridge-forgery on domain:b.example", "rseth"]


def test_a_later_word_makes_a_newer_version_of_the_same_object() -> None:
    more = alarm(opinion("lender-a"), opinion("issuer", issued_ms=T0 + 9_000), opinion("dex", issued_ms=T0 + 99_000))
    (old,), (new,) = (of_type(stix.objects([one], US, NOW), "indicator") for one in (TOLD, more))
    assert old["id"] == new["id"] and old["modified"] < new["modified"]


def test_what_ended_is_a_newer_version_although_nobody_spoke() -> None:
    after = T0 + 121 * MINUTE
    (old,), (new,) = (of_type(stix.objects([TOLD], US, at), "indicator") for at in (NOW, after))
    assert old["modified"] < new["modified"]


def test_a_word_taken_back_is_a_sighting_revoked_and_the_last_one_revokes_the_indicator() -> None:
    back = opinion("issuer", level="NONE")
    some = stix.objects([alarm(opinion("lender-a"), back)], US, NOW)
    assert [one.get("revoked", False) for one in of_type(some, "sighting")] == [True, False]
    assert "revoked" not in of_type(some, "indicator")[0]
    (gone,) = of_type(stix.objects([alarm(back, level="NONE")], US, NOW), "indicator")
    assert gone["revoked"] is True


def test_two_members_objects_are_never_versions_of_each_other() -> None:
    ours, theirs = (stix.objects([TOLD], who, NOW) for who in (US, Author(US.network, "issuer")))
    shared = {one["id"] for one in ours} & {one["id"] for one in theirs}
    assert {id_.partition("--")[0] for id_ in shared} == {"identity", "marking-definition"}
    assert all(one in theirs for one in ours if one["id"] in shared)


@pytest.mark.parametrize(
    ("subject", "pattern"),
    [
        (COIN, f"[x-tocsin-subject:value = '{COIN}']"),
        ("domain:pay.example", "[domain-name:value = 'pay.example']"),
        ("pkg:npm/it's\\", "[x-tocsin-subject:value = 'pkg:npm/it\\'s\\\\']"),
    ],
)
def test_a_subject_is_a_pattern_and_cannot_end_it(subject: str, pattern: str) -> None:
    assert stix.pattern(subject) == pattern


def test_a_moment_beyond_what_the_format_writes_is_its_last() -> None:
    (found,) = of_type(stix.objects([alarm(opinion("a", expires_ms=1 << 60))], US, NOW), "indicator")
    assert found["valid_until"] == "9999-12-31T23:59:59.999Z"


def test_a_misp_event_has_the_subject_and_who_saw_it() -> None:
    event = misp.event(TOLD, US, NOW)["Event"]
    subject, lever = event["Attribute"]
    assert (subject["type"], subject["value"]) == ("text", COIN)
    assert [one["Organisation"]["name"] for one in subject["Sighting"]] == ["issuer", "lender-a"]
    assert "lending.ltv_zero" in lever["value"] and {"name": "tlp:amber"} in event["Tag"]


def test_a_misp_event_is_spread_no_wider_than_its_marking() -> None:
    events = {tlp: misp.event(alarm(opinion("a", tlp), certificate=None), US, NOW)["Event"] for tlp in Tlp}
    spread = {tlp: event["distribution"] for tlp, event in events.items()}
    assert spread == {Tlp.CLEAR: "3", Tlp.GREEN: "1", Tlp.AMBER: "0", Tlp.AMBER_STRICT: "0", Tlp.RED: "0"}


def test_a_lever_of_another_alarm_is_not_told() -> None:
    assert alarm(opinion("a"), acts=(action(threat="oracle-manipulation"),)).deeds == ()


def test_a_domain_taken_over_is_for_their_detectors_until_it_is_taken_back() -> None:
    told = alarm_of(alert(opinion("a"), subject="domain:pay.example", threat="frontend-hijack"), [])
    back = replace(told, words=alarm(opinion("a", level="NONE")).words)
    assert [misp.event(one, US, NOW)["Event"]["Attribute"][0]["to_ids"] for one in (told, back)] == [True, False]

"""What somebody may not have does not leave, nor does what was made of it."""

import json

import pytest

from adapters.intel import misp, stix
from adapters.intel.model import below
from node.sharing import shared
from protocol.messages import Level, Tlp
from tests.unit.intel.stage import NOW, US, action, alarm, alert, opinion


@pytest.mark.parametrize("ceiling", [Tlp.CLEAR, Tlp.GREEN, Tlp.AMBER])
def test_nothing_above_the_ceiling_is_in_any_file(ceiling: Tlp) -> None:
    words = [opinion(f"member-{tlp.name.lower()}", tlp, detector=f"seen-{tlp.value}") for tlp in Tlp]
    cut = below(alarm(*words, acts=(action(),)), ceiling)
    assert cut is not None
    written = json.dumps([stix.objects([cut], US, NOW), misp.event(cut, US, NOW)])
    assert [tlp for tlp in Tlp if f"seen-{tlp.value}" in written] == [tlp for tlp in Tlp if tlp <= ceiling]


def test_an_alarm_of_strict_words_alone_does_not_leave() -> None:
    assert below(alarm(opinion("issuer", Tlp.RED)), Tlp.AMBER) is None


def test_a_certificate_is_not_named_where_a_word_on_its_alarm_is_held_back() -> None:
    told = alarm(opinion("a"), opinion("b", Tlp.RED))
    assert told.certificate and below(told, Tlp.RED) == told
    cut = below(told, Tlp.AMBER)
    assert cut is not None and not cut.certificate


def test_a_certificate_of_older_and_stricter_words_is_not_told_either() -> None:
    older = {"digest": "12" * 32, "level": "HALT", "ends_ms": 0, "tlp": "RED"}
    told = alarm(opinion("a", level="GUARD"), certificate=older, level="HALT")
    cut = below(told, Tlp.GREEN)
    assert cut is not None and (cut.certificate, cut.level) == ("", Level.GUARD)
    (indicator,) = (one for one in stix.objects([told], US, NOW) if one["type"] == "indicator")
    assert indicator["object_marking_refs"] == [stix.marking(Tlp.RED)["id"]]


def test_the_level_of_what_is_held_back_is_not_told() -> None:
    told = alarm(opinion("a", level="WATCH"), opinion("b", Tlp.RED, level="HALT"), level="HALT")
    cut = below(told, Tlp.GREEN)
    assert cut is not None and (cut.level, cut.groups) == (Level.WATCH, ("a",))


def test_own_levers_are_for_recipients_of_amber() -> None:
    told = alarm(opinion("a", Tlp.CLEAR), acts=(action(),))
    deeds = {ceiling: len(cut.deeds) for ceiling in Tlp if (cut := below(told, ceiling)) is not None}
    assert deeds == {Tlp.CLEAR: 0, Tlp.GREEN: 0, Tlp.AMBER: 1, Tlp.AMBER_STRICT: 1, Tlp.RED: 1}


def test_the_marking_of_an_object_is_that_of_the_words_it_rests_on() -> None:
    found = stix.objects([alarm(opinion("a", Tlp.CLEAR), opinion("b", Tlp.AMBER))], US, NOW)
    by_word = {one["description"][0]: one["object_marking_refs"] for one in found if one["type"] == "sighting"}
    clear, amber = (stix.marking(tlp)["id"] for tlp in (Tlp.CLEAR, Tlp.AMBER))
    assert by_word == {"a": [clear], "b": [amber]}
    assert [one["object_marking_refs"] for one in found if one["type"] == "indicator"] == [[amber]]


def test_a_certificate_without_a_word_has_no_marking_and_stays() -> None:
    leaving, whole, words = shared([alert()], [], Tlp.RED)
    assert (leaving, whole, words) == ([], 1, 0)

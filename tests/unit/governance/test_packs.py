"""Incidents that a network has not had, said by its members: what a change would do to them."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from governance.packs import Recording, Word, parse_recording, played, replayed
from node.recordings import recordings
from node.testnet.opinions import recording_text
from protocol.errors import ProtocolError
from protocol.ids import MemberName, SourceId
from protocol.membership import Epoch, Source
from protocol.messages import Basis, Level, Threat
from tests.unit.governance.members import NOW, epoch, names
from tests.unit.protocol.world import TOKEN

TOPIC = (TOKEN, int(Threat.BRIDGE_FORGERY))
GUARD, ISOLATE, HALT = Level.GUARD, Level.ISOLATE, Level.HALT
ONE_BY_ONE = Recording("a pack", 7, tuple(Word(seat, TOPIC, ISOLATE, Basis.VERIFIED, seat * 10) for seat in range(7)))


def network(count: int, **changes: object) -> Epoch:
    sources = tuple(Source(SourceId(f"{name}-home"), name, "eip155:1") for name in names(count))
    return replace(epoch(count), sources=sources, **changes)  # type: ignore[arg-type]


def own(count: int) -> dict[MemberName, tuple[SourceId, ...]]:
    return {name: (SourceId(f"{name}-home"),) for name in names(count)}


def text(**changes: object) -> str:
    row = [0, 0, str(TOKEN), int(Threat.BRIDGE_FORGERY), "ISOLATE", "VERIFIED"]
    return json.dumps({"opinions": 1, "pack": "a pack", "seats": 7, "rows": [row]} | changes)


def test_nothing_differs_where_nothing_changed() -> None:
    everybody, weakest = replayed(ONE_BY_ONE, network(7), network(7), own(7), NOW)
    assert (everybody.formed, everybody.differences, weakest.differences) == (2, (), ())
    assert weakest.silent == (2, 2)


def test_a_stricter_threshold_forms_later_and_not_without_the_silent() -> None:
    strict = network(7, formulas={GUARD: "max(2, f + 1)", ISOLATE: "n", HALT: "n"})
    everybody, weakest = replayed(ONE_BY_ONE, network(7), strict, own(7), NOW)
    assert [(one.level, one.later_ms) for one in everybody.differences] == [(ISOLATE, 20)]
    assert [(one.level, one.after) for one in weakest.differences] == [(ISOLATE, None)]


def test_a_joiner_speaks_in_the_next_seat_and_moves_nobody() -> None:
    said = played(ONE_BY_ONE, network(4), network(5), own(5), NOW)
    assert [(one.member, one.issued_ms - NOW) for one in said] == [
        ("m0", 0),
        ("m1", 10),
        ("m2", 30),
        ("m3", 50),
        ("m4", 40),
    ]


def test_a_network_larger_than_the_recording_has_several_in_one_seat() -> None:
    said = played(ONE_BY_ONE, network(9), network(9), own(9), NOW)
    assert [one.member for one in said if one.issued_ms == NOW] == ["m0", "m7"]


def test_a_source_that_goes_takes_its_word_along() -> None:
    one_vendor = replace(network(4), sources=tuple(replace(one, operator="vendor") for one in network(4).sources))
    everybody, _ = replayed(ONE_BY_ONE, network(4), one_vendor, own(4), NOW)
    assert [(one.level, one.after) for one in everybody.differences] == [(ISOLATE, None)]


@pytest.mark.parametrize(
    "spoilt",
    [
        "[]",
        "{",
        "[" * 100_000,
        text(opinions=2),
        text(pack=""),
        text(seats=0),
        text(seats=True),
        text(rows=[[0]]),
        text(rows=[[7, 0, str(TOKEN), 34, "ISOLATE", "VERIFIED"]]),
        text(rows=[[0, -1, str(TOKEN), 34, "ISOLATE", "VERIFIED"]]),
        text(rows=[[0, 0, "nothing", 34, "ISOLATE", "VERIFIED"]]),
        text(rows=[[0, 0, str(TOKEN), 999, "ISOLATE", "VERIFIED"]]),
        text(rows=[[0, 0, str(TOKEN), 34, ["x"], "VERIFIED"]]),
        text(rows=[[0, 0, str(TOKEN), 34, "ISOLATE", "SEEN"]]),
    ],
)
def test_what_is_no_recording_is_refused(spoilt: str) -> None:
    with pytest.raises(ProtocolError):
        parse_recording(spoilt)


def test_what_a_run_told_is_a_recording() -> None:
    said = {"kind": "attestation", "own": True, "subject": str(TOKEN), "threat": "bridge-forgery", "basis": "VERIFIED"}
    told = {
        "b": [
            said | {"seq": 1, "issued_ms": 500, "level": "ISOLATE"},
            said | {"seq": 2, "issued_ms": 900, "level": "NONE"},
        ],
        "a": [said | {"seq": 1, "issued_ms": 520, "level": "GUARD"}, said | {"own": False, "seq": 1, "issued_ms": 500}],
        "c": [{"kind": "certificate"}],
    }
    found = parse_recording(recording_text("a pack", told))
    assert found.seats == 3
    assert [(one.seat, one.level, one.after_ms) for one in found.words] == [
        (0, ISOLATE, 0),
        (1, GUARD, 20),
        (0, Level.NONE, 400),
    ]


def test_a_recording_says_how_long_after_the_first_deed_it_begins_and_what_its_subjects_are() -> None:
    said = {"kind": "attestation", "own": True, "threat": "bridge-forgery", "basis": "VERIFIED", "level": "ISOLATE"}
    told = {"a": [said | {"seq": 1, "issued_ms": 500, "subject": str(TOKEN)}]}
    found = json.loads(recording_text("a pack", told, 380, {str(TOKEN): "rs", "another": "weth"}))
    assert (found["after_ms"], found["things"]) == (120, {str(TOKEN): "rs"})


def test_what_comes_with_the_package_can_be_read() -> None:
    found = {one.pack: one for one in recordings()}
    assert {"forged-bridge-release", "oracle-push"} <= set(found)
    assert all(one.words for one in found.values())

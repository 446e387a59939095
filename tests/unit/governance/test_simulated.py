"""What a change would have changed: yesterday's opinions under tomorrow's rules."""

from __future__ import annotations

from dataclasses import replace

import pytest

from governance.simulated import ROWS_MAX, Said, Span, differences, recorded, spans
from protocol.ids import SourceId
from protocol.membership import Epoch, Source
from protocol.messages import Basis, Level, Threat
from tests.unit.governance.members import NOW, epoch, name_of, names
from tests.unit.protocol.world import TOKEN, all_say
from tests.unit.protocol.world import names as other_names

HOUR = 3_600_000
TOPIC = (TOKEN, int(Threat.BRIDGE_FORGERY))
GUARD, ISOLATE, HALT = Level.GUARD, Level.ISOLATE, Level.HALT


def network(count: int, **changes: object) -> Epoch:
    """Each with a source of its own."""
    sources = tuple(Source(SourceId(f"{name}-home"), name, "eip155:1") for name in names(count))
    return replace(epoch(count), sources=sources, **changes)  # type: ignore[arg-type]


def says(at: int, level: Level = ISOLATE, after_ms: int = 0, lasts_ms: int = HOUR, **changes: object) -> Said:
    name = name_of(at)
    made = Said(
        name, TOPIC, level, NOW + after_ms, NOW + after_ms + lasts_ms, Basis.VERIFIED, (SourceId(f"{name}-home"),)
    )
    return replace(made, **changes)  # type: ignore[arg-type]


ONE_AFTER_ANOTHER = [says(at, after_ms=at * 1000) for at in range(7)]


def starts(of: Epoch, said: list[Said]) -> dict[Level, list[int]]:
    return {level: [one.from_ms - NOW for one in found] for level, found in spans(said, of).items()}


def test_a_level_stands_from_its_threshold_to_the_expiry_that_breaks_it() -> None:
    found = spans(ONE_AFTER_ANOTHER[:5], network(7))
    assert found[ISOLATE] == [Span(NOW + 4000, NOW + HOUR, ("m0", "m1", "m2", "m3", "m4"))]
    assert found[GUARD][0].from_ms == NOW + 2000
    assert found[GUARD][0].until_ms == NOW + HOUR + 2000
    assert found[HALT] == []


def test_nothing_differs_where_nothing_changed() -> None:
    assert differences(ONE_AFTER_ANOTHER, network(7), network(7)) == ()


def test_a_stricter_threshold_forms_later_or_not_at_all() -> None:
    strict = network(7, formulas={GUARD: "max(2, f + 1)", ISOLATE: "n", HALT: "n"})
    (later,) = differences(ONE_AFTER_ANOTHER, network(7), strict)
    assert (later.level, later.later_ms) == (ISOLATE, 2000)
    (never,) = differences(ONE_AFTER_ANOTHER[:6], network(7), strict)
    assert (never.level, never.after) == (ISOLATE, None)


def test_a_looser_one_forms_sooner() -> None:
    strict = network(7, formulas={GUARD: "max(2, f + 1)", ISOLATE: "n", HALT: "n"})
    (sooner,) = differences(ONE_AFTER_ANOTHER, strict, network(7))
    assert sooner.later_ms == -2000
    (only_now,) = differences(ONE_AFTER_ANOTHER[:6], strict, network(7))
    assert (only_now.before, only_now.later_ms) == (None, None)


def test_a_member_that_leaves_is_not_counted_and_takes_its_share_of_n_along() -> None:
    fewer = network(6)
    said = ONE_AFTER_ANOTHER[2:7]
    (gone,) = [one for one in differences(said, network(7), fewer) if one.level is ISOLATE]
    assert gone.after is None


def test_a_suspended_seat_weighs_nothing_and_lowers_nothing() -> None:
    of = network(7)
    muted = replace(of, members=tuple(replace(one, suspended=one.name == "m0") for one in of.members))
    (later,) = [one for one in differences(ONE_AFTER_ANOTHER, of, muted) if one.level is ISOLATE]
    assert later.later_ms == 1000


def test_merged_groups_count_once() -> None:
    of = network(7)
    merged = replace(
        of, members=tuple(replace(one, group="m0" if one.name == "m1" else one.group) for one in of.members)
    )
    assert starts(of, ONE_AFTER_ANOTHER)[GUARD] == [2000]
    assert starts(merged, ONE_AFTER_ANOTHER)[GUARD] == [2000]
    assert starts(merged, ONE_AFTER_ANOTHER)[ISOLATE] == [5000]


def test_a_merged_source_can_no_longer_vouch_for_itself() -> None:
    of = network(4)
    one_vendor = replace(of, sources=tuple(replace(one, operator="vendor") for one in of.sources))
    (never,) = differences([says(at) for at in range(3)], of, one_vendor)
    assert (never.level, never.after) == (ISOLATE, None)


def test_a_shorter_lease_ends_sooner_and_forms_alike() -> None:
    short = network(4, lease_ms={GUARD: HOUR // 2, ISOLATE: HOUR // 2, HALT: HOUR // 2})
    said = [says(at) for at in range(4)]
    assert differences(said, network(4), short) == ()
    assert spans(said, short)[ISOLATE][0].until_ms == NOW + HOUR // 2


def test_a_later_opinion_replaces_and_none_withdraws() -> None:
    said = [says(at) for at in range(3)] + [says(0, Level.NONE, 5000)]
    assert spans(said, network(4))[ISOLATE] == [Span(NOW, NOW + 5000, ("m0", "m1", "m2"))]
    again = [*said, says(0, after_ms=9000)]
    assert starts(network(4), again)[ISOLATE] == [0, 9000]


def test_stored_attestations_are_rows_too() -> None:
    said = [recorded(one) for one in all_say(other_names(3))]
    assert [one.member for one in said] == list(other_names(3))
    assert all(one.expires_ms > one.issued_ms for one in said)


def test_a_replay_is_bounded() -> None:
    with pytest.raises(ValueError):
        differences((says(0) for _ in range(ROWS_MAX + 1)), network(4), network(4))

"""What a node says of whom it hears: names, since when, what it does about it, and whose clock is off."""

from __future__ import annotations

from node.hearing import Crier, Heard, ahead_ms, members_heard, sentence
from node.transport.api import PeerStatus
from protocol.frames import Entries
from protocol.ids import MemberName
from protocol.messages import Heartbeat
from tests.unit.machine.world import START_MS, World, member, peer_of

NOW_MS = 1_790_000_000_000
"""14:13:20"""


def line(name: str, up: bool, since_s: float, doing: str = "connected") -> PeerStatus:
    return PeerStatus(peer_of(name), up, since_s, 10.0 if up else None, 0, 0, doing)


def cut(world: World, *silent: str) -> list[PeerStatus]:
    """m0's transport, once these members went silent 60 and 61 s ago, and so on."""
    if silent:
        world.unplug("m0", *silent)
    rows = [line(name, False, 60 + n, f"attempt {n + 1}") for n, name in enumerate(silent)]
    return rows + [line(one.name, True, 600) for one in world.epoch.members if one.name not in ("m0", *silent)]


def test_a_blind_node_says_who_is_silent_since_when_and_what_it_does() -> None:
    world = World(5)
    state = world[0].state
    heard = members_heard(state, cut(world, "m1", "m3"), NOW_MS)
    assert sentence(state, heard) == (
        "blind: hears 3 of 5, needs 4; m3 silent since 14:12:19; m1 silent since 14:12:20; "
        "dialling: m1 (attempt 1), m3 (attempt 2)"
    )


def test_members_silent_since_the_same_second_stand_together() -> None:
    world = World(5)
    state = world[0].state
    rows = [line(one.peer_id.removeprefix("peer-of-"), one.up, 60.0) for one in cut(world, "m1", "m3")]
    assert "; m1, m3 silent since 14:12:20; " in sentence(state, members_heard(state, rows, NOW_MS))


def test_a_node_that_hears_all_says_no_more_than_that() -> None:
    world = World(7)
    state = world[0].state
    assert sentence(state, members_heard(state, cut(world), NOW_MS)) == "hears 7 of 7, needs 5"


def test_a_margin_of_nothing_is_thin() -> None:
    world = World(4)
    state = world[0].state
    assert sentence(state, members_heard(state, cut(world, "m1"), NOW_MS)).startswith(
        "thin: hears 3 of 4, needs 3; m1 "
    )


def test_a_member_without_a_known_identity_is_said_to_be_so() -> None:
    world = World(4)
    state = world[0].state
    (first, *_) = members_heard(state, [], NOW_MS)
    assert (first.member, first.doing) == (member(1), "no identity of it is known, so nobody is dialled")


def test_a_clock_is_compared_by_the_heartbeat_and_half_the_way() -> None:
    world = World(4, liars=1)
    world.run(2_000)
    state = world[0].state
    world.liars["m3"].send(
        Entries((world.liars["m3"].seal(Heartbeat(world.epoch.hash), issued_ms=world.now_ms + 41_000).raw,)),
        to=[0],
    )
    world.run(50)
    assert ahead_ms(state, member(3), 40.0) == 41_000
    assert ahead_ms(state, member(1), 40.0) == 0
    assert ahead_ms(state, MemberName("m9"), 40.0) is None


def heard(name: str, up: bool = True, ahead: int | None = 0) -> Heard:
    return Heard(MemberName(name), up, START_MS, "attempt 1", None, ahead)


def test_the_log_hears_of_each_change_once_and_of_blindness_each_minute() -> None:
    world = World(4)
    state, crier = world[0].state, Crier(30_000)
    well = [heard("m1"), heard("m2"), heard("m3")]
    assert crier.lines(state, [heard("m1", False)], 1.0) == []
    assert crier.lines(state, well, 6.0) == []
    world.unplug("m0", "m1", "m2")
    dark = [heard("m1", False), heard("m2", False), heard("m3")]
    ((warns, says),) = crier.lines(state, dark, 7.0)
    assert warns and says.startswith("blind: hears 2 of 4")
    assert [crier.lines(state, dark, at) for at in (8.0, 66.0)] == [[], []]
    assert len(crier.lines(state, dark, 68.0)) == 1
    world.plug("m0", "m1")
    world.plug("m0", "m2")
    assert crier.lines(state, well, 70.0) == [(False, "hears 4 of 4, needs 3")]


def test_a_clock_beyond_the_bound_is_said_once_and_again_when_it_is_well() -> None:
    world = World(4)
    crier = Crier(30_000)
    state = world[0].state
    ((warns, says),) = crier.lines(state, [heard("m1", ahead=-31_000)], 1.0)
    assert warns and says.startswith("the clock of m1 is 31000 ms behind ours, 30000 ms are allowed")
    assert crier.lines(state, [heard("m1", ahead=-32_000)], 2.0) == []
    assert crier.lines(state, [heard("m1", ahead=5)], 3.0) == [
        (False, "the clock of m1 is well again: 5 ms ahead of ours")
    ]

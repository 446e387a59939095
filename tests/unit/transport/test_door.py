"""What a flood of sockets may cost, and who is let in meanwhile."""

from __future__ import annotations

from node.transport.door import Door
from node.transport.limits import (
    DOOR_KNOWN_BURST,
    DOOR_LOOKS_BURST,
    DOOR_LOOKS_PER_S,
    DOOR_PLACES_MAX,
    DOOR_STRANGE_BURST,
    DOOR_STRANGERS_BURST,
    DOOR_STRANGERS_PER_S,
)

MEMBER = "198.51.100.7"


def admitted(door: Door, ips: list[str], now_s: float = 100.0) -> int:
    return sum(door.admits(ip, now_s) for ip in ips)


def test_one_place_gets_a_few_handshakes_however_many_addresses_it_has() -> None:
    assert admitted(Door(), [f"203.0.113.{n}" for n in range(250)]) == DOOR_STRANGE_BURST
    assert admitted(Door(), [f"2001:db8:1:{n:x}::1" for n in range(250)]) == DOOR_STRANGE_BURST


def test_many_places_share_what_strangers_get() -> None:
    door = Door()
    flood = [f"10.{n // 250}.{n % 250}.9" for n in range(5_000)]
    assert admitted(door, flood) == DOOR_STRANGERS_BURST
    assert admitted(door, flood, 101.0) <= DOOR_STRANGERS_PER_S


def test_a_member_comes_in_amid_a_flood_by_where_it_listens_or_came_from() -> None:
    for learn in (lambda d: d.know([f"/ip4/{MEMBER}/tcp/4001", "/dns4/a.example/tcp/1"]), lambda d: d.welcome(MEMBER)):
        door = Door()
        learn(door)
        admitted(door, [f"10.0.{n}.9" for n in range(250)])
        assert admitted(door, [MEMBER] * 500) == DOOR_KNOWN_BURST


def test_a_member_place_full_of_noise_costs_strangers_nothing() -> None:
    door = Door()
    door.welcome(MEMBER)
    admitted(door, [MEMBER] * 500)
    assert door.admits("203.0.113.1", 100.0)


def test_only_so_many_sockets_a_second_are_looked_at() -> None:
    door = Door()
    assert sum(door.pause_s(100.0) == 0 for _ in range(10_000)) == DOOR_LOOKS_BURST
    assert sum(door.pause_s(101.0 + n / 1_000_000) == 0 for n in range(10_000)) <= DOOR_LOOKS_PER_S + 10


def test_the_tables_are_bounded() -> None:
    door = Door()
    for number in range(3 * DOOR_PLACES_MAX):
        ip = f"{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}.1"
        door.admits(ip, 100.0)
        door.welcome(ip)
    assert len(door._known) == len(door._strange) == DOOR_PLACES_MAX


def test_what_is_no_address_is_a_place_like_any_other() -> None:
    assert admitted(Door(), ["fe80::1%eth0", "nonsense", ""]) == 3

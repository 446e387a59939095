"""What a flood of sockets may cost, and who is let in meanwhile."""

from __future__ import annotations

import socket

import pytest
import trio
import trio.testing
from trio.testing import trio_test

from node.transport.door import Door, GuardedListener
from node.transport.limits import (
    DOOR_KNOWN_BURST,
    DOOR_LOOKS_BURST,
    DOOR_LOOKS_PER_S,
    DOOR_PLACES_MAX,
    DOOR_PLACES_PER_PEER,
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
    for learn in (
        lambda d: d.know([f"/ip4/{MEMBER}/tcp/4001", "/dns4/a.example/tcp/1"]),
        lambda d: d.welcome("p", MEMBER),
    ):
        door = Door()
        learn(door)
        admitted(door, [f"10.0.{n}.9" for n in range(250)])
        assert admitted(door, [MEMBER] * 500) == DOOR_KNOWN_BURST


def test_a_member_place_full_of_noise_costs_strangers_nothing() -> None:
    door = Door()
    door.welcome("p", MEMBER)
    admitted(door, [MEMBER] * 500)
    assert door.admits("203.0.113.1", 100.0)


def test_only_so_many_sockets_a_second_are_looked_at() -> None:
    door = Door()
    assert sum(door.may_look(100.0) for _ in range(10_000)) == DOOR_LOOKS_BURST
    assert sum(door.may_look(101.0 + n / 1_000_000) for n in range(10_000)) <= DOOR_LOOKS_PER_S + 10


def test_the_tables_are_bounded() -> None:
    door = Door()
    for number in range(3 * DOOR_PLACES_MAX):
        ip = f"{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}.1"
        door.admits(ip, 100.0)
        if number % 100 == 0:
            door.welcome(f"peer-{number}", ip)
            door.welcome("liar", ip)
    assert len(door._strange) == DOOR_PLACES_MAX
    assert len(door._known) <= DOOR_PLACES_MAX + DOOR_PLACES_PER_PEER


def test_a_member_of_many_addresses_has_a_few_places() -> None:
    door = Door()
    for number in range(200):
        door.welcome("liar", f"10.0.{number}.9")
    assert list(door._known) == [f"10.0.{number}.9" for number in range(200 - DOOR_PLACES_PER_PEER, 200)]


def test_an_address_is_known_however_a_socket_writes_it_and_unknown_once_nobody_has_it() -> None:
    door = Door()
    door.know([f"/ip4/{MEMBER}/tcp/1", "/ip6/2001:db8:0:0::7/tcp/1"])
    assert admitted(door, [f"::ffff:{MEMBER}"] * 100) == DOOR_KNOWN_BURST
    assert admitted(door, ["2001:db8::7"] * 100) == DOOR_KNOWN_BURST
    door.know([])
    assert admitted(door, [MEMBER] * 100, 200.0) == DOOR_STRANGE_BURST


def test_what_is_no_address_is_a_place_like_any_other() -> None:
    assert admitted(Door(), ["fe80::1%eth0", "nonsense", ""]) == 3


def from_address(where: str, port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), source_address=(where, 0))


async def listening(door: Door | None) -> tuple[GuardedListener, int]:
    (behind,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    listener = GuardedListener(behind)
    listener.door = door
    return listener, behind.socket.getsockname()[1]


def full_of_strangers() -> Door:
    door = Door()
    admitted(door, [f"10.0.{n}.9" for n in range(250)], trio.current_time())
    return door


@trio_test
async def test_a_known_place_is_accepted_behind_a_hundred_that_are_sent_away_at_once() -> None:
    door = full_of_strangers()
    door.know(["/ip4/127.0.0.2/tcp/1"])
    listener, port = await listening(door)
    strangers = [from_address("127.0.0.3", port) for _ in range(100)]
    member = from_address("127.0.0.2", port)
    before = door.turned_away
    with trio.fail_after(5):
        stream = await listener.accept()
    assert stream.socket.getpeername() == member.getsockname()
    assert door.turned_away - before == 100
    with pytest.raises(ConnectionResetError):
        strangers[-1].recv(1)
    await stream.aclose()
    await listener.aclose()


@trio_test
async def test_who_comes_later_is_accepted_when_he_comes() -> None:
    listener, port = await listening(None)
    async with trio.open_nursery() as nursery:
        accepted = []

        async def accept() -> None:
            accepted.append(await listener.accept())

        nursery.start_soon(accept)
        await trio.testing.wait_all_tasks_blocked()
        client = from_address("127.0.0.1", port)
    assert accepted[0].socket.getpeername() == client.getsockname()
    await accepted[0].aclose()
    await listener.aclose()


@trio_test
async def test_a_listener_that_is_closed_says_so_to_who_waits() -> None:
    listener, _ = await listening(Door())
    async with trio.open_nursery() as nursery:

        async def accept() -> None:
            with pytest.raises(trio.ClosedResourceError):
                await listener.accept()

        nursery.start_soon(accept)
        await trio.testing.wait_all_tasks_blocked()
        await listener.aclose()
        nursery.start_soon(accept)
